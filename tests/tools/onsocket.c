/*
 * onsocket: runs a program on a connection of its own, says the given bytes in
 * the given pieces, and prints what comes back.
 *
 *     onsocket [-c] [-T [-B] | -P] [-2] [-t SECONDS] [STEP...] prog [arg...]
 *
 *     -c          the program is a client: the connection is on fds 6 and 7 (else 0 and 1)
 *     -T          a TCP connection over 127.0.0.1 (else a pair of UNIX sockets)
 *     -B          its buffers are the smallest that the kernel gives, at both ends
 *     -P          two pipes
 *     -2          the program's stderr is the connection too
 *     -t SECONDS  then the program is killed, exit 124 (20)
 * Steps, one after the other:
 *     -s TEXT     sends it in one piece, and waits until the program has taken it from
 *                 the kernel or waits for something else; \r \n \t \0 \\ \xHH are bytes
 *     -b TEXT     the same, byte by byte
 *     -d TEXT     dribbles it, as it stands: a byte each 20 ms until something comes back
 *     -f FILE     sends a file's bytes
 *     -g          waits for an HTTP head from the program; from then on \A in a TEXT is
 *                 the Sec-WebSocket-Accept that belongs to its key
 *     -w          waits until the program has ended, and reads nothing meanwhile
 *     -x          half-closes: the program sees EOF
 *     -r          resets the connection (-T) or closes it
 *
 * Then it prints what comes until the program's side is closed, and closes; a
 * server's reset it complains about. Exits with the program's status, 128 + n
 * for signal n.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ws/handshake.h"

enum { STEPS = 256, TAKE_MS = 2000, DRIBBLE_MS = 20 };

static struct {
	int key;
	const char *value;
} steps[STEPS];
static size_t step_count;

static bool as_client, over_tcp, over_pipes, small_buffers, with_stderr;
static int ours_in, ours_out, theirs_in, theirs_out;
static pid_t child;
static char seen[1 << 20];
static size_t seen_size, printed;

static void __attribute__((noreturn))
fail(const char *what)
{
	perror(what);
	if (child > 0)
		(void)kill(child, SIGKILL);
	exit(125);
}

static void
too_late(int number)
{
	(void)number;
	(void)kill(child, SIGKILL);
	_exit(124);
}

static void
buffers_shrink(int fd)
{
	const int least = 1;

	if (small_buffers && (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least) != 0
	    || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) != 0))
		fail("setsockopt");
}

static void
tcp_pair(int ends[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	buffers_shrink(listener); /* what it accepts has the same */
	if (bind(listener, (struct sockaddr *)&a, size) != 0 || listen(listener, 1) != 0
	    || getsockname(listener, (struct sockaddr *)&a, &size) != 0)
		fail("listen");
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	buffers_shrink(ends[0]);
	if (connect(ends[0], (struct sockaddr *)&a, size) != 0)
		fail("connect");
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	(void)close(listener);
}

static void
connection_make(void)
{
	int ends[2], back[2];

	if (over_pipes) {
		if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0)
			fail("pipe");
		theirs_in = ends[0];
		ours_out = ends[1];
		ours_in = back[0];
		theirs_out = back[1];
		return;
	}
	if (over_tcp)
		tcp_pair(ends);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		fail("socketpair");
	ours_in = ours_out = ends[0];
	theirs_in = theirs_out = ends[1];
}

static void
program_start(char **argv)
{
	int first = as_client ? 6 : 0, in, out;

	child = fork();
	if (child != 0)
		return;
	in = fcntl(theirs_in, F_DUPFD_CLOEXEC, 10);
	out = fcntl(theirs_out, F_DUPFD_CLOEXEC, 10);
	if (dup2(in, first) < 0 || dup2(out, first + 1) < 0 || (with_stderr && dup2(in, 2) < 0))
		_exit(125);
	(void)execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* Reads once what the program sends; false at its end, which a reset is no good one of. */
static bool
receive(void)
{
	ssize_t n = read(ours_in, seen + seen_size, sizeof seen - seen_size);

	if (n < 0 && !as_client)
		perror("onsocket: read");
	if (n <= 0)
		return false;
	seen_size += (size_t)n;
	return true;
}

static void
print_seen(void)
{
	(void)fwrite(seen + printed, 1, seen_size - printed, stdout);
	(void)fflush(stdout);
	if (seen_size == sizeof seen)
		seen_size = 0;
	printed = seen_size;
}

static bool
program_ended(void)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* Until the program has read all, has answered, or is gone. */
static void
await_taken(void)
{
	struct pollfd p = {.fd = ours_in, .events = POLLIN};

	for (int turn = 0; turn < TAKE_MS; turn++) {
		int unread = 0;

		if (ioctl(theirs_in, FIONREAD, &unread) != 0 || unread == 0
		    || poll(&p, 1, 0) != 0 || program_ended())
			return;
		(void)usleep(1000);
	}
}

static void
say_bytes(const char *bytes, size_t n)
{
	while (n != 0) {
		ssize_t put = write(ours_out, bytes, n);

		if (put < 0)
			return;
		bytes += put;
		n -= (size_t)put;
	}
	await_taken();
}

static void
accept_of(char accept[HANDSHAKE_ACCEPT_SIZE])
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	const char *key = memmem(seen, seen_size, name, sizeof name - 1);

	memset(accept, '?', HANDSHAKE_ACCEPT_SIZE);
	if (key != NULL)
		handshake_accept(key + sizeof name - 1, accept);
}

/* Writes the bytes that an escape means, moves *text behind it, returns how many there are. */
static size_t
unescape(const char **text, char *out)
{
	static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *p = *text, *found;

	if (*p != '\\' || p[1] == '\0') {
		*out = *p;
		*text = p + 1;
		return 1;
	}
	*text = p + 2;
	if (p[1] == 'A') {
		accept_of(out);
		return HANDSHAKE_ACCEPT_SIZE;
	}
	if (p[1] == 'x') {
		char hex[3] = {p[2], p[3], '\0'};

		*text = p + 4;
		*out = (char)strtoul(hex, NULL, 16);
		return 1;
	}
	found = strchr(names, p[1]);
	*out = found == NULL ? p[1] : bytes[found - names];
	return 1;
}

static void
say_text(const char *text, bool bytewise)
{
	size_t n = 0, room = strlen(text) * HANDSHAKE_ACCEPT_SIZE + 1;
	char *bytes = malloc(room);

	while (*text != '\0')
		n += unescape(&text, bytes + n);
	for (size_t i = 0; bytewise && i < n; i++)
		say_bytes(bytes + i, 1);
	if (!bytewise)
		say_bytes(bytes, n);
	free(bytes);
}

static void
dribble(const char *text)
{
	struct pollfd p = {.fd = ours_in, .events = POLLIN};

	while (*text != '\0' && write(ours_out, text++, 1) == 1 && poll(&p, 1, DRIBBLE_MS) == 0)
		;
}

static void
say_file(const char *name)
{
	static char bytes[1 << 16];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		fail(name);
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		say_bytes(bytes, (size_t)n);
	(void)close(fd);
}

static void
take_leave(bool reset)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (!reset && !over_pipes) {
		(void)shutdown(ours_out, SHUT_WR);
		return;
	}
	if (reset) {
		(void)setsockopt(ours_out, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		(void)close(ours_in);
		ours_in = -1;
	}
	(void)close(ours_out);
}

static void
step_do(int key, const char *value)
{
	switch (key) {
	case 's':
	case 'b':
		say_text(value, key == 'b');
		break;
	case 'd':
		dribble(value);
		break;
	case 'f':
		say_file(value);
		break;
	case 'g':
		while (memmem(seen, seen_size, "\r\n\r\n", 4) == NULL && receive())
			;
		print_seen();
		break;
	case 'w':
		while (!program_ended())
			(void)usleep(1000);
		break;
	case 'x':
	case 'r':
		take_leave(key == 'r');
		break;
	}
}

static char **
options_read(int argc, char **argv)
{
	for (int key; (key = getopt(argc, argv, "+cTBP2t:s:b:d:f:gwxr")) != -1;) {
		switch (key) {
		case 'c': as_client = true; break;
		case 'T': over_tcp = true; break;
		case 'B': small_buffers = true; break;
		case 'P': over_pipes = true; break;
		case '2': with_stderr = true; break;
		case 't': (void)alarm((unsigned)strtoul(optarg, NULL, 10)); break;
		case '?': exit(125);
		default:
			if (step_count == STEPS)
				exit(125);
			steps[step_count].key = key;
			steps[step_count++].value = optarg;
		}
	}
	if (argv[optind] == NULL)
		exit(125);
	return argv + optind;
}

int
main(int argc, char **argv)
{
	char **program;
	int status = 0;

	(void)signal(SIGALRM, too_late);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(20);
	program = options_read(argc, argv);
	connection_make();
	(void)signal(SIGPIPE, SIG_DFL);
	program_start(program);
	(void)signal(SIGPIPE, SIG_IGN);
	if (theirs_out != theirs_in)
		(void)close(theirs_out);
	for (size_t i = 0; i < step_count; i++)
		step_do(steps[i].key, steps[i].value);
	(void)close(theirs_in);
	while (ours_in >= 0 && receive())
		print_seen();
	print_seen();
	(void)close(ours_in);
	(void)close(ours_out);
	(void)waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
