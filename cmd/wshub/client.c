#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "hub.h"
#include "sys/block_cache.h"
#include "sys/progress.h"

enum { FLUSH_AFTER = 64 << 10 }; /* deliveries that wait before some are sent */

struct hub *
hub_of(struct loop *loop)
{
	return (struct hub *)((char *)loop - offsetof(struct hub, loop));
}

void
queue_begin(struct hub *hub, struct deadlines *queue, int64_t ms,
    void (*passed)(struct loop *, struct deadline *))
{
	queue->passed = passed;
	deadlines_begin(&hub->loop, queue, ms == 0 ? 1 : ms);
}

struct strbuf
scratch_text(struct hub *hub)
{
	return (struct strbuf){.at = hub->scratch, .room = sizeof hub->scratch};
}

void
program_tell(struct hub *hub, const struct client *c, const char *word, const void *rest, size_t n)
{
	if (!backend_tell(&hub->backend, c->id, word, rest, n))
		die(STATUS_FAILED, "no memory for what the program is to read");
}

void
program_tell_text(struct hub *hub, const struct client *c, const char *word, const struct strbuf *text)
{
	program_tell(hub, c, word, text->at, text->size);
}

/* `127.0.0.1:52344`, for the log. */
struct client_name
client_name(const struct client *c)
{
	struct client_name name = {{0}};
	size_t ip = strcspn(c->peer, " ");
	const char *port = strcmp(c->peer + ip, " 0") == 0 ? "" : c->peer + ip + 1;

	address_join((struct span){c->peer, ip}, span_of(port), name.text, sizeof name.text);
	return name;
}

static enum pause
client_pause(struct hub *hub, const struct client *c)
{
	if (c->out.held > hub->options.queue / 2)
		return PAUSE_BEHIND;
	return hub->backpressure ? PAUSE_STALLED : PAUSE_NONE;
}

/* A client is read while somebody takes what it says, and while it takes what is said to it. */
bool
client_reads(struct hub *hub, const struct client *c)
{
	switch (c->stage) {
	case STAGE_LINGERING: return !c->ended;
	case STAGE_WAITING:
	case STAGE_AUTHORIZING:
	case STAGE_CLOSED: return false;
	default: return client_pause(hub, c) == PAUSE_NONE;
	}
}

/* Another deadline than it had. */
void
client_clock(struct hub *hub, struct client *c, struct deadlines *queue)
{
	deadline_drop(&c->deadline);
	deadline_set(&hub->loop, queue, &c->deadline);
}

/* A client that is not read cannot show that it is alive. If its own queue is the cause,
 * it must go on to take that; while the program stalls its keepalive is suspended. */
static void
client_keepalive(struct hub *hub, struct client *c)
{
	enum pause pause = client_pause(hub, c);

	if (c->stage != STAGE_OPEN || c->pause == pause || hub->options.ping_ms == 0)
		return;
	c->pause = (unsigned char)pause;
	switch (pause) {
	case PAUSE_NONE: client_clock(hub, c, &hub->pings); break;
	case PAUSE_STALLED: deadline_drop(&c->deadline); break;
	case PAUSE_BEHIND:
		(void)progress_made(c->watch.fd, &c->progress);
		client_clock(hub, c, &hub->pongs);
		break;
	}
}

/* A closed UNIX socket reports EPOLLHUP before its data is read. EPOLLET: it is reported once
 * instead of every turn. */
void
client_interest(struct hub *hub, struct client *c)
{
	bool reads = client_reads(hub, c), sends = c->out.first != NULL;

	if (c->stage == STAGE_DEAD)
		return;
	client_keepalive(hub, c);
	watch_want(&hub->loop, &c->watch, (reads ? EPOLLIN : sends ? 0 : EPOLLET) | (sends ? EPOLLOUT : 0));
}

struct client *
client_of(struct deadline *deadline)
{
	return (struct client *)((char *)deadline - offsetof(struct client, deadline));
}

void
client_mark(struct hub *hub, struct client *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = hub->dirty;
	hub->dirty = c;
}

/* Writes the record of the client's end for the program. */
static void
client_tell_end(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	struct strbuf text = scratch_text(hub);

	if (!c->announced)
		return;
	c->announced = false;
	strbuf_put_number(&text, code);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, reason);
	program_tell_text(hub, c, "close", &text);
	if (hub->options.verbose)
		log_info("%s disconnected (%llu, %u%s%s)", client_name(c).text, (unsigned long long)c->id, code,
		    reason.size == 0 ? "" : " ", quoted_bytes(reason.at, reason.size));
}

/* The same, and it hears no more of prog. */
void
client_forget(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	client_tell_end(hub, c, code, reason);
	if (!c->addressable)
		return;
	c->addressable = false;
	rooms_part_all(&hub->rooms, &c->rooms);
	ids_end(&hub->ids, c->id);
}

/* Writes the record of a deferred Close for the program. */
void
client_tell_close(struct hub *hub, struct client *c)
{
	const char *reason = (const char *)buffer_head(&c->message);

	client_tell_end(hub, c, c->deferred_close.code, (struct span){reason, buffer_held(&c->message)});
}

void
client_end(struct hub *hub, struct client *c)
{
	if (c->stage == STAGE_CLOSED)
		client_tell_close(hub, c);
	client_forget(hub, c, CLOSE_ABNORMAL, span_of(""));
	auth_requests_drop(&hub->asked, c);
	deadline_drop(&c->deadline);
	outbox_clear(&c->out);
	block_drop(&c->message);
	free(c->kept);
	if (c->stage == STAGE_PROXY)
		free(c->proxy);
	watch_close(&hub->loop, &c->watch);
	if (hub->options.max_per_address != 0)
		address_limit_remove(&hub->networks, c->network);
	hub->clients[c->index] = hub->clients[--hub->count];
	hub->clients[c->index]->index = c->index;
	if (hub->count + 1 == hub->options.max && !shutdown_begun(hub))
		acceptor_start(&hub->loop, &hub->acceptor);
	acceptor_retry(&hub->loop, &hub->acceptor);
	c->stage = STAGE_DEAD;
	client_mark(hub, c);
}

struct message *
message_of(const void *bytes, size_t n)
{
	struct message *m = message_new(n);

	if (m != NULL && n != 0)
		memcpy(m->bytes, bytes, n);
	return m;
}

struct message *
message_close(unsigned code, const char *reason)
{
	unsigned char frame[FRAME_CONTROL_MAX];

	return message_of(frame, frame_close(code, reason, NULL, frame));
}

/* With *payload for n bytes. */
struct message *
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

struct message *
message_frame(enum opcode opcode, const void *payload, size_t n)
{
	unsigned char *room;
	struct message *m = message_begin(opcode, n, &room);

	if (m != NULL && n != 0)
		memcpy(room, payload, n);
	return m;
}

/* What is queued leaves at the turn's end. */
bool
client_queue(struct hub *hub, struct client *c, struct message *message)
{
	if (message == NULL || !outbox_put(&c->out, message))
		return false;
	client_mark(hub, c);
	return true;
}

/* Queues it and lets go of it. */
bool
client_queue_once(struct hub *hub, struct client *c, struct message *message)
{
	bool queued = client_queue(hub, c, message);

	if (message != NULL)
		message_release(message);
	return queued;
}

/* All is said. queue: how long it may take to take it. */
void
client_linger(struct hub *hub, struct client *c, struct deadlines *queue)
{
	c->stage = STAGE_LINGERING;
	c->progress = 0;
	block_drop(&c->message);
	client_clock(hub, c, queue);
	client_mark(hub, c);
}

/* A Close that waited is answered with this one, or with none for NULL. */
void
client_end_wait(struct hub *hub, struct client *c, struct message *close)
{
	client_tell_close(hub, c);
	client_forget(hub, c, c->deferred_close.code, span_of(""));
	if (close != NULL)
		(void)client_queue(hub, c, close);
	client_linger(hub, c, &hub->closes);
}

/* Our Close, behind what is queued; the client's is awaited. */
void
client_close(struct hub *hub, struct client *c, struct message *close)
{
	if (c->stage == STAGE_CLOSED)
		client_end_wait(hub, c, close);
	if (c->stage != STAGE_OPEN)
		return;
	c->stage = STAGE_CLOSING;
	c->progress = 0;
	client_clock(hub, c, &hub->closes);
	if (!client_queue(hub, c, close))
		client_linger(hub, c, &hub->closes);
}

/* The same, and lets go of the message. */
void
client_close_once(struct hub *hub, struct client *c, struct message *close)
{
	client_close(hub, c, close);
	if (close != NULL)
		message_release(close);
}

/* The client is wrong: our Close says how, and nothing more is heard. */
void
client_fail(struct hub *hub, struct client *c, unsigned code, const char *why)
{
	if (hub->options.verbose)
		warn("%s: %u %s%s", client_name(c).text, code, why,
		    code == CLOSE_UNSUPPORTED ? " (use --netstring)" : "");
	client_forget(hub, c, code, span_of(why));
	if (c->stage == STAGE_OPEN)
		(void)client_queue_once(hub, c, message_close(code, why));
	client_linger(hub, c, &hub->closes);
}

/* It takes too little of what is said to it: the others do not wait for it. */
static void
client_overflow(struct hub *hub, struct client *c)
{
	if (hub->options.verbose)
		warn("%s: more than the queue holds waits for it", client_name(c).text);
	outbox_cut(&c->out);
	client_close_once(hub, c, message_close(CLOSE_TRY_AGAIN, "too slow"));
}

/* A message alone is never too much: its payload is at most the queue's size. */
static bool
client_has_room(struct hub *hub, const struct client *c, const struct message *message)
{
	return c->out.held == 0 || c->out.held + message->size <= hub->options.queue;
}

/* The limit of the end of a connection, for each step of it. */
static struct deadlines *
client_limit(struct hub *hub, const struct client *c)
{
	if (c->id == 0)
		return c->shut ? &hub->lingers : &hub->heads;
	return c->shut ? &hub->drains : &hub->closes;
}

/* It has taken some of what waited: its time begins anew. */
static void
client_takes(struct hub *hub, struct client *c)
{
	bool closes = c->stage >= STAGE_CLOSING && !c->shut;

	if (!closes && (c->stage != STAGE_OPEN || c->pause != PAUSE_BEHIND))
		return;
	(void)progress_made(c->watch.fd, &c->progress);
	client_clock(hub, c, closes ? client_limit(hub, c) : &hub->pongs);
}

/* Ends no client: the caller may be on its way through all of them. The loop tells when both sides are shut. */
static void
client_flush(struct hub *hub, struct client *c)
{
	size_t before = c->out.held;
	bool lingers = c->stage == STAGE_LINGERING && !c->shut;

	/* Where this fails the loop tells of it too. */
	if (outbox_send(&c->out, c->watch.fd, lingers) != 0)
		outbox_clear(&c->out);
	if (lingers && c->out.first == NULL) {
		c->shut = true;
		(void)shutdown(c->watch.fd, SHUT_WR);
		client_clock(hub, c, client_limit(hub, c));
	} else if (c->out.first != NULL && c->out.held != before) {
		client_takes(hub, c);
	}
	client_interest(hub, c);
}

/* Sends what is queued for each client, and frees none: the caller may be in the middle of a delivery. */
static void
clients_flush(struct hub *hub)
{
	struct client *first = hub->dirty, *next;

	hub->dirty = NULL;
	hub->undelivered = 0;
	for (struct client *c = first; c != NULL; c = next) {
		next = c->next_dirty;
		c->dirty = false;
		if (c->stage == STAGE_DEAD) {
			c->next_dirty = hub->dead;
			hub->dead = c;
		} else {
			client_flush(hub, c);
		}
	}
}

/* The last of a turn: only here clients are freed. */
void
clients_end_turn(struct hub *hub)
{
	bool any = hub->dirty != NULL || hub->dead != NULL;

	clients_flush(hub);
	for (struct client *c; (c = hub->dead) != NULL;) {
		hub->dead = c->next_dirty;
		free(c);
	}
	if (any && hub->count == 0)
		block_cache_trim();
}

void
client_send(struct hub *hub, struct client *c, struct message *message)
{
	if (c->stage != STAGE_OPEN && c->stage != STAGE_CLOSED)
		return;
	/* What it would take now does not count against it. */
	if (!client_has_room(hub, c, message))
		client_flush(hub, c);
	if (!client_has_room(hub, c, message) || !client_queue(hub, c, message))
		client_overflow(hub, c);
	if (++hub->undelivered >= FLUSH_AFTER)
		clients_flush(hub);
}

/* A slow reader goes on to take what waits for it. */
void
client_late(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);
	struct client *c = client_of(deadline);
	bool first = c->progress == 0;

	if (progress_made(c->watch.fd, &c->progress) || (first && c->progress != 0))
		client_clock(hub, c, client_limit(hub, c));
	else
		client_end(hub, c);
}
