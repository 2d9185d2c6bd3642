/*
 * The keepalive and the closing handshake of one open WebSocket connection
 * (RFC 6455 sections 5.5 and 7), for either role: no I/O, no clock, no heap.
 *
 * Each function takes one event, changes the state and returns the actions that
 * the owner is to perform, in the order of their bits. The machine names a timer
 * and the owner arms it: after WS_TIMER the timer in conn->timer starts anew, and
 * an earlier one is dropped. The owner chooses the lengths.
 *
 *     OPEN            Data goes both ways. An IDLE timeout sends a Ping.
 *     CLOSE_RECEIVED  The peer sends no more data: its Close, its failure or its
 *                     end was read. The owner may still send; no timer runs:
 *                     the owner calls ws_close() when its data or its patience
 *                     has ended.
 *     CLOSE_SENT      Our Close is queued, and nothing may be queued after it.
 *                     Data from the peer is still delivered until its Close,
 *                     its failure or its end.
 *     FINISHING       Both sides are done: the queue is sent, then a server
 *                     half-closes. What still arrives is discarded until the
 *                     peer ends the connection.
 *     CLOSED          The transport is to be closed.
 *
 * The owner reads in every state but CLOSE_RECEIVED and CLOSED, until ws_eof().
 */
#ifndef FITTINGS_CONN_H
#define FITTINGS_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/frame.h"
#include "ws/reader.h"

enum ws_state { WS_OPEN, WS_CLOSE_RECEIVED, WS_CLOSE_SENT, WS_FINISHING, WS_CLOSED };

enum ws_timer {
	WS_TIMER_NONE,
	WS_TIMER_IDLE,  /* nothing arrived for so long: a Ping is due */
	WS_TIMER_PONG,  /* the Ping is not answered */
	WS_TIMER_CLOSE, /* our Close does not leave, or is not answered: first the one, then the other */
	WS_TIMER_DRAIN, /* the peer does not end the connection */
};

enum ws_action {
	WS_PING = 1, /* queue this control frame; the Close has conn->code */
	WS_PONG = 2,
	WS_CLOSE = 4,
	WS_SHUTDOWN = 8,    /* half-close the transport */
	WS_DISCONNECT = 16, /* close the transport */
	WS_TIMER = 32,      /* start the timer of conn->timer, or stop it for WS_TIMER_NONE */
};

struct ws_conn {
	uint16_t code;      /* of our Close: from the first event that made it necessary; may be CLOSE_NO_CODE */
	uint16_t peer_code; /* of the peer's Close; CLOSE_ABNORMAL if none will be read (RFC 6455 section 7.1.5); 0 before */
	uint16_t state : 3; /* enum ws_state */
	uint16_t timer : 3; /* enum ws_timer */
	uint16_t server : 1;
	uint16_t keepalive : 1;
	uint16_t paused : 1;
	uint16_t flushed : 1; /* our Close has left */
	uint16_t ended : 1;   /* the peer's side of the connection has ended */
};

/* The opening handshake is done. The owner starts the timer of conn->timer. */
void ws_open(struct ws_conn *conn, bool server, bool keepalive);

/* Bytes were read. */
unsigned ws_received(struct ws_conn *conn);

/* A Ping, a Pong, a Close or a failure was read. */
unsigned ws_event(struct ws_conn *conn, const struct reader_event *event);

/* The owner ends its side: with this code, or with that of the peer's Close or failure if one was read. */
unsigned ws_close(struct ws_conn *conn, unsigned code);

/* The queue is empty: the transport has taken it all. Before our Close is queued this means nothing. */
unsigned ws_flushed(struct ws_conn *conn);

/* conn->timer ran out. progress: the peer took bytes since it was started. */
unsigned ws_timeout(struct ws_conn *conn, bool progress);

/* The owner stops reading because its program takes nothing, or goes on. Meanwhile no timer waits for what the peer
 * sends: IDLE, PONG and, once our Close has left, CLOSE stop, and start anew afterwards. */
unsigned ws_pause(struct ws_conn *conn, bool paused);

/* The peer ended its side of the connection. Without a Close before, that counts as one with CLOSE_NORMAL: what is
 * queued is sent, and the answers to what the peer sent. */
unsigned ws_eof(struct ws_conn *conn);

/* The transport failed: nothing can be sent any more. */
unsigned ws_reset(struct ws_conn *conn);

#endif
