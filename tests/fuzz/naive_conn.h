/*
 * A naive implementation of RFC 6455, sections 5.5 and 7, which keeps facts instead of a state, beside the connection
 * of ws/conn.
 */
#ifndef NAIVE_CONN_H
#define NAIVE_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/conn.h"

enum event {
	RECEIVED, PING, PONG, DATA, PEER_CLOSE, PEER_CLOSE_EMPTY, FAILURE, CLOSE, FLUSHED, TIMEOUT, PROGRESS,
	PAUSE, RESUME, END, RESET, EVENTS
};

enum { OWNER_CODE = CLOSE_GOING_AWAY, PEER_CODE = 3000, FAIL_CODE = CLOSE_BAD_TEXT };

struct facts {
	bool server, keepalive;
	bool gone;       /* the transport is closed */
	bool said_close, close_left; /* a Close was queued; it has been sent */
	bool peer_over;  /* data of the peer is ignored */
	bool peer_ended;
	bool paused, pinged;
	uint16_t code, peer_code; /* of the Close to send, from the first event that ends one direction; of the peer */
};

/* Return whether data of the peer is parsed as frames. */
static bool
hears(const struct facts *f)
{
	return !f->gone && !f->peer_over;
}

static enum ws_timer
timer_wanted(const struct facts *f)
{
	if (f->gone || (f->peer_over && !f->said_close))
		return WS_TIMER_NONE;
	if (f->said_close && !f->close_left)
		return WS_TIMER_CLOSE;
	if (f->said_close && f->peer_over)
		return WS_TIMER_DRAIN;
	if (f->paused)
		return WS_TIMER_NONE;
	if (f->said_close)
		return WS_TIMER_CLOSE;
	return !f->keepalive ? WS_TIMER_NONE : f->pinged ? WS_TIMER_PONG : WS_TIMER_IDLE;
}

static void
peer_over(struct facts *f, uint16_t peer_code, uint16_t code)
{
	f->peer_over = true;
	f->peer_code = peer_code;
	if (f->code == 0)
		f->code = code;
}

static unsigned
gone(struct facts *f)
{
	f->gone = true;
	if (f->peer_code == 0)
		f->peer_code = 1006;
	return WS_DISCONNECT | WS_TIMER;
}

/* Return the rest when both sides have finished and everything is sent: a server closes first
 * (7.1.1). */
static unsigned
parting(struct facts *f)
{
	if (!f->close_left || !f->peer_over)
		return 0;
	return f->peer_ended ? gone(f) : f->server ? WS_SHUTDOWN : 0;
}

static unsigned
naive_timeout(struct facts *f, bool progress)
{
	switch (timer_wanted(f)) {
	case WS_TIMER_NONE: return 0;
	case WS_TIMER_IDLE: f->pinged = true; return WS_PING | WS_TIMER;
	case WS_TIMER_DRAIN: return gone(f);
	default: return progress ? WS_TIMER : gone(f);
	}
}

static unsigned
naive_pause(struct facts *f, bool paused)
{
	bool stops = timer_wanted(f) != WS_TIMER_NONE;

	if (f->gone || f->paused == paused)
		return 0;
	f->paused = paused;
	f->pinged = false;
	return (timer_wanted(f) != WS_TIMER_NONE) != stops ? WS_TIMER : 0;
}

static unsigned
naive_event(struct facts *f, struct reader_event e)
{
	if (!hears(f))
		return 0;
	if (e.kind == READER_PING)
		return f->said_close ? 0 : WS_PONG;
	if (e.kind != READER_CLOSE && e.kind != READER_FAIL)
		return 0;
	peer_over(f, e.kind == READER_CLOSE ? (uint16_t)e.code : 1006, (uint16_t)e.code);
	return WS_TIMER | parting(f);
}

static unsigned
naive_close(struct facts *f, uint16_t code)
{
	if (f->gone || f->said_close)
		return 0;
	f->said_close = true;
	if (f->code == 0)
		f->code = code;
	return WS_CLOSE | WS_TIMER;
}

static unsigned
naive_flushed(struct facts *f)
{
	if (f->gone || !f->said_close || f->close_left)
		return 0;
	f->close_left = true;
	return WS_TIMER | parting(f);
}

static unsigned
naive_eof(struct facts *f)
{
	bool over = f->peer_over;

	if (f->gone || f->peer_ended)
		return 0;
	f->peer_ended = true;
	if (!over)
		peer_over(f, 1006, 1000);
	return (over ? 0 : WS_TIMER) | parting(f);
}

static unsigned
naive_received(struct facts *f)
{
	if (!hears(f) || f->said_close || f->paused || !f->keepalive)
		return 0;
	f->pinged = false;
	return WS_TIMER;
}

/* A connection and the facts about it. */
struct node {
	struct ws_conn conn;
	struct facts facts;
};

static void
node_open(struct node *n, bool server, bool keepalive)
{
	ws_open(&n->conn, server, keepalive);
	n->facts.server = server;
	n->facts.keepalive = keepalive;
}

static unsigned
read_one(struct node *n, enum reader_kind kind, unsigned code, unsigned *want)
{
	struct reader_event e = {.kind = kind, .code = code};

	*want = naive_event(&n->facts, e);
	return ws_event(&n->conn, &e);
}

/* Return the actions of the codec, and those of the naive implementation in *want. */
static unsigned
apply(struct node *n, enum event event, unsigned *want)
{
	struct ws_conn *conn = &n->conn;
	struct facts *f = &n->facts;

	switch (event) {
	case RECEIVED: *want = naive_received(f); return ws_received(conn);
	case PING: return read_one(n, READER_PING, 0, want);
	case PONG: return read_one(n, READER_PONG, 0, want);
	case DATA: return read_one(n, READER_DATA, 0, want);
	case PEER_CLOSE: return read_one(n, READER_CLOSE, PEER_CODE, want);
	case PEER_CLOSE_EMPTY: return read_one(n, READER_CLOSE, CLOSE_NO_CODE, want);
	case FAILURE: return read_one(n, READER_FAIL, FAIL_CODE, want);
	case CLOSE: *want = naive_close(f, OWNER_CODE); return ws_close(conn, OWNER_CODE);
	case FLUSHED: *want = naive_flushed(f); return ws_flushed(conn);
	case TIMEOUT: *want = naive_timeout(f, false); return ws_timeout(conn, false);
	case PROGRESS: *want = naive_timeout(f, true); return ws_timeout(conn, true);
	case PAUSE: *want = naive_pause(f, true); return ws_pause(conn, true);
	case RESUME: *want = naive_pause(f, false); return ws_pause(conn, false);
	case END: *want = naive_eof(f); return ws_eof(conn);
	default: *want = f->gone ? 0 : gone(f); return ws_reset(conn);
	}
}

/* Return whether both agree. */
static bool
same(const struct node *n)
{
	const struct ws_conn *conn = &n->conn;
	const struct facts *f = &n->facts;

	return conn->timer == timer_wanted(f) && conn->code == f->code && conn->peer_code == f->peer_code
	    && conn->state == (f->gone ? WS_CLOSED : !f->peer_over ? f->said_close ? WS_CLOSE_SENT : WS_OPEN
	    : f->said_close ? WS_FINISHING : WS_CLOSE_RECEIVED);
}

#endif
