#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/copy.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "hub.h"
#include "sys/block_cache.h"
#include "sys/progress.h"

enum { FLUSH_AFTER = 64 << 10 }; /* deliveries between two flushes */

struct hub *
hub_of(struct loop *loop)
{
	return (struct hub *)loop;
}

struct strbuf
scratch_text(struct hub *hub)
{
	return (struct strbuf){.at = hub->scratch, .capacity = sizeof hub->scratch};
}

void
program_put(struct hub *hub, const struct client *c, const char *word, const void *rest, size_t n)
{
	const struct buffer *queue = &hub->backend.pipes.to;

	if (!backend_put(&hub->backend, c->id, word, rest, n))
		die(STATUS_FAILED, "no memory for the program's input");
	if (hub->behind || buffer_held(queue) <= RESUME_AT)
		return;
	backend_write(&hub->backend);
	hub->behind = buffer_held(queue) > RESUME_AT;
}

void
program_put_text(struct hub *hub, const struct client *c, const char *word, const struct strbuf *text)
{
	program_put(hub, c, word, text->at, text->size);
}

/* Return whether the client is not read because the program must keep up with its input. Clients with an incomplete
 * message wait first. Long messages are then queued one by one, and a short message waits for one of them at most. */
static bool
client_waits(const struct hub *hub, const struct client *c)
{
	return hub->backpressure || (hub->behind && c->message.bytes != NULL);
}

/* Return whether to read from the client: the program must keep up with its input, and the client
 * with its output. */
bool
client_reads(struct hub *hub, const struct client *c)
{
	if (c->conn.state == WS_FINISHING)
		return !c->conn.ended;
	if (c->conn.state == WS_CLOSE_RECEIVED)
		return false;
	return !client_waits(hub, c) && c->base.out.held <= hub->options.queue / 2;
}

/* Replace the client's deadline. */
void
client_deadline(struct hub *hub, struct client *c, struct deadlines *queue)
{
	deadline_drop(&c->base.deadline);
	deadline_set(&hub->base.loop, queue, &c->base.deadline);
}

/* A client that is not read cannot prove that it is alive. While the program does not read, keepalive is suspended.
 * If the client's own queue is the cause, progress of the queue counts as the answer to a Ping. */
static void
client_pause(struct hub *hub, struct client *c)
{
	bool slow = c->base.out.held > hub->options.queue / 2, paused = client_waits(hub, c) && !slow;

	if (paused != c->conn.paused)
		client_act(hub, c, ws_pause(&c->conn, paused));
	if (slow && !c->slow && c->conn.timer == WS_TIMER_IDLE)
		client_act(hub, c, ws_timeout(&c->conn, false) & ~(unsigned)WS_PING);
	else if (!slow && c->slow)
		client_act(hub, c, ws_received(&c->conn));
	c->slow = slow;
}

/* A closed UNIX socket reports EPOLLHUP before its data is read. EPOLLET: report that once instead
 * of every turn. */
void
client_interest(struct hub *hub, struct client *c)
{
	bool reads = client_reads(hub, c), sends = c->base.out.first != NULL;

	if (c->base.stage < UPGRADE_OPEN)
		upgrade_interest(&hub->base, &c->base);
	if (c->base.stage != UPGRADE_OPEN)
		return;
	client_pause(hub, c);
	hub->suspended |= client_waits(hub, c);
	watch_want(&hub->base.loop, &c->base.socket, (reads ? EPOLLIN : sends ? 0 : EPOLLET) | (sends ? EPOLLOUT : 0));
}

struct client *
client_of(struct deadline *deadline)
{
	return (struct client *)upgrade_of(deadline);
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

/* Queue the record of the client's end for the program. */
static void
client_put_end(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	struct strbuf text = scratch_text(hub);

	if (!c->announced)
		return;
	c->announced = false;
	strbuf_put_number(&text, code);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, reason);
	program_put_text(hub, c, "close", &text);
	if (hub->base.options.verbose)
		log_info("%s disconnected (%llu, %u%s%s)", upgrade_name(&c->base).text, (unsigned long long)c->id, code,
		    reason.size == 0 ? "" : " ", quoted_bytes(reason.at, reason.size));
}

/* Queue the record of the client's end, and remove the client from all destinations of prog. */
void
client_forget(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	client_put_end(hub, c, code, reason);
	if (!c->addressable)
		return;
	c->addressable = false;
	rooms_part_all(&hub->rooms, &c->rooms);
	hub->by_id[c->id & hub->id_mask] = NULL;
}

/* Queue the record of a deferred Close for the program. */
void
client_put_close(struct hub *hub, struct client *c)
{
	const char *reason = (const char *)buffer_head(&c->message);

	client_put_end(hub, c, c->conn.peer_code, (struct span){reason, buffer_held(&c->message)});
}

void
client_end(struct hub *hub, struct client *c)
{
	if (c->conn.state == WS_CLOSE_RECEIVED)
		client_put_close(hub, c);
	client_forget(hub, c, CLOSE_ABNORMAL, span_of(""));
	client_message_drop(hub, c);
	upgrade_close(&hub->base, &c->base);
	upgrade_gone(&hub->base, !shutdown_begun(hub));
	hub->clients[c->index] = hub->clients[hub->base.count];
	hub->clients[c->index]->index = c->index;
	c->conn.state = WS_CLOSED;
	client_mark(hub, c);
}

struct message *
message_close(unsigned code, const char *reason)
{
	unsigned char frame[FRAME_CONTROL_MAX];

	return message_of(frame, frame_close(code, reason, NULL, frame));
}

/* Allocate a message whose *payload has n bytes. */
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
	unsigned char *space;
	struct message *m = message_begin(opcode, n, &space);

	if (m != NULL && n != 0)
		memcpy(space, payload, n);
	return m;
}

/* Queue a message. It is sent at the end of the turn. */
bool
client_queue(struct hub *hub, struct client *c, struct message *message)
{
	if (message == NULL || !outbox_put(&c->base.out, message))
		return false;
	client_mark(hub, c);
	return true;
}

/* Queue bytes for this client only. */
bool
client_queue_bytes(struct hub *hub, struct client *c, const void *bytes, size_t n)
{
	unsigned char *space = outbox_reserve(&c->base.out, n);

	if (space == NULL)
		return client_queue_once(hub, c, message_of(bytes, n));
	copy_bytes(space, bytes, n);
	client_mark(hub, c);
	return true;
}

/* Queue a message and release it. */
bool
client_queue_once(struct hub *hub, struct client *c, struct message *message)
{
	bool queued = client_queue(hub, c, message);

	message_release(message);
	return queued;
}

/* Return the time limit for conn.timer. */
static struct deadlines *
client_limit(struct hub *hub, const struct client *c)
{
	switch (c->conn.timer) {
	case WS_TIMER_IDLE: return &hub->idles;
	case WS_TIMER_PONG: return &hub->pongs;
	case WS_TIMER_CLOSE: return &hub->closes;
	default: return &hub->drains;
	}
}

static void
client_timer(struct hub *hub, struct client *c)
{
	if (c->conn.timer == WS_TIMER_PONG)
		(void)progress_made(c->base.socket.fd, &c->base.progress);
	if (c->conn.timer == WS_TIMER_NONE)
		deadline_drop(&c->base.deadline);
	else
		client_deadline(hub, c, client_limit(hub, c));
}

static void
client_ping(struct hub *hub, struct client *c)
{
	unsigned char frame[FRAME_CONTROL_MAX];

	(void)client_queue_bytes(hub, c, frame, frame_control(OPCODE_PING, "", 0, NULL, frame));
}

/* Perform the actions of the state machine, except a Pong and a Close. WS_DISCONNECT is not allowed
 * during a delivery: see client_flush(). */
void
client_act(struct hub *hub, struct client *c, unsigned actions)
{
	if ((actions & WS_PING) != 0)
		client_ping(hub, c);
	if ((actions & WS_SHUTDOWN) != 0)
		(void)shutdown(c->base.socket.fd, SHUT_WR);
	if ((actions & WS_DISCONNECT) != 0)
		client_end(hub, c);
	else if ((actions & WS_TIMER) != 0)
		client_timer(hub, c);
}

/* Stop reading from the client: its queue is sent, then the connection ends. */
void
client_finish(struct hub *hub, struct client *c, unsigned actions)
{
	c->base.progress = 0;
	client_message_drop(hub, c);
	client_act(hub, c, actions);
	client_mark(hub, c);
}

/* Queue a Close (NULL for none) unless one was sent. If the client has already closed, its close
 * record is queued for the program first. */
void
client_close(struct hub *hub, struct client *c, struct message *close)
{
	unsigned actions;

	if (c->conn.state == WS_CLOSE_RECEIVED) {
		client_put_close(hub, c);
		client_forget(hub, c, c->conn.peer_code, span_of(""));
	}
	actions = ws_close(&c->conn, CLOSE_NORMAL);
	if ((actions & WS_CLOSE) == 0)
		return;
	if (close != NULL)
		(void)client_queue(hub, c, close);
	c->base.progress = 0;
	if (c->conn.state == WS_FINISHING)
		client_finish(hub, c, actions);
	else
		client_act(hub, c, actions);
}

/* Like client_close(), and release the message. */
void
client_close_once(struct hub *hub, struct client *c, struct message *close)
{
	client_close(hub, c, close);
	message_release(close);
}

/* Close the client after a protocol error, or without memory for its message, and stop reading. */
void
client_fail(struct hub *hub, struct client *c, unsigned code, const char *why)
{
	const struct reader_event e = {.kind = READER_FAIL, .code = code};
	unsigned actions = ws_event(&c->conn, &e);

	if (hub->base.options.verbose)
		warn("%s: %u %s%s", upgrade_name(&c->base).text, code, why,
		    code == CLOSE_UNSUPPORTED ? " (use --netstring)" : "");
	client_forget(hub, c, code, span_of(why));
	if (c->conn.state == WS_CLOSE_RECEIVED)
		client_close_once(hub, c, message_close(code, why));
	else
		client_finish(hub, c, actions);
}

/* Slow consumer: close it with 1013 instead of delaying the other clients. */
static void
client_overflow(struct hub *hub, struct client *c)
{
	if (hub->base.options.verbose)
		warn("%s: send queue is full", upgrade_name(&c->base).text);
	outbox_cut(&c->base.out);
	client_close_once(hub, c, message_close(CLOSE_TRY_AGAIN, "too slow"));
}

/* A single message always fits, because its payload is at most the size of the queue. */
static bool
client_has_space(struct hub *hub, const struct client *c, size_t n)
{
	return c->base.out.held == 0 || c->base.out.held + n <= hub->options.queue;
}

/* The client has received some of its queue: restart the timer if it requires such progress. */
static void
client_progress(struct hub *hub, struct client *c)
{
	if (c->conn.timer != WS_TIMER_CLOSE && (c->conn.timer != WS_TIMER_PONG || !c->slow))
		return;
	if (c->conn.timer == WS_TIMER_CLOSE)
		(void)progress_made(c->base.socket.fd, &c->base.progress);
	client_timer(hub, c);
}

/* Does not free clients, because the caller may be iterating over them. After WS_DISCONNECT
 * conn.state is WS_CLOSED. */
static void
client_flush(struct hub *hub, struct client *c)
{
	size_t before = c->base.out.held;

	/* The loop reports the error, too. */
	if (outbox_send(&c->base.out, c->base.socket.fd, c->conn.state == WS_FINISHING && !c->conn.flushed) != 0)
		outbox_clear(&c->base.out);
	if (c->base.out.first == NULL && c->conn.state >= WS_CLOSE_SENT)
		client_act(hub, c, ws_flushed(&c->conn) & ~(unsigned)WS_DISCONNECT);
	else if (c->base.out.first != NULL && c->base.out.held != before)
		client_progress(hub, c);
	client_interest(hub, c);
}

/* Flush the queue of each client without freeing any, because the caller may be in the middle of a delivery. */
static void
clients_flush(struct hub *hub)
{
	struct client *first = hub->dirty, *next;

	hub->dirty = NULL;
	hub->undelivered = 0;
	for (struct client *c = first; c != NULL; c = next) {
		next = c->next_dirty;
		c->dirty = false;
		if (c->base.stage != UPGRADE_DEAD)
			client_flush(hub, c);
		if (c->base.stage == UPGRADE_OPEN && c->conn.state != WS_CLOSED)
			continue;
		c->dirty = true;
		c->next_dirty = hub->dead;
		hub->dead = c;
	}
}

/* End a turn. Clients are freed only here. */
void
clients_end_turn(struct hub *hub)
{
	bool any = hub->dirty != NULL || hub->dead != NULL;

	clients_flush(hub);
	for (struct client *c; (c = hub->dead) != NULL;) {
		hub->dead = c->next_dirty;
		if (c->base.stage != UPGRADE_DEAD)
			client_end(hub, c);
		free(c);
	}
	inflate_trim(hub);
	if (any && hub->base.count == 0)
		block_cache_trim();
}

/* Return whether n bytes may be queued. Data that the client can receive at once does not count. */
static bool
client_space_make(struct hub *hub, struct client *c, size_t n)
{
	if (!client_has_space(hub, c, n))
		client_flush(hub, c);
	return client_has_space(hub, c, n);
}

/* Count a delivery and flush after a limited number, before the end of the turn. */
static void
deliveries_flush(struct hub *hub)
{
	if (++hub->undelivered >= FLUSH_AFTER)
		clients_flush(hub);
}

void
client_send(struct hub *hub, struct client *c, struct message *message)
{
	if (c->conn.state > WS_CLOSE_RECEIVED)
		return;
	if (!client_space_make(hub, c, message->size) || !client_queue(hub, c, message))
		client_overflow(hub, c);
	deliveries_flush(hub);
}

/* Like client_send() for a short text, without allocating a message. Return false if a message is needed. */
bool
client_send_text(struct hub *hub, struct client *c, const void *text, size_t n)
{
	struct frame frame = {.length = n, .opcode = OPCODE_TEXT, .fin = true};
	unsigned char head[FRAME_HEAD_MAX], *space;
	size_t size = frame_encode(&frame, head);

	if (c->conn.state > WS_CLOSE_RECEIVED)
		return true;
	if (!client_space_make(hub, c, size + n) || (space = outbox_reserve(&c->base.out, size + n)) == NULL)
		return false;
	memcpy(space, head, size);
	copy_bytes(space + size, text, n);
	client_mark(hub, c);
	deliveries_flush(hub);
	return true;
}

/* A timer of the state machine has expired. It is restarted if TCP shows that the client is still
 * receiving. At the first check after a Close, pending data is sufficient. */
void
client_timeout(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);
	struct client *c = client_of(deadline);
	bool first = c->base.progress == 0 && c->conn.timer != WS_TIMER_PONG;

	if (c->conn.timer != WS_TIMER_IDLE
	    && (progress_made(c->base.socket.fd, &c->base.progress) || (first && c->base.progress != 0)))
		client_timer(hub, c);
	else
		client_act(hub, c, ws_timeout(&c->conn, false));
}
