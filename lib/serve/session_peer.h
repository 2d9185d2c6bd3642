/*
 * The peer's side of a session, for session.c alone: what decides the end, what
 * is sent to the peer besides records, and the timers of its connection.
 */
#ifndef FITTINGS_SESSION_PEER_H
#define FITTINGS_SESSION_PEER_H

#include "serve/session.h"

enum { STALL_MS = 30 * 1000 /* time limit for a peer or a program that reads nothing, if -k is 0 */ };

static inline int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How long a peer or a program may read nothing at all. */
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

/* Nothing more is taken from the peer. */
static inline bool
peer_over(const struct session *s)
{
	return s->conn.state != WS_OPEN && s->conn.state != WS_CLOSE_SENT;
}

/* Our Close is queued or sent. */
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

/* Whether the peer closed as one that has no fault to report. */
static inline bool
code_is_good(unsigned code)
{
	return code == CLOSE_NORMAL || code == CLOSE_GOING_AWAY || code == CLOSE_NO_CODE;
}

/* Whether the time has come. */
bool deadline_reached(const struct session *s, int64_t when);

/* The next wait lasts no longer than until then. A time that has come already is for deadline_reached(). */
void schedule(struct session *s, int64_t when);

/* What was changed at this turn's end has its effect in the next, which comes at once. */
void turn_again(struct session *s);

/* The first reason counts. */
void end_reason_set(struct session *s, enum end_reason end_reason, unsigned code);

/* Whether what the peer does now is what ends the session. A client without a
 * program goes on receiving when its stdin has ended. */
bool end_reason_open(const struct session *s);

/* As end_reason_set(), also if so far only the program's output has ended. */
void end_reason_overrule(struct session *s, enum end_reason end_reason, unsigned code);

/* Nothing more can be sent; what came before can still be read, a Close perhaps. */
void peer_lose(struct session *s, const char *why);

/* The next masking key. Without random bytes nothing can be sent. */
const unsigned char *peer_key(struct session *s);

/* Queues what waits of Ping and Pong. Returns whether one still waits. */
bool peer_controls_flush(struct session *s);

/* Answers a Ping. */
void peer_pong(struct session *s, const struct chunk *ping);

/* The time limit of conn.timer. */
int64_t peer_timer_ms(const struct session *s);

void peer_timer_start(struct session *s);

/* Nothing more is taken from the peer. */
void peer_input_drop(struct session *s);

/* Performs what the state machine wants (enum ws_action), but for a Pong. */
void peer_act(struct session *s, unsigned actions);

#endif
