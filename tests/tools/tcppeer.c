/*
 * A TCP peer that does as it is told, to see what the other side makes of it:
 *
 *     portscan-bind tcppeer accept send:'hello\n' fin rest
 *     tcppeer connect:9000 send:'hello\n' fin rest
 *
 * As a server it serves the listening socket on fd 3, one connection at a time, and does
 * its steps in order; each says a line on stdout when it is done (`accepted`,
 * `sent 6`, `fin`, `rest 0`, ...). Then it exits 0, which closes what is open.
 *
 *     accept       take the next connection (closes the one before)
 *     connect:PORT connect to PORT of 127.0.0.1 (closes the one before)
 *     room:N       what is connected from here on has so little room for what comes (SO_RCVBUF)
 *     crowd:N      N more connections to that port, which stay open
 *     greet        each of the crowd sends a byte and takes one: `greeted N`
 *     shout:TEXT   each of the crowd sends TEXT
 *     churn:N      N connections, one after the other, that send and reset
 *     fill         fill the backlog, so that the next client's SYN is dropped
 *     unlisten     close the listening socket
 *     into:FILE    what is received from here on goes there, else nowhere
 *     send:TEXT    send TEXT (\n \r \0 \\ \xHH)
 *     file:FILE    send what is in FILE
 *     take:N       receive exactly N bytes
 *     sip:N        the same, 4 KiB at a time, and a rest of 100 ms before each
 *     recv         receive once, say `recv TEXT`
 *     rest         receive until the end (or a reset: `rest N reset`)
 *     echo         send back what comes until the end
 *     push         send until the client takes no more for 200 ms, then `pushed N`
 *     back         take as many bytes as were pushed
 *     fin          shut our way down
 *     reset        close so that the client sees a reset
 *     close        close as usual
 *     await:FILE   wait until FILE is there
 *     hold         do nothing more until ended by a signal
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER = 3, CHUNK = 64 * 1024, FILL_MAX = 64, FILL_MS = 100, PUSH_MS = 200, CROWD_MAX = 20000,
	SIP = 4096, SIP_MS = 100 };

static int conn = -1, into = -1, room;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int crowd[CROWD_MAX];
static size_t crowd_count;
static unsigned long long pushed;
static char bytes[CHUNK];

static void
fail(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
step_accept(const char *unused)
{
	(void)unused;
	if (conn >= 0)
		(void)close(conn);
	conn = accept(LISTENER, NULL, NULL);
	if (conn < 0)
		fail("accept");
	printf("accepted\n");
}

static int
connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (room != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) != 0)
		fail("connect");
	return fd;
}

static void
step_connect(const char *port)
{
	server.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (conn >= 0)
		(void)close(conn);
	conn = connected();
	printf("connected\n");
}

static void
step_room(const char *size)
{
	room = (int)strtol(size, NULL, 10);
}

static void
step_crowd(const char *count)
{
	size_t n = strtoul(count, NULL, 10);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (; n > 0 && crowd_count < CROWD_MAX; n--)
		crowd[crowd_count++] = connected();
	printf("crowd %zu\n", crowd_count);
}

static void
step_greet(const char *unused)
{
	char byte;

	(void)unused;
	for (size_t i = 0; i < crowd_count; i++)
		if (send(crowd[i], "x", 1, 0) != 1)
			fail("greet");
	for (size_t i = 0; i < crowd_count; i++)
		if (recv(crowd[i], &byte, 1, 0) != 1 || byte != 'x')
			fail("greeting");
	printf("greeted %zu\n", crowd_count);
}

/* Some are reset before the server has read, some while it writes. */
static void
step_churn(const char *count)
{
	struct linger hard = {.l_onoff = 1};
	size_t n = strtoul(count, NULL, 10);

	memset(bytes, 'c', sizeof bytes);
	for (size_t i = 0; i < n; i++) {
		int fd = connected();

		(void)send(fd, bytes, i % 3 == 0 ? sizeof bytes : i % 3, MSG_DONTWAIT);
		if (i % 2 == 0)
			(void)recv(fd, bytes, 1, MSG_DONTWAIT);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		(void)close(fd);
	}
	printf("churned %zu\n", n);
}

static void
step_fill(const char *unused)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;

	(void)unused;
	if (getsockname(LISTENER, (struct sockaddr *)&at, &size) != 0 || listen(LISTENER, 0) != 0)
		fail("fill");
	for (int i = 0; i < FILL_MAX; i++) {
		int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (fd < 0 || (connect(fd, (struct sockaddr *)&at, size) != 0 && errno != EINPROGRESS))
			fail("fill");
		if (poll(&p, 1, FILL_MS) == 0) {
			(void)close(fd);
			printf("full\n");
			return;
		}
	}
	errno = ENOBUFS;
	fail("fill");
}

static void
step_unlisten(const char *unused)
{
	(void)unused;
	(void)close(LISTENER);
	printf("unlistening\n");
}

static void
step_into(const char *path)
{
	into = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (into < 0)
		fail(path);
}

static void
write_all(int fd, const char *from, size_t n)
{
	while (fd >= 0 && n != 0) {
		ssize_t put = write(fd, from, n);

		if (put < 0)
			fail("write");
		from += put;
		n -= (size_t)put;
	}
}

/* What TEXT means, into bytes. */
static size_t
read_text(const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n < sizeof bytes; text++) {
		unsigned value;

		if (*text != '\\') {
			bytes[n++] = *text;
		} else if (*++text == 'x' && sscanf(text + 1, "%2x", &value) == 1) {
			bytes[n++] = (char)value;
			text += 2;
		} else {
			bytes[n++] = *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text == '0' ? '\0' : '\\';
		}
	}
	return n;
}

static void
step_send(const char *text)
{
	size_t n = read_text(text);

	write_all(conn, bytes, n);
	printf("sent %zu\n", n);
}

static void
step_shout(const char *text)
{
	size_t n = read_text(text);

	for (size_t i = 0; i < crowd_count; i++)
		write_all(crowd[i], bytes, n);
	printf("shouted %zu\n", crowd_count);
}

static void
step_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned long long all = 0;
	ssize_t n;

	if (fd < 0)
		fail(path);
	for (; (n = read(fd, bytes, sizeof bytes)) > 0; all += (size_t)n)
		write_all(conn, bytes, (size_t)n);
	(void)close(fd);
	printf("sent %llu\n", all);
}

static void
take(const char *count, size_t most, int rest_ms)
{
	unsigned long long all = strtoull(count, NULL, 10), left = all;

	while (left != 0) {
		ssize_t n;

		(void)poll(NULL, 0, rest_ms);
		n = recv(conn, bytes, left < most ? (size_t)left : most, 0);

		if (n == 0)
			errno = ENODATA;
		if (n <= 0)
			fail("take");
		write_all(into, bytes, (size_t)n);
		left -= (size_t)n;
	}
	printf("took %llu\n", all);
}

static void
step_take(const char *count)
{
	take(count, sizeof bytes, 0);
}

static void
step_sip(const char *count)
{
	take(count, SIP, SIP_MS);
}

static void
step_recv(const char *unused)
{
	ssize_t n = recv(conn, bytes, sizeof bytes, 0);

	(void)unused;
	if (n < 0)
		fail("recv");
	write_all(into, bytes, (size_t)n);
	printf("recv %.*s\n", (int)n, bytes);
}

static void
step_rest(const char *unused)
{
	unsigned long long all = 0;
	ssize_t n;

	(void)unused;
	for (; (n = recv(conn, bytes, sizeof bytes, 0)) > 0; all += (size_t)n)
		write_all(into, bytes, (size_t)n);
	printf("rest %llu%s\n", all, n < 0 ? " reset" : "");
}

static void
step_echo(const char *unused)
{
	unsigned long long all = 0;
	ssize_t n;

	(void)unused;
	for (; (n = recv(conn, bytes, sizeof bytes, 0)) > 0; all += (size_t)n)
		write_all(conn, bytes, (size_t)n);
	printf("echoed %llu\n", all);
}

static void
step_push(const char *unused)
{
	struct pollfd p = {.fd = conn, .events = POLLOUT};
	unsigned long long all = 0;

	(void)unused;
	memset(bytes, 'p', sizeof bytes);
	while (poll(&p, 1, PUSH_MS) == 1) {
		ssize_t n = send(conn, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			fail("push");
		all += n > 0 ? (size_t)n : 0;
	}
	pushed = all;
	printf("pushed %llu\n", all);
}

static void
step_back(const char *unused)
{
	unsigned long long left = pushed;

	(void)unused;
	while (left != 0) {
		ssize_t n = recv(conn, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, 0);

		if (n <= 0)
			fail("back");
		left -= (size_t)n;
	}
	printf("back %llu\n", pushed);
}

static void
step_fin(const char *unused)
{
	(void)unused;
	(void)shutdown(conn, SHUT_WR);
	printf("fin\n");
}

static void
step_reset(const char *unused)
{
	struct linger hard = {.l_onoff = 1};

	(void)unused;
	(void)setsockopt(conn, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	(void)close(conn);
	conn = -1;
	printf("reset\n");
}

static void
step_close(const char *unused)
{
	(void)unused;
	(void)close(conn);
	conn = -1;
	printf("closed\n");
}

static void
step_await(const char *path)
{
	struct timespec tick = {.tv_nsec = 10 * 1000000L};

	while (access(path, F_OK) != 0)
		(void)nanosleep(&tick, NULL);
	printf("awaited\n");
}

static void
step_hold(const char *unused)
{
	(void)unused;
	printf("holding\n");
	for (;;)
		(void)pause();
}

static const struct step {
	const char *name;
	void (*run)(const char *argument);
	bool argument;
} steps[] = {
	{"connect", step_connect, true}, {"room", step_room, true},      {"crowd", step_crowd, true},
	{"greet", step_greet, false},   {"shout", step_shout, true},    {"churn", step_churn, true},
	{"accept", step_accept, false}, {"fill", step_fill, false},     {"unlisten", step_unlisten, false},
	{"into", step_into, true},      {"send", step_send, true},      {"file", step_file, true},
	{"take", step_take, true},      {"sip", step_sip, true},        {"recv", step_recv, false},
	{"rest", step_rest, false},     {"echo", step_echo, false},     {"push", step_push, false},
	{"fin", step_fin, false},       {"back", step_back, false},
	{"reset", step_reset, false},   {"close", step_close, false},   {"await", step_await, true},
	{"hold", step_hold, false},
};

static void
step_run(const char *text)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		size_t n = strlen(steps[i].name);

		if (strncmp(text, steps[i].name, n) == 0 && text[n] == (steps[i].argument ? ':' : '\0')) {
			steps[i].run(text + n + steps[i].argument);
			return;
		}
	}
	fprintf(stderr, "tcppeer: %s: no such step\n", text);
	exit(2);
}

int
main(int argc, char **argv)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		step_run(argv[i]);
	return 0;
}
