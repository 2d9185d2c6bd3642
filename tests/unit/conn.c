#include "ws/conn.h"

#include "unit.h"

/* Events, each one letter of a script. */
enum event {
	RECEIVED, PING, PONG, DATA, PEER_CLOSE, PEER_CLOSE_EMPTY, FAILURE, CLOSE, FLUSHED, TIMEOUT, PROGRESS,
	PAUSE, RESUME, END, RESET, EVENTS
};
static const char letters[] = "r?!dcnfxwtTzZek";

enum { OUR_CODE = CLOSE_GOING_AWAY, PEER_CODE = 3000, FAIL_CODE = CLOSE_BAD_TEXT };

static unsigned
read_one(struct ws_conn *conn, enum reader_kind kind, unsigned code)
{
	return ws_event(conn, &(struct reader_event){.kind = kind, .code = code});
}

static unsigned
apply(struct ws_conn *conn, enum event event)
{
	switch (event) {
	case RECEIVED: return ws_received(conn);
	case PING: return read_one(conn, READER_PING, 0);
	case PONG: return read_one(conn, READER_PONG, 0);
	case DATA: return read_one(conn, READER_DATA, 0);
	case PEER_CLOSE: return read_one(conn, READER_CLOSE, PEER_CODE);
	case PEER_CLOSE_EMPTY: return read_one(conn, READER_CLOSE, CLOSE_NO_CODE);
	case FAILURE: return read_one(conn, READER_FAIL, FAIL_CODE);
	case CLOSE: return ws_close(conn, OUR_CODE);
	case FLUSHED: return ws_flushed(conn);
	case TIMEOUT: return ws_timeout(conn, false);
	case PROGRESS: return ws_timeout(conn, true);
	case PAUSE: return ws_pause(conn, true);
	case RESUME: return ws_pause(conn, false);
	case END: return ws_eof(conn);
	default: return ws_reset(conn);
	}
}

/* The history, which is a part of the explored state. */
struct history {
	bool close_sent, close_flushed, shut, ended, paused;
	uint16_t first_code;  /* of the Close to send: from the first event that ends one direction */
	uint16_t peer_code;   /* to be reported */
};

/* Compared and searched as bytes, so the padding is zeroed first. */
struct node {
	struct ws_conn conn;
	struct history past;
};

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

/* Return the timer that must run in this state; IDLE and PONG depend on the last event. */
static bool
timer_fits(const struct ws_conn *conn)
{
	switch (conn->state) {
	case WS_OPEN:
		if (!conn->keepalive || conn->paused)
			return conn->timer == WS_TIMER_NONE;
		return conn->timer == WS_TIMER_IDLE || conn->timer == WS_TIMER_PONG;
	case WS_CLOSE_SENT:
		return conn->timer == (conn->flushed && conn->paused ? WS_TIMER_NONE : WS_TIMER_CLOSE);
	case WS_FINISHING:
		return conn->timer == (conn->flushed ? WS_TIMER_DRAIN : WS_TIMER_CLOSE);
	default:
		return conn->timer == WS_TIMER_NONE;
	}
}

/* States never go back, nor from one half of the handshake to the other. */
static bool
step_allowed(unsigned from, unsigned to)
{
	return from == to || (from < to && !(from == WS_CLOSE_RECEIVED && to == WS_CLOSE_SENT));
}

/* Each action is allowed only for certain states and events. */
static void
actions_check(const struct node *from, enum event event, unsigned did, const struct node *to)
{
	unsigned was = from->conn.state, is = to->conn.state;

	CHECK(((did & WS_PING) != 0) == (from->conn.timer == WS_TIMER_IDLE && (event == TIMEOUT || event == PROGRESS)));
	CHECK(((did & WS_PONG) != 0) == (was == WS_OPEN && event == PING));
	CHECK(((did & WS_CLOSE) != 0) == (event == CLOSE && (was == WS_OPEN || was == WS_CLOSE_RECEIVED)));
	CHECK((did & (WS_PING | WS_PONG | WS_CLOSE)) == 0 || !from->past.close_sent);
	CHECK((did & WS_SHUTDOWN) == 0 || (is == WS_FINISHING && to->conn.server && to->past.close_flushed
	    && !to->past.ended && !from->past.shut));
	CHECK(((did & WS_DISCONNECT) != 0) == (was != WS_CLOSED && is == WS_CLOSED));
	CHECK(from->conn.timer == to->conn.timer || (did & WS_TIMER) != 0);
}

/* Derive the state from the history. */
static void
state_check(const struct node *node)
{
	const struct ws_conn *conn = &node->conn;
	const struct history *past = &node->past;

	CHECK(timer_fits(conn));
	CHECK(conn->peer_code == past->peer_code && conn->code == past->first_code);
	if (conn->state == WS_CLOSED)
		return;
	CHECK(conn->state == (past->close_sent ? past->peer_code != 0 ? WS_FINISHING : WS_CLOSE_SENT
	    : past->peer_code != 0 ? WS_CLOSE_RECEIVED : WS_OPEN));
	CHECK(conn->flushed == past->close_flushed && conn->ended == past->ended && conn->paused == past->paused);
	/* A server that has sent everything has half-closed, unless the peer has; a client waits
	 * for its server. */
	CHECK(past->shut == (conn->server && conn->state == WS_FINISHING && past->close_flushed));
	CHECK(conn->state != WS_FINISHING || !past->close_flushed || !past->ended);
}

static uint16_t
first(uint16_t was, unsigned code)
{
	return was != 0 ? was : (uint16_t)code;
}

/* Add the event to the history, according to the contract only. */
static void
history_add(struct history *past, enum event event, unsigned did)
{
	bool reads = past->peer_code == 0;

	if (did & WS_CLOSE)
		past->close_sent = true;
	if (did & WS_SHUTDOWN)
		past->shut = true;
	switch (event) {
	case PEER_CLOSE:
	case PEER_CLOSE_EMPTY:
		past->peer_code = first(past->peer_code, event == PEER_CLOSE ? PEER_CODE : CLOSE_NO_CODE);
		if (reads)
			past->first_code = first(past->first_code, past->peer_code);
		break;
	case FAILURE:
		past->peer_code = first(past->peer_code, CLOSE_ABNORMAL);
		if (reads)
			past->first_code = first(past->first_code, FAIL_CODE);
		break;
	case END:
		past->ended = true;
		past->peer_code = first(past->peer_code, CLOSE_ABNORMAL);
		if (reads)
			past->first_code = first(past->first_code, CLOSE_NORMAL);
		break;
	case CLOSE: past->first_code = first(past->first_code, OUR_CODE); break;
	case FLUSHED: past->close_flushed |= past->close_sent; break;
	case PAUSE: past->paused = true; break;
	case RESUME: past->paused = false; break;
	default: break;
	}
	if (did & WS_DISCONNECT)
		past->peer_code = first(past->peer_code, CLOSE_ABNORMAL);
}

static void
edge_check(const struct node *from, enum event event, unsigned did, const struct node *to)
{
	bool is_timeout = event == TIMEOUT || event == PROGRESS;

	if (from->conn.state == WS_CLOSED) {
		CHECK(did == 0 && memcmp(&from->conn, &to->conn, sizeof to->conn) == 0);
		return;
	}
	actions_check(from, event, did, to);
	state_check(to);
	CHECK(step_allowed(from->conn.state, to->conn.state));
	/* Only a reset, a timeout without progress, and EOF with an empty queue close the
	 * transport. */
	CHECK(to->conn.state != WS_CLOSED || event == RESET || is_timeout
	    || (to->past.close_flushed && to->past.ended && to->past.peer_code != 0));
	CHECK(to->conn.state != WS_CLOSED || event != PROGRESS || from->conn.timer == WS_TIMER_DRAIN);
	CHECK(event != RESET || to->conn.state == WS_CLOSED);
	CHECK(!is_timeout || from->conn.timer != WS_TIMER_NONE || did == 0);
	CHECK(!is_timeout || from->conn.timer == WS_TIMER_NONE || (did & WS_TIMER) != 0);
	/* Any data proves that an awaited peer is alive. */
	CHECK(event != RECEIVED || from->conn.timer != WS_TIMER_PONG || to->conn.timer == WS_TIMER_IDLE);
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
	CHECK(node.conn.state == WS_OPEN && timer_fits(&node.conn));
	(void)node_add(&node);
	for (size_t i = from; i < nodes_count && !unit_failed; i++) {
		ends_check(nodes[i].conn);
		seen_states |= 1U << nodes[i].conn.state;
		seen_timers |= 1U << nodes[i].conn.timer;
		for (enum event event = 0; event < EVENTS && !unit_failed; event++) {
			unsigned did;

			node = nodes[i];
			did = apply(&node.conn, event);
			if (nodes[i].conn.state != WS_CLOSED)
				history_add(&node.past, event, did);
			edge_check(&nodes[i], event, did, &node);
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
	struct ws_conn conn;

	ws_open(&conn, server, true);
	for (const char *e = events; *e != '\0'; e++) {
		unsigned did = apply(&conn, (enum event)(strchr(letters, *e) - letters));
		size_t before = n;

		for (unsigned bit = 0; bit < 5; bit++)
			if (did & 1U << bit)
				got[n++] = "POCSD"[bit];
		if (did & WS_TIMER)
			got[n++] = "-ipcd"[conn.timer];
		if (n == before)
			got[n++] = '.';
		got[n++] = ' ';
	}
	got[n - 1] = '\0';
	if (strcmp(got, want) != 0)
		printf("# %s: got %s, want %s\n", events, got, want);
	CHECK(strcmp(got, want) == 0);
}

TEST(an_idle_peer_is_pinged_then_given_up)
{
	script(true, "rtrttT", "i Pp i Pp D- .");
	script(true, "tTTr?!d", "Pp p p i O . .");
	script(false, "tt", "Pp D-");
}

TEST(the_peer_closes)
{
	script(true, "cxwe", "- Cc Sd D-");
	script(true, "ncdfxwt", "- . . . Cc Sd D-");
	script(false, "cxwe", "- Cc d D-");
	/* EOF arrives while answers are still queued: both are sent. */
	script(true, "cxew", "- Cc . D-");
	script(true, "cexw", "- . Cc D-");
}

TEST(the_owner_closes)
{
	script(true, "xwd?cxe", "Cc c . . Sd . D-");
	script(false, "xwce", "Cc c d D-");
	script(true, "xwTt", "Cc c c D-");
	script(true, "xTt", "Cc c D-");
}

TEST(both_close_at_once)
{
	/* The peer's Close arrives while a Close is queued: it is still sent, and counts as the
	 * answer. */
	script(true, "xcwe", "Cc c Sd D-");
	script(false, "xcTt", "Cc c c D-");
	script(true, "xcew", "Cc c . D-");
}

TEST(an_end_without_a_Close)
{
	script(true, "ewxw", "- . Cc D-");
	script(true, "xew", "Cc c D-");
	script(true, "xwe", "Cc c D-");
	script(true, "xek", "Cc c D-");
}

TEST(a_peer_that_breaks_the_protocol_after_our_Close)
{
	script(true, "xwfd?e", "Cc c Sd . . D-");
	script(true, "xfwt", "Cc c Sd D-");
}

TEST(a_pause_stops_timers_that_wait_for_the_peer)
{
	script(true, "zttZttz", "- . . i Pp D- .");
	script(true, "tzrZzzZ", "Pp - . i - . i");
	/* The Close must still be sent; its answer may be unread. */
	script(false, "zxTwtttZt", "- Cc c - . . . c D-");
	script(false, "xzwZcwzt", "Cc . - c d . . D-");
	script(true, "xwzcZ", "Cc c - Sd .");
	script(true, "zcZz", "- - . .");
}
