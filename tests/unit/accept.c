#include "sys/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "sys/fds.h"
#include "unit.h"

static struct address at;

static int
listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)address_parse("127.0.0.1", &at);
	CHECK(bind(fd, &at.any, at.size) == 0 && listen(fd, 8) == 0 && address_local(fd, &at) == 0);
	return fd;
}

static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(connect(fd, &at.any, at.size) == 0);
	return fd;
}

AFTER_EACH
{
	fds_close_from(STDERR_FILENO + 1);
}

static struct address remote;

TEST(a_connection_comes_with_its_address_and_flags)
{
	int l = listener(), c, fd;
	struct address local;

	CHECK(accept_next(l, 0, &remote) == ACCEPT_NOTHING);
	c = client();
	fd = accept_next(l, SOCK_NONBLOCK, &remote);
	CHECK(fd >= 0);
	CHECK(address_local(c, &local) == 0 && address_port(&local) == address_port(&remote));
	CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	c = client();
	fd = accept_next(l, 0, &remote);
	CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
}

TEST(out_of_descriptors_is_a_shortage_and_the_connection_still_waits)
{
	struct rlimit was, none;
	int l = listener(), fd;

	(void)client();
	CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(accept_next(l, 0, &remote) == ACCEPT_SHORTAGE && errno == EMFILE);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	fd = accept_next(l, 0, &remote);
	CHECK(fd >= 0);
}

TEST(the_length_of_a_queue_is_known_for_tcp_only)
{
	int l = listener(), local = socket(AF_UNIX, SOCK_STREAM, 0);
	struct tcp_info info;
	socklen_t size = sizeof info;

	(void)client();
	(void)client();
	/* qemu-user shortens the result, and the length is unknown. */
	if (getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && size <= offsetof(struct tcp_info, tcpi_unacked)) {
		CHECK(accept_queued(l, 7) == 7);
		unit_skip("no whole TCP_INFO");
		return;
	}
	CHECK(accept_queued(l, 7) == 2);
	close(accept_next(l, 0, &remote));
	CHECK(accept_queued(l, 7) == 1);
	CHECK(accept_queued(local, 7) == 7);
}

TEST(a_shortage_is_logged_once_a_second_and_causes_a_pause)
{
	struct shortage s = {0};

	CHECK(!shortage_lasts(&s, 5000));
	CHECK(shortage_begin(&s, 5000));
	CHECK(shortage_lasts(&s, 5000) && shortage_lasts(&s, 5099));
	CHECK(!shortage_lasts(&s, 5100));
	CHECK(!shortage_begin(&s, 5100) && shortage_lasts(&s, 5101));
	shortage_end(&s);
	CHECK(!shortage_lasts(&s, 5102));
	CHECK(!shortage_begin(&s, 5999));
	CHECK(shortage_begin(&s, 6000));
}
