/*
 * A load generator for TCP servers on 127.0.0.1 that echo. Every byte that
 * comes back is compared; a wrong one, or a connection lost, is exit 1.
 *
 *     tcp rr       -p port [-n connections] [-s size] [-d depth] [-t seconds] [-P pid]
 *     tcp bulk     -p port [-n connections] [-b MiB each] [-P pid]
 *     tcp sessions -p port [-n parallel]    [-s size] [-t seconds] [-P pid]
 *     tcp idle     -p port [-n connections] -P pid
 *
 * rr: each connection always has depth messages in flight. sessions: connect,
 * one message there and back, end of file both ways; with -s 0 nothing but
 * the server's end of file. Prints one line:
 *
 *     RATE CPU P50 P99 P999 FAULTS
 *
 * messages, MiB or sessions a second; with -P what one of them cost the pid, its
 * descendants and those that they waited for (else 0): microseconds of processor
 * and page faults; and microseconds from a message to its echo. idle: for RATE the
 * bytes of memory (Pss of pid and its descendants) that a connection holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum { PERIOD = 4093 }; /* period of the sent bytes: a prime, so that no buffer size is a multiple */

struct connection {
	int fd;
	bool ended; /* all data and FIN were sent */
	uint32_t wanted;
	uint64_t sent, echoed;
	uint64_t sent_at; /* ns, of the oldest message in flight */
};

static char pattern[PERIOD + CHUNK];
static struct connection *all;
static size_t open_count;
static bool stopping;

/* Each connection's bytes start elsewhere in the pattern, so that a mix-up is detected. */
static const char *
pattern_at(const struct connection *c, uint64_t offset)
{
	return pattern + (offset + 97 * (uint64_t)(c - all)) % PERIOD;
}

static void
want(struct connection *c, uint32_t events)
{
	if (c->wanted == events)
		return;
	watch(c->wanted == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, c, events);
	c->wanted = events;
}

static void
open_connection(struct connection *c, bool wait)
{
	*c = (struct connection){.fd = load_connect(wait)};
}

/* Send up to n bytes of this connection's stream. */
static void
send_some(struct connection *c, size_t n)
{
	ssize_t sent = send(c->fd, pattern_at(c, c->sent), n < CHUNK ? n : CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		fail("send");
	c->sent += sent < 0 ? 0 : (uint64_t)sent;
}

/* Return the number of correct bytes received; -1 at EOF. */
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
	if (c->echoed + (uint64_t)n > c->sent || memcmp(taken, pattern_at(c, c->echoed), (size_t)n) != 0)
		wrong("echo");
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

/* A whole window is sent again when all of it has been received. */
static void
rr_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;
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

static void
bulk_start(struct connection *c)
{
	open_count++;
	want(c, EPOLLIN | EPOLLOUT);
}

static void
bulk_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;
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
	want(c, options.size == 0 ? EPOLLIN : EPOLLOUT);
}

static void
session_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;
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
turns(void (*ready)(void *, uint32_t), double seconds)
{
	uint64_t end = in_seconds(seconds);

	while (!stopping && (seconds <= 0 || now_ns() < end))
		turn(ready);
}

static void
start_all(void (*start)(struct connection *), bool opens)
{
	all = calloc(options.connections, sizeof *all);
	if (all == NULL)
		fail("memory");
	for (size_t i = 0; opens && i < options.connections; i++)
		open_connection(&all[i], true);
	for (size_t i = 0; i < options.connections; i++)
		start(&all[i]);
}

static void
rr(void)
{
	start_all(rr_start, true);
	turns(rr_ready, options.seconds / 10); /* warm-up */
	measure_begin();
	turns(rr_ready, options.seconds);
	while (done == 0) /* a large message may take longer */
		turn(rr_ready);
	measure_end(1);
}

static void
bulk(void)
{
	measure_begin();
	start_all(bulk_start, true);
	turns(bulk_ready, 0);
	measure_end(1 << 20);
}

static void
sessions(void)
{
	start_all(session_start, false);
	turns(session_ready, options.seconds / 10);
	measure_begin();
	turns(session_ready, options.seconds);
	measure_end(1);
	/* Connections in progress end in order, so that the server is as before. */
	for (stopping = true; open_count > 0;)
		turn(session_ready);
}

/* Concurrently: each connection sends one message and receives it. */
static void
one_round(void)
{
	measure_begin();
	stopping = false;
	for (size_t i = 0; i < options.connections; i++)
		rr_start(&all[i]);
	for (stopping = true; done < options.connections;)
		turn(rr_ready);
}

static void
nothing(struct connection *c)
{
	(void)c;
}

static void
idle(void)
{
	double before = server_memory(), after;

	options.depth = 1;
	start_all(nothing, true);
	/* All are accepted and served once, so that memory allocated on demand is present. */
	one_round();
	after = server_memory();
	one_round();
	measure_end_with((after - before) / (double)options.connections);
}

int
main(int argc, char **argv)
{
	static const struct load_mode modes[] = {
		{"rr", rr}, {"bulk", bulk}, {"sessions", sessions}, {"idle", idle}, {0},
	};

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (char)((i % PERIOD) * 2654435761U >> 13);
	return load_main(argc, argv, modes);
}
