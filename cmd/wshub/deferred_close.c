/*
 * A client may close directly after its last message. The program's answers are still sent, then
 * the Close. The end of the answers is determined as follows. The program gets the close record
 * only after it has read the messages. When it reads that record, it has written its answers, if it
 * processes its input in order and does not buffer its output. No event reports that a pipe was
 * read, so the hub polls. A client that has got an answer to each of its messages does not wait.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "hub.h"
#include "sys/block_cache.h"

enum {
	UNREAD_MS = 30 * 1000, /* with -k 0: how long the program may read nothing */
	POLL_MS = 1,           /* first and longest interval of polling for the program's reading */
	POLL_MS_MAX = 64,
};

static void
poll_timeout(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);

	if (hub->polls.after_ms < POLL_MS_MAX)
		hub->polls.after_ms *= 2;
	deadline_set(loop, &hub->polls, deadline);
}

static void
polls_begin(struct hub *hub)
{
	hub->polls.after_ms = POLL_MS;
	deadline_drop(&hub->poll_at);
	deadline_set(&hub->base.loop, &hub->polls, &hub->poll_at);
}

/* The pipe to prog contains unread data: the time limit starts at prog's last read. */
void
unread_begin(struct hub *hub)
{
	if (hub->unread.next != NULL)
		return;
	hub->bytes_consumed = pipes_consumed(&hub->backend.pipes);
	deadline_set(&hub->base.loop, &hub->unreads, &hub->unread);
}

/* Prog has read up to this position. */
void
unread_update(struct hub *hub, uint64_t bytes_consumed)
{
	if (!hub->behind && hub->poll_at.next == NULL)
		deadline_drop(&hub->unread);
	if (hub->unread.next == NULL || bytes_consumed == hub->bytes_consumed)
		return;
	hub->bytes_consumed = bytes_consumed;
	deadline_set(&hub->base.loop, &hub->unreads, &hub->unread);
}

static void
deferred_close_begin(struct hub *hub, struct client *c, struct span reason)
{
	client_message_drop(hub, c);
	if (reason.size != 0 && block_reserve(&c->message, reason.size, (size_t)(2 * hub->options.message)))
		buffer_put(&c->message, reason.at, reason.size);
	c->close_at = hub->backend.pipes.bytes_queued;
	client_deadline(hub, c, &hub->unread_messages);
	client_mark(hub, c);
	polls_begin(hub);
	unread_begin(hub);
}

/* Queue the close record for the program. */
static void
deferred_close_put(struct hub *hub, struct client *c)
{
	client_put_close(hub, c);
	c->close_at = hub->backend.pipes.bytes_queued;
	client_deadline(hub, c, &hub->unread_closes);
}

/* Answer the client's Close, or its EOF without one. */
static void
close_answer(struct hub *hub, struct client *c)
{
	client_close_once(hub, c, message_close(c->conn.code, ""));
}

static void
deferred_close_timeout(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);

	close_answer(hub, client_of(deadline));
}

/* Return the first client of the queue if prog has read far enough for it, or NULL. */
static struct client *
deferred_close_next(const struct deadlines *queue, uint64_t bytes_consumed)
{
	struct deadline *first = deadlines_first(queue);

	return first != NULL && client_of(first)->close_at <= bytes_consumed ? client_of(first) : NULL;
}

void
deferred_closes_poll(struct hub *hub)
{
	uint64_t bytes_consumed, done;

	if (hub->poll_at.next == NULL)
		return;
	bytes_consumed = pipes_consumed(&hub->backend.pipes);
	for (struct client *c; (c = deferred_close_next(&hub->unread_messages, bytes_consumed)) != NULL;) {
		deferred_close_put(hub, c);
		polls_begin(hub);
	}
	for (struct client *c; (c = deferred_close_next(&hub->unread_closes, bytes_consumed)) != NULL;) {
		c->close_at = pipes_produced(&hub->backend.pipes);
		client_deadline(hub, c, &hub->unexecuted);
	}
	done = hub->backend.pipes.bytes_read - (hub->backend.records_left ? buffer_held(&hub->backend.pipes.from) : 0);
	for (struct client *c; (c = deferred_close_next(&hub->unexecuted, done)) != NULL;)
		close_answer(hub, c);
	if (deadlines_first(&hub->unread_messages) == NULL && deadlines_first(&hub->unread_closes) == NULL
	    && deadlines_first(&hub->unexecuted) == NULL)
		deadline_drop(&hub->poll_at);
	unread_update(hub, bytes_consumed);
}

/* The client sends no more data: queue its close record for the program, send its queue, then a Close. */
static void
client_close_or_finish(struct hub *hub, struct client *c, unsigned actions, struct span reason)
{
	client_forget(hub, c, c->conn.peer_code, reason);
	if (c->conn.state == WS_CLOSE_RECEIVED)
		close_answer(hub, c);
	else
		client_finish(hub, c, actions);
}

/* Like client_close_or_finish(), but wait for answers that the client may still get. */
static void
client_close_later(struct hub *hub, struct client *c, unsigned actions, struct span reason)
{
	if (c->conn.state == WS_CLOSE_RECEIVED && c->unanswered != 0 && hub->backend.pipes.in_open
	    && !shutdown_begun(hub))
		deferred_close_begin(hub, c, reason);
	else
		client_close_or_finish(hub, c, actions, reason);
}

static struct span
close_reason(const struct reader_event *e)
{
	return (struct span){(const char *)e->chunk.at, e->chunk.size};
}

void
close_take(struct hub *hub, struct client *c, const struct reader_event *e)
{
	client_close_later(hub, c, ws_event(&c->conn, e), close_reason(e));
}

/* The client has closed its side of the connection. */
void
eof_take(struct hub *hub, struct client *c)
{
	client_close_later(hub, c, ws_eof(&c->conn), span_of(""));
}

/* Return whether a client that is not read has closed: its unread data contains a Close, or is followed by EOF. */
static bool
client_has_closed(struct hub *hub, struct client *c, struct reader_event *e)
{
	struct pollfd p = {.fd = c->base.socket.fd, .events = POLLIN | POLLRDHUP};
	struct reader reader = c->reader;
	size_t used = 0, held = c->base.partial_size;
	ssize_t n;

	/* Compressed messages are not decompressed here. */
	reader.text_only = reader.compressed = false;
	reader.limit = 0;
	reader.binary |= c->inflates;
	*e = (struct reader_event){.kind = READER_DATA};
	if (poll(&p, 1, 0) <= 0 || (p.revents & POLLIN) == 0)
		return false;
	if (held != 0)
		memcpy(hub->input, c->base.partial, held);
	n = recv(p.fd, hub->input + held, READ_MAX, MSG_PEEK);
	held += n > 0 ? (size_t)n : 0;
	while (e->kind != READER_MORE && e->kind != READER_FAIL && e->kind != READER_CLOSE)
		used += reader_step(&reader, hub->input + used, held - used, SIZE_MAX, e);
	if (e->kind == READER_CLOSE)
		return true;
	/* EOF follows unread data: only this event of the state machine discards that data. */
	*e = (struct reader_event){.kind = READER_FAIL, .code = CLOSE_NORMAL};
	return (p.revents & POLLRDHUP) != 0;
}

/* Release a client that has closed while it is not read. */
static void
unread_client_check(struct hub *hub, struct client *c)
{
	struct reader_event e;

	if ((c->conn.state == WS_OPEN || c->conn.state == WS_CLOSE_SENT) && client_has_closed(hub, c, &e))
		client_close_or_finish(hub, c, ws_event(&c->conn, &e), close_reason(&e));
}

/* Prog has read nothing for -k. Clients that have closed are released, and their last messages
 * dropped. A program that writes and has never read ignores its input, so further input is dropped. */
static void
unread_timeout(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);
	uint64_t bytes_consumed = pipes_consumed(&hub->backend.pipes);

	if (bytes_consumed == hub->bytes_consumed) {
		for (struct deadline *d; (d = deadlines_first(&hub->unread_messages)) != NULL;)
			close_answer(hub, client_of(d));
		for (struct deadline *d; (d = deadlines_first(&hub->unread_closes)) != NULL;)
			close_answer(hub, client_of(d));
		for (size_t i = hub->base.count; hub->behind && i-- > 0;)
			unread_client_check(hub, hub->clients[i]);
		if (hub->behind && bytes_consumed == 0 && hub->backend.records.number != 0) {
			warn("%s: does not read its stdin: further input is dropped", quoted(hub->options.next[0]));
			backend_close_in(&hub->backend);
		}
	}
	hub->bytes_consumed = bytes_consumed;
	if (hub->behind || hub->poll_at.next != NULL)
		deadline_set(loop, &hub->unreads, deadline);
}

void
deferred_closes_begin(struct hub *hub)
{
	/* These three queues only keep the order. The program's reading and hub->unread determine the time. */
	deadlines_begin(&hub->base.loop, &hub->unread_messages, OPTION_DAY_MS, deferred_close_timeout);
	deadlines_begin(&hub->base.loop, &hub->unread_closes, OPTION_DAY_MS, deferred_close_timeout);
	deadlines_begin(&hub->base.loop, &hub->unexecuted, OPTION_DAY_MS, deferred_close_timeout);
	deadlines_begin(&hub->base.loop, &hub->unreads, hub->options.ping_ms == 0 ? UNREAD_MS : hub->options.ping_ms,
	    unread_timeout);
	deadlines_begin(&hub->base.loop, &hub->polls, POLL_MS, poll_timeout);
}
