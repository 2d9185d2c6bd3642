/*
 * One WebSocket connection and its own program: records both ways, the
 * program's end and exit status to a Close, the peer's Close to the program's
 * end, keepalive, bounded memory. It never waits: the owner does.
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
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "serve/flows.h"
#include "sys/endpoint.h"
#include "sys/program.h"
#include "sys/terminate.h"
#include "ws/conn.h"

/* Of many sessions. */
struct session_options {
	bool client, verbose, replace;
	bool upgraded;     /* the owner has answered the handshake */
	bool quiet_given;  /* quiet_ms is the user's own choice */
	enum record_mode mode;
	uint64_t max;      /* of a message from the peer, 0 for any */
	uint64_t count;    /* messages after which a client without a program closes, 0 for any */
	int64_t ping_ms;   /* 0: no keepalive */
	int64_t wait_ms;   /* each step of the end */
	int64_t quiet_ms;  /* a client without a program: CLOCK_NEVER to leave the end to the peer */
	char **program;    /* NULL: the records go to stdout and come from stdin */
};

/* Why a session ends: what happened first. */
enum end_reason {
	END_NONE,
	END_PROGRAM,     /* it or its stdout ended; without one: stdin ended, or enough messages received */
	END_NOT_STARTED,
	END_BAD_OUTPUT,  /* its output cannot be sent */
	END_NO_STDOUT,   /* without a program: stdout takes nothing more */
	END_CLOSED,      /* the peer's Close */
	END_PROTOCOL,    /* the peer broke the protocol */
	END_EOF,         /* the peer's end without a Close */
	END_LOST,        /* the connection failed, or the peer does not answer */
	END_SIGNAL,
};

enum { SESSION_ENDPOINTS = 4 };

struct session {
	const struct session_options *options;
	struct ws_conn conn;
	struct endpoint peer_in, peer_out;
	struct program prog;      /* without one: its in and out are stdout and stdin */
	struct terminate term;    /* of the program */
	struct flows flows;

	enum end_reason end_reason;
	unsigned code;            /* for our Close, unless the peer's event decides */
	const char *wrong;        /* what the peer did wrong, for our Close */
	const char *lost_why;
	int failure;              /* exit status of END_NOT_STARTED */
	bool lost;                /* nothing more can be sent to the peer */
	bool output_over;         /* nothing more of the program's output is sent */
	bool failed;              /* exit status 1 whatever the reason */
	bool given_up;            /* the program read nothing for too long: nothing more is written to it */
	bool pong_waits, ping_waits; /* the way out is blocked */
	bool reads;               /* the last wait was for the peer, too */
	bool enlarged;
	bool on_terminal;         /* stdin is one */
	unsigned char pong_size;
	unsigned char pong[FRAME_CONTROL_PAYLOAD_MAX];

	/* This turn's time, and the next deadline. Deadlines are judged by the time of the turn before: what came
	 * until then has been read, also if the process was stopped since. */
	int64_t now, before, next;
	int64_t timer_at;         /* of conn.timer */
	int64_t answer_by;        /* the latest end of the wait for the answer to our Close */
	int64_t message_at, sent_at, output_at, due_at, signal_at;
	int64_t unread_at;        /* the peer is not read and gets nothing since then; 0: not so */
	unsigned stuck_looks;     /* in which the peer had read nothing */
	int64_t read_at;          /* the program's last read, or the peer's end if that is later */
	uint64_t heard, sent, read, written, messages; /* how far each was at the last look */
	uint64_t records_until;   /* bytes sent once the last record has left */
	uint64_t asked;           /* messages that had come when that record was read */
	uint64_t progress;        /* what TCP showed of the peer: progress_made() */
};

/* s is all zero. The connection's descriptors are the session's from now on. Starts the program. */
void session_begin(struct session *s, const struct session_options *options, int in, int out,
    struct flows_storage *storage, int64_t now);

/*
 * As session_begin(), over a socket, for a program that another process starts: ends are this process's ends of its
 * pipes, send_signal() reaches its process group. The owner reports once how it ended, or with which errno it could
 * not be executed.
 */
void session_begin_apart(struct session *s, const struct session_options *options, int socket,
    struct flows_storage *storage, int64_t now, const struct program_ends *ends,
    void (*send_signal)(struct program *, int));
void session_program_ended(struct session *s, int wait_status);
void session_program_failed(struct session *s, int error);

/* Before the first step: answer is sent before all frames, behind is what the peer sent after its request. There must be
 * room for both. */
void session_handshake(struct session *s, struct span answer, struct span behind);

/* Releases the pipes and the memory of a session that is over. */
void session_end(struct session *s);

/* Moves all that can be moved without waiting. Returns false when the session is over. */
bool session_step(struct session *s, int64_t now);

/* What to wait for: the endpoints, and at the latest a time of clock_ms(). */
void session_endpoints(struct session *s, struct endpoint *endpoints[SESSION_ENDPOINTS]);
int64_t session_deadline(const struct session *s);

/* After the wait: how many endpoints moved bytes or ended. False without memory for what comes. */
bool session_moved(struct session *s, int moved);

/* The first call ends the session in order, the second one at once. */
void session_stop(struct session *s, int64_t now);

/* A child has ended: perhaps the program. */
void session_reap(struct session *s);

/* The exit status, of a session that is over. */
int session_result(const struct session *s);

#endif
