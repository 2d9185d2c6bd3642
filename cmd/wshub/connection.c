/* Data from clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/copy.h"
#include "hub.h"
#include "sys/block_cache.h"
#include "sys/clock.h"

enum {
	TURN_SIZE = 256 << 10, /* read from all clients in a turn; the share of each is at most READ_MAX, */
	READ_LEAST = 1 << 10,  /* and at least this, */
	FAN_LEAST = 64,        /* or less if each byte goes to very many clients */
	BATCHED_MAX = 1 << 10, /* copying a longer message costs more than queuing it alone */
};

/* Send frames to all other clients at the same path, and release them. */
static void
frames_fan_out(struct hub *hub, struct client *c, struct message *frames, size_t longest)
{
	struct outgoing o = {.plain = frames, .longest = longest};
	/* NULL after a failure for want of memory. */
	struct member *in = c->rooms != NULL ? rooms_first(c->rooms) : NULL, *next;

	if (frames == NULL) {
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
		return;
	}
	for (; in != NULL; in = next) {
		next = in->next;
		if (in->owner != c)
			client_send(hub, in->owner, outgoing_for(hub, &o, in->owner));
	}
	outgoing_release(&o);
}

static void
batch_send(struct hub *hub, struct client *c)
{
	struct batch *b = &hub->batch;

	if (b->size != 0)
		frames_fan_out(hub, c, message_of(b->bytes, b->size), b->longest);
	b->size = b->longest = 0;
}

/* Send a message to all other clients at the same path. The short ones of one read are queued for each client as one
 * batch. */
static void
message_fan_out(struct hub *hub, struct client *c, bool binary, const void *payload, size_t n)
{
	struct frame frame = {.length = n, .opcode = binary ? OPCODE_BINARY : OPCODE_TEXT, .fin = true};
	struct batch *b = &hub->batch;
	size_t most = sizeof b->bytes < hub->options.queue ? sizeof b->bytes : hub->options.queue;
	bool alone = n > BATCHED_MAX || FRAME_HEAD_MAX + n > most;

	if (alone || b->size + FRAME_HEAD_MAX + n > most)
		batch_send(hub, c);
	if (alone) {
		frames_fan_out(hub, c, message_frame(frame.opcode, payload, n), n);
		return;
	}
	b->size += frame_encode(&frame, b->bytes + b->size);
	copy_bytes(b->bytes + b->size, payload, n);
	b->size += n;
	b->longest = n > b->longest ? n : b->longest;
}

/* Handle a complete message of a client. */
static void
message_take(struct hub *hub, struct client *c, bool binary, const void *payload, size_t n)
{
	if (hub->options.fan_out) {
		message_fan_out(hub, c, binary, payload, n);
	} else {
		program_put(hub, c, binary ? "binary" : "text", payload, n);
		c->unanswered++;
	}
}

static void
chunk_take(struct hub *hub, struct client *c, struct reader_inflate *z, const struct chunk *p)
{
	struct span message;

	if (p->first && p->last) {
		message_take(hub, c, p->binary, p->at, p->size);
		return;
	}
	/* Also for an empty chunk. */
	if ((c->reader.compressed && !inflate_keep(hub, c, z))
	    || !block_reserve(&c->message, p->size == 0 ? 1 : p->size, (size_t)(2 * hub->options.message))) {
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
		return;
	}
	if (p->size != 0)
		buffer_put(&c->message, p->at, p->size);
	if (!p->last)
		return;
	message = client_message(c);
	message_take(hub, c, p->binary, message.at, message.size);
	client_message_drop(hub, c);
}

/* While the output is blocked only the newest Pong is queued (RFC 6455, section 5.5.3). */
static void
ping_answer(struct hub *hub, struct client *c, const struct chunk *p)
{
	unsigned char frame[FRAME_CONTROL_MAX];
	size_t size = frame_control(OPCODE_PONG, p->at, p->size, NULL, frame);
	struct message *pong;

	if (c->conn.state != WS_OPEN)
		return;
	if ((c->base.socket.wanted & EPOLLOUT) == 0) {
		(void)client_queue_bytes(hub, c, frame, size);
	} else if ((pong = message_of(frame, size)) != NULL) {
		(void)outbox_put_newest(&c->base.out, pong);
		message_release(pong);
	}
}

/* A protocol error of the client. Answers that the program has already written are sent. */
static void
failure_take(struct hub *hub, struct client *c, const struct reader_event *e)
{
	if (c->unanswered != 0)
		program_read_all(hub, clock_ms() + LOOP_TURN_MS);
	client_fail(hub, c, e->code, e->why);
}

/* Return whether frames of the client are processed: it is open, or has not answered the Close. */
static bool
client_frames_used(const struct client *c)
{
	return c->conn.state == WS_OPEN || c->conn.state == WS_CLOSE_SENT;
}

static size_t
frames_take(struct hub *hub, struct client *c, unsigned char *bytes, size_t n)
{
	struct reader_inflate *z = c->reader.deflate ? inflate_take(hub, c) : NULL;
	struct reader_event e = {.kind = READER_DATA};
	size_t used = 0;

	if (c->reader.deflate && z == NULL)
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
	while (e.kind != READER_MORE && client_frames_used(c) && (hub->inflate_left > 0 || used == n)) {
		if (z != NULL)
			z->capacity = hub->inflate_left > 0 && hub->inflate_left < READ_MAX ? (size_t)hub->inflate_left : READ_MAX;
		used += reader_step_inflate(&c->reader, z, bytes + used, n - used, SIZE_MAX, &e);
		if (e.kind != READER_DATA)
			batch_send(hub, c);
		switch (e.kind) {
		case READER_DATA:
			if (c->reader.compressed)
				hub->inflate_left -= (int64_t)e.chunk.size;
			chunk_take(hub, c, z, &e.chunk);
			break;
		case READER_PING: ping_answer(hub, c, &e.chunk); break;
		case READER_CLOSE: close_take(hub, c, &e); break;
		case READER_FAIL: failure_take(hub, c, &e); break;
		default: break;
		}
	}
	batch_send(hub, c);
	if (client_frames_used(c) && c->reader.compressed && (c->reader.in_frame || c->reader.in_message)
	    && !inflate_keep(hub, c, z))
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
	return used;
}

/* Keep data that cannot be used yet, before the next read. */
static void
partial_keep(struct hub *hub, struct client *c, const unsigned char *bytes, size_t n)
{
	free(c->base.partial);
	c->base.partial = NULL;
	c->base.partial_size = 0;
	if (n == 0)
		return;
	c->base.partial = malloc(n);
	if (c->base.partial == NULL) {
		client_end(hub, c);
		return;
	}
	memcpy(c->base.partial, bytes, n);
	c->base.partial_size = (uint32_t)n;
}

/* bytes is all unused input, of which the last `left` bytes may stay in the socket. Return how many do. */
static size_t
client_feed(struct hub *hub, struct client *c, unsigned char *bytes, size_t n, size_t left)
{
	size_t used = n;

	if (client_frames_used(c))
		used = frames_take(hub, c, bytes, n);
	if (c->base.stage == UPGRADE_DEAD)
		return 0;
	if (!client_frames_used(c))
		used = n;
	if (hub->inflate_left > 0 || n - used > left)
		left = 0;
	else
		left = n - used;
	partial_keep(hub, c, bytes + used, n - used - left);
	return left;
}

/* Return the client's share of the turn, so that no client waits long for the data of other clients. */
static size_t
client_share(struct hub *hub)
{
	size_t share = TURN_SIZE / (size_t)hub->base.loop.count;

	share = share > READ_MAX ? READ_MAX : share < READ_LEAST ? READ_LEAST : share;
	return share < hub->fan_share ? share : hub->fan_share;
}

void
client_share_set(struct hub *hub, size_t share)
{
	hub->fan_share = share;
	hub->base.read_most = share < HTTP_HEAD_MAX ? share : HTTP_HEAD_MAX;
}

/* With --fan-out a few bytes may go to many clients: adapt the share so that one client uses at
 * most the time of a turn. */
static void
client_share_adapt(struct hub *hub, int64_t took_ms)
{
	if (took_ms > LOOP_TURN_MS / 2 && hub->fan_share > FAN_LEAST)
		client_share_set(hub, hub->fan_share / 2);
	else if (took_ms < LOOP_TURN_MS / 4 && hub->fan_share < READ_MAX)
		client_share_set(hub, hub->fan_share * 2);
}

/* Keepalive, once per read. If the client is in the idle queue, only the deadline moves. */
static void
client_keepalive(struct hub *hub, struct client *c)
{
	if (c->conn.timer != WS_TIMER_IDLE)
		client_act(hub, c, ws_received(&c->conn));
	else if (ws_received(&c->conn) != 0)
		deadline_set(&hub->base.loop, &hub->idles, &c->base.deadline);
}

/* Compressed messages can be a thousand times the data that was received. What would exceed the limit
 * of a turn stays in the socket, so that the limits of memory and time apply to it as to other data. */
static void
client_receive(struct hub *hub, struct client *c)
{
	int flags = c->reader.deflate && client_frames_used(c) ? MSG_PEEK : 0;
	size_t before = c->base.partial_size, share = client_share(hub), left;
	int64_t began = hub->options.fan_out ? clock_ms() : 0;
	ssize_t n;

	if (before != 0)
		memcpy(hub->input, c->base.partial, before);
	n = recv(c->base.socket.fd, hub->input + before, share, flags);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_end(hub, c);
		return;
	}
	if (n == 0) {
		eof_take(hub, c);
		return;
	}
	client_keepalive(hub, c);
	hub->inflate_left = flags == 0 ? INT64_MAX : (int64_t)share;
	left = client_feed(hub, c, hub->input, before + (size_t)n, flags == 0 ? 0 : (size_t)n);
	if (flags != 0 && c->base.stage != UPGRADE_DEAD)
		(void)recv(c->base.socket.fd, hub->input, (size_t)n - left, 0);
	if (hub->options.fan_out)
		client_share_adapt(hub, clock_ms() - began);
}

/* The client has sent data that is not read until the program, or the client itself, has read more. */
static void
client_suspend(struct hub *hub, struct client *c)
{
	client_interest(hub, c);
	if (hub->suspended && hub->first_suspended == 0)
		hub->first_suspended = c->index + 1;
}

static void
client_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct hub *hub = hub_of(loop);
	struct client *c = (struct client *)watch;

	if (events & EPOLLOUT)
		client_mark(hub, c);
	if ((events & EPOLLIN) && client_reads(hub, c))
		client_receive(hub, c);
	else if ((events & EPOLLERR) || ((events & EPOLLHUP) && client_reads(hub, c)))
		client_end(hub, c);
	else if (events & (EPOLLIN | EPOLLHUP))
		client_suspend(hub, c);
}

/* A client knows only from the response whether it may compress. */
void
client_opened(struct hub *hub, struct client *c, unsigned char *trailing, size_t n)
{
	c->base.socket.ready = client_ready;
	hub->inflate_left = READ_MAX;
	(void)client_feed(hub, c, trailing, n, 0);
	if (hub->inflate_left <= 0 && client_frames_used(c))
		client_fail(hub, c, CLOSE_PROTOCOL_ERROR, "compressed messages before the response");
}
