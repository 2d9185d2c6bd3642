#include "sys/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

static void
socket_pair(int fds[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

static void
pipe_pair(int fds[2])
{
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
}

static void
pair_close(const int fds[2])
{
	(void)close(fds[0]);
	(void)close(fds[1]);
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

TEST(a_port_is_of_the_kind_that_its_descriptor_is)
{
	int s[2], p[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct buffer b = buffer_with("");

	socket_pair(s);
	pipe_pair(p);
	CHECK(endpoint_over(s[0], false, &b).kind == ENDPOINT_SOCKET);
	CHECK(endpoint_over(p[0], false, &b).kind == ENDPOINT_PIPE);
	CHECK(endpoint_over(null, true, &b).kind == ENDPOINT_PLAIN);
	CHECK(endpoint_over(-1, true, &b).kind == ENDPOINT_PLAIN);
	pair_close(s);
	pair_close(p);
	(void)close(null);
}

TEST(a_source_fills_its_buffer_and_is_left_alone_while_that_is_full)
{
	unsigned char four[4];
	struct buffer b = buffer_over(four, sizeof four);
	struct endpoint in;
	struct endpoint *const endpoints[] = {&in};
	int p[2];

	pipe_pair(p);
	in = endpoint_over(p[0], false, &b);
	CHECK(write(p[1], "abcdef", 6) == 6);
	CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1);
	CHECK(buffer_held(&b) == 4 && memcmp(buffer_head(&b), "abcd", 4) == 0);
	CHECK(endpoints_wait(endpoints, 1, SOON_MS, NULL) == 0);
	buffer_take(&b, 3);
	CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1);
	CHECK(buffer_held(&b) == 3 && memcmp(buffer_head(&b), "def", 3) == 0);
	pair_close(p);
}

TEST(the_end_of_a_source_is_an_end_without_an_error)
{
	struct buffer b = buffer_with("");
	struct endpoint in;
	struct endpoint *const endpoints[] = {&in};

	for (int kind = 0; kind < 2; kind++) {
		int fds[2];

		if (kind == 0)
			pipe_pair(fds);
		else
			socket_pair(fds);
		in = endpoint_over(fds[0], false, &b);
		(void)close(fds[1]);
		CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1);
		CHECK(in.ended && in.error == 0);
		CHECK(endpoints_wait(endpoints, 1, SOON_MS, NULL) == 0);
		(void)close(fds[0]);
	}
}

TEST(a_source_that_cannot_be_read_ends_with_the_reason)
{
	struct buffer b = buffer_with("");
	int dir = open("/", O_RDONLY | O_CLOEXEC);
	struct endpoint in = endpoint_over(dir, false, &b), none = endpoint_over(dir + 1, false, &b);
	struct endpoint *const endpoints[] = {&in, &none};

	while (!in.ended || !none.ended)
		CHECK(endpoints_wait(endpoints, 2, -1, NULL) > 0);
	CHECK(in.error == EISDIR);
	CHECK(none.error == EBADF);
	(void)close(dir);
}

TEST(a_sink_keeps_data_that_a_full_reader_does_not_accept)
{
	for (int kind = 0; kind < 2; kind++) {
		struct buffer b = buffer_with("");
		struct endpoint out;
		struct endpoint *const endpoints[] = {&out};
		int fds[2];
		ssize_t all = 0;

		memset(storage, 'x', sizeof storage);
		if (kind == 0)
			pipe_pair(fds);
		else
			socket_pair(fds);
		out = endpoint_over(fds[1], true, &b);
		do {
			buffer_grow(&b, buffer_space(&b));
			all = endpoints_wait(endpoints, 1, SOON_MS, NULL);
			buffer_pack(&b);
		} while (all == 1);
		CHECK(all == 0 && !out.ended && buffer_held(&b) == SIZE);
		CHECK(read(fds[0], storage, SIZE) > 0);
		CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1 && buffer_held(&b) < SIZE);
		CHECK((fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0);
		pair_close(fds);
	}
}

TEST(a_sink_without_a_reader_ends_with_epipe_idle_or_not)
{
	for (int kind = 0; kind < 4; kind++) {
		struct buffer b = buffer_with(kind % 2 == 0 ? "" : "held");
		struct endpoint out;
		struct endpoint *const endpoints[] = {&out};
		int fds[2];

		if (kind < 2) {
			pipe_pair(fds);
			(void)close(fds[0]);
			fds[0] = fds[1];
		} else {
			socket_pair(fds);
			(void)close(fds[1]);
		}
		out = endpoint_over(fds[0], true, &b);
		CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1);
		CHECK(out.ended && out.error == EPIPE);
		CHECK(endpoints_wait(endpoints, 1, SOON_MS, NULL) == 0);
		(void)close(fds[0]);
	}
}

TEST(an_unwatched_sink_learns_of_it_when_it_writes)
{
	struct buffer b = buffer_with("");
	struct endpoint out;
	struct endpoint *const endpoints[] = {&out};
	int fds[2];

	pipe_pair(fds);
	(void)close(fds[0]);
	out = endpoint_over(fds[1], true, &b);
	out.unwatched = true;
	CHECK(endpoints_wait(endpoints, 1, SOON_MS, NULL) == 0 && !out.ended);
	buffer_put(&b, "x", 1);
	CHECK(endpoints_wait(endpoints, 1, -1, NULL) == 1);
	CHECK(out.ended && out.error == EPIPE);
	(void)close(fds[1]);
}

TEST(a_sink_is_polled_if_its_source_is_not)
{
	static unsigned char room[4];
	struct buffer in_bytes = buffer_over(room, sizeof room), out_bytes = buffer_with("");
	struct endpoint in, out;
	struct endpoint *const endpoints[] = {&in, &out};
	int fds[2];

	socket_pair(fds);
	in = endpoint_over(fds[0], false, &in_bytes);
	out = endpoint_over(fds[0], true, &out_bytes);
	out.same_socket = &in;
	(void)close(fds[1]);
	CHECK(endpoints_wait(endpoints, 2, -1, NULL) == 1);
	CHECK(in.ended && !out.ended);
	CHECK(endpoints_wait(endpoints, 2, -1, NULL) == 1);
	CHECK(out.ended && out.error == EPIPE);
	(void)close(fds[0]);
}

/* Sent are "own" of its buffer, without the withheld "kept", then "behind" of the other buffer,
 * then only that. */
static void
sink_with_behind(int fd, int reader)
{
	static unsigned char room[16];
	struct buffer b = buffer_with("ownkept"), other = buffer_over(room, sizeof room);
	struct endpoint sink = endpoint_over(fd, true, &b);

	buffer_put(&other, "behindmore", 10);
	sink.withheld = 4;
	sink.second_iov = &other;
	sink.second_iov_size = 6;
	CHECK(endpoint_move(&sink) == 9 && readable(reader, "ownbehind"));
	CHECK(sink.second_iov_sent == 6 && sink.second_iov_size == 0 && buffer_held(&b) == 4 && !endpoint_pending(&sink));
	sink.second_iov_size = 4;
	CHECK(endpoint_move(&sink) == 4 && readable(reader, "more"));
	CHECK(sink.second_iov_sent == 10 && sink.second_iov_size == 0 && buffer_held(&b) == 4);
	sink.withheld = 0;
	CHECK(endpoint_move(&sink) == 4 && readable(reader, "kept") && !endpoint_pending(&sink));
}

TEST(a_second_buffer_is_sent_directly_after_the_first)
{
	int s[2], p[2];

	socket_pair(s);
	sink_with_behind(s[0], s[1]);
	pair_close(s);
	if (!pipes_have_nowait())
		return;
	pipe_pair(p);
	sink_with_behind(p[1], p[0]);
	pair_close(p);
}

TEST(data_of_a_source_is_sent_in_the_same_turn)
{
	struct buffer b = buffer_with("");
	struct endpoint in, out;
	/* The sink first: the given order does not matter. */
	struct endpoint *const endpoints[] = {&out, &in};
	int from[2], to[2];

	pipe_pair(from);
	socket_pair(to);
	in = endpoint_over(from[0], false, &b);
	out = endpoint_over(to[0], true, &b);
	CHECK(write(from[1], "now", 3) == 3);
	CHECK(endpoints_wait(endpoints, 2, -1, NULL) == 2);
	CHECK(buffer_held(&b) == 0 && readable(to[1], "now"));
	pair_close(from);
	pair_close(to);
}

TEST(an_endpoint_that_may_block_is_not_tried_before_poll_reports_it)
{
	for (int turn = 0; turn < 2; turn++) {
		struct buffer b = buffer_with("");
		struct endpoint in, out;
		struct endpoint *const endpoints[] = {&in, &out};
		int from[2], to[2];

		pipe_pair(from);
		pipe_pair(to);
		CHECK(pipe_fill(to[1]) > 0);
		in = endpoint_over(from[0], false, &b);
		out = endpoint_over(to[1], true, &b);
		if (turn == 0)
			out.kind = ENDPOINT_PLAIN;
		else
			out.nowait_unknown = true;
		CHECK(write(from[1], "now", 3) == 3);
		CHECK(endpoints_wait(endpoints, 2, -1, NULL) == 1);
		CHECK(buffer_held(&b) == 3);
		CHECK(endpoints_wait(endpoints, 2, SOON_MS, NULL) == 0);
		pair_close(from);
		pair_close(to);
	}
}

/* POLLOUT of a pipe promises PIPE_BUF bytes and no more. */
TEST(without_nowait_a_pipe_gets_no_more_than_pipe_buf_at_once)
{
	struct buffer b = buffer_with("");
	struct endpoint out;
	int p[2];
	size_t all;

	pipe_pair(p);
	all = pipe_fill(p[1]);
	CHECK(read(p[0], storage, 4096) == 4096 && all > 4096);
	out = endpoint_over(p[1], true, &b);
	out.nowait_unknown = true;
	buffer_grow(&b, SIZE);
	CHECK(endpoint_move(&out) == 4096);
	CHECK(buffer_held(&b) == SIZE - 4096);
	pair_close(p);
}

TEST(a_full_pipe_and_an_empty_one_do_not_block_and_stay_as_they_were)
{
	struct buffer b = buffer_with("text");
	struct endpoint in, out;
	int p[2], empty[2];

	if (!pipes_have_nowait())
		return;
	pipe_pair(p);
	pipe_pair(empty);
	CHECK(pipe_fill(p[1]) > 0);
	out = endpoint_over(p[1], true, &b);
	in = endpoint_over(empty[0], false, &b);
	CHECK(endpoint_move(&out) == 0 && !out.ended);
	CHECK(endpoint_move(&in) == 0 && !in.ended);
	CHECK((fcntl(p[1], F_GETFL) & O_NONBLOCK) == 0 && (fcntl(empty[0], F_GETFL) & O_NONBLOCK) == 0);
	pair_close(p);
	pair_close(empty);
}

static void
on_signal(int signal)
{
	(void)signal;
}

TEST(a_signal_allowed_by_the_mask_is_reported_as_eintr)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct buffer b = buffer_with("");
	struct endpoint in;
	struct endpoint *const endpoints[] = {&in};
	sigset_t block, none;
	int p[2];

	pipe_pair(p);
	in = endpoint_over(p[0], false, &b);
	CHECK(sigemptyset(&none) == 0 && sigemptyset(&block) == 0 && sigaddset(&block, SIGUSR1) == 0);
	CHECK(sigaction(SIGUSR1, &act, NULL) == 0 && sigprocmask(SIG_BLOCK, &block, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(endpoints_wait(endpoints, 1, SOON_MS, NULL) == 0);
	CHECK(endpoints_wait(endpoints, 1, -1, &none) == -1 && errno == EINTR);
	CHECK(sigprocmask(SIG_UNBLOCK, &block, NULL) == 0);
	pair_close(p);
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
	struct buffer a = buffer_over(source, sizeof source), b = buffer_over(small, sizeof small);
	struct buffer c = buffer_over(mid, sizeof mid);
	struct endpoint p_in, p_out, s_in, s_out;
	struct endpoint *const endpoints[] = {&p_out, &p_in, &s_out, &s_in};
	size_t sent = 0, got = 0;
	int p[2], s[2];
	bool same = true;

	pipe_pair(p);
	socket_pair(s);
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
	pair_close(p);
	pair_close(s);
}
