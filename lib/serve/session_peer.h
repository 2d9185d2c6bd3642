/* The peer's side of a session, only for session.c: the reason of the end, data for the peer in addition to
 * records, and the timers of the connection. */
#ifndef FITTINGS_SESSION_PEER_H
#define FITTINGS_SESSION_PEER_H

#include "serve/session.h"

enum { STALL_MS = 30 * 1000 /* time limit for a peer or program that does not read, if -k is 0 */ };

static inline int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Return how long a peer or program may read nothing. */
static inline int64_t
stall_ms(const struct session *s)
{
	return s->options->ping_ms != 0 ? s->options->ping_ms : STALL_MS;
}

static inline bool
has_program(const struct session *s)
{
	return s->options->program != NULL;
}

/* Return whether input from the peer is no longer processed. */
static inline bool
peer_over(const struct session *s)
{
	return s->conn.state != WS_OPEN && s->conn.state != WS_CLOSE_SENT;
}

/* Return whether the session's Close is queued or sent. */
static inline bool
close_put(const struct session *s)
{
	return s->conn.state >= WS_CLOSE_SENT;
}

static inline bool
peer_closed(const struct session *s)
{
	return s->conn.peer_code != 0 && s->conn.peer_code != CLOSE_ABNORMAL;
}

/* Return whether the code reports no error. */
static inline bool
code_is_success(unsigned code)
{
	return code == CLOSE_NORMAL || code == CLOSE_GOING_AWAY || code == CLOSE_NO_CODE;
}

/* Return whether the time has passed. */
bool deadline_reached(const struct session *s, int64_t when);

/* Limit the next wait to this time. A time that has already passed is handled by deadline_reached(). */
void schedule(struct session *s, int64_t when);

/* Run another turn at once, because the end of this turn changed the state. */
void turn_again(struct session *s);

/* Set the reason, unless one is set. */
void end_reason_set(struct session *s, enum end_reason end_reason, unsigned code);

/* Return whether the peer's next event is the reason of the end. A client without a program
 * continues to receive after EOF on stdin. */
bool end_reason_open(const struct session *s);

/* Like end_reason_set(), but also replaces END_PROGRAM while only the program's output has ended. */
void end_reason_overrule(struct session *s, enum end_reason end_reason, unsigned code);

/* Stop sending. Earlier data from the peer, possibly a Close, can still be read. */
void peer_lose(struct session *s, const char *why);

/* Return the next masking key. Without random bytes the peer counts as lost. */
const unsigned char *peer_key(struct session *s);

/* Queue the pending Ping and Pong. Return whether one is still pending. */
bool peer_controls_flush(struct session *s);

/* Answer a Ping. */
void peer_pong(struct session *s, const struct chunk *ping);

/* Return the time limit for conn.timer. */
int64_t peer_timer_ms(const struct session *s);

void peer_timer_start(struct session *s);

/* Discard input from the peer. */
void peer_input_drop(struct session *s);

/* Perform the actions of the state machine (enum ws_action), except a Pong. */
void peer_act(struct session *s, unsigned actions);

#endif
