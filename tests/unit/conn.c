/*
 * Keepalive and closing handshake of a connection. From every reachable state, under every event, the actions, the
 * timer, the state and both codes agree with a naive implementation of RFC 6455, sections 5.5 and 7, which keeps facts
 * instead of a state.
 */
#include "ws/conn.h"

#include "unit.h"

/* Events, each one letter of a script. */
enum event {
	RECEIVED, PING, PONG, DATA, PEER_CLOSE, PEER_CLOSE_EMPTY, FAILURE, CLOSE, FLUSHED, TIMEOUT, PROGRESS,
	PAUSE, RESUME, END, RESET, EVENTS
};
static const char letters[] = "r?!dcnfxwtTzZek";

enum { OUR_CODE = CLOSE_GOING_AWAY, PEER_CODE = 3000, FAIL_CODE = CLOSE_BAD_TEXT };

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

/* A connection and the facts about it. They are compared and searched as bytes, so the padding is zeroed first. */
struct node {
	struct ws_conn conn;
	struct facts facts;
};

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
	case CLOSE: *want = naive_close(f, OUR_CODE); return ws_close(conn, OUR_CODE);
	case FLUSHED: *want = naive_flushed(f); return ws_flushed(conn);
	case TIMEOUT: *want = naive_timeout(f, false); return ws_timeout(conn, false);
	case PROGRESS: *want = naive_timeout(f, true); return ws_timeout(conn, true);
	case PAUSE: *want = naive_pause(f, true); return ws_pause(conn, true);
	case RESUME: *want = naive_pause(f, false); return ws_pause(conn, false);
	case END: *want = naive_eof(f); return ws_eof(conn);
	default: *want = f->gone ? 0 : gone(f); return ws_reset(conn);
	}
}

enum { NODES_MAX = 4096, PATIENCE_MAX = 4 };

static struct node nodes[NODES_MAX];
static size_t nodes_count;
static unsigned seen_actions, seen_states, seen_timers;

/* Return whether the node is new. */
static bool
node_add(const struct node *node)
{
	static uint16_t table[4 * NODES_MAX];
	const unsigned char *bytes = (const unsigned char *)node;
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < sizeof *node; i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	for (hash %= 4 * NODES_MAX; table[hash] != 0; hash = (hash + 1) % (4 * NODES_MAX))
		if (memcmp(&nodes[table[hash] - 1], node, sizeof *node) == 0)
			return false;
	CHECK(nodes_count < NODES_MAX);
	if (nodes_count == NODES_MAX)
		return false;
	nodes[nodes_count++] = *node;
	table[hash] = (uint16_t)nodes_count;
	return true;
}

static void
same_check(const struct ws_conn *conn, const struct facts *f)
{
	CHECK(conn->timer == timer_wanted(f) && conn->code == f->code && conn->peer_code == f->peer_code);
	CHECK(conn->state == (f->gone ? WS_CLOSED : !f->peer_over ? f->said_close ? WS_CLOSE_SENT : WS_OPEN
	    : f->said_close ? WS_FINISHING : WS_CLOSE_RECEIVED));
}

/* What must hold whatever the naive implementation does: nothing follows the only Close, and nothing follows the end. */
static void
edge_check(const struct node *from, unsigned did, const struct node *to)
{
	CHECK((did & (WS_PING | WS_PONG | WS_CLOSE)) == 0 || !from->facts.said_close);
	CHECK((did & WS_SHUTDOWN) == 0 || (to->conn.server && to->facts.close_left && !to->facts.peer_ended));
	CHECK(from->conn.state != WS_CLOSED || (did == 0 && memcmp(&from->conn, &to->conn, sizeof to->conn) == 0));
}

/* No more progress. Without a timer the owner's time limit applies: it resumes reading, or closes. */
static void
ends_check(struct ws_conn conn)
{
	for (int i = 0; i < PATIENCE_MAX && conn.state != WS_CLOSED; i++) {
		if (conn.timer != WS_TIMER_NONE) {
			(void)ws_timeout(&conn, false);
			continue;
		}
		(void)ws_pause(&conn, false);
		(void)ws_close(&conn, OUR_CODE);
		CHECK(conn.timer != WS_TIMER_NONE);
	}
	CHECK(conn.state == WS_CLOSED && conn.peer_code != 0);
}

static void
explore(bool server, bool keepalive)
{
	struct node node;
	size_t from = nodes_count;

	memset(&node, 0, sizeof node);
	ws_open(&node.conn, server, keepalive);
	node.facts.server = server;
	node.facts.keepalive = keepalive;
	same_check(&node.conn, &node.facts);
	(void)node_add(&node);
	for (size_t i = from; i < nodes_count && !unit_failed; i++) {
		ends_check(nodes[i].conn);
		seen_states |= 1U << nodes[i].conn.state;
		seen_timers |= 1U << nodes[i].conn.timer;
		for (enum event event = 0; event < EVENTS && !unit_failed; event++) {
			unsigned did, want;

			node = nodes[i];
			did = apply(&node, event, &want);
			CHECK(did == want);
			same_check(&node.conn, &node.facts);
			edge_check(&nodes[i], did, &node);
			seen_actions |= did;
			if (unit_failed)
				printf("# state %u timer %u, event %c: state %u timer %u, actions %u\n", nodes[i].conn.state,
				    nodes[i].conn.timer, letters[event], node.conn.state, node.conn.timer, did);
			(void)node_add(&node);
		}
	}
}

TEST(every_state_under_every_event)
{
	for (unsigned role = 0; role < 4; role++)
		explore((role & 1) != 0, (role & 2) != 0);
	CHECK(seen_states == (1U << (WS_CLOSED + 1)) - 1);
	CHECK(seen_timers == (1U << (WS_TIMER_DRAIN + 1)) - 1);
	CHECK(seen_actions == (WS_TIMER << 1) - 1);
	printf("# %zu states\n", nodes_count);
}

/* The actions for each event of a script, as letters. A lowercase letter is the started timer, - a
 * stopped one. */
static void
script(bool server, const char *events, const char *want)
{
	char got[128];
	size_t n = 0;
	struct node node = {.facts = {.server = server, .keepalive = true}};

	ws_open(&node.conn, server, true);
	for (const char *e = events; *e != '\0'; e++) {
		unsigned want_bits, did = apply(&node, (enum event)(strchr(letters, *e) - letters), &want_bits);
		size_t before = n;

		for (unsigned bit = 0; bit < 5; bit++)
			if (did & 1U << bit)
				got[n++] = "POCSD"[bit];
		if (did & WS_TIMER)
			got[n++] = "-ipcd"[node.conn.timer];
		if (n == before)
			got[n++] = '.';
		got[n++] = ' ';
	}
	got[n - 1] = '\0';
	if (strcmp(got, want) != 0)
		printf("# %s: got %s, want %s\n", events, got, want);
	CHECK(strcmp(got, want) == 0);
}

TEST(examples)
{
	/* An idle peer is pinged, then given up. */
	script(true, "rtrttT", "i Pp i Pp D- .");
	script(true, "tTTr?!d", "Pp p p i O . .");
	script(false, "tt", "Pp D-");
	/* The peer closes. */
	script(true, "cxwe", "- Cc Sd D-");
	script(true, "ncdfxwt", "- . . . Cc Sd D-");
	script(false, "cxwe", "- Cc d D-");
	/* EOF arrives while answers are still queued: both are sent. */
	script(true, "cxew", "- Cc . D-");
	script(true, "cexw", "- . Cc D-");
	/* The owner closes. */
	script(true, "xwd?cxe", "Cc c . . Sd . D-");
	script(false, "xwce", "Cc c d D-");
	script(true, "xwTt", "Cc c c D-");
	script(true, "xTt", "Cc c D-");
	/* Both close at once: if a Close is queued when the peer's arrives, it is still sent, and counts as the answer. */
	script(true, "xcwe", "Cc c Sd D-");
	script(false, "xcTt", "Cc c c D-");
	script(true, "xcew", "Cc c . D-");
	/* An end without a Close. */
	script(true, "ewxw", "- . Cc D-");
	script(true, "xew", "Cc c D-");
	script(true, "xwe", "Cc c D-");
	script(true, "xek", "Cc c D-");
	/* A peer that breaks the protocol after the Close. */
	script(true, "xwfd?e", "Cc c Sd . . D-");
	script(true, "xfwt", "Cc c Sd D-");
	/* A pause stops timers that wait for the peer. */
	script(true, "zttZttz", "- . . i Pp D- .");
	script(true, "tzrZzzZ", "Pp - . i - . i");
	/* The Close must still be sent; its answer may be unread. */
	script(false, "zxTwtttZt", "- Cc c - . . . c D-");
	script(false, "xzwZcwzt", "Cc . - c d . . D-");
	script(true, "xwzcZ", "Cc c - Sd .");
	script(true, "zcZz", "- - . .");
}
