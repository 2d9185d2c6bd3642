/*
 * Keepalive and closing handshake of a connection. From every reachable state, under every event, the actions, the
 * timer, the state and both codes agree with a naive implementation.
 */
#include "../fuzz/naive_conn.h"
#include "unit.h"

/* Each event is one letter of a script. */
static const char letters[] = "r?!dcnfxwtTzZek";

enum { NODES_MAX = 4096, PATIENCE_MAX = 4 };

/* Nodes are compared and searched as bytes, so the padding of a new one is zeroed. */
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
		(void)ws_close(&conn, OWNER_CODE);
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
	node_open(&node, server, keepalive);
	CHECK(same(&node));
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
			CHECK(same(&node));
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
	struct node node = {0};

	node_open(&node, server, true);
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
