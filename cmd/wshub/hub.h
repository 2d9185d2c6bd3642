/*
 * wshub: all WebSocket clients in one process, with one program. Its files; each one uses only
 * those above it:
 *
 *     deflate.c         compression of messages
 *     client.c          a client's queue, its events, closing and end
 *     deferred_close.c  a Close that waits for the program's answers
 *     dispatch.c        the commands of the program
 *     connection.c      data from clients
 *     open.c            authorization and opening of a client
 *     wshub.c           options, the end of the program, shutdown, main
 */
#ifndef FITTINGS_HUB_H
#define FITTINGS_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/span.h"
#include "http/head.h"
#include "serve/backend.h"
#include "serve/outbox.h"
#include "serve/rooms.h"
#include "serve/upgrade.h"
#include "sys/auth_requests.h"
#include "sys/loop.h"
#include "sys/terminate.h"
#include "ws/conn.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/handshake.h"
#include "ws/reader.h"

enum {
	/* Limits of the data that can be ahead of a client's message: data of other clients in a turn, data queued
	 * for the program, the contents of both pipes, and data read from the program. */
	READ_MAX = 64 << 10,       /* largest read from a client */
	STALL_AT = 256 << 10,      /* queued for the program: no client is read, */
	RESUME_AT = 64 << 10,      /* until only this is queued */
	PROGRAM_SIZE = 256 << 10,  /* largest read from the program */
};

struct options {
	bool exact, headers, fan_out, replace;
	size_t queue;
	uint64_t message; /* 0: the default, limited by the queue */
	int64_t ping_ms, close_ms;
	char **next;
};

struct client {
	struct upgrade base;
	union {
		struct reader reader;  /* conn.state is WS_OPEN or WS_CLOSE_SENT */
		uint64_t close_at;     /* WS_CLOSE_RECEIVED: position up to which prog must have read or written */
	};
	uint64_t id; /* 0 before it is open */
	struct member *rooms;
	struct buffer message; /* the received part of a message, or the reason of its deferred Close */
	struct client *next_dirty;
	uint32_t index; /* in hub->clients */
	uint32_t unanswered; /* messages from it, minus messages to its ID */
	struct ws_conn conn; /* WS_CLOSED before UPGRADE_OPEN */
	bool dirty : 1;       /* it is in hub->dirty or hub->dead */
	bool announced : 1;   /* its open record was queued for prog, its close record was not */
	bool addressable : 1; /* records to its ID and its rooms reach it */
	bool slow : 1;        /* not read, because more than half of --queue is pending */
	bool inflates : 1;    /* the message is compressed, and begins with the address of its state */
	unsigned char deflate : 3; /* window bits of messages to it, minus DEFLATE_BITS_LEAST; 0: uncompressed */
};

/* Shutdown state: cause and exit status. */
struct shutdown {
	struct terminate term; /* of the clients, and of the program's process group */
	bool stopped;      /* by SIGTERM or SIGINT */
	bool output_waits; /* until the program's stdout is read up to output_end */
	uint64_t output_end;
	bool status_waits; /* the program's stdout ended first: its exit status counts if it arrives in time */
	int status;
};

enum {
	DEFLATE_BITS_LEAST = 8,
	DEFLATE_MEMORY = 146 << 10, /* for 15 bits */
	SPARES_MAX = 4,
};

/* Compression for all clients. */
struct compressor {
	unsigned char window_bits;
	struct deflate deflate;
	struct deflate_scratch scratch;
	uint16_t memory[DEFLATE_MEMORY / 2];
	struct inflate_tables tables;
	struct inflater *spare; /* states that no message uses */
	size_t spare_count;
	unsigned char inflated[READ_MAX];
};

/* Frames of consecutive short messages that go to the same clients. */
struct batch {
	unsigned char bytes[16 << 10];
	size_t size, longest; /* longest: payload */
};

/* A message, or a batch, for clients with and without compression. */
struct outgoing {
	struct message *plain, *deflated;
	size_t longest; /* at least the longest payload in it */
	bool tried; /* to compress it */
};

struct hub {
	struct upgrade_server base;
	struct options options;
	struct backend backend;
	struct shutdown shutdown;
	struct client **clients; /* all connections */
	struct client **by_id; /* at ID & id_mask; at most half of the slots are used */
	size_t id_mask;
	uint64_t last_id;
	struct auth_requests auth_requests; /* running authorization programs */
	struct rooms rooms;
	struct client *dirty; /* their queues are sent at the end of the turn */
	struct client *dead;  /* freed at the end of the turn */
	size_t undelivered; /* deliveries since the last flush */
	int64_t inflate_left; /* bytes that may still be decompressed from the current client in this turn */
	struct batch batch; /* from the current client, with --fan-out */
	size_t fan_share; /* the most that is read from a client at once */
	bool behind;       /* more than RESUME_AT is queued for prog: no client with an incomplete message is read */
	bool backpressure; /* more than STALL_AT was queued: no client is read */
	bool suspended;    /* there are clients that are not read for these reasons */
	uint32_t first_suspended; /* 1 + the index of the first of them that had data to read, or 0 */
	struct deadlines idles, pongs, closes, drains, ends;
	/* Clients with a deferred Close, in three phases: until prog has read their messages, until it has read their
	 * Close, and until the commands that it had written by then are executed. */
	struct deadlines unread_messages, unread_closes, unexecuted;
	struct deadlines polls, unreads;
	struct deadline end, poll_at;
	struct deadline unread; /* set while prog has unread input */
	uint64_t bytes_consumed; /* bytes that prog had read when `unread` was set */
	unsigned char input[HTTP_HEAD_MAX + READ_MAX + READ_MAX];
	char scratch[2 * HTTP_HEAD_MAX];
	struct compressor compressor; /* used with --deflate */
};

static inline bool
shutdown_begun(const struct hub *hub)
{
	return hub->shutdown.term.step != TERM_NONE;
}

/* Return the client with this ID that can get records, or NULL. */
static inline struct client *
client_by_id(const struct hub *hub, uint64_t id)
{
	struct client *c = hub->by_id[id & hub->id_mask];

	return c != NULL && c->id == id ? c : NULL;
}

/* deflate.c */
void deflate_start(struct hub *hub, unsigned char window_bits);
bool deflate_wanted(const struct client *c, size_t n);
/* Return the message in the form for this client: compressed or not. It is compressed once, for the first client with
 * compression. */
struct message *outgoing_for(struct hub *hub, struct outgoing *o, const struct client *c);
void outgoing_release(struct outgoing *o);
/* Return the state that decompresses the client's current message, or NULL without memory. If the message is
 * incomplete, inflate_keep() reserves the state for the client; it returns false without memory. */
struct reader_inflate *inflate_take(struct hub *hub, struct client *c);
bool inflate_keep(struct hub *hub, struct client *c, struct reader_inflate *in);
void inflate_trim(struct hub *hub);
struct span client_message(const struct client *c);
void client_message_drop(struct hub *hub, struct client *c);

/* client.c */
struct hub *hub_of(struct loop *loop);
struct strbuf scratch_text(struct hub *hub);
void program_put(struct hub *hub, const struct client *c, const char *word, const void *rest, size_t n);
void program_put_text(struct hub *hub, const struct client *c, const char *word, const struct strbuf *text);
bool client_reads(struct hub *hub, const struct client *c);
void client_deadline(struct hub *hub, struct client *c, struct deadlines *queue);
void client_interest(struct hub *hub, struct client *c);
struct client *client_of(struct deadline *deadline);
void client_mark(struct hub *hub, struct client *c);
void client_forget(struct hub *hub, struct client *c, unsigned code, struct span reason);
void client_put_close(struct hub *hub, struct client *c);
void client_end(struct hub *hub, struct client *c);
struct message *message_close(unsigned code, const char *reason);
struct message *message_begin(enum opcode opcode, size_t n, unsigned char **payload);
struct message *message_frame(enum opcode opcode, const void *payload, size_t n);
bool client_queue(struct hub *hub, struct client *c, struct message *message);
bool client_queue_bytes(struct hub *hub, struct client *c, const void *bytes, size_t n);
bool client_queue_once(struct hub *hub, struct client *c, struct message *message);
void client_act(struct hub *hub, struct client *c, unsigned actions);
void client_finish(struct hub *hub, struct client *c, unsigned actions);
void client_close(struct hub *hub, struct client *c, struct message *close);
void client_close_once(struct hub *hub, struct client *c, struct message *close);
void client_fail(struct hub *hub, struct client *c, unsigned code, const char *why);
void clients_end_turn(struct hub *hub);
void client_send(struct hub *hub, struct client *c, struct message *message);
bool client_send_text(struct hub *hub, struct client *c, const void *text, size_t n);
void client_timeout(struct loop *loop, struct deadline *deadline);

/* deferred_close.c */
void unread_begin(struct hub *hub);
void unread_update(struct hub *hub, uint64_t bytes_consumed);
void deferred_closes_poll(struct hub *hub);
void close_take(struct hub *hub, struct client *c, const struct reader_event *e);
void eof_take(struct hub *hub, struct client *c);
void deferred_closes_begin(struct hub *hub);

/* dispatch.c */
void program_out_close(struct hub *hub);
bool program_read(struct hub *hub, int64_t until);
void program_read_all(struct hub *hub, int64_t until);
void commands_continue(struct hub *hub);

/* connection.c */
void client_opened(struct hub *hub, struct client *c, unsigned char *trailing, size_t n);
void client_share_set(struct hub *hub, size_t share);

/* open.c */
extern const struct upgrade_owner hub_owner;

#endif
