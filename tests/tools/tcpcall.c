/*
 * A client that does as it is told, with as many connections as it likes:
 *
 *     tcpcall PORT open:3 send:'hello\n' fin rest
 *
 * It does its steps in order, those below `open` on every connection that is
 * open, in the order in which they were opened. A server that does not answer
 * within 20 s ends it, exit 1.
 *
 *     to:ADDR      connect to ADDR (127.0.0.1), or to a UNIX socket's path
 *     from:ADDR    connect from ADDR (any)
 *     open:N       N connections more; says `open N`, how many there are now
 *     send:TEXT    send TEXT (\n \r \0 \\ \xHH); a reset connection is no failure
 *     line         receive a line and print it, or `end`, or `reset`
 *     fin          shut our way out
 *     rest         receive and print until the end, then close
 *     reset        close, so that the server sees a reset
 *     resets:N     N times: connect, and reset at once
 *     close        close as usual
 *     last         what follows is done on the connection opened last alone
 *     say:TEXT     print TEXT as a line
 *     await:FILE   wait until FILE is there
 *     hold         do nothing more until ended by a signal
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 20000, PATIENCE_S = 20, CHUNK = 65536 };

static int all[MAX];
static size_t first, count;
static uint16_t port;
static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
} to, from;

static void
fail(const char *what)
{
	fprintf(stderr, "tcpcall: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
address_set(const char *text, bool remote)
{
	memset(remote ? &to : &from, 0, sizeof to);
	if (text[0] == '/' && remote) {
		to.local.sun_family = AF_UNIX;
		(void)snprintf(to.local.sun_path, sizeof to.local.sun_path, "%s", text);
	} else if (inet_pton(AF_INET, text, remote ? &to.v4.sin_addr : &from.v4.sin_addr) == 1) {
		(remote ? &to : &from)->any.sa_family = AF_INET;
	} else if (inet_pton(AF_INET6, text, remote ? &to.v6.sin6_addr : &from.v6.sin6_addr) == 1) {
		(remote ? &to : &from)->any.sa_family = AF_INET6;
	} else {
		errno = EINVAL;
		fail(text);
	}
	if (remote && to.any.sa_family != AF_UNIX)
		to.v4.sin_port = htons(port);
}

static int
connected(void)
{
	socklen_t size = to.any.sa_family == AF_UNIX ? sizeof to.local : sizeof to.v6;
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(to.any.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (from.any.sa_family != AF_UNSPEC && bind(fd, &from.any, sizeof from.v6) != 0)
		fail("bind");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, &to.any, size) != 0)
		fail("connect");
	return fd;
}

static void
connection_reset(int fd)
{
	struct linger now = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)close(fd);
}

static size_t
unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0';) {
		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		in++;
		if (*in == 'x') {
			char hex[3] = {in[1], in[2], '\0'};

			*out++ = (char)strtoul(hex, NULL, 16);
			in += 3;
			continue;
		}
		*out++ = *in == 'n' ? '\n' : *in == 'r' ? '\r' : *in == '0' ? '\0' : *in;
		in++;
	}
	return (size_t)(out - text);
}

static void
line_print(int fd)
{
	for (char c = '\0'; c != '\n';) {
		ssize_t n = recv(fd, &c, 1, 0);

		if (n < 0 && errno != ECONNRESET)
			fail("recv");
		if (n <= 0) {
			printf("%s\n", n == 0 ? "end" : "reset");
			return;
		}
		putchar(c);
	}
}

static void
rest_print(int fd)
{
	static char bytes[CHUNK];

	for (ssize_t n = 1; n > 0;) {
		n = recv(fd, bytes, sizeof bytes, 0);
		if (n < 0 && errno != ECONNRESET)
			fail("recv");
		if (n < 0)
			printf("reset\n");
		(void)fwrite(bytes, 1, n > 0 ? (size_t)n : 0, stdout);
	}
	(void)close(fd);
}

static void
file_await(const char *path)
{
	for (int i = 0; access(path, F_OK) != 0; i++) {
		if (i == PATIENCE_S * 100)
			fail(path);
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
}

static void
open_more(unsigned long more)
{
	for (; more > 0 && count < MAX; more--)
		all[count++] = connected();
	printf("open %zu\n", count);
}

/* The step on one connection; returns whether the connection is closed by it. */
static bool
one_done(const char *step, int fd, const char *text, size_t size)
{
	if (strcmp(step, "send") == 0)
		(void)!send(fd, text, size, MSG_NOSIGNAL);
	else if (strcmp(step, "line") == 0)
		line_print(fd);
	else if (strcmp(step, "fin") == 0)
		(void)shutdown(fd, SHUT_WR);
	else if (strcmp(step, "rest") == 0)
		return rest_print(fd), true;
	else if (strcmp(step, "reset") == 0)
		return connection_reset(fd), true;
	else if (strcmp(step, "close") == 0)
		return (void)close(fd), true;
	else
		fail(step);
	return false;
}

static void
each_done(const char *step, const char *text, size_t size)
{
	bool closed = false;

	for (size_t i = first; i < count; i++)
		closed = one_done(step, all[i], text, size);
	if (closed)
		count = first;
	first = closed ? 0 : first;
}

static void
step_do(char *step)
{
	char *value = strchr(step, ':');

	if (value != NULL)
		*value++ = '\0';
	else
		value = step + strlen(step);
	if (strcmp(step, "to") == 0)
		address_set(value, true);
	else if (strcmp(step, "from") == 0)
		address_set(value, false);
	else if (strcmp(step, "open") == 0)
		open_more(strtoul(value, NULL, 10));
	else if (strcmp(step, "resets") == 0)
		for (unsigned long n = strtoul(value, NULL, 10); n > 0; n--)
			connection_reset(connected());
	else if (strcmp(step, "last") == 0)
		first = count == 0 ? 0 : count - 1;
	else if (strcmp(step, "say") == 0)
		printf("%s\n", value);
	else if (strcmp(step, "await") == 0)
		file_await(value);
	else if (strcmp(step, "hold") == 0)
		for (;;)
			pause();
	else
		each_done(step, value, unescape(value));
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 2)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	address_set("127.0.0.1", true);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 2; i < argc; i++)
		step_do(argv[i]);
	return 0;
}
