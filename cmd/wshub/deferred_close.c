/*
 * A client may close right after its last message. The program's answers still
 * go out, and our Close after them. That ends by itself: the program is told of the
 * Close only when it has read those messages, and when it reads that it has written
 * its answers, if it does one thing after the other and holds nothing
 * back. No event tells that a pipe was read, so we poll. A client that has had an answer
 * to each message need not wait.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "hub.h"
#include "sys/block_cache.h"

enum {
	UNREAD_MS = 30 * 1000, /* with -k 0: how long the program may read nothing */
	POLL_MS = 1,           /* how soon to look whether the program has read, and how seldom at last */
	POLL_MS_MAX = 64,
};

static void
poll_due(struct loop *loop, struct deadline *deadline)
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
	deadline_set(&hub->loop, &hub->polls, &hub->poll_at);
}

/* Something waits for prog to read: its time runs from its last read on. */
void
unread_begin(struct hub *hub)
{
	if (hub->unread.next != NULL)
		return;
	hub->bytes_consumed = pipes_consumed(&hub->backend.pipes);
	deadline_set(&hub->loop, &hub->unreads, &hub->unread);
}

/* Prog has read up to there. */
void
unread_look(struct hub *hub, uint64_t bytes_consumed)
{
	if (!hub->backpressure && hub->poll_at.next == NULL)
		deadline_drop(&hub->unread);
	if (hub->unread.next == NULL || bytes_consumed == hub->bytes_consumed)
		return;
	hub->bytes_consumed = bytes_consumed;
	deadline_set(&hub->loop, &hub->unreads, &hub->unread);
}

static void
deferred_close_begin(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	block_drop(&c->message);
	if (reason.size != 0 && block_reserve(&c->message, reason.size, (size_t)(2 * hub->options.message)))
		buffer_put(&c->message, reason.at, reason.size);
	c->stage = STAGE_CLOSED;
	c->deferred_close = (struct deferred_close){.at = hub->backend.pipes.bytes_queued, .code = code};
	client_clock(hub, c, &hub->unread_messages);
	client_mark(hub, c);
	polls_begin(hub);
	unread_begin(hub);
}

/* The program is told of it, which it reads in its turn. */
static void
deferred_close_tell(struct hub *hub, struct client *c)
{
	client_tell_close(hub, c);
	c->deferred_close.at = hub->backend.pipes.bytes_queued;
	client_clock(hub, c, &hub->unread_closes);
}

/* What a Close of that code is answered with; the end of a connection without one as well. */
static struct message *
message_answer(unsigned code)
{
	return message_close(code == CLOSE_ABNORMAL ? CLOSE_NORMAL : code, "");
}

static void
deferred_close_answer(struct hub *hub, struct client *c)
{
	struct message *close = message_answer(c->deferred_close.code);

	client_end_wait(hub, c, close);
	if (close != NULL)
		message_release(close);
}

static void
deferred_close_late(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);

	deferred_close_answer(hub, client_of(deadline));
}

/* The first of the queue, where prog has read far enough for it. */
static struct client *
deferred_close_next(const struct deadlines *queue, uint64_t bytes_consumed)
{
	struct deadline *first = deadlines_first(queue);

	return first != NULL && client_of(first)->deferred_close.at <= bytes_consumed ? client_of(first) : NULL;
}

void
deferred_closes_poll(struct hub *hub)
{
	uint64_t bytes_consumed, done;

	if (hub->poll_at.next == NULL)
		return;
	bytes_consumed = pipes_consumed(&hub->backend.pipes);
	for (struct client *c; (c = deferred_close_next(&hub->unread_messages, bytes_consumed)) != NULL;) {
		deferred_close_tell(hub, c);
		polls_begin(hub);
	}
	for (struct client *c; (c = deferred_close_next(&hub->unread_closes, bytes_consumed)) != NULL;) {
		c->deferred_close.at = pipes_said(&hub->backend.pipes);
		client_clock(hub, c, &hub->lasts);
	}
	done = hub->backend.pipes.said - (hub->backend.behind ? buffer_held(&hub->backend.pipes.from) : 0);
	for (struct client *c; (c = deferred_close_next(&hub->lasts, done)) != NULL;)
		deferred_close_answer(hub, c);
	if (deadlines_first(&hub->unread_messages) == NULL && deadlines_first(&hub->unread_closes) == NULL
	    && deadlines_first(&hub->lasts) == NULL)
		deadline_drop(&hub->poll_at);
	unread_look(hub, bytes_consumed);
}

/* The client says no more: all that waits for it goes out, and our Close behind it. */
static void
client_said_all(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	client_forget(hub, c, code, reason);
	if (c->stage == STAGE_OPEN)
		(void)client_queue_once(hub, c, message_answer(code));
	client_linger(hub, c, &hub->closes);
}

/* The client's Close, or its end without one (1006). */
void
close_take(struct hub *hub, struct client *c, unsigned code, struct span reason)
{
	if (c->stage == STAGE_OPEN && c->unanswered != 0 && hub->backend.pipes.in_open && !shutdown_begun(hub))
		deferred_close_begin(hub, c, code, reason);
	else
		client_said_all(hub, c, code, reason);
}

struct span
close_reason(const struct reader_event *e)
{
	return (struct span){(const char *)e->chunk.at, e->chunk.size};
}

/* Whether a client that is not read has closed: a Close among the bytes that wait, or its end. */
static bool
client_has_closed(struct hub *hub, struct client *c, struct reader_event *e)
{
	struct pollfd p = {.fd = c->watch.fd, .events = POLLIN | POLLRDHUP};
	struct reader reader = c->reader;
	size_t used = 0, held = c->kept_size;
	ssize_t n;

	*e = (struct reader_event){.kind = READER_DATA, .code = CLOSE_ABNORMAL};
	if (poll(&p, 1, 0) <= 0 || (p.revents & POLLIN) == 0)
		return false;
	if (held != 0)
		memcpy(hub->taken, c->kept, held);
	n = recv(p.fd, hub->taken + held, TAKEN_SIZE, MSG_PEEK);
	held += n > 0 ? (size_t)n : 0;
	while (e->kind != READER_MORE && e->kind != READER_FAIL && e->kind != READER_CLOSE)
		used += reader_step(&reader, hub->taken + used, held - used, SIZE_MAX, e);
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
	struct hub *hub = hub_of(loop);
	uint64_t bytes_consumed = pipes_consumed(&hub->backend.pipes);
	struct reader_event e;

	if (bytes_consumed == hub->bytes_consumed) {
		for (struct deadline *d; (d = deadlines_first(&hub->unread_messages)) != NULL;)
			deferred_close_answer(hub, client_of(d));
		for (struct deadline *d; (d = deadlines_first(&hub->unread_closes)) != NULL;)
			deferred_close_answer(hub, client_of(d));
		for (size_t i = hub->count; hub->backpressure && i-- > 0;)
			if (hub->clients[i]->stage == STAGE_OPEN && client_has_closed(hub, hub->clients[i], &e))
				client_said_all(hub, hub->clients[i], e.code, close_reason(&e));
		if (hub->backpressure && bytes_consumed == 0 && hub->backend.records.number != 0) {
			warn("%s: reads no input, further input is dropped", quoted(hub->options.next[0]));
			backend_close_in(&hub->backend);
		}
	}
	hub->bytes_consumed = bytes_consumed;
	if (hub->backpressure || hub->poll_at.next != NULL)
		deadline_set(loop, &hub->unreads, deadline);
}

void
deferred_closes_begin(struct hub *hub)
{
	/* These three only keep an order: the program's reading decides, and hub->unread. */
	queue_begin(hub, &hub->unread_messages, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(hub, &hub->unread_closes, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(hub, &hub->lasts, TIME_LIMIT_MS, deferred_close_late);
	queue_begin(hub, &hub->unreads, hub->options.ping_ms == 0 ? UNREAD_MS : hub->options.ping_ms, unread_due);
	queue_begin(hub, &hub->polls, POLL_MS, poll_due);
}
