/*
 * wspeer: a WebSocket peer that performs the steps of its command line, to test
 * wsframe and wsserve. Its frames are those of lib/ws: wsprobe is the peer that shares
 * no code with it. Steps that are not listed here are those of peer.
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
#include <unistd.h>

#include "peer.h"
#include "ws/frame.h"
#include "ws/mask.h"

enum { PUSH_MS = 300, SLOW_PIECE = 4096, SMALL_ROOM = 4096, TEXT_MAX = 1 << 16, SHOWN_MAX = 200, BEATS_MAX = 100 };

static int rest_ms; /* pause before each read of at most SLOW_PIECE bytes; 0: reads of any size without a pause */
static unsigned char text[TEXT_MAX];

#define KEY {0x12, 0x34, 0x56, 0x78}

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
	const struct frame frame = {.length = n, .opcode = first & 0x0f, .fin = (first & 0x80) != 0,
	    .masked = !program.client, .key = KEY};

	return frame_encode(&frame, out);
}

static size_t
frame_make(unsigned char *out, unsigned first, const unsigned char *payload, size_t n)
{
	size_t head = head_make(out, first, n);

	if (n != 0)
		memcpy(out + head, payload, n);
	if (!program.client)
		(void)mask_apply(out + head, n, (const unsigned char[])KEY, 0);
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

/* Return 1, 0 at EOF, or -1 after a reset. */
static int
take(unsigned char *out, size_t n)
{
	while (n > 0) {
		ssize_t got;

		(void)poll(NULL, 0, rest_ms);
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
	unsigned char head[FRAME_HEAD_MAX];
	size_t held = 0;
	struct frame frame;
	int state, size;

	do {
		state = take(head + held, held == 0 ? 2 : 1);
		if (state != 1)
			return state;
		held += held == 0 ? 2 : 1;
		size = frame_decode(&frame, head, held, true);
	} while (size == 0);
	if (size < 0)
		fail(frame_error_text(size));
	if (frame.masked != program.client)
		printf("wrong mask: ");
	*f = (struct got){head[0], (size_t)frame.length, malloc((size_t)frame.length + 1)};
	if (f->payload == NULL)
		fail("malloc");
	state = take(f->payload, f->size);
	if (frame.masked)
		(void)mask_apply(f->payload, f->size, frame.key, 0);
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
frames_count(void)
{
	size_t frames = 0, bytes = 0;

	while (get(false, NULL, &bytes))
		frames++;
	printf("%zu frames %zu bytes\n", frames, bytes);
}

static void
swallow(void)
{
	static unsigned char waste[1 << 18];
	ssize_t n;

	do
		n = read(conns[0], waste, sizeof waste);
	while (n > 0 || (n < 0 && errno == EINTR));
}

static void
close_send(const char *arg)
{
	unsigned code = (unsigned)strtoul(arg, NULL, 10);
	const char *reason = strchr(arg, ',');
	size_t n = 2;

	text[0] = (unsigned char)(code >> 8);
	text[1] = (unsigned char)code;
	if (reason != NULL)
		n += unescape_all(reason + 1, text + 2);
	(void)send_frame(0x88, text, *arg == '\0' ? 0 : n);
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
big_send(size_t n)
{
	unsigned char *bytes = malloc(n + 1);

	if (bytes == NULL)
		fail("malloc");
	memset(bytes, 'x', n);
	if (!send_frame(0x81, bytes, n))
		printf("cut\n");
	free(bytes);
}

static void
push(void)
{
	struct pollfd p = {.fd = way_out(conns[0]), .events = POLLOUT};

	memset(text, 'x', 1000);
	if (fcntl(p.fd, F_SETFL, O_NONBLOCK) != 0)
		fail("fcntl");
	while (poll(&p, 1, PUSH_MS) == 1 && (p.revents & POLLERR) == 0 && send_frame(0x81, text, 1000))
		;
	(void)fcntl(p.fd, F_SETFL, 0);
	printf("pushed\n");
}

static void
signal_send(const char *arg)
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
chat(int ms)
{
	static unsigned char texts[1 << 16];
	size_t size = 0;

	if (ms == 0)
		alarm(10);
	do
		size += frame_make(texts + size, 0x81, text, 1);
	while (ms == 0 && size < sizeof texts - 100);
	for (int left = 10000; left > 0 && put(texts, size); left -= ms)
		(void)poll(NULL, 0, ms);
}

static void
beat(int ms)
{
	int beats = 0;

	do
		for (; beats < BEATS_MAX && !readable(conns[0], ms); beats++)
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
end_wait(void)
{
	int status;

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

enum step {
	FRAME, CLOSE_FRAME, RAW, MANY, PINGS, BIG, HEAD_ONLY, GET, UNTIL, REST, COUNT, SWALLOW, SLOW, PUSH, DROP, KILL,
	MEMORY, PEAK, SILENT, CHAT, BEAT, WAIT
};

static const struct {
	const char *name;
	enum step step;
	unsigned first; /* first byte of a FRAME, whose payload is the argument */
} steps[] = {
	{"text", FRAME, 0x81}, {"binary", FRAME, 0x82}, {"ping", FRAME, 0x89}, {"pong", FRAME, 0x8a},
	{"+text", FRAME, 0x01}, {"+binary", FRAME, 0x02}, {"more", FRAME, 0x80}, {"+more", FRAME, 0x00},
	{"close", CLOSE_FRAME, 0}, {"raw", RAW, 0}, {"many", MANY, 0}, {"pings", PINGS, 0}, {"big", BIG, 0},
	{"head", HEAD_ONLY, 0}, {"get", GET, 0}, {"until", UNTIL, 0}, {"rest", REST, 0}, {"count", COUNT, 0},
	{"swallow", SWALLOW, 0}, {"slow", SLOW, 0}, {"push", PUSH, 0}, {"drop", DROP, 0}, {"kill", KILL, 0},
	{"memory", MEMORY, 0}, {"peak", PEAK, 0}, {"silent", SILENT, 0}, {"chat", CHAT, 0}, {"beat", BEAT, 0}, {"wait", WAIT, 0},
};

static void
step_run(enum step step, unsigned first, const char *arg)
{
	static char close_step[] = "close";
	unsigned long n = strtoul(arg, NULL, 10);
	const char *comma = strchr(arg, ',');
	unsigned char head[FRAME_HEAD_MAX];

	switch (step) {
	case FRAME: (void)send_frame(first, text, unescape_all(arg, text)); break;
	case CLOSE_FRAME: close_send(arg); break;
	case RAW: (void)put(text, unescape_all(arg, text)); break;
	case MANY: frames_send(0x81, n, unescape_all(comma == NULL ? "" : comma + 1, text), false); break;
	case PINGS: frames_send(0x89, n, 0, true); break;
	case BIG: big_send(n); break;
	case HEAD_ONLY: (void)put(head, head_make(head, 0x81, n)); break;
	case GET:
		for (n = *arg == '\0' ? 1 : n; n > 0 && get(true, NULL, NULL); n--)
			;
		break;
	case UNTIL:
		while (get(false, arg, NULL))
			;
		break;
	case REST:
		while (get(true, NULL, NULL))
			;
		break;
	case COUNT: frames_count(); break;
	case SWALLOW: swallow(); break;
	case SLOW: rest_ms = (int)n; break;
	case PUSH: push(); break;
	case DROP: break;
	case KILL: signal_send(arg); break;
	case MEMORY: printf("private %lu k\n", field_sum("smaps", "Anonymous")); break;
	case PEAK: printf("peak %lu k\n", field_sum("status", "VmHWM")); break;
	case SILENT: printf("%s", readable(conns[0], (int)n) ? "noise\n" : ""); break;
	case CHAT: chat((int)n); break;
	case BEAT: beat((int)n); break;
	case WAIT: end_wait(); break;
	}
	if (step == REST || step == COUNT || step == SWALLOW || step == DROP)
		step_read(close_step);
	(void)fflush(stdout);
}

static void
step_do(char *step)
{
	size_t n = strcspn(step, ":");

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (strlen(steps[i].name) == n && strncmp(steps[i].name, step, n) == 0) {
			step_run(steps[i].step, steps[i].first, step[n] == ':' ? step + n + 1 : "");
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
