/*
 * A load generator for TCP servers on 127.0.0.1 that echo. Every byte that
 * comes back is compared; a wrong one, or a connection lost, is exit 1.
 *
 *     tcp rr       -p port [-n connections] [-s size] [-d depth] [-t seconds]
 *     tcp bulk     -p port [-n connections] [-b MiB each]
 *     tcp sessions -p port [-n parallel]    [-s size] [-t seconds]
 *     tcp idle     -p port [-n connections] -P pid
 *
 * rr: each connection always has depth messages under way. sessions: connect,
 * one message there and back, end of file both ways. Prints one line:
 *
 *     RATE CPU P50 P99 P999
 *
 * messages, MiB or sessions a second; with -P the microseconds of processor
 * that pid and its reaped children took for one (else 0); and microseconds
 * from a message to its echo. idle prints the bytes of memory (Pss of pid
 * and its children) that a connection costs, then 0 and the times.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum {
	PERIOD = 4093, /* of the bytes sent: a prime, so that no buffer size divides it */
	CHUNK = 256 * 1024,
	BATCH = 256,
};

static struct {
	const char *mode;
	uint16_t port;
	size_t connections, size, depth, bulk;
	double seconds;
	long pid;
} options = {.connections = 1, .size = 64, .depth = 1, .seconds = 1, .bulk = 256};

struct connection {
	int fd;
	bool ended; /* we sent all and our end of file */
	uint32_t wanted;
	uint64_t sent, echoed;
	uint64_t sent_at; /* ns, of the oldest message under way */
};

static char pattern[PERIOD + CHUNK];
static char taken[CHUNK];
static struct connection *all;
static int epoll;
static uint64_t done; /* messages, bytes or sessions */
static bool stopping;

static void
fail(const char *what)
{
	fprintf(stderr, "tcp %s: %s: %s\n", options.mode, what, strerror(errno));
	exit(1);
}

/* Each connection's bytes start elsewhere in the pattern, so that a mix-up shows. */
static const char *
pattern_at(const struct connection *c, uint64_t offset)
{
	return pattern + (offset + 97 * (uint64_t)(c - all)) % PERIOD;
}

static void
want(struct connection *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	if (c->wanted == events)
		return;
	if (epoll_ctl(epoll, c->wanted == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e) != 0)
		fail("epoll_ctl");
	c->wanted = events;
}

static void
open_connection(struct connection *c, bool wait)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
	int on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*c = (struct connection){.fd = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0)};
	if (c->fd < 0)
		fail("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
		fail("connect");
}

/* Sends up to n bytes of this connection's stream. */
static void
send_some(struct connection *c, size_t n)
{
	ssize_t sent = send(c->fd, pattern_at(c, c->sent), n < CHUNK ? n : CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		fail("send");
	c->sent += sent < 0 ? 0 : (uint64_t)sent;
}

/* Returns how many bytes came back, all right ones; -1 at the end of file. */
static ssize_t
receive_some(struct connection *c)
{
	ssize_t n = recv(c->fd, taken, CHUNK, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		fail("recv");
	if (n == 0)
		return -1;
	if (c->echoed + (uint64_t)n > c->sent || memcmp(taken, pattern_at(c, c->echoed), (size_t)n) != 0) {
		errno = EBADMSG;
		fail("echo");
	}
	c->echoed += (uint64_t)n;
	return n;
}

static void
rr_start(struct connection *c)
{
	c->sent_at = now_ns();
	send_some(c, options.size * options.depth);
	want(c, EPOLLIN);
}

/* A whole window is sent again when all of it is back. */
static void
rr_ready(struct connection *c, uint32_t events)
{
	size_t window = options.size * options.depth;

	if ((events & EPOLLOUT) != 0 && c->sent % window != 0)
		send_some(c, window - (size_t)(c->sent % window));
	if (receive_some(c) < 0) {
		errno = ECONNRESET;
		fail("closed by the server");
	}
	if (c->echoed == c->sent && c->sent % window == 0) {
		uint64_t now = now_ns();

		note_time(now - c->sent_at);
		done += options.depth;
		if (!stopping) {
			c->sent_at = now;
			send_some(c, window);
		}
	}
	want(c, c->sent % window == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static size_t open_count;

static void
bulk_start(struct connection *c)
{
	open_count++;
	want(c, EPOLLIN | EPOLLOUT);
}

static void
bulk_ready(struct connection *c, uint32_t events)
{
	uint64_t total = (uint64_t)options.bulk << 20;
	ssize_t n;

	if ((events & EPOLLOUT) != 0 && c->sent < total) {
		send_some(c, (size_t)(total - c->sent));
		if (c->sent == total) {
			(void)shutdown(c->fd, SHUT_WR);
			want(c, EPOLLIN);
		}
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	n = receive_some(c);
	if (n > 0) {
		done += (uint64_t)n;
	} else if (n < 0) {
		if (c->echoed != total) {
			errno = ECONNRESET;
			fail("closed before the last byte");
		}
		(void)close(c->fd);
		if (--open_count == 0)
			stopping = true;
	}
}

static void
session_start(struct connection *c)
{
	open_connection(c, false);
	c->sent_at = now_ns();
	open_count++;
	want(c, EPOLLOUT);
}

static void
session_ready(struct connection *c, uint32_t events)
{
	if ((events & EPOLLERR) != 0) {
		(void)receive_some(c);
		fail("connection");
	}
	if (c->sent < options.size) {
		send_some(c, options.size - (size_t)c->sent);
		if (c->sent == options.size)
			want(c, EPOLLIN);
		return;
	}
	if (receive_some(c) >= 0) {
		if (c->echoed == options.size && !c->ended) {
			note_time(now_ns() - c->sent_at);
			(void)shutdown(c->fd, SHUT_WR);
			c->ended = true;
		}
		return;
	}
	if (c->echoed != options.size) {
		errno = ECONNRESET;
		fail("closed before the last byte");
	}
	done++;
	open_count--;
	(void)close(c->fd);
	if (!stopping)
		session_start(c);
}

static void
turns(void (*ready)(struct connection *, uint32_t), double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
	struct epoll_event batch[BATCH];

	while (!stopping && (seconds <= 0 || now_ns() < end)) {
		int n = epoll_wait(epoll, batch, BATCH, 10000);

		if (n == 0) {
			errno = ETIMEDOUT;
			fail("nothing came for 10 s");
		}
		for (int i = 0; i < n; i++)
			ready(batch[i].data.ptr, batch[i].events);
	}
}

/* All at once: each connection sends one message and gets it back. */
static void
one_round(void)
{
	options.depth = 1;
	stopping = false;
	done = 0;
	for (size_t i = 0; i < options.connections; i++)
		rr_start(&all[i]);
	stopping = true;
	for (struct epoll_event batch[BATCH]; done < options.connections;) {
		int n = epoll_wait(epoll, batch, BATCH, 10000);

		if (n <= 0) {
			errno = ETIMEDOUT;
			fail("an answer");
		}
		for (int i = 0; i < n; i++)
			rr_ready(batch[i].data.ptr, batch[i].events);
	}
}

static void
idle(void)
{
	double before = memory_of(options.pid), after;

	for (size_t i = 0; i < options.connections; i++)
		open_connection(&all[i], true);
	/* All accepted, and served once: what is on demand has been there. */
	one_round();
	after = memory_of(options.pid);
	memset(histogram, 0, sizeof histogram);
	timed = 0;
	one_round();
	printf("%.0f 0", (after - before) / (double)options.connections);
	print_times();
}

static void
measure(void (*start)(struct connection *), void (*ready)(struct connection *, uint32_t), double seconds, double unit)
{
	bool opens = ready != session_ready;
	double cpu, from, took;

	for (size_t i = 0; opens && i < options.connections; i++)
		open_connection(&all[i], true);
	for (size_t i = 0; i < options.connections; i++)
		start(&all[i]);
	if (seconds > 0)
		turns(ready, seconds / 10); /* warm */
	memset(histogram, 0, sizeof histogram);
	timed = done = 0;
	from = (double)now_ns();
	cpu = processor_us(options.pid);
	turns(ready, seconds);
	took = ((double)now_ns() - from) / 1e9;
	cpu = processor_us(options.pid) - cpu;
	if (done == 0)
		fail("nothing was done");
	printf("%.1f %.2f", (double)done / unit / took, cpu / ((double)done / unit));
	print_times();
	fflush(stdout);
	/* Sessions under way end in order, so that the server is as it was. */
	stopping = true;
	for (struct epoll_event e; ready == session_ready && open_count > 0;) {
		if (epoll_wait(epoll, &e, 1, 10000) != 1)
			break;
		ready(e.data.ptr, e.events);
	}
}

static void
arguments(int argc, char **argv)
{
	options.mode = argc > 1 ? argv[1] : "";
	for (int key; (key = getopt(argc - 1, argv + 1, "p:n:s:d:t:b:P:")) != -1;) {
		double value = optarg == NULL ? 0 : strtod(optarg, NULL);

		switch (key) {
		case 'p': options.port = (uint16_t)value; break;
		case 'n': options.connections = (size_t)value; break;
		case 's': options.size = (size_t)value; break;
		case 'd': options.depth = (size_t)value; break;
		case 't': options.seconds = value; break;
		case 'b': options.bulk = (size_t)value; break;
		case 'P': options.pid = (long)value; break;
		default: exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	struct rlimit limit;

	arguments(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)((i % PERIOD) * 2654435761U >> 13);
	all = calloc(options.connections, sizeof *all);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (all == NULL || epoll < 0)
		fail("start");
	if (strcmp(options.mode, "rr") == 0)
		measure(rr_start, rr_ready, options.seconds, 1);
	else if (strcmp(options.mode, "bulk") == 0)
		measure(bulk_start, bulk_ready, 0, 1 << 20);
	else if (strcmp(options.mode, "sessions") == 0)
		measure(session_start, session_ready, options.seconds, 1);
	else if (strcmp(options.mode, "idle") == 0)
		idle();
	else
		return fprintf(stderr, "usage: tcp rr|bulk|sessions|idle -p port [option...]\n"), 2;
	return 0;
}
