/*
 * Load generators for servers on 127.0.0.1 that echo: tcp bytes, ws WebSocket messages of text. All
 * that comes back is compared; a wrong byte or a lost connection is exit 1.
 *
 *     tcp|ws rr       -p PORT [-n CONNECTIONS] [-s SIZE] [-d DEPTH] [-t SECONDS] [-P PID]
 *     tcp|ws flood    -p PORT [-n CONNECTIONS] [-s SIZE] [-d DEPTH] [-t SECONDS] [-P PID]
 *     tcp|ws sessions -p PORT [-n PARALLEL]    [-s SIZE] [-t SECONDS] [-P PID]
 *     tcp|ws idle     -p PORT [-n CONNECTIONS] -P PID
 *     ws fan          -p PORT [-n RECEIVERS]   [-s SIZE] [-d DEPTH] [-t SECONDS] [-P PID]
 *     ws quiet        -p PORT [-n FLOODING]    [-s SIZE] [-d DEPTH] [-t SECONDS] [-P PID]
 *
 * rr: each connection always has DEPTH messages in flight. flood: each sends without end, as fast as
 * the bytes are accepted. sessions: connect, handshake, one message there and back, Close or end of
 * file both ways; with tcp -s 0 nothing but the server's end of file. fan: one more connection sends
 * DEPTH messages, which all the others receive, and so on. quiet: a flood, beside which one more
 * connection has a single message in flight. ws -u: of two-byte characters; -z: compressed, each by itself.
 * Prints one line:
 *
 *     RATE CPU P50 P99 P999 FAULTS
 *
 * messages, MiB (flood), sessions or deliveries (fan) a second; with -P what one of them cost the pid,
 * its descendants and those that they waited for (else 0): microseconds of processor and page
 * faults; and microseconds from a message to its echo. For RATE idle prints the bytes of memory (Pss of
 * pid and its descendants) that a connection holds, and quiet P99 of that one connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum {
	LIMIT_S = 120, /* in total: a server that stalls is a failure */
	CHUNK = 256 * 1024,
	BATCH = 256,
};

struct load_options options = {.connections = 1, .size = 64, .depth = 1, .seconds = 1};

static struct connection *all;
static size_t count, open_count;
static bool stopping;
static int epoll;

void
fail(const char *what)
{
	fprintf(stderr, "%s %s: %s: %s\n", options.name, options.mode, what, strerror(errno));
	exit(1);
}

void
wrong(const char *what)
{
	errno = EBADMSG;
	fail(what);
}

void *
allocate(size_t n)
{
	void *memory = calloc(1, n);

	if (memory == NULL)
		fail("memory");
	return memory;
}

static int
socket_connect(bool wait)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		fail("socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
		fail("connect");
	return fd;
}

static bool
unsent(const struct connection *c)
{
	return c->sent < c->out[c->phase].size;
}

/* Wait for data, and for space while something is unsent. */
static void
want(struct connection *c)
{
	uint32_t events = unsent(c) ? EPOLLIN | EPOLLOUT : EPOLLIN;
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (c->events != events && epoll_ctl(epoll, c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e) != 0)
		fail("epoll_ctl");
	c->events = events;
}

static void
send_some(struct connection *c, int flags)
{
	struct span rest = span_skip(c->out[c->phase], c->sent);
	ssize_t n = send(c->fd, rest.at, rest.size, flags | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		fail("send");
	c->sent += n < 0 ? 0 : (size_t)n;
}

/* Return false at the end of file. */
static bool
receive(struct connection *c, int flags)
{
	static char bytes[CHUNK];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, flags);

	if (n < 0 && errno != EAGAIN)
		fail("recv");
	if (n > 0)
		protocol_take(c, bytes, (size_t)n);
	if (n == 0 && c->phase != PHASE_CLOSE) {
		errno = ECONNRESET;
		fail("closed by the server");
	}
	return n != 0;
}

/* Send and receive what is possible. Return false at the end of file. */
static bool
advance(struct connection *c, uint32_t events)
{
	if ((events & EPOLLOUT) != 0 && unsent(c)) {
		send_some(c, MSG_DONTWAIT);
		want(c);
	}
	return (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0 || receive(c, MSG_DONTWAIT);
}

static void
phase_begin(struct connection *c, enum phase phase)
{
	c->phase = phase;
	c->sent = c->received = 0;
	if (c->out[phase].size > 0)
		send_some(c, MSG_DONTWAIT);
	else if (options.size > 0)
		(void)shutdown(c->fd, SHUT_WR);
	want(c);
}

/* Send the bytes of the phase and receive the answer, blocking. */
static void
exchange(struct connection *c)
{
	c->sent = c->received = 0;
	send_some(c, 0);
	while (c->received == 0)
		(void)receive(c, 0);
}

static void
connection_open(struct connection *c, size_t number)
{
	protocol_make(c, number);
	c->from = c;
	c->fd = socket_connect(true);
	for (c->phase = phase_first; c->phase < PHASE_MESSAGES; c->phase++)
		exchange(c);
}

static void
open_all(size_t n)
{
	count = n;
	all = allocate(n * sizeof *all);
	for (size_t i = 0; i < n; i++)
		connection_open(&all[i], i);
}

/* A server with a program for each client has as many to terminate, which must not overlap the next
 * measurement. */
static void
close_all(void)
{
	for (size_t i = 0; i < count; i++)
		(void)close(all[i].fd);
	server_settle();
}

static void
window_begin(struct connection *c)
{
	c->sent_at = now_ns();
	phase_begin(c, PHASE_MESSAGES);
}

static void
begin_all(void)
{
	for (size_t i = 0; i < count; i++)
		window_begin(&all[i]);
}

typedef void ready_handler(struct connection *c, uint32_t events);

/* Wait once and call the function for each ready connection. */
static void
turn(ready_handler *ready)
{
	struct epoll_event batch[BATCH];
	int n = epoll_wait(epoll, batch, BATCH, ANSWER_S * 1000);

	if (n == 0) {
		errno = ETIMEDOUT;
		fail("nothing came for 10 s");
	}
	for (int i = 0; i < n; i++)
		ready(batch[i].data.ptr, batch[i].events);
}

static void
turns(ready_handler *ready, uint64_t end, double enough)
{
	while (now_ns() < end && done < enough)
		turn(ready);
}

/* Measure the continuous load of all connections. */
static void
measure(ready_handler *ready)
{
	turns(ready, in_seconds(options.seconds / 10), INFINITY); /* warm-up */
	measure_begin();
	turns(ready, in_seconds(options.seconds), INFINITY);
	turns(ready, in_seconds(60), 1e-9); /* a large message may take longer */
}

/* The next window is sent after all messages of this one were received. */
static void
rr_ready(struct connection *c, uint32_t events)
{
	(void)advance(c, events);
	if (c->received < options.depth)
		return;
	note_time(now_ns() - c->sent_at);
	done += (double)c->received;
	c->received = 0;
	if (!stopping)
		window_begin(c);
}

static void
rr(void)
{
	open_all(options.connections);
	begin_all();
	measure(rr_ready);
	measure_print(measure_rate());
	close_all();
}

/* Each connection is served twice, so that memory allocated on demand is present. */
static void
idle(void)
{
	struct connection first = {0};
	double before, after = 0;

	connection_open(&first, options.connections);
	exchange(&first); /* the server has started */
	before = server_memory();
	open_all(options.connections);
	stopping = true;
	for (int round = 0; round < 2; round++) {
		measure_begin();
		begin_all();
		turns(rr_ready, in_seconds(60), (double)count);
		after = server_memory();
	}
	measure_print((after - before) / (double)count);
	close_all();
}

static void
flood_ready(struct connection *c, uint32_t events)
{
	(void)advance(c, events);
	done += (double)(c->received * options.size) / (1 << 20);
	c->received = 0;
	if (!unsent(c))
		window_begin(c);
}

static void
flood(void)
{
	open_all(options.connections);
	begin_all();
	measure(flood_ready);
	measure_print(measure_rate());
	close_all();
}

static void
fan_ready(struct connection *c, uint32_t events)
{
	(void)advance(c, events);
	done += (double)c->received;
	c->received = 0;
}

/* The last connection is the sender. */
static void
fan(void)
{
	struct connection *sender;
	double enough = 0;

	open_all(options.connections + 1);
	sender = &all[count - 1];
	for (size_t i = 0; i < count; i++) {
		all[i].from = sender;
		all[i].sent = all[i].out[PHASE_MESSAGES].size; /* they only receive */
		want(&all[i]);
	}
	measure_begin();
	for (uint64_t end = in_seconds(options.seconds); now_ns() < end;) {
		window_begin(sender);
		enough += (double)(options.depth * (count - 1));
		turns(fan_ready, in_seconds(60), enough);
		note_time(now_ns() - sender->sent_at);
	}
	measure_print(measure_rate());
	close_all();
}

/* The flood is a separate process, so that the measured connection does not wait for it. */
static void
quiet(void)
{
	struct connection c = {0};
	uint64_t start, end;
	int status;
	pid_t pid;

	open_all(options.connections);
	start = in_seconds(options.seconds / 10);
	end = in_seconds(options.seconds * 1.1);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		begin_all();
		turns(flood_ready, end, INFINITY);
		_exit(done == 0);
	}
	options.depth = 1;
	connection_open(&c, count);
	while (now_ns() < start)
		exchange(&c);
	measure_begin();
	while (now_ns() < end) {
		uint64_t before = now_ns();

		exchange(&c);
		note_time(now_ns() - before);
		done++;
	}
	if (wait(&status) < 0 || status != 0)
		wrong("flood");
	measure_print(percentile_us(0.99));
	close_all();
}

static void
session_begin(struct connection *c)
{
	c->fd = socket_connect(false);
	c->events = 0;
	c->at = 0;
	c->sent_at = now_ns();
	open_count++;
	phase_begin(c, options.size == 0 ? PHASE_CLOSE : phase_first);
}

static void
session_ready(struct connection *c, uint32_t events)
{
	if (advance(c, events)) {
		if (c->received == 0 || c->phase == PHASE_CLOSE)
			return;
		if (c->phase == PHASE_MESSAGES)
			note_time(now_ns() - c->sent_at);
		phase_begin(c, c->phase + 1);
		return;
	}
	if (c->out[PHASE_CLOSE].size > 0 && c->received == 0)
		wrong("closed without a Close");
	done++;
	open_count--;
	(void)close(c->fd);
	if (!stopping)
		session_begin(c);
}

/* The costs of programs are known only after they have ended. */
static void
sessions(void)
{
	double rate;

	count = options.connections;
	all = allocate(count * sizeof *all);
	for (size_t i = 0; i < count; i++) {
		protocol_make(&all[i], i);
		all[i].from = &all[i];
		session_begin(&all[i]);
	}
	measure(session_ready);
	rate = measure_rate();
	for (stopping = true; open_count > 0;)
		turn(session_ready);
	server_settle();
	measure_print(rate);
}

static void
arguments(int argc, char **argv)
{
	options.name = argv[0];
	options.mode = argc > 1 ? argv[1] : "";
	for (int key; argc > 1 && (key = getopt(argc - 1, argv + 1, "p:n:s:d:t:P:uz")) != -1;) {
		double value = optarg == NULL ? 0 : strtod(optarg, NULL);

		switch (key) {
		case 'p': options.port = (uint16_t)value; break;
		case 'n': options.connections = (size_t)value; break;
		case 's': options.size = (size_t)value; break;
		case 'd': options.depth = (size_t)value; break;
		case 't': options.seconds = value; break;
		case 'P': options.pid = (long)value; break;
		case 'u': options.wide = true; break;
		case 'z': options.deflate = true; break;
		default: exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{"rr", rr}, {"flood", flood}, {"sessions", sessions}, {"idle", idle}, {"fan", fan}, {"quiet", quiet},
	};
	struct rlimit limit;

	arguments(argc, argv);
	(void)alarm(LIMIT_S);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		fail("epoll_create1");
	measure_start();
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		if (strcmp(modes[i].name, options.mode) == 0) {
			modes[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: %s MODE -p port [option...]; the modes are at the head of load.c\n", argv[0]);
	return 2;
}
