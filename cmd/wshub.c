/* wshub: all WebSocket clients in one process, one program behind them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ws/console.h"
#include "ws/frame.h"
#include "ws/handshake.h"
#include "http/head.h"
#include "http/proxy.h"
#include "ws/command.h"
#include "ws/reader.h"
#include "ws/record.h"
#include "base/utf8.h"
#include "gate.h"
#include "base/buffer.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "sys/address.h"
#include "sys/auth_requests.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/acceptor.h"
#include "sys/fds.h"
#include "sys/file.h"
#include "sys/ids.h"
#include "sys/listen.h"
#include "sys/loop.h"
#include "sys/notify.h"
#include "serve/outbox.h"
#include "sys/pipes.h"
#include "sys/program.h"
#include "sys/progress.h"
#include "serve/rooms.h"
#include "sys/sandbox.h"
#include "sys/signals.h"
#include "sys/block_cache.h"
#include "sys/timed_io.h"
#include "sys/address_limit.h"

enum {
	MAX_DEFAULT = 10000,
	MAX_LIMIT = 1000000,
	QUEUE_DEFAULT = 8 << 20,
	QUEUE_LIMIT = 1 << 30,
	MESSAGE_DEFAULT = 1 << 20,
	PING_DEFAULT_MS = 30 * 1000,
	UNREAD_MS = 30 * 1000, /* with -k 0: how long prog may read nothing */
	CLOSE_DEFAULT_MS = 2000,
	TIME_LIMIT_MS = 24 * 60 * 60 * 1000,
	/* All that a client may have to wait behind: what a turn takes of the others, what
	 * waits for the program, what is in the two pipes, and what was read of it. */
	TURN_SIZE = 256 << 10,     /* read from all clients in a turn, from each its part: */
	TAKEN_SIZE = 64 << 10,     /* at most so much in one go, */
	TAKEN_LEAST = 1 << 10,     /* at least so much, */
	FAN_LEAST = 64,            /* less where each byte is for very many */
	STALL_AT = 256 << 10,      /* waiting for the program: no client is read */
	RESUME_AT = 64 << 10,
	PIPE_SIZE = 256 << 10,
	PROGRAM_SIZE = 256 << 10,  /* read from the program in one go */
	SLICE = 64 << 10,          /* of a long record, written in one go */
	FLUSH_AFTER = 64 << 10,    /* deliveries that wait before some are sent */
	DESCRIPTORS = 6,           /* besides clients: epoll, prog's pipes, systemd's socket, /dev/null, one to spare */
	POLL_MS = 1,               /* how soon to look whether prog has read, and how seldom at last */
	POLL_MS_MAX = 64,
};

enum { KEY_HEADERS = ADMISSION_OWN, KEY_FAN_OUT, KEY_REPLACE, KEY_PROXY };

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "say who connects and disconnects"},
	{'n', "netstring", NULL, "records are netstrings, payloads exact, binary messages too"},
	{'c', "max", "N", "clients at once, the next one waits (10000)"},
	{'C', "max-per-address", "N", "clients at once from one address, one over is closed"},
	{'q', "queue", "SIZE", "what may wait for a client before it is closed with 1013 (8M)"},
	{'M', "max-message", "SIZE", "payload of a client's message (1M)"},
	{'k', "ping", "TIME", "ping a client silent for so long, 0 is never (30s)"},
	{'w', "close-wait", "TIME", "time limit for our Close and each shutdown step (2s)"},
	{KEY_HEADERS, "headers", NULL, "tell prog the fields of each request"},
	{KEY_FAN_OUT, "fan-out", NULL, "no prog: what one client sends goes to all others in its path"},
	{KEY_REPLACE, "replace", NULL, "U+FFFD for what is not UTF-8 in the program's text"},
	{KEY_PROXY, "proxy", NULL, "each connection begins with a PROXY header"},
	ADMISSION_ROWS,
};

static const struct usage usage = {
	.program = "wshub",
	.synopsis = "[option...] prog [arg...]\n[option...] --fan-out",
	.summary = "Serves WebSocket clients on the listening sockets it is given, one prog behind all.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

static struct {
	struct admission admission;
	bool verbose, exact, headers, fan_out, replace, proxy;
	uint64_t max, max_per_address; /* 0: any number */
	size_t queue;
	uint64_t message; /* 0: the default, as far as the queue allows */
	int64_t ping_ms, close_ms;
	char **next;
} options = {
	.admission.limit_ms = ADMISSION_HEAD_MS, .max = MAX_DEFAULT, .queue = QUEUE_DEFAULT,
	.ping_ms = PING_DEFAULT_MS, .close_ms = CLOSE_DEFAULT_MS,
};

enum stage {
	STAGE_PROXY,   /* with --proxy: its PROXY header comes in */
	STAGE_HEAD,    /* its request comes in */
	STAGE_WAITING, /* for its turn to have the authorization program asked */
	STAGE_AUTHORIZING,
	STAGE_OPEN,
	STAGE_CLOSED,  /* its Close is here, ours waits for what prog says to its last words */
	STAGE_CLOSING, /* our Close is on its way, the client's is awaited */
	STAGE_LINGERING, /* all is said: what waits is sent, what comes is forgotten */
	STAGE_DEAD,    /* closed, and freed at the turn's end */
};

/* Why a client that could be read is not. */
enum pause {
	PAUSE_NONE,
	PAUSE_STALLED, /* the program takes nothing */
	PAUSE_BEHIND,  /* the client takes nothing: its own queue is long */
};

/* A client's Close that prog has not read of yet. */
struct deferred_close {
	uint64_t at; /* of all that prog is told: how far it must have read for the next step */
	unsigned code;
};

struct client {
	struct watch watch;
	struct deadline deadline;
	struct outbox out;
	union {
		struct proxy *proxy;   /* STAGE_PROXY */
		struct http_scan scan; /* STAGE_HEAD */
		struct reader reader;  /* from STAGE_OPEN on */
		struct deferred_close deferred_close; /* STAGE_CLOSED */
	};
	uint64_t id; /* 0 before it is open */
	struct member *rooms;
	unsigned char *kept; /* came in and cannot be used yet: a part of a head or of a frame */
	size_t kept_size;
	struct buffer message; /* the part of a message that has come in, or its Close's reason */
	struct client *next_dirty;
	struct address_key network;
	size_t index; /* in server.clients */
	uint64_t progress; /* for progress_made(): how far it has come with what it was sent */
	uint32_t unanswered; /* messages that it has said more than were said to its number */
	unsigned char stage;
	unsigned char pause; /* STAGE_OPEN: what its keepalive was set for */
	bool dirty : 1;   /* something is to be sent, or it is to be freed */
	bool announced : 1;   /* prog was told of it, and not of its end */
	bool addressable : 1;  /* prog's words to its number and to its rooms reach it */
	bool shut : 1;    /* our side of the connection is ended */
	bool ended : 1;   /* its own side is ended */
	char peer[];  /* `127.0.0.1 52344`; with --proxy the port that it called follows, 0 if not known */
};

enum { PEER_SIZE = ADDRESS_IP_SIZE + sizeof " 65535", PEER_PORT = PEER_SIZE, PEER_PROXY_SIZE = PEER_SIZE + sizeof(uint16_t) };

static struct {
	struct loop loop;
	struct acceptor acceptor;
	struct listeners listeners;
	struct client **clients; /* all connections */
	size_t count;
	struct ids ids;
	struct auth_requests asked; /* the authorization programs that run */
	bool waiting;       /* clients wait for one to be run for them */
	int null;           /* /dev/null, their stdin: opened while there are descriptors */
	struct message *page; /* for browsers, shared by all clients that it is sent to; NULL for none */
	bool page_fixed;      /* it is not read again */
	struct address_limit networks;
	struct rooms rooms;
	struct client *dirty;
	size_t undelivered; /* deliveries since the last flush */
	size_t fan_share;   /* at most so much is read of a client in one go */
	bool backpressure;       /* prog does not take what there is */
	struct deadlines heads, pings, pongs, closes, lingers, ends;
	struct deadlines unread_messages, unread_closes; /* those whose Close waits: for prog to read their words, then of it, */
	struct deadlines lasts;            /* then until all that prog has written is done */
	struct deadlines polls, unreads;
	struct deadline end, poll_at;
	struct deadline unread; /* set while something waits for prog to read */
	uint64_t bytes_consumed;          /* how far prog had read when that was set */
	unsigned char taken[HTTP_HEAD_MAX + TAKEN_SIZE + TAKEN_SIZE];
	struct http_request request; /* that is looked at; all zero where none was whole */
	char scratch[2 * HTTP_HEAD_MAX];
} server;

static struct {
	pid_t pid; /* 0 where it is gone, or there is none */
	int status;
	struct pipes pipes;
	struct record_decoder records; /* of what it says */
	bool skips;              /* the record under way is too long: to its end */
	bool behind;             /* records that were read wait for the next turn */
} program;

/* The end of all: why, and what it comes to. */
static struct {
	bool begun, over;
	bool stopped;   /* by SIGTERM or SIGINT */
	int signalled;  /* prog, the first time with SIGTERM, the second with SIGKILL */
	bool asks_prog; /* its stdout ended first: its own status is what it comes to, if it comes in time */
	int status;
} shutdown_state;

/*
 * Records for prog. What is written here leaves at the turn's end, a long one
 * in slices before it is all written, so that prog has something to do meanwhile.
 */

/* It reads no more: what else there would be to read is forgotten. */
static void
program_in_close(void)
{
	pipes_close_in(&server.loop, &program.pipes);
}

/* That it does not read (EPIPE) is its own affair. */
static void
program_write(void)
{
	if (!program.pipes.in_open || pipes_write(&program.pipes) == 0)
		return;
	if (errno != EPIPE)
		warn("the program's stdin: %s", strerror(errno));
	program_in_close();
}

static void
program_put(const char *bytes, size_t n, bool escaped)
{
	unsigned char *room;

	if (n == 0)
		return;
	room = pipes_room(&program.pipes, escaped ? 2 * n : n);
	if (room == NULL)
		die(STATUS_FAILED, "no memory for what the program is to read");
	if (escaped)
		n = command_escape((char *)room, bytes, n);
	else
		memcpy(room, bytes, n);
	pipes_queue(&program.pipes, n);
}

static void
program_put_long(const char *bytes, size_t n, bool escaped)
{
	for (; n > SLICE && program.pipes.in_open; bytes += SLICE, n -= SLICE) {
		program_put(bytes, SLICE, escaped);
		program_write();
	}
	if (program.pipes.in_open)
		program_put(bytes, n, escaped);
}

/* `ID WORD REST`, the rest with escapes, or as it is in a netstring. */
static void
program_tell(const struct client *c, const char *word, const void *rest, size_t n)
{
	char head[64], length[32];
	struct strbuf t = {.at = head, .room = sizeof head}, size = {.at = length, .room = sizeof length};

	if (!program.pipes.in_open)
		return;
	strbuf_put_number(&t, c->id);
	strbuf_put_char(&t, ' ');
	strbuf_put_string(&t, word);
	strbuf_put_char(&t, ' ');
	if (options.exact) {
		strbuf_put_number(&size, t.size + n);
		strbuf_put_char(&size, ':');
		program_put(length, size.size, false);
	}
	program_put(head, t.size, false);
	program_put_long(rest, n, !options.exact);
	if (program.pipes.in_open)
		program_put(options.exact ? "," : "\n", 1, false);
}

static struct strbuf
scratch_text(void)
{
	return (struct strbuf){.at = server.scratch, .room = sizeof server.scratch};
}

static void
program_tell_text(const struct client *c, const char *word, const struct strbuf *text)
{
	program_tell(c, word, text->at, text->size);
}

/* The order of clients is the order in which they were stopped, by the loop's own. */
static void client_interest(struct client *c);

/* Something waits for prog to read: its time runs from its last read on. */
static void
unread_begin(void)
{
	if (server.unread.next != NULL)
		return;
	server.bytes_consumed = pipes_consumed(&program.pipes);
	deadline_set(&server.loop, &server.unreads, &server.unread);
}

/* Prog has read up to there. */
static void
unread_look(uint64_t bytes_consumed)
{
	if (!server.backpressure && server.poll_at.next == NULL)
		deadline_drop(&server.unread);
	if (server.unread.next == NULL || bytes_consumed == server.bytes_consumed)
		return;
	server.bytes_consumed = bytes_consumed;
	deadline_set(&server.loop, &server.unreads, &server.unread);
}

static void
clients_resume(void)
{
	server.backpressure = false;
	unread_look(server.bytes_consumed);
	for (size_t i = 0; i < server.count; i++)
		client_interest(server.clients[i]);
}

static void
program_flush(void)
{
	struct pipes *p = &program.pipes;

	program_write();
	pipes_settle(p);
	if (shutdown_state.begun && buffer_held(&p->to) == 0)
		program_in_close();
	if (p->in_open)
		watch_want(&server.loop, &p->in, buffer_held(&p->to) != 0 ? EPOLLOUT : 0);
	if (buffer_held(&p->to) > STALL_AT) {
		server.backpressure = true;
		unread_begin();
		unread_look(pipes_consumed(p));
	} else if (server.backpressure && buffer_held(&p->to) <= RESUME_AT) {
		clients_resume();
	}
}

/* EPOLLERR: it has closed its end. */
static void
program_in_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	(void)loop;
	(void)watch;
	if (events & EPOLLERR)
		program_in_close();
	else
		program_flush();
}

/* `127.0.0.1:52344`, for the log. */
static const char *
client_name(const struct client *c)
{
	static char name[ADDRESS_TEXT_SIZE];
	int ip = (int)strcspn(c->peer, " ");
	const char *port = c->peer + ip + 1;

	if (memchr(c->peer, ':', (size_t)ip) != NULL)
		(void)snprintf(name, sizeof name, "[%.*s]:%s", ip, c->peer, port);
	else if (strcmp(port, "0") == 0)
		(void)snprintf(name, sizeof name, "%.*s", ip, c->peer);
	else
		(void)snprintf(name, sizeof name, "%.*s:%s", ip, c->peer, port);
	return name;
}

static enum pause
client_pause(const struct client *c)
{
	if (c->out.held > options.queue / 2)
		return PAUSE_BEHIND;
	return server.backpressure ? PAUSE_STALLED : PAUSE_NONE;
}

/* A client is read while somebody takes what it says, and while it takes what is said to it. */
static bool
client_reads(const struct client *c)
{
	switch (c->stage) {
	case STAGE_LINGERING: return !c->ended;
	case STAGE_WAITING:
	case STAGE_AUTHORIZING:
	case STAGE_CLOSED: return false;
	default: return client_pause(c) == PAUSE_NONE;
	}
}

/* Another deadline than it had. */
static void
client_clock(struct client *c, struct deadlines *queue)
{
	deadline_drop(&c->deadline);
	deadline_set(&server.loop, queue, &c->deadline);
}

/* A client that is not read cannot show that it is alive. If its own queue is the cause,
 * it must go on to take that; while the program stalls its keepalive is suspended. */
static void
client_keepalive(struct client *c)
{
	enum pause pause = client_pause(c);

	if (c->stage != STAGE_OPEN || c->pause == pause || options.ping_ms == 0)
		return;
	c->pause = (unsigned char)pause;
	switch (pause) {
	case PAUSE_NONE: client_clock(c, &server.pings); break;
	case PAUSE_STALLED: deadline_drop(&c->deadline); break;
	case PAUSE_BEHIND:
		(void)progress_made(c->watch.fd, &c->progress);
		client_clock(c, &server.pongs);
		break;
	}
}

/* A UNIX socket that was closed tells so before what it said is read, then once and not
 * for ever (EPOLLET). */
static void
client_interest(struct client *c)
{
	bool reads = client_reads(c), sends = c->out.first != NULL;

	if (c->stage == STAGE_DEAD)
		return;
	client_keepalive(c);
	watch_want(&server.loop, &c->watch, (reads ? EPOLLIN : sends ? 0 : EPOLLET) | (sends ? EPOLLOUT : 0));
}

static struct client *
client_of(struct deadline *deadline)
{
	return (struct client *)((char *)deadline - offsetof(struct client, deadline));
}

static void
client_mark(struct client *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = server.dirty;
	server.dirty = c;
}

/* Prog hears of its end. */
static void
client_tell_end(struct client *c, unsigned code, struct span reason)
{
	struct strbuf text = scratch_text();

	if (!c->announced)
		return;
	c->announced = false;
	strbuf_put_number(&text, code);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, reason);
	program_tell_text(c, "close", &text);
	if (options.verbose)
		log_info("%s disconnected (%llu, %u%s%s)", client_name(c), (unsigned long long)c->id, code,
		    reason.size == 0 ? "" : " ", quoted_bytes(reason.at, reason.size));
}

static void deferred_close_tell(struct client *c);
static void deferred_close_end(struct client *c, struct message *close);

/* The same, and it hears no more of prog. */
static void
client_forget(struct client *c, unsigned code, struct span reason)
{
	client_tell_end(c, code, reason);
	if (!c->addressable)
		return;
	c->addressable = false;
	rooms_part_all(&server.rooms, &c->rooms);
	ids_end(&server.ids, c->id);
}

static void
client_end(struct client *c)
{
	if (c->stage == STAGE_CLOSED)
		deferred_close_tell(c);
	client_forget(c, CLOSE_ABNORMAL, span_of(""));
	auth_requests_drop(&server.asked, c);
	deadline_drop(&c->deadline);
	outbox_clear(&c->out);
	block_drop(&c->message);
	free(c->kept);
	if (c->stage == STAGE_PROXY)
		free(c->proxy);
	watch_close(&server.loop, &c->watch);
	if (options.max_per_address != 0)
		address_limit_remove(&server.networks, c->network);
	server.clients[c->index] = server.clients[--server.count];
	server.clients[c->index]->index = c->index;
	if (server.count + 1 == options.max && !shutdown_state.begun)
		acceptor_start(&server.loop, &server.acceptor);
	acceptor_retry(&server.loop, &server.acceptor);
	c->stage = STAGE_DEAD;
	client_mark(c);
}

/* What is queued leaves at the turn's end. */
static bool
client_queue(struct client *c, struct message *message)
{
	if (message == NULL || !outbox_put(&c->out, message))
		return false;
	client_mark(c);
	return true;
}

static struct message *
message_of(const void *bytes, size_t n)
{
	struct message *m = message_new(n);

	if (m != NULL && n != 0)
		memcpy(m->bytes, bytes, n);
	return m;
}

static struct message *
message_close(unsigned code, const char *reason)
{
	unsigned char frame[FRAME_CONTROL_MAX];

	return message_of(frame, frame_close(code, reason, NULL, frame));
}

/* Queues it and lets go of it. */
static bool
client_queue_once(struct client *c, struct message *message)
{
	bool queued = client_queue(c, message);

	if (message != NULL)
		message_release(message);
	return queued;
}

/* All is said. queue: how long it may take to take it. */
static void
client_linger(struct client *c, struct deadlines *queue)
{
	c->stage = STAGE_LINGERING;
	block_drop(&c->message);
	client_clock(c, queue);
	client_mark(c);
}

/* Our Close, behind what is queued; the client's is awaited. */
static void
client_close(struct client *c, struct message *close)
{
	if (c->stage == STAGE_CLOSED)
		deferred_close_end(c, close);
	if (c->stage != STAGE_OPEN)
		return;
	c->stage = STAGE_CLOSING;
	client_clock(c, &server.closes);
	if (!client_queue(c, close))
		client_linger(c, &server.closes);
}

/* The same, and lets go of the message. */
static void
client_close_once(struct client *c, struct message *close)
{
	client_close(c, close);
	if (close != NULL)
		message_release(close);
}

/* The client is wrong: our Close says how, and nothing more is heard. */
static void
client_fail(struct client *c, unsigned code, const char *why)
{
	if (options.verbose)
		warn("%s: %u %s%s", client_name(c), code, why,
		    code == CLOSE_UNSUPPORTED ? " (use --netstring)" : "");
	client_forget(c, code, span_of(why));
	if (c->stage == STAGE_OPEN)
		(void)client_queue_once(c, message_close(code, why));
	client_linger(c, &server.closes);
}

/* It takes too little of what is said to it: the others do not wait for it. */
static void
client_overflow(struct client *c)
{
	if (options.verbose)
		warn("%s: more than the queue holds waits for it", client_name(c));
	outbox_cut(&c->out);
	client_close_once(c, message_close(CLOSE_TRY_AGAIN, "too slow"));
}

static void client_flush(struct client *c);
static void clients_flush(void);

/* A message alone is never too much: its payload is at most the queue's size. */
static bool
client_has_room(const struct client *c, const struct message *message)
{
	return c->out.held == 0 || c->out.held + message->size <= options.queue;
}

static void
client_send(struct client *c, struct message *message)
{
	if (c->stage != STAGE_OPEN && c->stage != STAGE_CLOSED)
		return;
	/* What it would take now does not count against it. */
	if (!client_has_room(c, message))
		client_flush(c);
	if (!client_has_room(c, message) || !client_queue(c, message))
		client_overflow(c);
	if (++server.undelivered >= FLUSH_AFTER)
		clients_flush();
}

/* The limit of the end of a connection, for each step of it. */
static struct deadlines *
client_limit(const struct client *c)
{
	return c->shut ? &server.lingers : c->id == 0 ? &server.heads : &server.closes;
}

/* It has taken some of what waited: its time begins anew. */
static void
client_takes(struct client *c)
{
	bool closes = c->stage >= STAGE_CLOSING && !c->shut;

	if (!closes && (c->stage != STAGE_OPEN || c->pause != PAUSE_BEHIND))
		return;
	(void)progress_made(c->watch.fd, &c->progress);
	client_clock(c, closes ? client_limit(c) : &server.pongs);
}

/* Ends no client: the caller may be on its way through all of them. The loop tells when both sides are shut. */
static void
client_flush(struct client *c)
{
	size_t before = c->out.held;
	bool lingers = c->stage == STAGE_LINGERING && !c->shut;

	/* Where this fails the loop tells of it too. */
	if (outbox_send(&c->out, c->watch.fd, lingers) != 0)
		outbox_clear(&c->out);
	if (lingers && c->out.first == NULL) {
		c->shut = true;
		(void)shutdown(c->watch.fd, SHUT_WR);
		client_clock(c, &server.lingers);
	} else if (c->out.first != NULL && c->out.held != before) {
		client_takes(c);
	}
	client_interest(c);
}

static void
clients_flush(void)
{
	struct client *first = server.dirty, *next;

	server.dirty = NULL;
	server.undelivered = 0;
	for (struct client *c = first; c != NULL; c = next) {
		next = c->next_dirty;
		c->dirty = false;
		if (c->stage == STAGE_DEAD)
			free(c);
		else
			client_flush(c);
	}
	if (first != NULL && server.count == 0)
		block_cache_trim();
}

/*
 * Messages.
 */

/* With *payload for n bytes. */
static struct message *
message_begin(enum opcode opcode, size_t n, unsigned char **payload)
{
	struct frame frame = {.length = n, .opcode = opcode, .fin = true};
	unsigned char head[FRAME_HEAD_MAX];
	size_t size = frame_encode(&frame, head);
	struct message *m = message_new(size + n);

	if (m == NULL)
		return NULL;
	memcpy(m->bytes, head, size);
	*payload = m->bytes + size;
	return m;
}

static struct message *
message_frame(enum opcode opcode, const void *payload, size_t n)
{
	unsigned char *room;
	struct message *m = message_begin(opcode, n, &room);

	if (m != NULL && n != 0)
		memcpy(room, payload, n);
	return m;
}

/* To all the others in its path. */
static void
message_fan_out(struct client *c, bool binary, const void *payload, size_t n)
{
	struct message *m = message_frame(binary ? OPCODE_BINARY : OPCODE_TEXT, payload, n);
	struct member *next;

	if (m == NULL) {
		client_fail(c, CLOSE_INTERNAL_ERROR, "no memory");
		return;
	}
	for (struct member *in = rooms_first(c->rooms); in != NULL; in = next) {
		next = in->next;
		if (in->owner != c)
			client_send(in->owner, m);
	}
	message_release(m);
}

/* A whole message of a client. */
static void
message_take(struct client *c, bool binary, const void *payload, size_t n)
{
	if (options.fan_out) {
		message_fan_out(c, binary, payload, n);
	} else {
		program_tell(c, binary ? "binary" : "text", payload, n);
		c->unanswered++;
	}
}

static void
chunk_take(struct client *c, const struct chunk *p)
{
	if (p->first && p->last) {
		message_take(c, p->binary, p->at, p->size);
		return;
	}
	if (!block_reserve(&c->message, p->size == 0 ? 1 : p->size, (size_t)(2 * options.message))) { /* also for an empty piece */
		client_fail(c, CLOSE_INTERNAL_ERROR, "no memory");
		return;
	}
	if (p->size != 0)
		buffer_put(&c->message, p->at, p->size);
	if (!p->last)
		return;
	message_take(c, p->binary, buffer_head(&c->message), buffer_held(&c->message));
	block_drop(&c->message);
}

static void
ping_answer(struct client *c, const struct chunk *p)
{
	unsigned char frame[FRAME_CONTROL_MAX];

	if (c->stage == STAGE_OPEN)
		(void)client_queue_once(c, message_of(frame, frame_control(OPCODE_PONG, p->at, p->size, NULL, frame)));
}

/*
 * A client may close right behind its last words. What prog says to them still
 * goes out, and our Close behind it. That ends by itself: prog is told of the
 * Close only when it has read those words, and when it reads that it has said
 * what it says to them, if it does one thing after the other and holds nothing
 * back. No event tells that a pipe was read, so we look. Who has had an answer
 * to all that it said need not wait.
 */
static void
poll_due(struct loop *loop, struct deadline *deadline)
{
	if (server.polls.after_ms < POLL_MS_MAX)
		server.polls.after_ms *= 2;
	deadline_set(loop, &server.polls, deadline);
}

static void
polls_begin(void)
{
	server.polls.after_ms = POLL_MS;
	deadline_drop(&server.poll_at);
	deadline_set(&server.loop, &server.polls, &server.poll_at);
}

static void
deferred_close_begin(struct client *c, unsigned code, struct span reason)
{
	block_drop(&c->message);
	if (reason.size != 0 && block_reserve(&c->message, reason.size, (size_t)(2 * options.message)))
		buffer_put(&c->message, reason.at, reason.size);
	c->stage = STAGE_CLOSED;
	c->deferred_close = (struct deferred_close){.at = program.pipes.bytes_queued, .code = code};
	client_clock(c, &server.unread_messages);
	client_mark(c);
	polls_begin();
	unread_begin();
}

/* Prog is told of it, which it reads in its turn. */
static void
deferred_close_tell(struct client *c)
{
	const char *reason = (const char *)buffer_head(&c->message);

	client_tell_end(c, c->deferred_close.code, (struct span){reason, buffer_held(&c->message)});
	c->deferred_close.at = program.pipes.bytes_queued;
	client_clock(c, &server.unread_closes);
}

static void
deferred_close_end(struct client *c, struct message *close)
{
	deferred_close_tell(c);
	client_forget(c, c->deferred_close.code, span_of(""));
	if (close != NULL)
		(void)client_queue(c, close);
	client_linger(c, &server.closes);
}

/* What a Close of that code is answered with; the end of a connection without one as well. */
static struct message *
message_answer(unsigned code)
{
	return message_close(code == CLOSE_ABNORMAL ? CLOSE_NORMAL : code, "");
}

static void
deferred_close_answer(struct client *c)
{
	struct message *close = message_answer(c->deferred_close.code);

	deferred_close_end(c, close);
	if (close != NULL)
		message_release(close);
}

/* The first of the queue, where prog has read far enough for it. */
static struct client *
deferred_close_next(const struct deadlines *queue, uint64_t bytes_consumed)
{
	struct deadline *first = deadlines_first(queue);

	return first != NULL && client_of(first)->deferred_close.at <= bytes_consumed ? client_of(first) : NULL;
}

static void
deferred_closes_poll(void)
{
	uint64_t bytes_consumed, done;

	if (server.poll_at.next == NULL)
		return;
	bytes_consumed = pipes_consumed(&program.pipes);
	for (struct client *c; (c = deferred_close_next(&server.unread_messages, bytes_consumed)) != NULL;) {
		deferred_close_tell(c);
		polls_begin();
	}
	for (struct client *c; (c = deferred_close_next(&server.unread_closes, bytes_consumed)) != NULL;) {
		c->deferred_close.at = pipes_said(&program.pipes);
		client_clock(c, &server.lasts);
	}
	done = program.pipes.said - (program.behind ? buffer_held(&program.pipes.from) : 0);
	for (struct client *c; (c = deferred_close_next(&server.lasts, done)) != NULL;)
		deferred_close_answer(c);
	if (deadlines_first(&server.unread_messages) == NULL && deadlines_first(&server.unread_closes) == NULL
	    && deadlines_first(&server.lasts) == NULL)
		deadline_drop(&server.poll_at);
	unread_look(bytes_consumed);
}

/* The client says no more: all that waits for it goes out, and our Close behind it. */
static void
client_said_all(struct client *c, unsigned code, struct span reason)
{
	client_forget(c, code, reason);
	if (c->stage == STAGE_OPEN)
		(void)client_queue_once(c, message_answer(code));
	client_linger(c, &server.closes);
}

/* The client's Close, or its end without one (1006). */
static void
close_take(struct client *c, unsigned code, struct span reason)
{
	if (c->stage == STAGE_OPEN && c->unanswered != 0 && program.pipes.in_open && !shutdown_state.begun)
		deferred_close_begin(c, code, reason);
	else
		client_said_all(c, code, reason);
}

static struct span
close_reason(const struct reader_event *e)
{
	return (struct span){(const char *)e->chunk.at, e->chunk.size};
}

static size_t
frames_take(struct client *c, unsigned char *bytes, size_t n)
{
	struct reader_event e = {.kind = READER_DATA};
	size_t used = 0;

	while (e.kind != READER_MORE && (c->stage == STAGE_OPEN || c->stage == STAGE_CLOSING)) {
		used += reader_step(&c->reader, bytes + used, n - used, SIZE_MAX, &e);
		switch (e.kind) {
		case READER_DATA: chunk_take(c, &e.chunk); break;
		case READER_PING: ping_answer(c, &e.chunk); break;
		case READER_CLOSE: close_take(c, e.code, close_reason(&e)); break;
		case READER_FAIL: client_fail(c, e.code, e.why); break;
		default: break;
		}
	}
	return used;
}

/*
 * The handshake.
 */
static void
headers_tell(const struct client *c)
{
	const struct http_fields *fields = &server.request.fields;
	const bool realm = options.admission.policy.realm != NULL;

	for (size_t i = 0; options.headers && i < fields->count; i++) {
		struct strbuf text = scratch_text();

		if (realm && span_equal_case(fields->all[i].name, span_of("Authorization")))
			continue;
		strbuf_put(&text, fields->all[i].name);
		strbuf_put_string(&text, ": ");
		strbuf_put(&text, fields->all[i].value);
		program_tell_text(c, "header", &text);
	}
}

/* With a realm prog gets the user's name; the password is for the program of -a alone. */
static void
user_tell(const struct client *c)
{
	char *user = server.scratch;

	if (options.admission.policy.realm != NULL && cgi_user(&server.request, user))
		program_tell(c, "user", user, strlen(user));
}

static void
client_open(struct client *c, const struct handshake *d)
{
	struct strbuf text = scratch_text();

	c->stage = STAGE_OPEN;
	c->id = ids_give(&server.ids, c);
	c->announced = c->addressable = true;
	c->reader = (struct reader){
		.peer = READER_OF_CLIENT, .limit = options.message,
		.text_only = !options.exact && !options.fan_out,
	};
	if (options.ping_ms != 0)
		client_clock(c, &server.pings);
	else
		deadline_drop(&c->deadline);
	if (options.fan_out && !rooms_join(&server.rooms, server.request.path, c, &c->rooms))
		client_fail(c, CLOSE_INTERNAL_ERROR, "no memory");
	strbuf_put_string(&text, c->peer);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, server.request.target);
	if (d->protocol.size != 0)
		strbuf_put_char(&text, ' ');
	strbuf_put(&text, d->protocol);
	program_tell_text(c, "open", &text);
	user_tell(c);
	headers_tell(c);
	if (options.verbose)
		log_info("Connected by %s (%llu, %zu of %llu)", client_name(c), (unsigned long long)c->id, server.count,
		    (unsigned long long)options.max);
	if (shutdown_state.begun)
		client_close_once(c, message_close(CLOSE_GOING_AWAY, "")); /* its request was under way at SIGTERM */
}

/* Keeps the page as it is in its file now. Without descriptors or memory to read it, and if the file
 * is not a regular one any more, the page stays as it was. False with errno if it cannot be read. */
static bool
page_renew(void)
{
	struct message *renewed;
	struct file file;

	if (server.page_fixed)
		return true;
	if (file_read(options.admission.page, ADMISSION_PAGE_MAX, NULL, &file) != 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOTSUP;
	if ((server.page->size != file.size || memcmp(server.page->bytes, file.bytes, file.size) != 0)
	    && (renewed = message_of(file.bytes, file.size)) != NULL) {
		message_release(server.page);
		server.page = renewed;
	}
	free(file.bytes);
	return true;
}

/* Refuses the server's request, serves it the page, or opens. */
static void
client_answer(struct client *c, struct handshake *d)
{
	char head[HANDSHAKE_ANSWER_SIZE];
	size_t size;
	bool queued;

	if (d->status == HTTP_OK && !page_renew()) {
		warn("%s: %s", quoted(options.admission.page), strerror(errno));
		handshake_refuse(d, HTTP_INTERNAL_ERROR, "cannot read the page");
	}
	/* client_open() logs the clients that are let in. */
	admission_log(client_name(c), d, &server.request, options.verbose && (d->status != HTTP_SWITCHING_PROTOCOLS
	    || admission_protocols_missed(d, &server.request).size != 0));
	size = handshake_answer(&options.admission.policy, &server.request, d,
	    d->status == HTTP_OK ? server.page->size : 0, head);
	queued = client_queue_once(c, message_of(head, size));
	if (queued && d->status == HTTP_OK && span_equal(server.request.method, span_of("GET")))
		(void)client_queue(c, server.page);
	if (queued && d->status == HTTP_SWITCHING_PROTOCOLS)
		client_open(c, d);
	else
		client_linger(c, &server.heads);
}

/* Refuses server.request. */
static void
request_refuse(struct client *c, enum http_status status, const char *why)
{
	struct handshake d = {0};

	handshake_refuse(&d, status, why);
	client_answer(c, &d);
}

/* No request was complete. */
static void
client_refuse(struct client *c, enum http_status status, const char *why)
{
	server.request = (struct http_request){0};
	request_refuse(c, status, why);
}

/* The request waited for its authorization program. */
static void
kept_refuse(struct client *c, enum http_status status, const char *why)
{
	struct http_scan scan = {0};
	int size = http_scan(&scan, (const char *)c->kept, c->kept_size);

	if (size <= 0 || http_request_parse((const char *)c->kept, (size_t)size, &server.request) != NULL)
		server.request = (struct http_request){0};
	request_refuse(c, status, why);
}

/* Starts its authorization program, or refuses it where there is none. */
static void
client_authorize(struct client *c, const struct handshake *d)
{
	struct address local;
	uint16_t called = 0;
	char port[8] = "";
	size_t ip = strcspn(c->peer, " ");
	struct cgi_connection ends = {
		.remote_address = {c->peer, ip}, .remote_port = span_of(c->peer + ip + 1),
	};
	char **environment;
	pid_t pid;

	if (options.proxy)
		memcpy(&called, c->peer + PEER_PORT, sizeof called);
	if (called == 0 && address_local(c->watch.fd, &local) == 0 && local.any.sa_family != AF_UNIX)
		called = address_port(&local);
	if (called != 0)
		(void)snprintf(port, sizeof port, "%u", called);
	ends.local_port = span_of(port);
	environment = admission_environment(&server.request, d, &ends);
	pid = environment == NULL ? -1 : admission_authorize(&options.admission, environment, server.null);
	free(environment);
	if (pid < 0) {
		request_refuse(c, HTTP_INTERNAL_ERROR, "cannot ask who is let in");
		return;
	}
	auth_requests_add(&server.asked, pid, c);
	c->stage = STAGE_AUTHORIZING;
}

/* The head stands in bytes. asked: the authorization program has let it in. Returns how
 * much is used: nothing while that program is asked. */
static size_t
head_take(struct client *c, const char *bytes, size_t n, bool asked)
{
	struct handshake d = {0};
	int size = http_scan(&c->scan, bytes, n);
	const char *why;

	if (size == 0)
		return 0;
	if (size < 0) {
		client_refuse(c, (enum http_status)-size, c->scan.why);
		return n;
	}
	why = http_request_parse(bytes, (size_t)size, &server.request);
	if (why != NULL) {
		client_refuse(c, HTTP_BAD_REQUEST, why);
		return n;
	}
	handshake_check(&options.admission.policy, &server.request, &d);
	if (options.admission.authorize != NULL && !asked
	    && (d.status == HTTP_SWITCHING_PROTOCOLS || d.status == HTTP_OK)) {
		c->scan = (struct http_scan){0};
		/* Not too many at once: it is looked at again when one has ended. */
		if (auth_requests_full(&server.asked)) {
			c->stage = STAGE_WAITING;
			server.waiting = true;
		} else {
			client_authorize(c, &d);
		}
		client_interest(c); /* what it says meanwhile waits in the kernel */
		return 0;
	}
	client_answer(c, &d);
	return (size_t)size;
}

/* Keeps what cannot be used yet, in front of what comes next. */
static void
client_keep(struct client *c, const unsigned char *bytes, size_t n)
{
	unsigned char *kept = n == 0 ? NULL : malloc(n);

	if (n != 0 && kept == NULL) {
		client_end(c);
		return;
	}
	if (n != 0)
		memcpy(kept, bytes, n);
	free(c->kept);
	c->kept = kept;
	c->kept_size = n;
}

/* `127.0.0.1 52344`, as prog and the log have it. */
static void
peer_text(const struct address *remote, char peer[PEER_SIZE])
{
	char ip[ADDRESS_IP_SIZE];

	address_ip(remote, ip);
	(void)snprintf(peer, PEER_SIZE, "%s %u", ip[0] == '\0' ? "unix" : ip, (unsigned)address_port(remote));
}

/* Whether the address, or its network, has as many clients already as it may have. *network is what it counts for. */
static bool
network_full(const struct address *remote, const char *peer, struct address_key *network)
{
	*network = (struct address_key){0}; /* over a UNIX socket: of no address */
	if (remote->any.sa_family == AF_UNIX)
		return false;
	*network = address_key_of_network(remote);
	if (options.max_per_address == 0 || address_limit_count(&server.networks, *network) < options.max_per_address)
		return false;
	if (options.verbose)
		warn("%s: over the limit of its address", peer);
	return true;
}

/* The client that the proxy connects for: from here on it has its name and counts for its address. */
static void
client_known(struct client *c)
{
	struct address remote = {.local.sun_family = AF_UNIX};
	const struct proxy *p = c->proxy;
	struct address_key network;
	bool full;

	if (p->family == PROXY_IPV4)
		remote = address_v4(p->client.ip, p->client.port);
	else if (p->family == PROXY_IPV6)
		remote = address_v6(p->client.ip, p->client.port);
	else if (p->family == PROXY_NONE)
		(void)address_remote(c->watch.fd, &remote);
	memcpy(c->peer + PEER_PORT, &p->server.port, sizeof p->server.port);
	peer_text(&remote, c->peer);
	full = network_full(&remote, c->peer, &network);
	if (options.max_per_address != 0) {
		address_limit_remove(&server.networks, c->network);
		(void)address_limit_add(&server.networks, network);
	}
	c->network = network;
	if (full) {
		client_end(c);
		return;
	}
	free(c->proxy);
	c->scan = (struct http_scan){0};
	c->stage = STAGE_HEAD;
}

/* A connection that ends before its first byte is a health check. */
static void
client_unknown(struct client *c, const char *why)
{
	if (c->proxy->taken != 0 || options.verbose)
		warn("%s: no PROXY header: %s", client_name(c), why);
	client_end(c);
}

/* Returns how much belongs to the PROXY header. */
static size_t
proxy_header_take(struct client *c, const unsigned char *bytes, size_t n)
{
	size_t used;

	switch (proxy_take(c->proxy, bytes, n, &used)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		client_known(c);
		break;
	case PROXY_BAD:
		warn("%s: PROXY header: %s", client_name(c), c->proxy->why);
		client_end(c);
		break;
	}
	return used;
}

/* bytes are all that has come in and is not used. */
static void
client_feed(struct client *c, unsigned char *bytes, size_t n, bool asked)
{
	size_t used = 0;

	if (c->stage == STAGE_PROXY)
		used = proxy_header_take(c, bytes, n);
	if (c->stage == STAGE_HEAD)
		used += head_take(c, (char *)bytes + used, n - used, asked);
	if (c->stage == STAGE_OPEN || c->stage == STAGE_CLOSING)
		used += frames_take(c, bytes + used, n - used);
	if (c->stage == STAGE_CLOSED || c->stage == STAGE_LINGERING)
		used = n;
	if (c->stage != STAGE_DEAD)
		client_keep(c, bytes + used, n - used);
}

/* No more comes from it. What is queued still goes out, and the answers to what it said. */
static void
client_eof(struct client *c)
{
	c->ended = true;
	if (c->stage == STAGE_PROXY)
		client_unknown(c, "end of file");
	else if (c->stage == STAGE_HEAD && c->kept_size != 0)
		client_refuse(c, HTTP_BAD_REQUEST, "a request that ends in its head");
	else if (c->stage == STAGE_OPEN || (c->stage == STAGE_CLOSING && c->out.first != NULL))
		close_take(c, CLOSE_ABNORMAL, span_of(""));
	else if (c->stage == STAGE_LINGERING && c->out.first != NULL)
		client_mark(c);
	else
		client_end(c);
}

/* Nobody waits long for what the others say: each gets a part of the turn. */
static size_t
client_share(void)
{
	size_t share = TURN_SIZE / (size_t)server.loop.count;

	share = share > TAKEN_SIZE ? TAKEN_SIZE : share < TAKEN_LEAST ? TAKEN_LEAST : share;
	return share < server.fan_share ? share : server.fan_share;
}

/* With --fan-out a few bytes may be for many: what one client says takes at most the time of a turn. */
static void
client_share_adapt(int64_t took_ms)
{
	if (took_ms > LOOP_TURN_MS / 2 && server.fan_share > FAN_LEAST)
		server.fan_share /= 2;
	else if (took_ms < LOOP_TURN_MS / 4 && server.fan_share < TAKEN_SIZE)
		server.fan_share *= 2;
}

static void
client_receive(struct client *c)
{
	size_t before = c->kept_size;
	int64_t began = options.fan_out ? clock_ms() : 0;
	ssize_t n;

	if (before != 0)
		memcpy(server.taken, c->kept, before);
	n = recv(c->watch.fd, server.taken + before, client_share(), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_end(c);
		return;
	}
	if (n == 0) {
		client_eof(c);
		return;
	}
	if (c->stage == STAGE_OPEN && options.ping_ms != 0)
		client_clock(c, &server.pings);
	client_feed(c, server.taken, before + (size_t)n, false);
	if (options.fan_out)
		client_share_adapt(clock_ms() - began);
}

static void
client_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct client *c = (struct client *)watch;

	(void)loop;
	if (events & EPOLLOUT)
		client_mark(c);
	if ((events & EPOLLIN) && client_reads(c))
		client_receive(c);
	else if ((events & EPOLLERR) || ((events & EPOLLHUP) && (client_reads(c) || c->shut)))
		client_end(c);
	else if (events & (EPOLLIN | EPOLLHUP))
		client_interest(c);
}

static void
client_accept(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote)
{
	struct address_key network = {0}; /* with --proxy: not known yet */
	char peer[PEER_SIZE];
	struct client *c;

	peer_text(remote, peer);
	if (!options.proxy && network_full(remote, peer, &network)) {
		(void)close(fd);
		return;
	}
	c = malloc(sizeof *c + (options.proxy ? PEER_PROXY_SIZE : strlen(peer) + 1));
	if (c != NULL)
		*c = (struct client){.watch.ready = client_ready, .network = network, .stage = STAGE_HEAD};
	if (c != NULL && options.proxy) {
		c->stage = STAGE_PROXY;
		c->proxy = calloc(1, sizeof *c->proxy);
	}
	if (c == NULL || (options.proxy && c->proxy == NULL) || watch_begin(loop, &c->watch, fd, EPOLLIN) != 0) {
		acceptor_pause(loop, acceptor, "a connection is closed unserved");
		if (c != NULL && options.proxy)
			free(c->proxy);
		free(c);
		(void)close(fd);
		return;
	}
	memcpy(c->peer, peer, strlen(peer) + 1);
	if (options.max_per_address != 0)
		(void)address_limit_add(&server.networks, network);
	c->index = server.count;
	server.clients[server.count++] = c;
	client_clock(c, &server.heads);
	if (server.count == options.max)
		acceptor_stop(loop, acceptor);
}

/* A slow reader goes on to take what waits for it. */
static void
client_late(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);

	(void)loop;
	if (progress_made(c->watch.fd, &c->progress))
		client_clock(c, client_limit(c));
	else
		client_end(c);
}

static void
head_late(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);

	auth_requests_drop(&server.asked, c);
	if (c->stage == STAGE_PROXY)
		client_unknown(c, strerror(ETIMEDOUT));
	else if (c->stage == STAGE_HEAD && server.backpressure)
		client_refuse(c, HTTP_SERVICE_UNAVAILABLE, "the program does not read");
	else if (c->stage == STAGE_HEAD && c->kept_size != 0)
		client_refuse(c, HTTP_REQUEST_TIMEOUT, "a request that takes too long");
	else if (c->stage == STAGE_AUTHORIZING || c->stage == STAGE_WAITING)
		kept_refuse(c, HTTP_INTERNAL_ERROR, "not known in time who is let in");
	else
		client_late(loop, deadline);
}

static void
ping_due(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);
	unsigned char frame[FRAME_CONTROL_MAX];

	(void)loop;
	(void)progress_made(c->watch.fd, &c->progress);
	(void)client_queue_once(c, message_of(frame, frame_control(OPCODE_PING, "", 0, NULL, frame)));
	client_clock(c, &server.pongs);
}

/* Our Ping stands in line behind what a slow reader still goes on to take. */
static void
pong_late(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);

	(void)loop;
	if (progress_made(c->watch.fd, &c->progress))
		client_clock(c, &server.pongs);
	else
		client_end(c);
}

/*
 * What prog says.
 */
static const char too_long[] = "longer than --queue allows";

struct delivery {
	struct message *message;
	bool close; /* it is a Close */
};

static void
deliver(const struct delivery *delivery, struct client *c)
{
	if (delivery->close)
		client_close(c, delivery->message);
	else
		client_send(c, delivery->message);
}

static void
command_deliver(const struct command *order, const struct delivery *delivery)
{
	struct span ids = order->ids;
	struct member *next;
	uint64_t id;

	if (order->to == COMMAND_ROOM) {
		for (struct member *in = rooms_members(&server.rooms, order->room); in != NULL; in = next) {
			struct client *c = in->owner;

			next = in->next;
			if (c->id != order->except)
				deliver(delivery, c);
		}
		return;
	}
	for (size_t i = 0; order->to == COMMAND_ALL && i < server.count; i++)
		if (server.clients[i]->id != order->except)
			deliver(delivery, server.clients[i]);
	while (order->to == COMMAND_IDS && command_id_next(&ids, &id)) {
		struct client *c = ids_find(&server.ids, id);

		if (c == NULL)
			continue;
		if (c->unanswered != 0)
			c->unanswered--;
		deliver(delivery, c);
	}
}

/* Lets go of the message. Returns NULL, or what is wrong. */
static const char *
command_send(const struct command *order, struct message *message, bool close)
{
	struct delivery delivery = {message, close};

	if (message == NULL)
		return "no memory";
	command_deliver(order, &delivery);
	message_release(message);
	return NULL;
}

static const char *
command_close(const struct command *order)
{
	char reason[UTF8_REPLACED_MAX * FRAME_CONTROL_MAX + 1];
	size_t n = order->payload.size < FRAME_CONTROL_MAX ? order->payload.size : FRAME_CONTROL_MAX;

	if (order->not_text)
		n = utf8_replace(order->payload.at, n, (unsigned char *)reason);
	else
		memcpy(reason, order->payload.at, n);
	reason[n] = '\0';
	return command_send(order, message_close(order->code, reason), true);
}

static const char *
command_message(const struct command *order)
{
	enum opcode opcode = order->verb == COMMAND_TEXT ? OPCODE_TEXT : OPCODE_BINARY;

	size_t n = order->not_text ? utf8_replace(order->payload.at, order->payload.size, NULL) : order->payload.size;
	unsigned char *payload;
	struct message *message;

	if (n > options.queue)
		return too_long;
	message = message_begin(opcode, n, &payload);
	if (message != NULL && order->not_text)
		(void)utf8_replace(order->payload.at, order->payload.size, payload);
	else if (message != NULL && n != 0)
		memcpy(payload, order->payload.at, n);
	return command_send(order, message, false);
}

static const char *
command_room(const struct command *order)
{
	struct span ids = order->ids;
	uint64_t id;

	while (command_id_next(&ids, &id)) {
		struct client *c = ids_find(&server.ids, id);

		if (c != NULL && order->verb == COMMAND_PART)
			rooms_part(&server.rooms, order->room, c);
		else if (c != NULL && !rooms_join(&server.rooms, order->room, c, &c->rooms))
			return "no memory";
	}
	return NULL;
}

/* A payload of the queue's size, with escapes, behind words of any sensible length. */
static size_t
order_max(void)
{
	return 2 * options.queue + PROGRAM_SIZE;
}

/* Returns NULL, or what is wrong with it. */
static const char *
command_do(char *record, size_t n)
{
	struct command order;
	const char *why = n > order_max() ? too_long : command_read(record, n, options.exact, &order);

	if (why != NULL && why != too_long && order.not_text) {
		if (options.replace)
			why = NULL;
		else
			(void)command_send(&order, message_close(CLOSE_INTERNAL_ERROR, ""), true);
	}
	if (why != NULL)
		return why;
	switch (order.verb) {
	case COMMAND_CLOSE: return command_close(&order);
	case COMMAND_JOIN:
	case COMMAND_PART: return command_room(&order);
	default: return command_message(&order);
	}
}

static void all_close(unsigned code, int status);

static void
order_complain(uint64_t number, const char *why)
{
	warn("record %llu of %s: %s", (unsigned long long)number, quoted(options.next[0]), why);
}

/* Takes the whole records out of what prog has said, until then (one record may be for all
 * clients); at its end the last line too. */
static void
commands_take(enum record_decoder_want want, int64_t until)
{
	struct buffer *b = &program.pipes.from;
	struct record_decoder *records = &program.records;
	struct record_decoder_find find;

	for (program.behind = false;; program.behind = true) {
		const char *why = NULL;

		record_decoder_look(records, buffer_head(b), buffer_held(b),
		    program.skips && want == RECORD_WHOLE ? RECORD_ALL : want, &find);
		if (find.kind == RECORD_MORE && !program.skips
		    && (buffer_held(b) > order_max() || find.left > order_max())) {
			program.skips = true;
			order_complain(records->number + 1, too_long);
			continue;
		}
		if (find.kind != RECORD_CHUNK) {
			program.behind = false;
			break;
		}
		if (program.behind && clock_ms() >= until)
			return;
		if (!program.skips)
			why = command_do((char *)find.chunk.at, find.chunk.size);
		program.skips = !find.chunk.last;
		record_decoder_take(records, &find);
		if (why != NULL)
			order_complain(records->number, why);
		buffer_take(b, find.before + find.chunk.size + find.after);
	}
	if (find.kind == RECORD_BAD) {
		order_complain(records->number + 1, find.why);
		pipes_close_out(&server.loop, &program.pipes); /* the rest is no better, however long prog goes on */
		all_close(CLOSE_INTERNAL_ERROR, STATUS_FAILED);
	}
}

static void
program_out_close(void)
{
	if (program.pipes.out_open)
		commands_take(RECORD_END, CLOCK_NEVER);
	pipes_close_out(&server.loop, &program.pipes);
}

/* One read. False where nothing came, now or ever. */
static bool
program_read(int64_t until)
{
	ssize_t n;

	if (!program.pipes.out_open)
		return false;
	n = pipes_read(&program.pipes, PROGRAM_SIZE);
	if (n > 0) {
		commands_take(RECORD_WHOLE, until);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0 && errno == ENOMEM)
		die(STATUS_FAILED, "no memory for what the program says");
	if (n < 0)
		warn("the program's stdout: %s", strerror(errno));
	program_out_close();
	return false;
}

/* What it has written by now. */
static void
program_read_all(void)
{
	uint64_t now = pipes_said(&program.pipes);

	if (program.behind)
		commands_take(RECORD_WHOLE, CLOCK_NEVER);
	while (program.pipes.said < now && program_read(CLOCK_NEVER))
		;
}

/* What a turn had no time for. */
static void
orders_go_on(void)
{
	if (program.behind)
		commands_take(RECORD_WHOLE, clock_ms() + LOOP_TURN_MS);
	server.loop.hurry = program.behind;
}

static int program_status(void);

static void
deferred_close_late(struct loop *loop, struct deadline *deadline)
{
	(void)loop;
	deferred_close_answer(client_of(deadline));
}

/* Whether a client that is not read has closed: a Close among the bytes that wait, or its end. */
static bool
client_has_closed(struct client *c, struct reader_event *e)
{
	struct pollfd p = {.fd = c->watch.fd, .events = POLLIN | POLLRDHUP};
	struct reader reader = c->reader;
	size_t used = 0, held = c->kept_size;
	ssize_t n;

	*e = (struct reader_event){.kind = READER_DATA, .code = CLOSE_ABNORMAL};
	if (poll(&p, 1, 0) <= 0 || (p.revents & POLLIN) == 0)
		return false;
	if (held != 0)
		memcpy(server.taken, c->kept, held);
	n = recv(p.fd, server.taken + held, TAKEN_SIZE, MSG_PEEK);
	held += n > 0 ? (size_t)n : 0;
	while (e->kind != READER_MORE && e->kind != READER_FAIL && e->kind != READER_CLOSE)
		used += reader_step(&reader, server.taken + used, held - used, SIZE_MAX, e);
	if (e->kind == READER_CLOSE)
		return true;
	*e = (struct reader_event){.code = CLOSE_ABNORMAL};
	return (p.revents & POLLRDHUP) != 0;
}

/* Prog has read nothing for -k. The clients that have closed go, with what they said last. A
 * program that speaks and has never read anything does not mean to: what is said to it is dropped. */
static void
unread_due(struct loop *loop, struct deadline *deadline)
{
	uint64_t bytes_consumed = pipes_consumed(&program.pipes);
	struct reader_event e;

	if (bytes_consumed == server.bytes_consumed) {
		for (struct deadline *d; (d = deadlines_first(&server.unread_messages)) != NULL;)
			deferred_close_answer(client_of(d));
		for (struct deadline *d; (d = deadlines_first(&server.unread_closes)) != NULL;)
			deferred_close_answer(client_of(d));
		for (size_t i = server.count; server.backpressure && i-- > 0;)
			if (server.clients[i]->stage == STAGE_OPEN && client_has_closed(server.clients[i], &e))
				client_said_all(server.clients[i], e.code, close_reason(&e));
		if (server.backpressure && bytes_consumed == 0 && program.records.number != 0) {
			warn("%s: reads no input, further input is dropped", quoted(options.next[0]));
			program_in_close();
			clients_resume();
		}
	}
	server.bytes_consumed = bytes_consumed;
	if (server.backpressure || server.poll_at.next != NULL)
		deadline_set(loop, &server.unreads, deadline);
}

/* Its stdout has ended: its status decides, if it comes in time. */
static void
program_out_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	if (program.behind)
		return;
	if (!program_read(clock_ms() + LOOP_TURN_MS) && !program.pipes.out_open && !shutdown_state.begun) {
		if (program.pid == 0)
			all_close(program_status() == 0 ? CLOSE_NORMAL : CLOSE_INTERNAL_ERROR, program_status());
		else
			deadline_set(loop, &server.ends, &server.end);
	}
}

static int
program_status(void)
{
	return program.pid == 0 ? child_status(program.status) : STATUS_OK;
}

/*
 * The end.
 */

/* Everybody is told to go. */
static void
all_close(unsigned code, int status)
{
	struct message *close;

	if (shutdown_state.begun)
		return;
	close = message_close(code, "");
	shutdown_state.begun = true;
	shutdown_state.status = status;
	notify_send("STOPPING=1");
	if (shutdown_state.stopped)
		acceptor_drain(&server.loop, &server.acceptor);
	acceptor_stop(&server.loop, &server.acceptor);
	listeners_close(&server.listeners);
	for (size_t i = server.count; i-- > 0;) {
		struct client *c = server.clients[i];

		if ((c->stage == STAGE_OPEN || c->stage == STAGE_CLOSED) && close != NULL)
			client_close(c, close);
		else if ((c->stage < STAGE_OPEN && !shutdown_state.stopped) || close == NULL)
			client_end(c);
	}
	if (close != NULL)
		message_release(close);
	deadline_drop(&server.end);
	deadline_set(&server.loop, &server.ends, &server.end);
}

/* Who is still here has had its time: clients go, and prog, with all its group, by force. */
static void
all_end(int number)
{
	for (size_t i = server.count; i-- > 0;)
		client_end(server.clients[i]);
	program_in_close();
	shutdown_state.over = program.pid == 0 || shutdown_state.signalled == 2;
	if (shutdown_state.over)
		return;
	shutdown_state.signalled = number == SIGKILL ? 2 : 1;
	child_signal(program.pid, number);
	deadline_drop(&server.end);
	deadline_set(&server.loop, &server.ends, &server.end);
}

/* Either prog's status did not come in time, or somebody has not gone. */
static void
end_due(struct loop *loop, struct deadline *deadline)
{
	(void)loop;
	(void)deadline;
	if (shutdown_state.begun) {
		all_end(shutdown_state.signalled == 0 ? SIGTERM : SIGKILL);
		return;
	}
	shutdown_state.asks_prog = true;
	all_close(CLOSE_NORMAL, STATUS_OK);
}

/* That it died of our signal says nothing of it. */
static int
program_result(void)
{
	int status = program_status();
	bool ours = shutdown_state.signalled != 0 && (status == STATUS_SIGNAL + SIGTERM || status == STATUS_SIGNAL + SIGKILL);

	return ours ? STATUS_OK : status;
}

static void
program_ended(int status)
{
	program.pid = 0;
	program.status = status;
	program_read_all();
	program_out_close();
	program_in_close();
	if (server.backpressure)
		clients_resume();
	if (shutdown_state.asks_prog)
		shutdown_state.status = program_result();
	all_close(program_status() == 0 ? CLOSE_NORMAL : CLOSE_INTERNAL_ERROR, program_status());
}

/* Its head is taken up again. asked: the authorization program has let it in. */
static void
head_again(struct client *c, bool asked)
{
	unsigned char *kept = c->kept;
	size_t n = c->kept_size;

	c->kept = NULL;
	c->kept_size = 0;
	c->stage = STAGE_HEAD;
	client_feed(c, kept, n, asked);
	free(kept);
	client_mark(c);
}

/* An authorization program has ended. */
static void
auth_finish(struct client *c, int status)
{
	if (child_status(status) == 0) {
		head_again(c, true);
		return;
	}
	kept_refuse(c, admission_denial(&options.admission), "not let in");
	client_mark(c);
}

static void
auth_start_next(void)
{
	if (!server.waiting)
		return;
	for (size_t i = 0; i < server.count; i++) {
		if (auth_requests_full(&server.asked))
			return;
		if (server.clients[i]->stage == STAGE_WAITING)
			head_again(server.clients[i], false);
	}
	server.waiting = false;
}

static void
children_reap(void)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		void *client;

		if (pid == program.pid) {
			(void)kill(-pid, SIGTERM); /* the rest of its group */
			program_ended(status);
		} else if (auth_requests_end(&server.asked, pid, &client)) {
			auth_finish(client, status);
		}
	}
}

/* SIGTERM, SIGINT: what prog has said by now still goes out. */
static void
stop(void)
{
	if (shutdown_state.stopped) {
		all_end(SIGKILL);
		return;
	}
	shutdown_state.stopped = true;
	program_read_all();
	all_close(CLOSE_GOING_AWAY, STATUS_OK);
}

/* A service manager may stop prog together with us: our own signal is the cause then. */
static void
signals_see(void)
{
	bool stopped = signals_take(SIGTERM);

	if (signals_take(SIGINT) || stopped)
		stop();
	if (signals_take(SIGCHLD))
		children_reap();
}

/*
 * The beginning.
 */
static void
prog_begin(void)
{
	extern char **environ;
	struct program_ends ends;
	int status;

	listeners_forget();
	cgi_environment_clear(environ);
	status = program_spawn(options.next, &ends);
	if (status != 0)
		exit(status);
	program.pid = ends.pid;
	program.records.mode = options.exact ? RECORD_NETSTRING : RECORD_LINE;
	program.pipes.in.ready = program_in_ready;
	program.pipes.out.ready = program_out_ready;
	if (pipes_begin(&server.loop, &program.pipes, ends.to, ends.from, PIPE_SIZE) != 0)
		die(STATUS_FAILED, "pipe: %s", strerror(errno));
}

/* A file that cannot be read again is read now. */
static void
page_begin(void)
{
	struct time_limit limit = {.limit_ms = options.admission.limit_ms};
	struct span bytes = console_page();
	struct file file = {0};

	if (options.admission.policy.page == POLICY_NO_PAGE)
		return;
	if (options.admission.page != NULL) {
		if (file_read(options.admission.page, ADMISSION_PAGE_MAX, &limit, &file) != 0)
			die(STATUS_FAILED, "%s: %s", quoted(options.admission.page),
			    errno == ETIMEDOUT ? "no end of file within --timeout" : strerror(errno));
		bytes = (struct span){file.bytes, file.size};
		if (!file.regular)
			warn("%s: not a regular file: read once, %zu bytes", quoted(options.admission.page), file.size);
	}
	server.page_fixed = !file.regular;
	server.page = message_of(bytes.at, bytes.size);
	if (server.page == NULL)
		die(STATUS_FAILED, "no memory for the page");
	free(file.bytes);
}

/* A client that is let in must not lack what answering it takes: the limit of descriptors limits clients first. */
static void
descriptors_begin(void)
{
	size_t left;

	if (options.admission.authorize != NULL && (server.null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		die(STATUS_FAILED, "/dev/null: %s", strerror(errno));
	fds_raise_limit();
	left = fds_left();
	if (left <= DESCRIPTORS)
		die(STATUS_FAILED, "the hard limit of descriptors leaves none for clients (ulimit -Hn)");
	if (options.max <= left - DESCRIPTORS)
		return;
	warn("--max: %llu: lowered to %zu by the hard limit of descriptors (ulimit -Hn)",
	    (unsigned long long)options.max, left - DESCRIPTORS);
	options.max = left - DESCRIPTORS;
}

static void
queue_begin(struct deadlines *queue, int64_t ms, void (*passed)(struct loop *, struct deadline *))
{
	queue->passed = passed;
	deadlines_begin(&server.loop, queue, ms == 0 ? 1 : ms);
}

static void
server_begin(void)
{
	size_t max = (size_t)options.max;

	server.clients = calloc(max, sizeof(struct client *));
	if (server.clients == NULL || !ids_begin(&server.ids, max)
	    || (options.max_per_address != 0 && !address_limit_begin(&server.networks, max)))
		die(STATUS_FAILED, "no memory for %zu clients", max);
	if (getrandom(&server.rooms.secret, sizeof server.rooms.secret, 0) < 0)
		die(STATUS_FAILED, "getrandom: %s", strerror(errno));
	if (loop_open(&server.loop) != 0)
		die(STATUS_FAILED, "epoll_create1: %s", strerror(errno));
	server.fan_share = TAKEN_SIZE;
	queue_begin(&server.heads, options.admission.limit_ms, head_late);
	queue_begin(&server.pings, options.ping_ms, ping_due);
	queue_begin(&server.pongs, options.ping_ms, pong_late);
	queue_begin(&server.closes, options.close_ms, client_late);
	queue_begin(&server.lingers, ADMISSION_LINGER_MS, client_late);
	/* These three only keep an order: prog's reading decides, and server.unread. */
	queue_begin(&server.unread_messages, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(&server.unread_closes, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(&server.lasts, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(&server.unreads, options.ping_ms == 0 ? UNREAD_MS : options.ping_ms, unread_due);
	queue_begin(&server.polls, POLL_MS, poll_due);
	queue_begin(&server.ends, options.close_ms, end_due);
	server.acceptor.on_connection = client_accept;
	server.acceptor.listeners = &server.listeners;
	acceptor_begin(&server.loop, &server.acceptor);
}

/* -a runs programs, and --page reads its file, for as long as we serve. */
static void
sandbox_begin(void)
{
	const char *partial;

	if (options.admission.authorize != NULL || options.admission.page != NULL)
		return;
	partial = sandbox_enter(SANDBOX_SERVES | SANDBOX_PARENT);
	if (partial != NULL && options.verbose)
		warn("sandbox: %s", partial);
}

static int
serve(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD};

	page_begin(); /* may take until -t: a signal still ends us */
	(void)signal(SIGPIPE, SIG_IGN);
	signals_catch(numbers, sizeof numbers / sizeof *numbers);
	descriptors_begin();
	listeners_open(&server.listeners);
	fds_leave_stdout();
	server_begin();
	notify_send("STATUS=starting"); /* while our environment still says where to */
	if (!options.fan_out)
		prog_begin();
	acceptor_start(&server.loop, &server.acceptor);
	notify_send("READY=1");
	sandbox_begin();
	while (!shutdown_state.over && !(shutdown_state.begun && server.count == 0 && program.pid == 0)) {
		orders_go_on();
		deferred_closes_poll();
		program_flush();
		auth_start_next();
		clients_flush();
		if (shutdown_state.begun && server.count == 0 && program.pid == 0)
			break;
		if (loop_turn(&server.loop) != 0)
			die(STATUS_FAILED, "epoll_wait: %s", strerror(errno));
		signals_see();
	}
	listeners_close(&server.listeners);
	return shutdown_state.status;
}

static void
option_take(int key)
{
	switch (key) {
	case 'v': options.verbose = true; break;
	case 'n': options.exact = true; break;
	case 'c': options.max = option_number(1, MAX_LIMIT); break;
	case 'C': options.max_per_address = option_number(1, MAX_LIMIT); break;
	case 'q': options.queue = (size_t)option_size(1, QUEUE_LIMIT); break;
	case 'M': options.message = option_size(1, QUEUE_LIMIT); break;
	case 'k': options.ping_ms = (int64_t)option_duration(0, TIME_LIMIT_MS); break;
	case 'w': options.close_ms = (int64_t)option_duration(1, TIME_LIMIT_MS); break;
	case KEY_HEADERS: options.headers = true; break;
	case KEY_FAN_OUT: options.fan_out = true; break;
	case KEY_REPLACE: options.replace = true; break;
	case KEY_PROXY: options.proxy = true; break;
	default: admission_option(&options.admission, key); break;
	}
}

static void
options_read(int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;)
		option_take(key);
	admission_options_end(&options.admission, false);
	options.next = argv + optind;
	if (options.fan_out && options.next[0] != NULL)
		usage_refuse("--fan-out runs no program");
	if (!options.fan_out && options.next[0] == NULL)
		usage_refuse("no program to run");
	if (options.fan_out && (options.exact || options.headers || options.replace))
		usage_refuse("--netstring, --headers and --replace are for a program");
	if (options.message > options.queue)
		usage_refuse("--max-message is larger than --queue");
	if (options.message == 0)
		options.message = options.queue < MESSAGE_DEFAULT ? options.queue : MESSAGE_DEFAULT;
}

int
main(int argc, char **argv)
{
	const char *why;
	int taken;

	fds_open_standard();
	options_read(argc, argv);
	taken = listeners_take(&server.listeners, &why);
	if (taken <= 0)
		die(STATUS_USAGE, "%s%s", taken == 0 ? "no listening socket: " : "",
		    why != NULL ? why : "portscan-bind gives one");
	return serve();
}
