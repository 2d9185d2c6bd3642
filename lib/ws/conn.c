#include "ws/conn.h"

static unsigned
timer_start(struct ws_conn *conn, enum ws_timer timer)
{
	conn->timer = timer & 7;
	return WS_TIMER;
}

static unsigned
disconnect(struct ws_conn *conn)
{
	conn->state = WS_CLOSED;
	if (conn->peer_code == 0)
		conn->peer_code = CLOSE_ABNORMAL;
	return WS_DISCONNECT | timer_start(conn, WS_TIMER_NONE);
}

/* Wait for data of the peer, which can arrive only while the peer is read. */
static unsigned
peer_await(struct ws_conn *conn, enum ws_timer timer)
{
	return timer_start(conn, conn->paused ? WS_TIMER_NONE : timer);
}

/* Both sides have finished. Closing with unread input would reset the connection and could destroy
 * the Close in flight, so wait for EOF from the peer. */
static unsigned
finish(struct ws_conn *conn)
{
	conn->state = WS_FINISHING;
	if (!conn->flushed)
		return timer_start(conn, WS_TIMER_CLOSE);
	if (conn->ended)
		return disconnect(conn);
	return (conn->server ? WS_SHUTDOWN : 0U) | timer_start(conn, WS_TIMER_DRAIN);
}

/* The peer sends no more data. code is for the answering Close. */
static unsigned
peer_done(struct ws_conn *conn, unsigned peer_code, unsigned code)
{
	conn->peer_code = (uint16_t)peer_code;
	if (conn->state == WS_CLOSE_SENT)
		return finish(conn);
	conn->state = WS_CLOSE_RECEIVED;
	conn->code = (uint16_t)code;
	return timer_start(conn, WS_TIMER_NONE);
}

void
ws_open(struct ws_conn *conn, bool server, bool keepalive)
{
	*conn = (struct ws_conn){
		.state = WS_OPEN, .timer = keepalive ? WS_TIMER_IDLE : WS_TIMER_NONE,
		.server = server, .keepalive = keepalive,
	};
}

unsigned
ws_received(struct ws_conn *conn)
{
	if (conn->state != WS_OPEN || !conn->keepalive || conn->paused)
		return 0;
	return timer_start(conn, WS_TIMER_IDLE);
}

unsigned
ws_event(struct ws_conn *conn, const struct reader_event *event)
{
	if (conn->state != WS_OPEN && conn->state != WS_CLOSE_SENT)
		return 0;
	switch (event->kind) {
	case READER_PING: return conn->state == WS_OPEN ? WS_PONG : 0U;
	case READER_CLOSE: return peer_done(conn, event->code, event->code);
	case READER_FAIL: return peer_done(conn, CLOSE_ABNORMAL, event->code);
	default: return 0;
	}
}

unsigned
ws_close(struct ws_conn *conn, unsigned code)
{
	if (conn->state == WS_OPEN) {
		conn->state = WS_CLOSE_SENT;
		conn->code = (uint16_t)code;
		return WS_CLOSE | timer_start(conn, WS_TIMER_CLOSE);
	}
	return conn->state == WS_CLOSE_RECEIVED ? WS_CLOSE | finish(conn) : 0U;
}

unsigned
ws_flushed(struct ws_conn *conn)
{
	if (conn->flushed || (conn->state != WS_CLOSE_SENT && conn->state != WS_FINISHING))
		return 0;
	conn->flushed = true;
	return conn->state == WS_FINISHING ? finish(conn) : peer_await(conn, WS_TIMER_CLOSE);
}

unsigned
ws_timeout(struct ws_conn *conn, bool progress)
{
	switch (conn->timer) {
	case WS_TIMER_IDLE:
		return WS_PING | timer_start(conn, WS_TIMER_PONG);
	case WS_TIMER_PONG:
	case WS_TIMER_CLOSE:
		return progress ? WS_TIMER : disconnect(conn);
	case WS_TIMER_DRAIN:
		return disconnect(conn);
	default:
		return 0;
	}
}

unsigned
ws_pause(struct ws_conn *conn, bool paused)
{
	if (conn->paused == paused || conn->state == WS_CLOSED)
		return 0;
	conn->paused = paused;
	if (conn->state == WS_OPEN && conn->keepalive)
		return peer_await(conn, WS_TIMER_IDLE);
	return conn->state == WS_CLOSE_SENT && conn->flushed ? peer_await(conn, WS_TIMER_CLOSE) : 0U;
}

unsigned
ws_eof(struct ws_conn *conn)
{
	if (conn->state == WS_CLOSED)
		return 0;
	conn->ended = true;
	if (conn->state == WS_FINISHING)
		return conn->flushed ? disconnect(conn) : 0U;
	if (conn->state == WS_CLOSE_RECEIVED)
		return 0;
	return peer_done(conn, CLOSE_ABNORMAL, CLOSE_NORMAL);
}

unsigned
ws_reset(struct ws_conn *conn)
{
	return conn->state == WS_CLOSED ? 0U : disconnect(conn);
}
