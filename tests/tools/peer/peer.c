/*
 * peer: a TCP peer that performs the steps of its command line one after another.
 *
 *     peer [-v] STEP...                      a client, or a server of the listening socket fd 3
 *     peer [-v] STEP... run PROG [ARG...]    the peer of a program on a connection of its own
 *
 *     peer to:9000 open:3 send:'hello\n' fin rest
 *     portscan-bind peer -v accept send:'hello\n' fin rest
 *     peer on:tcp send:'hello\n' fin run cat
 *
 * A step acts on every open connection in the order in which they were opened. Received data is written to stdout. With
 * -v each finished step prints a line on stdout instead (`sent 6', `fin', `rest 0'; the counts are sums over all
 * connections). TEXT may contain \n \r \t \0 \\ \xHH.
 *
 * Connections:
 *     to:ADDR      connect to this port, IP address (127.0.0.1) or path of a UNIX socket
 *     from:ADDR    connect from this IP address
 *     room:N       later connections have a receive buffer (SO_RCVBUF) of N bytes
 *     open[:N]     open N (1) more; -v: `open N' with the number of open connections
 *     accept       close all, and accept one from fd 3
 *     last         apply the steps up to the next `open', `accept' or `close' to the last connection only
 *     churn:N      N times: connect, send some bytes or none, reset
 *     fill         fill the backlog of fd 3 so that the next client's SYN is dropped
 *     unlisten     close fd 3
 * Sending:
 *     send:TEXT    send TEXT; a closed or reset connection is not an error
 *     bytes:TEXT   send TEXT byte by byte
 *     dribble:TEXT send a byte every 20 ms until data is received
 *     file:FILE    send the contents of FILE
 *     push         send until nothing is accepted for 200 ms
 *     echo         send received data back, until the end
 *     fin          half-close
 * Receiving:
 *     into:FILE    write data received from this step on to FILE
 *     take:N       receive exactly N bytes
 *     sip:N        like take, 4 KiB at a time with a pause of 100 ms before each
 *     back         receive as many bytes as were pushed
 *     recv         receive once; -v: `recv TEXT'
 *     line         receive a line; at EOF or a reset print `end' or `reset' instead
 *     head         receive an HTTP head; \A in a later TEXT is the Sec-WebSocket-Accept for its key
 *     rest         receive until the end; a reset is printed as `reset'
 * The rest:
 *     reset        close so that the other side sees a reset
 *     close        close
 *     vanish       close without sending a segment, like a host that loses power (a reset if not permitted)
 *     pause:MS     wait
 *     say:TEXT     print TEXT as a line
 *     await:FILE   wait until FILE exists
 *     hold         wait until killed
 *     limit:N      exit with 124 (and kill the program) after N seconds; default 60
 * For a program that is run:
 *     on:KIND      the connection is a pair of UNIX sockets (unix), TCP over 127.0.0.1 (tcp), the same with
 *                  the smallest buffers (small), or two pipes (pipes)
 *     client       the program gets the connection on fds 6 and 7 instead of 0 and 1
 *     stderr       the program's stderr is the connection too
 *     ended        wait until the program has ended
 *
 * With `run', each send waits until the program has read all of the data, has answered or has ended. After the last
 * step the rest is received, and the exit status is that of the program, or 128 + n for signal n. Under the name wspeer it
 * is a WebSocket peer: see websocket.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"
#include "sys/address.h"
#include "ws/handshake.h"

enum { LISTENER = 3, MAX = 20000, CHUNK = 65536, FILL_MAX = 64, FILL_MS = 100, PUSH_MS = 200, SIP_SIZE = 4096, SIP_MS = 100,
	DRIBBLE_MS = 20, TAKEN_MS = 2000, TICK_MS = 10, LIMIT_S = 60 };

enum step { TO, FROM, ROOM, OPEN, ACCEPT, LAST, CHURN, FILL, UNLISTEN, SEND, BYTES, DRIBBLE, SEND_FILE, PUSH, ECHO_BACK,
	FIN, INTO, TAKE, SIP, BACK, RECV, LINE, HEAD, REST, RESET, CLOSE, VANISH, PAUSE, SAY, AWAIT, HOLD, LIMIT, ENDED, ON, CLIENT, STDERR };

int conns[MAX];
size_t count;
static size_t first;
static struct address to, from;
static uint16_t port;
int room;
static long long pushed;
static bool verbose, was_reset;
static FILE *sink;
static char bytes[CHUNK], head[CHUNK];
static size_t head_size;

struct program program = {.kind = 'u', .in = -1, .out = -1, .way_out = -1};

void
fail(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
	if (program.pid > 0)
		(void)kill(program.pid, SIGKILL);
	exit(program.argv == NULL ? 1 : 125);
}

static void
too_late(int number)
{
	static const char message[] = "peer: too late\n";

	(void)number;
	(void)!write(STDERR_FILENO, message, sizeof message - 1);
	if (program.pid > 0)
		(void)kill(program.pid, SIGKILL);
	_exit(124);
}

/* Receive at most size bytes into bytes[] and the sink. Return 0 at the end, which sets was_reset. */
static size_t
receive(int fd, size_t size)
{
	ssize_t n = read(fd, bytes, size < sizeof bytes ? size : sizeof bytes);

	if (n < 0 && errno != ECONNRESET)
		fail("receive");
	was_reset = n < 0;
	n = was_reset ? 0 : n;
	if (sink != NULL && (fwrite(bytes, 1, (size_t)n, sink) != (size_t)n || fflush(sink) != 0))
		fail("write");
	return (size_t)n;
}

bool
readable(int fd, int ms)
{
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms) == 1;
}

/* Addresses and connections. */

static void
ip_parse(const char *text, struct address *a)
{
	if (!address_parse(text, a))
		fail(text);
}

static void
destination_set(const char *text)
{
	if (text[strspn(text, "0123456789")] == '\0') {
		port = (uint16_t)strtoul(text, NULL, 10);
	} else if (text[0] == '/') {
		to = (struct address){.local.sun_family = AF_UNIX, .size = sizeof to.local};
		(void)snprintf(to.local.sun_path, sizeof to.local.sun_path, "%s", text);
	} else {
		ip_parse(text, &to);
	}
}

static int
connected(void)
{
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (to.any.sa_family != AF_UNIX)
		address_set_port(&to, port);
	if (room != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (fd < 0 || (from.any.sa_family != AF_UNSPEC && bind(fd, &from.any, from.size) != 0))
		fail("bind");
	if (connect(fd, &to.any, to.size) != 0)
		fail("connect");
	return fd;
}

static void
open_more(unsigned long more)
{
	for (; more > 0 && count < MAX; more--)
		conns[count++] = connected();
	first = 0;
	printf("open %zu\n", count);
}

static void
accept_one(void)
{
	for (first = 0; count > 0;)
		(void)close(conns[--count]);
	conns[count++] = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
	if (conns[0] < 0)
		fail("accept");
}

static void
disconnect(int fd, enum step how)
{
	struct linger now = {.l_onoff = 1};

	if (how == RESET || (how == VANISH && setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &now.l_onoff, sizeof now.l_onoff) != 0))
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)close(fd);
	if (program.way_out >= 0)
		(void)close(program.way_out);
	program.way_out = -1;
}

/* Some connections are reset before the server reads, some while it writes. */
static void
churn(unsigned long n)
{
	static const size_t sizes[] = {CHUNK, 0, 1, CHUNK, 2, 0};

	for (; n > 0; n--) {
		int fd = connected();

		if (sizes[n % 6] != 0)
			(void)send(fd, bytes, sizes[n % 6], MSG_DONTWAIT);
		if (n % 2 == 0)
			(void)recv(fd, bytes, 1, MSG_DONTWAIT);
		disconnect(fd, RESET);
	}
}

static void
backlog_fill(void)
{
	struct address at;

	if (address_local(LISTENER, &at) != 0 || listen(LISTENER, 0) != 0)
		fail("fill");
	for (int i = 0; i < FILL_MAX; i++) {
		int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (fd < 0 || (connect(fd, &at.any, at.size) != 0 && errno != EINPROGRESS))
			fail("fill");
		if (poll(&p, 1, FILL_MS) == 0) {
			(void)close(fd);
			return;
		}
	}
	errno = ENOBUFS;
	fail("fill");
}

/* The program that is run. */

static void
buffers_shrink(int fd)
{
	const int least = 1;

	if (program.kind == 's' && (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) != 0
	    || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) != 0))
		fail("setsockopt");
}

static void
tcp_pair(int ends[2])
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct address a;

	ip_parse("127.0.0.1", &a);
	buffers_shrink(listener); /* accepted sockets inherit it */
	if (bind(listener, &a.any, a.size) != 0 || listen(listener, 1) != 0 || address_local(listener, &a) != 0)
		fail("listen");
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	buffers_shrink(ends[0]);
	if (room != 0)
		(void)setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (connect(ends[0], &a.any, a.size) != 0)
		fail("connect");
	(void)setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ends[1] = program.listens ? listener : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!program.listens)
		(void)close(listener);
}

static void
program_connect(void)
{
	int ends[2], back[2];

	if (program.kind == 'p') {
		if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0)
			fail("pipe");
		program.in = ends[0];
		program.way_out = ends[1];
		conns[count++] = back[0];
		program.out = back[1];
		return;
	}
	if (program.kind != 'u')
		tcp_pair(ends);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		fail("socketpair");
	conns[count++] = ends[0];
	program.in = program.out = ends[1];
}

void
program_start(void)
{
	int lowest = program.client ? 6 : 0, in, out, log[2] = {-1, -1};

	program_connect();
	if (program.listens && pipe2(log, O_CLOEXEC) != 0)
		fail("pipe");
	program.log = log[0];
	program.pid = fork();
	if (program.pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		in = fcntl(program.in, F_DUPFD_CLOEXEC, 10);
		out = fcntl(program.out, F_DUPFD_CLOEXEC, 10);
		if (dup2(in, lowest) < 0 || dup2(out, lowest + 1) < 0 || (program.with_stderr && dup2(in, 2) < 0)
		    || (program.listens && dup2(log[1], 2) < 0))
			_exit(125);
		(void)execvp(program.argv[0], program.argv);
		perror(program.argv[0]);
		_exit(127);
	}
	if (program.out != program.in)
		(void)close(program.out);
	if (program.listens)
		(void)close(log[1]);
}

static bool
program_ended(void)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)program.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* Wait until the program has read everything, has answered or has ended. */
static void
taken_await(int fd)
{
	int unread = 0;

	for (int turn = 0; program.in >= 0 && turn < TAKEN_MS; turn++) {
		if (ioctl(program.in, FIONREAD, &unread) != 0 || unread == 0 || readable(fd, 0) || program_ended())
			return;
		(void)usleep(1000);
	}
}

/* Receive the rest. Return the exit status. */
static int
program_finish(void)
{
	int status = 0;

	(void)close(program.in);
	while (count == 1 && receive(conns[0], sizeof bytes) > 0)
		;
	if (was_reset && !program.client)
		fprintf(stderr, "peer: receive: %s\n", strerror(ECONNRESET));
	if (count == 1)
		disconnect(conns[0], CLOSE);
	(void)waitpid(program.pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Sending. */

int
way_out(int fd)
{
	return program.way_out >= 0 ? program.way_out : fd;
}

long long
send_all(int fd, const char *data, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		ssize_t n = write(way_out(fd), data + sent, size - sent);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	taken_await(fd);
	return (long long)sent;
}

/* Byte by byte. `dribble' pauses before each byte and ends when data has arrived. */
static long long
send_slowly(int fd, const char *data, size_t size, bool dribble)
{
	size_t i = 0;

	for (; i < size && !(dribble && readable(fd, DRIBBLE_MS)); i++)
		if (dribble ? write(way_out(fd), data + i, 1) != 1 : send_all(fd, data + i, 1) != 1)
			break;
	return (long long)i;
}

static long long
send_file(int fd, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	long long all = 0;

	if (file < 0)
		fail(path);
	for (ssize_t n; (n = read(file, bytes, sizeof bytes)) > 0;)
		all += send_all(fd, bytes, (size_t)n);
	(void)close(file);
	return all;
}

static long long
push(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	pushed = 0;
	memset(bytes, 'p', sizeof bytes);
	while (poll(&p, 1, PUSH_MS) == 1) {
		ssize_t n = send(fd, bytes, sizeof bytes, MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			fail("push");
		pushed += n > 0 ? n : 0;
	}
	return pushed;
}

static long long
echo(int fd)
{
	long long all = 0;

	for (size_t n; (n = receive(fd, sizeof bytes)) > 0;)
		all += send_all(fd, bytes, n);
	return all;
}

static void
half_close(int fd)
{
	(void)(program.way_out >= 0 ? close(program.way_out) : shutdown(fd, SHUT_WR));
	program.way_out = -1;
}

/* Receiving. */

static long long
take(int fd, long long all, size_t most, int pause_ms)
{
	for (size_t left = (size_t)all, n; left > 0; left -= n) {
		(void)poll(NULL, 0, pause_ms);
		n = receive(fd, left < most ? left : most);
		if (n == 0) {
			errno = was_reset ? ECONNRESET : ENODATA;
			fail("take");
		}
	}
	return all;
}

static void
line(int fd)
{
	do {
		if (receive(fd, 1) == 0) {
			puts(was_reset ? "reset" : "end");
			break;
		}
	} while (bytes[0] != '\n');
}

static void
head_take(int fd)
{
	size_t n = 1;

	for (head_size = 0; n > 0 && memmem(head, head_size, "\r\n\r\n", 4) == NULL && head_size < sizeof head; head_size += n) {
		n = receive(fd, sizeof head - head_size);
		memcpy(head + head_size, bytes, n);
	}
}

static long long
rest(int fd)
{
	long long all = 0;

	for (size_t n; (n = receive(fd, sizeof bytes)) > 0;)
		all += (long long)n;
	if (was_reset && !verbose)
		puts("reset");
	return all;
}

size_t
unescape_all(const char *text, unsigned char *data)
{
	static const char names[] = "rnt0", meant[] = "\r\n\t", key[] = "\r\nSec-WebSocket-Key: ";
	size_t size = 0;

	for (const char *found; *text != '\0'; text++) {
		if (*text != '\\' || text[1] == '\0') {
			data[size++] = (unsigned char)*text;
		} else if (*++text == 'A') {
			found = memmem(head, head_size, key, sizeof key - 1);
			memset(data + size, '?', HANDSHAKE_ACCEPT_SIZE);
			if (found != NULL)
				handshake_accept(found + sizeof key - 1, (char *)data + size);
			size += HANDSHAKE_ACCEPT_SIZE;
		} else if (*text == 'x') {
			data[size++] = (unsigned char)strtoul((char[]){text[1], text[2], '\0'}, NULL, 16);
			text += strnlen(text + 1, 2);
		} else {
			found = strchr(names, *text);
			data[size++] = (unsigned char)(found == NULL ? *text : meant[found - names]);
		}
	}
	return size;
}

/* Perform a step on one connection. Return the count for -v. */
static long long
one_do(enum step step, int fd, const char *text, const char *data, size_t size)
{
	switch (step) {
	case SEND: return send_all(fd, data, size);
	case BYTES: return send_slowly(fd, data, size, false);
	case DRIBBLE: return send_slowly(fd, data, size, true);
	case SEND_FILE: return send_file(fd, text);
	case PUSH: return push(fd);
	case ECHO_BACK: return echo(fd);
	case TAKE: return take(fd, strtoll(text, NULL, 10), sizeof bytes, 0);
	case SIP: return take(fd, strtoll(text, NULL, 10), SIP_SIZE, SIP_MS);
	case BACK: return take(fd, pushed, sizeof bytes, 0);
	case RECV: return (long long)receive(fd, sizeof bytes);
	case LINE: line(fd); break;
	case HEAD: head_take(fd); break;
	case REST: return rest(fd);
	case FIN: half_close(fd); break;
	case RESET: case CLOSE: case VANISH: disconnect(fd, step); break;
	default: break;
	}
	return 0;
}

/* Perform a step on every connection. Return the count for -v. */
static long long
each_do(enum step step, const char *text)
{
	char *data = malloc(strlen(text) * HANDSHAKE_ACCEPT_SIZE + 1);
	size_t size = unescape_all(text, (unsigned char *)data);
	long long all = 0;

	was_reset = false;
	for (size_t i = first; i < count; i++)
		all += one_do(step, conns[i], text, data, size);
	if (step == RESET || step == CLOSE || step == VANISH) {
		count = first;
		first = 0;
	}
	free(data);
	return all;
}

static void
hold(void)
{
	(void)alarm(0);
	if (verbose)
		puts("holding");
	for (;;)
		(void)pause();
}

/* Return the count for -v. */
static long long
step_do(enum step step, char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (program.argv != NULL && program.pid == 0 && step < ON && step != INTO && step != LIMIT)
		program_start();
	switch (step) {
	case TO: destination_set(text); break;
	case FROM: ip_parse(text, &from); break;
	case ROOM: room = (int)n; break;
	case OPEN: open_more(*text == '\0' ? 1 : n); break;
	case ACCEPT: accept_one(); break;
	case LAST: first = count == 0 ? 0 : count - 1; break;
	case CHURN: churn(n); break;
	case FILL: backlog_fill(); break;
	case UNLISTEN: (void)close(LISTENER); break;
	case INTO:
		sink = fopen(text, "we");
		if (sink == NULL)
			fail(text);
		break;
	case PAUSE: (void)usleep((useconds_t)n * 1000); break;
	case SAY: puts(text); break;
	case AWAIT:
		while (access(text, F_OK) != 0)
			(void)poll(NULL, 0, TICK_MS);
		break;
	case HOLD: hold(); break;
	case LIMIT: (void)alarm((unsigned)n); break;
	case ON: program.kind = text[0]; break;
	case CLIENT: program.client = true; break;
	case STDERR: program.with_stderr = true; break;
	case ENDED:
		while (!program_ended())
			(void)poll(NULL, 0, 1);
		break;
	default: return each_do(step, text);
	}
	return 0;
}

/* The steps and their -v lines; # is replaced by the count. */
static const struct {
	const char *name, *said;
} steps[] = {
	[TO] = {"to:", NULL}, [FROM] = {"from:", NULL}, [ROOM] = {"room:", NULL}, [OPEN] = {"open", NULL},
	[ACCEPT] = {"accept", "accepted"}, [LAST] = {"last", NULL}, [CHURN] = {"churn:", "churned"},
	[FILL] = {"fill", "full"}, [UNLISTEN] = {"unlisten", "unlistening"},
	[SEND] = {"send:", "sent #"}, [BYTES] = {"bytes:", "sent #"}, [DRIBBLE] = {"dribble:", "sent #"},
	[SEND_FILE] = {"file:", "sent #"}, [PUSH] = {"push", "pushed #"}, [ECHO_BACK] = {"echo", "echoed #"}, [FIN] = {"fin", "fin"},
	[INTO] = {"into:", NULL}, [TAKE] = {"take:", "took #"}, [SIP] = {"sip:", "took #"}, [BACK] = {"back", "back #"},
	[RECV] = {"recv", "recv"}, [LINE] = {"line", NULL}, [HEAD] = {"head", "head"}, [REST] = {"rest", "rest #"},
	[RESET] = {"reset", "reset"}, [CLOSE] = {"close", "closed"},
	[VANISH] = {"vanish", "vanished"}, [PAUSE] = {"pause:", "paused"},
	[SAY] = {"say:", NULL}, [AWAIT] = {"await:", "awaited"}, [HOLD] = {"hold", NULL}, [LIMIT] = {"limit:", NULL},
	[ON] = {"on:", NULL}, [CLIENT] = {"client", NULL}, [STDERR] = {"stderr", NULL}, [ENDED] = {"ended", "ended"},
};

static void
report(enum step step, long long n)
{
	const char *said = steps[step].said;

	if (!verbose || said == NULL)
		return;
	printf("%.*s", (int)strcspn(said, "#"), said);
	if (step == RECV)
		printf(" %.*s", (int)n, bytes);
	else if (strchr(said, '#') != NULL)
		printf("%lld%s", n, was_reset ? " reset" : "");
	putchar('\n');
}

void
step_read(char *argument)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		const char *name = steps[i].name;
		size_t size = strlen(name);
		bool takes = name[size - 1] == ':', may = i == OPEN && argument[size] == ':';

		if (strncmp(argument, name, size) == 0 && (takes || may || argument[size] == '\0')) {
			report((enum step)i, step_do((enum step)i, argument + size + may));
			return;
		}
	}
	fprintf(stderr, "peer: %s: no such step\n", argument);
	exit(2);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	int i = 1, end;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGALRM, too_late);
	(void)alarm(LIMIT_S);
	ip_parse("127.0.0.1", &to);
	if (strcmp(basename(argv[0]), "wspeer") == 0)
		return websocket_main(argc, argv);
	verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	sink = verbose ? NULL : stdout;
	i += verbose;
	for (end = i; end < argc && strcmp(argv[end], "run") != 0; end++)
		;
	if (end < argc - 1)
		program.argv = argv + end + 1;
	else if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	for (; i < end; i++)
		step_read(argv[i]);
	if (program.argv == NULL)
		return 0;
	if (program.pid == 0)
		program_start();
	return program_finish();
}
