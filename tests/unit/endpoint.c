#include "sys/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sys/fds.h"
#include "unit.h"

enum { SIZE = 64 * 1024, SOON_MS = 20, DEADLOCK_S = 20 };

static unsigned char storage[SIZE];

static struct buffer
buffer_with(const char *text)
{
	struct buffer b = buffer_over(storage, sizeof storage);

	buffer_put(&b, text, strlen(text));
	return b;
}

/* Set up again by each test: a pair of descriptors, the source at fds[0] or the sink at fds[1], and their buffer. */
static struct buffer b;
static struct endpoint in, out;
static int fds[2];

/* A pipe or, for an odd kind, a socket pair. */
static void
pair_of(int kind, int pair[2])
{
	CHECK((kind % 2 == 0 ? pipe2(pair, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) == 0);
}

static void
source_begin(int kind)
{
	pair_of(kind, fds);
	b = buffer_with("");
	in = endpoint_over(fds[0], false, &b);
}

static void
sink_begin(int kind, const char *text)
{
	pair_of(kind, fds);
	b = buffer_with(text);
	out = endpoint_over(fds[1], true, &b);
}

/* One turn of one endpoint, or of both. */
static int
turn(struct endpoint *endpoint, int ms)
{
	return endpoints_wait(&endpoint, 1, ms, NULL);
}

static int
turn_both(int ms)
{
	/* The sink first: the given order does not matter. */
	struct endpoint *const endpoints[] = {&out, &in};

	return endpoints_wait(endpoints, 2, ms, NULL);
}

/* Old kernels and qemu-user lack the call; then the test is skipped. */
static bool
pipes_have_nowait(void)
{
	bool have = syscall(SYS_pwritev2, -1, NULL, 0L, -1L, -1L, 0) == 0 || errno != ENOSYS;

	if (!have)
		unit_skip("this kernel has no pwritev2()");
	return have;
}

/* Fill until nothing more is accepted. */
static size_t
pipe_fill(int fd)
{
	static const char zeros[4096];
	int flags = fcntl(fd, F_GETFL);
	size_t all = 0;

	CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	for (ssize_t n; (n = write(fd, zeros, sizeof zeros)) > 0;)
		all += (size_t)n;
	CHECK(errno == EAGAIN);
	CHECK(fcntl(fd, F_SETFL, flags) == 0);
	return all;
}

static bool
readable(int fd, const char *text)
{
	char got[64];
	ssize_t n = read(fd, got, sizeof got);

	return n == (ssize_t)strlen(text) && memcmp(got, text, (size_t)n) == 0;
}

BEFORE_ALL
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(DEADLOCK_S);
}

AFTER_EACH
{
	fds_close_from(STDERR_FILENO + 1);
}

TEST(a_port_is_of_the_kind_that_its_descriptor_is)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	source_begin(1);
	CHECK(in.kind == ENDPOINT_SOCKET);
	source_begin(0);
	CHECK(in.kind == ENDPOINT_PIPE);
	CHECK(endpoint_over(null, true, &b).kind == ENDPOINT_PLAIN);
	CHECK(endpoint_over(-1, true, &b).kind == ENDPOINT_PLAIN);
}

TEST(a_source_fills_its_buffer_and_is_left_alone_while_that_is_full)
{
	unsigned char four[4];

	source_begin(0);
	b = buffer_over(four, sizeof four);
	CHECK(write(fds[1], "abcdef", 6) == 6);
	CHECK(turn(&in, -1) == 1);
	CHECK(buffer_held(&b) == 4 && memcmp(buffer_head(&b), "abcd", 4) == 0);
	CHECK(turn(&in, SOON_MS) == 0);
	buffer_take(&b, 3);
	CHECK(turn(&in, -1) == 1);
	CHECK(buffer_held(&b) == 3 && memcmp(buffer_head(&b), "def", 3) == 0);
}

TEST(the_end_of_a_source_is_an_end_without_an_error)
{
	for (int kind = 0; kind < 2; kind++) {
		source_begin(kind);
		(void)close(fds[1]);
		CHECK(turn(&in, -1) == 1);
		CHECK(in.ended && in.error == 0);
		CHECK(turn(&in, SOON_MS) == 0);
	}
}

TEST(a_source_that_cannot_be_read_ends_with_the_reason)
{
	int dir = open("/", O_RDONLY | O_CLOEXEC);

	b = buffer_with("");
	in = endpoint_over(dir, false, &b);
	out = endpoint_over(dir + 1, false, &b);
	while (!in.ended || !out.ended)
		CHECK(turn_both(-1) > 0);
	CHECK(in.error == EISDIR && out.error == EBADF);
}

TEST(a_sink_keeps_data_that_a_full_reader_does_not_accept)
{
	for (int kind = 0; kind < 2; kind++) {
		int all;

		memset(storage, 'x', sizeof storage);
		sink_begin(kind, "");
		do {
			buffer_grow(&b, buffer_space(&b));
			all = turn(&out, SOON_MS);
			buffer_pack(&b);
		} while (all == 1);
		CHECK(all == 0 && !out.ended && buffer_held(&b) == SIZE);
		CHECK(read(fds[0], storage, SIZE) > 0);
		CHECK(turn(&out, -1) == 1 && buffer_held(&b) < SIZE);
		CHECK((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
	}
}

TEST(a_sink_without_a_reader_ends_with_epipe_idle_or_not)
{
	for (int kind = 0; kind < 4; kind++) {
		sink_begin(kind, kind < 2 ? "" : "held");
		(void)close(fds[0]);
		CHECK(turn(&out, -1) == 1);
		CHECK(out.ended && out.error == EPIPE);
		CHECK(turn(&out, SOON_MS) == 0);
	}
}

TEST(an_unwatched_sink_learns_of_it_when_it_writes)
{
	sink_begin(0, "");
	(void)close(fds[0]);
	out.unwatched = true;
	CHECK(turn(&out, SOON_MS) == 0 && !out.ended);
	buffer_put(&b, "x", 1);
	CHECK(turn(&out, -1) == 1);
	CHECK(out.ended && out.error == EPIPE);
}

TEST(a_sink_is_polled_if_its_source_is_not)
{
	static unsigned char space[4];
	struct buffer in_bytes = buffer_over(space, sizeof space);

	sink_begin(1, "");
	in = endpoint_over(fds[1], false, &in_bytes);
	out.same_socket = &in;
	(void)close(fds[0]);
	CHECK(turn_both(-1) == 1);
	CHECK(in.ended && !out.ended);
	CHECK(turn_both(-1) == 1);
	CHECK(out.ended && out.error == EPIPE);
}

/* Sent are "own" of its buffer, without the withheld "kept", then "behind" of the other buffer,
 * then only that. */
TEST(a_second_buffer_is_sent_directly_after_the_first)
{
	static unsigned char space[16];

	for (int kind = 1; kind >= 0 && (kind == 1 || pipes_have_nowait()); kind--) {
		struct buffer other = buffer_over(space, sizeof space);

		sink_begin(kind, "ownkept");
		buffer_put(&other, "behindmore", 10);
		out.withheld = 4;
		out.second_iov = &other;
		out.second_iov_size = 6;
		CHECK(endpoint_move(&out) == 9 && readable(fds[0], "ownbehind"));
		CHECK(out.second_iov_sent == 6 && out.second_iov_size == 0 && buffer_held(&b) == 4 && !endpoint_pending(&out));
		out.second_iov_size = 4;
		CHECK(endpoint_move(&out) == 4 && readable(fds[0], "more"));
		CHECK(out.second_iov_sent == 10 && out.second_iov_size == 0 && buffer_held(&b) == 4);
		out.withheld = 0;
		CHECK(endpoint_move(&out) == 4 && readable(fds[0], "kept") && !endpoint_pending(&out));
	}
}

TEST(data_of_a_source_is_sent_in_the_same_turn)
{
	int to[2];

	source_begin(0);
	pair_of(1, to);
	out = endpoint_over(to[0], true, &b);
	CHECK(write(fds[1], "now", 3) == 3);
	CHECK(turn_both(-1) == 2);
	CHECK(buffer_held(&b) == 0 && readable(to[1], "now"));
}

TEST(an_endpoint_that_may_block_is_not_tried_before_poll_reports_it)
{
	for (int plain = 0; plain < 2; plain++) {
		int to[2];

		source_begin(0);
		pair_of(0, to);
		CHECK(pipe_fill(to[1]) > 0);
		out = endpoint_over(to[1], true, &b);
		if (plain)
			out.kind = ENDPOINT_PLAIN;
		else
			out.nowait_unknown = true;
		CHECK(write(fds[1], "now", 3) == 3);
		CHECK(turn_both(-1) == 1);
		CHECK(buffer_held(&b) == 3);
		CHECK(turn_both(SOON_MS) == 0);
	}
}

/* POLLOUT of a pipe promises PIPE_BUF bytes and no more. */
TEST(without_nowait_a_pipe_gets_no_more_than_pipe_buf_at_once)
{
	size_t all;

	sink_begin(0, "");
	all = pipe_fill(fds[1]);
	CHECK(read(fds[0], storage, 4096) == 4096 && all > 4096);
	out.nowait_unknown = true;
	buffer_grow(&b, SIZE);
	CHECK(endpoint_move(&out) == 4096);
	CHECK(buffer_held(&b) == SIZE - 4096);
}

TEST(a_full_pipe_and_an_empty_one_do_not_block_and_stay_as_they_were)
{
	if (!pipes_have_nowait())
		return;
	sink_begin(0, "text");
	CHECK(pipe_fill(fds[1]) > 0);
	CHECK(endpoint_move(&out) == 0 && !out.ended);
	CHECK((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
	source_begin(0);
	CHECK(endpoint_move(&in) == 0 && !in.ended);
	CHECK((fcntl(fds[0], F_GETFL) & O_NONBLOCK) == 0);
}

static void
on_signal(int signal)
{
	(void)signal;
}

TEST(a_signal_allowed_by_the_mask_is_reported_as_eintr)
{
	struct sigaction act = {.sa_handler = on_signal};
	sigset_t block, none;

	source_begin(0);
	CHECK(sigemptyset(&none) == 0 && sigemptyset(&block) == 0 && sigaddset(&block, SIGUSR1) == 0);
	CHECK(sigaction(SIGUSR1, &act, NULL) == 0 && sigprocmask(SIG_BLOCK, &block, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(turn(&in, SOON_MS) == 0);
	CHECK(endpoints_wait(&(struct endpoint *){&in}, 1, -1, &none) == -1 && errno == EINTR);
	CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
}

static unsigned char
pattern(size_t at)
{
	return (unsigned char)(at * 2654435761U >> 11);
}

/* A megabyte through two buffers of seven bytes, with a pipe and a socket between them. */
TEST(bytes_come_out_as_they_went_in)
{
	enum { ALL = 1 << 20 };
	static unsigned char source[1 << 12], small[7], mid[SIZE];
	struct buffer a = buffer_over(source, sizeof source), c = buffer_over(mid, sizeof mid);
	struct endpoint p_in, p_out, s_in, s_out;
	struct endpoint *const endpoints[] = {&p_out, &p_in, &s_out, &s_in};
	size_t sent = 0, got = 0;
	int p[2], s[2];
	bool same = true;

	b = buffer_over(small, sizeof small);
	pair_of(0, p);
	pair_of(1, s);
	p_out = endpoint_over(p[1], true, &a);
	p_in = endpoint_over(p[0], false, &b);
	s_out = endpoint_over(s[1], true, &b);
	s_in = endpoint_over(s[0], false, &c);
	while (got < ALL) {
		for (buffer_pack(&a); sent < ALL && buffer_space(&a) != 0; sent++)
			buffer_put(&a, &(unsigned char){pattern(sent)}, 1);
		CHECK(endpoints_wait(endpoints, 4, -1, NULL) > 0);
		for (; buffer_held(&c) != 0; buffer_take(&c, 1))
			same = same && *buffer_head(&c) == pattern(got++);
	}
	CHECK(same && got == ALL);
}
