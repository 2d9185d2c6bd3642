/*
 * The keepalive and the closing handshake of an open WebSocket connection (RFC 6455, sections 5.5
 * and 7), for both roles: no I/O, no clock, no heap.
 *
 * Each function handles one event, changes the state and returns the actions for the owner, in the
 * order of their bits. The machine selects a timer and the owner arms it: WS_TIMER restarts the
 * timer in conn->timer and cancels the previous one. The owner chooses the durations.
 *
 *     OPEN            Data is sent and received. An IDLE timeout sends a Ping.
 *     CLOSE_RECEIVED  The peer sends no more data: its Close, its failure or its
 *                     EOF was read. The owner may still send, without a timer. It
 *                     calls ws_close() after its data, or after a time limit.
 *     CLOSE_SENT      A Close is queued, and nothing may be queued after it. Data
 *                     from the peer is delivered until its Close, failure or EOF.
 *     FINISHING       Both sides have finished: the queue is sent, then a server
 *                     half-closes. Input is discarded until the peer closes the
 *                     connection.
 *     CLOSED          The owner closes the transport.
 *
 * The owner reads in every state except CLOSE_RECEIVED and CLOSED, until ws_eof().
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
	WS_TIMER_IDLE,  /* the peer is silent: send a Ping */
	WS_TIMER_PONG,  /* the Ping is not answered */
	WS_TIMER_CLOSE, /* the Close is not sent, and after that not answered */
	WS_TIMER_DRAIN, /* the peer does not close the connection */
};

enum ws_action {
	WS_PING = 1, /* queue this control frame; a Close has conn->code */
	WS_PONG = 2,
	WS_CLOSE = 4,
	WS_SHUTDOWN = 8,    /* half-close the transport */
	WS_DISCONNECT = 16, /* close the transport */
	WS_TIMER = 32,      /* restart the timer conn->timer, or stop it for WS_TIMER_NONE */
};

struct ws_conn {
	uint16_t code;      /* of the Close to send, from the first event that requires it; may be CLOSE_NO_CODE */
	uint16_t peer_code; /* of the peer's Close; CLOSE_ABNORMAL without one (RFC 6455, section 7.1.5); 0 initially */
	uint16_t state : 3; /* enum ws_state */
	uint16_t timer : 3; /* enum ws_timer */
	uint16_t server : 1;
	uint16_t keepalive : 1;
	uint16_t paused : 1;
	uint16_t flushed : 1; /* the Close has been sent */
	uint16_t ended : 1;   /* EOF from the peer */
};

/* Begin after the opening handshake. The owner starts the timer conn->timer. */
void ws_open(struct ws_conn *conn, bool server, bool keepalive);

/* Data was read. */
unsigned ws_received(struct ws_conn *conn);

/* A Ping, a Pong, a Close or a failure was read. */
unsigned ws_event(struct ws_conn *conn, const struct reader_event *event);

/* The owner closes: with this code, or with that of the peer's Close or failure if there was one. */
unsigned ws_close(struct ws_conn *conn, unsigned code);

/* The queue was sent completely. No effect before a Close is queued. */
unsigned ws_flushed(struct ws_conn *conn);

/* conn->timer has expired. progress: the peer has received data since it was started. */
unsigned ws_timeout(struct ws_conn *conn, bool progress);

/* The owner pauses or resumes reading, because its program does not read. While paused, no timer waits for data of
 * the peer: IDLE, PONG and, after the Close is sent, CLOSE stop, and are restarted at the end. */
unsigned ws_pause(struct ws_conn *conn, bool paused);

/* EOF from the peer. Without a Close it counts as a Close with CLOSE_NORMAL: the queue and the
 * answers to earlier data are still sent. */
unsigned ws_eof(struct ws_conn *conn);

/* The transport failed: nothing can be sent. */
unsigned ws_reset(struct ws_conn *conn);

#endif
