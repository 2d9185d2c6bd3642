/*
 * wspeer: a WebSocket peer that performs the steps of its command line, to test
 * wsframe and wsserve. Its frames share no code with the tested programs. Steps that
 * are not listed here are those of peer.
 *
 *     wspeer text:hello get close:1000 rest wait -- wsframe cat
 *
 * It runs the command with a connection on fds 0 and 1 and plays its client; with
 * -c on fds 6 and 7, and plays its server. The connection is a UNIX socket; with -t
 * TCP; with -s TCP with small buffers on wspeer's side; with -p two pipes. With -l
 * the command is a server that gets a listening socket on fd 0: the handshake is
 * performed before the steps, `wait` reads the session's exit status from the
 * server's log (wsserve -v), and the server is ended after the last step.
 *
 * It prints a line on stdout for each frame that it reads (`text hello`,
 * `binary \x00`, `+text hel` for one without FIN, `more lo` for a continuation,
 * `ztext` and `zbinary` for compressed ones, `ping`, `pong`, `close 1000 reason`,
 * `close`), for the end of the connection (`end`, `reset`) and for `wait`.
 *
 *     text:TEXT binary:TEXT ping:TEXT pong:TEXT   send a frame
 *     +text:TEXT +binary:TEXT +more:TEXT more:TEXT  send its fragments
 *     close close:CODE close:CODE,REASON  send a Close
 *     raw:TEXT        send these bytes
 *     many:N,TEXT     send N texts at once; pings:N  N pings, each with its number
 *     big:N           send a text of N bytes; head:N  only its header
 *     get  get:N      read and print N frames (1)
 *     until:WORD      read frames until one of the kind WORD, and print that one
 *     rest            read and print frames until the end, then close
 *     count           read until the end, print `N frames M bytes`, then close
 *     swallow         read until the end as fast as possible, without parsing
 *     slow:MS         from this step on read 4 KiB at a time, with a pause of MS before each read
 *     push            send texts until none is accepted for 300 ms
 *     drop            close the connection (`close' of peer)
 *     kill:SIGNAL     send a signal (TERM, INT, HUP, KILL, STOP, CONT) to the command
 *     memory          print the command's private memory: `private N k`
 *     peak            print the largest resident size of the command without its files: `peak N k`
 *     silent:MS       check that no data arrives for MS; print `noise` if some does
 *     chat:MS         send a text every MS, until the end or for 10 s; chat:0 as fast as possible
 *     beat:MS         send a ping after each MS without data, until a Close or the end, which is printed
 *     wait            wait for the end of the command, and print `exit N` or `signal N`
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum { PUSH_MS = 300, SLOW_PIECE = 4096, SMALL_ROOM = 4096, TEXT_MAX = 1 << 16, SHOWN_MAX = 200, BEATS_MAX = 100, AWAIT_MAX = 6000 };

static long rest_ms; /* pause before each read of at most SLOW_PIECE bytes; 0: reads of any size without a pause */
static unsigned char text[TEXT_MAX];

static size_t
unescape(const char *in, unsigned char *out)
{
	return unescape_all(in, (char *)out);
}

static void
show(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
		if (bytes[i] == '\\')
			printf("\\\\");
		else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			putchar(bytes[i]);
		else
			printf("\\x%02x", bytes[i]);
	}
	if (n > SHOWN_MAX)
		printf("... (%zu)", n);
}

/* Return false if the peer has closed. */
static bool
put(const void *bytes, size_t n)
{
	return send_all(conns[0], bytes, n) == (long long)n;
}

static size_t
head_make(unsigned char *out, unsigned first, uint64_t n)
{
	size_t used = 2;

	out[0] = (unsigned char)first;
	out[1] = (unsigned char)(n < 126 ? n : n < 65536 ? 126 : 127);
	for (int shift = n < 126 ? -8 : n < 65536 ? 8 : 56; shift >= 0; shift -= 8)
		out[used++] = (unsigned char)(n >> shift);
	if (!program.client) {
		out[1] |= 0x80;
		memcpy(out + used, "\x12\x34\x56\x78", 4);
		used += 4;
	}
	return used;
}

static size_t
frame_make(unsigned char *out, unsigned first, const unsigned char *payload, size_t n)
{
	size_t head = head_make(out, first, n);

	for (size_t i = 0; i < n; i++)
		out[head + i] = (unsigned char)(payload[i] ^ (program.client ? 0 : (0x12 + 0x22 * (i % 4)) & 0xff));
	return head + n;
}

static bool
send_frame(unsigned first, const unsigned char *payload, size_t n)
{
	unsigned char *frame = malloc(n + 16);
	bool sent = frame != NULL && put(frame, frame_make(frame, first, payload, n));

	free(frame);
	return sent;
}

static void
nap(long ms)
{
	(void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Return 1, 0 at EOF, or -1 after a reset. */
static int
take(unsigned char *out, size_t n)
{
	while (n > 0) {
		ssize_t got;

		if (rest_ms != 0)
			nap(rest_ms);
		got = read(conns[0], out, rest_ms != 0 && n > SLOW_PIECE ? SLOW_PIECE : n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? 0 : -1;
		out += got;
		n -= (size_t)got;
	}
	return 1;
}

struct got {
	unsigned first;
	size_t size;
	unsigned char *payload;
};

static int
take_frame(struct got *f)
{
	unsigned char head[2], length[8], key[4] = {0};
	int state = take(head, 2);
	uint64_t n = head[1] & 0x7fU;
	size_t more = n == 126 ? 2 : n == 127 ? 8 : 0;

	if (state != 1 || (state = take(length, more)) != 1)
		return state;
	if ((head[1] >= 0x80) != program.client)
		printf("wrong mask: ");
	n = more == 0 ? n : 0;
	for (size_t i = 0; i < more; i++)
		n = n << 8 | length[i];
	if (head[1] >= 0x80 && (state = take(key, 4)) != 1)
		return state;
	*f = (struct got){head[0], (size_t)n, malloc((size_t)n + 1)};
	if (f->payload == NULL)
		fail("malloc");
	state = take(f->payload, f->size);
	for (size_t i = 0; i < f->size; i++)
		f->payload[i] ^= key[i % 4];
	return state;
}

static const char *
kind_of(unsigned first)
{
	static const char *const kinds[] = {
		[0x00] = "+more", [0x80] = "more", [0x01] = "+text", [0x81] = "text", [0x02] = "+binary", [0x82] = "binary",
		[0x88] = "close", [0x89] = "ping", [0x8a] = "pong", [0xc1] = "ztext", [0xc2] = "zbinary", [0x41] = "+ztext",
		[0x42] = "+zbinary",
	};

	return first < sizeof kinds / sizeof *kinds && kinds[first] != NULL ? kinds[first] : "unknown";
}

static void
tell_frame(const struct got *f)
{
	size_t skip = f->first == 0x88 && f->size >= 2 ? 2 : 0;

	printf("%s", kind_of(f->first));
	if (skip == 2)
		printf(" %u", (unsigned)f->payload[0] << 8 | f->payload[1]);
	if (f->size > skip)
		putchar(' ');
	show(f->payload + skip, f->size - skip);
	putchar('\n');
	(void)fflush(stdout);
}

static void
tell_end(int state)
{
	printf("%s\n", state == 0 ? "end" : "reset");
	(void)fflush(stdout);
}

/* Return false at the end of the connection. */
static bool
get(bool tell, const char *until, size_t *bytes)
{
	struct got f = {0};
	int state = take_frame(&f);
	bool found = state == 1 && (until == NULL || strcmp(kind_of(f.first), until) == 0);

	if (state == 1 && (tell || (until != NULL && found)))
		tell_frame(&f);
	if (state == 1 && bytes != NULL)
		*bytes += f.size;
	free(f.payload);
	if (state != 1 && (tell || until != NULL))
		tell_end(state);
	return until == NULL ? state == 1 : state == 1 && !found;
}

static void
step_get(const char *arg)
{
	for (int n = *arg == '\0' ? 1 : atoi(arg); n > 0 && get(true, NULL, NULL); n--)
		;
}

static void
step_until(const char *arg)
{
	while (get(false, arg, NULL))
		;
}

static void
step_drop(const char *arg)
{
	static char close_step[] = "close";

	(void)arg;
	step_read(close_step);
}

static void
step_rest(const char *arg)
{
	while (get(true, NULL, NULL))
		;
	step_drop(arg);
}

static void
step_count(const char *arg)
{
	size_t frames = 0, bytes = 0;

	while (get(false, NULL, &bytes))
		frames++;
	printf("%zu frames %zu bytes\n", frames, bytes);
	step_drop(arg);
}

static void
step_swallow(const char *arg)
{
	static unsigned char waste[1 << 18];
	ssize_t n;

	do
		n = read(conns[0], waste, sizeof waste);
	while (n > 0 || (n < 0 && errno == EINTR));
	step_drop(arg);
}

static void
step_close(const char *arg)
{
	unsigned code = (unsigned)strtoul(arg, NULL, 10);
	const char *reason = strchr(arg, ',');
	size_t n = 2;

	text[0] = (unsigned char)(code >> 8);
	text[1] = (unsigned char)code;
	if (reason != NULL)
		n += unescape(reason + 1, text + 2);
	(void)send_frame(0x88, text, *arg == '\0' ? 0 : n);
}

static void
step_raw(const char *arg)
{
	(void)put(text, unescape(arg, text));
}

/* Send frames at once, with the n bytes of text as their payload, or each with its number. */
static void
frames_send(unsigned first, size_t frames, size_t n, bool numbered)
{
	unsigned char *all = malloc(frames * (n + 32));
	size_t used = 0;

	if (all == NULL)
		fail("malloc");
	for (size_t i = 0; i < frames; i++) {
		if (numbered)
			n = (size_t)snprintf((char *)text, sizeof text, "%zu", i);
		used += frame_make(all + used, first, text, n);
	}
	(void)put(all, used);
	free(all);
}

static void
step_many(const char *arg)
{
	const char *comma = strchr(arg, ',');

	frames_send(0x81, strtoul(arg, NULL, 10), unescape(comma == NULL ? "" : comma + 1, text), false);
}

static void
step_pings(const char *arg)
{
	frames_send(0x89, strtoul(arg, NULL, 10), 0, true);
}

static void
step_big(const char *arg)
{
	size_t n = strtoul(arg, NULL, 10);
	unsigned char *bytes = malloc(n + 1);

	if (bytes == NULL)
		fail("malloc");
	memset(bytes, 'x', n);
	if (!send_frame(0x81, bytes, n))
		printf("cut\n");
	free(bytes);
}

static void
step_head(const char *arg)
{
	unsigned char head[16];

	(void)put(head, head_make(head, 0x81, strtoull(arg, NULL, 10)));
}

static void
step_push(const char *arg)
{
	struct pollfd p = {.fd = way_out(conns[0]), .events = POLLOUT};

	(void)arg;
	memset(text, 'x', 1000);
	if (fcntl(p.fd, F_SETFL, O_NONBLOCK) != 0)
		fail("fcntl");
	while (poll(&p, 1, PUSH_MS) == 1 && (p.revents & POLLERR) == 0 && send_frame(0x81, text, 1000))
		;
	(void)fcntl(p.fd, F_SETFL, 0);
	printf("pushed\n");
}

static void
step_slow(const char *arg)
{
	rest_ms = atol(arg);
}

static void
step_kill(const char *arg)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"KILL", SIGKILL}, {"STOP", SIGSTOP},
	    {"CONT", SIGCONT}};

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (strcmp(arg, signals[i].name) == 0)
			(void)kill(program.pid, signals[i].number);
}

static unsigned long
field_sum(const char *file, const char *field)
{
	char path[64], line[256];
	unsigned long sum = 0, n;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", (int)program.pid, file);
	f = fopen(path, "r");
	if (f == NULL)
		fail(path);
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0 && sscanf(line + strlen(field), ": %lu", &n) == 1)
			sum += n;
	(void)fclose(f);
	return sum;
}

static void
step_memory(const char *arg)
{
	(void)arg;
	printf("private %lu k\n", field_sum("smaps", "Anonymous"));
}

static void
step_peak(const char *arg)
{
	(void)arg;
	printf("peak %lu k\n", field_sum("status", "VmHWM"));
}

static void
step_silent(const char *arg)
{
	if (readable(conns[0], atoi(arg)))
		printf("noise\n");
}

static void
step_chat(const char *arg)
{
	static unsigned char texts[1 << 16];
	struct timespec rest = {.tv_nsec = atoi(arg) * 1000000L};
	size_t size = 0;

	if (rest.tv_nsec == 0)
		alarm(10);
	do
		size += frame_make(texts + size, 0x81, text, 1);
	while (rest.tv_nsec == 0 && size < sizeof texts - 100);
	for (int left = 10000; left > 0 && put(texts, size); left -= atoi(arg))
		(void)nanosleep(&rest, NULL);
}

static void
step_beat(const char *arg)
{
	int beats = 0;

	do
		for (; beats < BEATS_MAX && !readable(conns[0], atoi(arg)); beats++)
			(void)send_frame(0x89, text, 0);
	while (beats < BEATS_MAX && get(false, "close", NULL));
	if (beats == BEATS_MAX)
		printf("no end\n");
}

/* Copy the server's log until a session has ended, or all of it. */
static void
log_pass(bool all)
{
	char line[4096];
	size_t n = 0;
	int status;

	while (n < sizeof line - 1 && read(program.log, line + n, 1) == 1) {
		if (line[n++] != '\n')
			continue;
		line[n] = '\0';
		n = 0;
		(void)fputs(line, stderr);
		if (!all && strstr(line, " disconnected (") != NULL && sscanf(strchr(line, '('), "(exit %d", &status) == 1) {
			printf("exit %d\n", status);
			return;
		}
	}
}

static void
step_wait(const char *arg)
{
	int status;

	(void)arg;
	if (program.listens) {
		log_pass(false);
		return;
	}
	if (waitpid(program.pid, &status, 0) != program.pid)
		fail("wait");
	if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("exit %d\n", WEXITSTATUS(status));
}

static const struct step {
	const char *name;
	unsigned first; /* first byte of a frame whose payload is the argument, */
	void (*run)(const char *argument); /* or another action */
} steps[] = {
	{"text", 0x81, NULL}, {"binary", 0x82, NULL}, {"ping", 0x89, NULL}, {"pong", 0x8a, NULL},
	{"+text", 0x01, NULL}, {"+binary", 0x02, NULL}, {"more", 0x80, NULL}, {"+more", 0x00, NULL},
	{"close", 0, step_close}, {"raw", 0, step_raw}, {"many", 0, step_many}, {"pings", 0, step_pings},
	{"big", 0, step_big}, {"head", 0, step_head}, {"get", 0, step_get}, {"until", 0, step_until},
	{"rest", 0, step_rest}, {"count", 0, step_count}, {"push", 0, step_push},
	{"drop", 0, step_drop}, {"kill", 0, step_kill},
	{"memory", 0, step_memory}, {"peak", 0, step_peak}, {"silent", 0, step_silent},
	{"beat", 0, step_beat}, {"chat", 0, step_chat}, {"swallow", 0, step_swallow}, {"slow", 0, step_slow}, {"wait", 0, step_wait},
};

static void
step_do(char *step)
{
	size_t n = strcspn(step, ":");
	const char *argument = step[n] == ':' ? step + n + 1 : "";

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (strlen(steps[i].name) != n || strncmp(steps[i].name, step, n) != 0)
			continue;
		if (steps[i].run != NULL)
			steps[i].run(argument);
		else
			(void)send_frame(steps[i].first, text, unescape(argument, text));
		(void)fflush(stdout);
		return;
	}
	step_read(step);
}

static void
handshake(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
	const char *extensions = getenv("WEBSOCKET_EXTENSIONS");
	size_t end = 0;
	char c, rest[256];

	(void)snprintf(rest, sizeof rest, "Sec-WebSocket-Extensions: %s\r\n\r\n", extensions == NULL ? "" : extensions);
	(void)put(request, sizeof request - 1);
	(void)put(rest, strlen(rest));
	while (end < 4 && read(conns[0], &c, 1) == 1)
		end = c == "\r\n\r\n"[end] ? end + 1 : c == '\r';
}

int
websocket_main(int argc, char **argv)
{
	int first = 1, end;

	(void)alarm(0);
	(void)signal(SIGALRM, SIG_DFL);
	for (; first < argc && argv[first][0] == '-' && argv[first][1] != '-'; first++) {
		char key = argv[first][1];

		program.client = program.client || key == 'c';
		program.listens = program.listens || key == 'l';
		room = key == 's' ? SMALL_ROOM : room;
		if (strchr("tspl", key) != NULL)
			program.kind = key == 'p' ? 'p' : 't';
	}
	for (end = first; end < argc && strcmp(argv[end], "--") != 0; end++)
		;
	if (end + 1 >= argc)
		fail("usage");
	program.argv = argv + end + 1;
	program_start();
	(void)close(program.in);
	program.in = -1;
	if (program.listens)
		handshake();
	for (; first < end; first++)
		step_do(argv[first]);
	if (program.listens) {
		(void)kill(program.pid, SIGTERM);
		log_pass(true);
	}
	return 0;
}
