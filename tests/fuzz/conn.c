/*
 * Keepalive and closing handshake of a connection: for any sequence of events, the actions, the
 * timer and both codes agree with a naive implementation of RFC 6455, sections 5.5 and 7, which keeps
 * facts instead of a state.
 */
#include "ws/conn.h"
#include "fuzz.h"

struct facts {
	bool server, keepalive;
	bool gone;       /* the transport is closed */
	bool said_close, close_left; /* a Close was queued; it has been sent */
	bool peer_over;  /* data of the peer is ignored */
	bool peer_ended;
	bool paused, pinged;
	unsigned code, peer_code;
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
peer_over(struct facts *f, unsigned peer_code, unsigned code)
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
naive_event(struct facts *f, const struct reader_event *e)
{
	if (!hears(f))
		return 0;
	if (e->kind == READER_PING)
		return f->said_close ? 0 : WS_PONG;
	if (e->kind != READER_CLOSE && e->kind != READER_FAIL)
		return 0;
	peer_over(f, e->kind == READER_CLOSE ? e->code : 1006, e->code);
	return WS_TIMER | parting(f);
}

static unsigned
naive_close(struct facts *f, unsigned code)
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

static bool
same(const struct ws_conn *conn, unsigned did, const struct facts *f, unsigned want)
{
	return did == want && conn->timer == timer_wanted(f) && conn->code == f->code && conn->peer_code == f->peer_code
	    && (conn->state == WS_CLOSED) == f->gone
	    && (conn->state == WS_CLOSE_RECEIVED) == (!f->gone && f->peer_over && !f->said_close);
}

static const unsigned codes[] = {1000, 1001, 1005, 1007, 1011, 3000, 4999, 1013};

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz in = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&in);
	struct facts f = {.server = choice & 1, .keepalive = (choice & 2) != 0};
	struct ws_conn conn;

	ws_open(&conn, f.server, f.keepalive);
	FUZZ_CHECK(same(&conn, 0, &f, 0));
	while (in.size > 0) {
		static const enum reader_kind kinds[] = {READER_DATA, READER_PING, READER_PONG, READER_CLOSE, READER_FAIL};
		unsigned byte = fuzz_byte(&in), code = codes[byte >> 4 & 7], did, want;
		bool flag = byte >= 128;
		struct reader_event e = {.kind = kinds[byte % 16 % 5], .code = code};

		switch (byte % 16) {
		case 0: case 1: case 2: case 3: case 4: did = ws_event(&conn, &e); want = naive_event(&f, &e); break;
		case 5: did = ws_close(&conn, code); want = naive_close(&f, code); break;
		case 6: case 7: did = ws_flushed(&conn); want = naive_flushed(&f); break;
		case 8: case 9: did = ws_timeout(&conn, flag); want = naive_timeout(&f, flag); break;
		case 10: case 11: did = ws_pause(&conn, flag); want = naive_pause(&f, flag); break;
		case 12: did = ws_eof(&conn); want = naive_eof(&f); break;
		case 13: did = ws_reset(&conn); want = f.gone ? 0 : gone(&f); break;
		default: did = ws_received(&conn); want = naive_received(&f); break;
		}
		FUZZ_CHECK(same(&conn, did, &f, want));
	}
	return 0;
}
