/*
 * One WebSocket connection with its own program: it converts records in both directions, the
 * program's exit status to a Close, and the peer's Close to the end of the program. It handles
 * keepalive and bounds the memory. It never blocks: the owner waits.
 *
 *     session_begin(&s, &options, in, out, &storage, now);
 *     while (session_step(&s, clock_ms())) {
 *         wait for session_endpoints() until session_deadline(), move their bytes
 *         session_moved(&s, how many moved);
 *         session_stop(&s, clock_ms()) after SIGTERM, session_reap(&s) after SIGCHLD
 *     }
 *     status = session_result(&s);
 */
#ifndef FITTINGS_SESSION_H
#define FITTINGS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "serve/flows.h"
#include "serve/session_options.h"
#include "sys/endpoint.h"
#include "sys/program.h"
#include "sys/terminate.h"
#include "ws/conn.h"

/* The event that ends a session: the first one. */
enum end_reason {
	END_NONE,
	END_PROGRAM,     /* end of the program or its stdout; without one: EOF of stdin, or enough messages */
	END_NOT_STARTED,
	END_BAD_OUTPUT,  /* the program's output is invalid */
	END_NO_STDOUT,   /* without a program: stdout failed */
	END_CLOSED,      /* the peer's Close */
	END_PROTOCOL,    /* protocol error of the peer */
	END_EOF,         /* EOF without a Close */
	END_LOST,        /* the connection failed, or the peer does not answer */
	END_SIGNAL,
};

enum { SESSION_ENDPOINTS = 4 };

struct session {
	const struct session_options *options;
	struct ws_conn conn;
	struct endpoint peer_in, peer_out;
	struct program prog;      /* without a program its in and out are stdout and stdin */
	struct terminate term;    /* termination of the program */
	struct flows flows;

	enum end_reason end_reason;
	unsigned code;            /* of the session's Close, unless the peer's event determines it */
	const char *fault;        /* error of the peer, sent as the reason of the session's Close */
	const char *lost_why;
	int failure;              /* exit status of END_NOT_STARTED */
	bool lost;                /* nothing can be sent to the peer */
	bool output_over;         /* no more output of the program is sent */
	bool failed;              /* the exit status is 1, whatever ended the session */
	bool given_up;            /* the program did not read for too long: its stdin is closed */
	bool pong_waits, ping_waits; /* pending while the output is blocked */
	bool reads;               /* the last wait included the peer's input */
	bool unfinished;          /* the share of this turn is spent: the next turn follows without a wait */
	bool enlarged;
	bool on_terminal;         /* stdin is a terminal */
	unsigned char pong_size;
	unsigned char pong[FRAME_CONTROL_PAYLOAD_MAX];

	/* The time of this turn, and the next deadline. Deadlines are compared with the time of the turn before:
	 * data that arrived until then has been read, even if the process was stopped meanwhile. */
	int64_t now, before, next;
	int64_t timer_at;         /* deadline of conn.timer */
	int64_t answer_by;        /* end of the wait for the answer to the session's Close */
	int64_t message_at, sent_at, output_at, due_at, signal_at;
	int64_t unread_at;        /* since when the peer is neither read nor sent to; 0 otherwise */
	unsigned stalled_checks;  /* checks without progress of the peer */
	int64_t read_at;          /* time of the program's last read or of the peer's end, whichever is later */
	uint64_t received, sent, read, written, messages; /* positions at the last check */
	uint64_t records_until;   /* position after the last record */
	uint64_t messages_before; /* messages received before that record was read */
	uint64_t progress;        /* state of progress_made() */
};

/* Start a session and its program. s is all zero. The session owns the descriptors of the connection. */
void session_begin(struct session *s, const struct session_options *options, int in, int out,
    struct flows_storage *storage, int64_t now);

/*
 * Start a session on a socket whose program another process starts. ends are this process's ends of
 * the program's pipes; send_signal() signals its process group. The owner reports once how the
 * program ended, or the errno with which it could not be executed.
 */
void session_begin_apart(struct session *s, const struct session_options *options, int socket,
    struct flows_storage *storage, int64_t now, const struct program_ends *ends,
    void (*send_signal)(struct program *, int));
void session_program_ended(struct session *s, int wait_status);
void session_program_failed(struct session *s, int error);

/* Before the first step: answer is sent before all frames, trailing is the data after the peer's
 * request. There must be space for both. */
void session_handshake(struct session *s, struct span answer, struct span trailing);

/* Release the pipes and memory of a finished session. */
void session_end(struct session *s);

/* Move everything that can be moved without blocking. Return false when the session is finished. */
bool session_step(struct session *s, int64_t now);

/* Return what to wait for: the endpoints, and until when on the clock of clock_ms(). */
void session_endpoints(struct session *s, struct endpoint *endpoints[SESSION_ENDPOINTS]);
int64_t session_deadline(const struct session *s);

/* After the wait: moved is the number of endpoints that moved bytes or ended. Return false without
 * memory for the input. */
bool session_moved(struct session *s, int moved);

/* End the session: in order with the first call, at once with the second. */
void session_stop(struct session *s, int64_t now);

/* Check after SIGCHLD whether the program has ended. */
void session_reap(struct session *s);

/* Return the exit status of a finished session. */
int session_result(const struct session *s);

#endif
