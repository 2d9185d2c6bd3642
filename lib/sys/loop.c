#include "sys/loop.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/signals.h"

/* The longest time without signals while events are always pending. */
enum { SIGNALS_MS = 20 };

int
loop_open(struct loop *loop)
{
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	loop->now = clock_ms();
	loop->signals_at = 0;
	loop->queues = NULL;
	loop->next = loop->count = 0;
	loop->no_wait = false;
	loop->watched = loop->reported = 0;
	loop->error = 0;
	return loop->fd < 0 ? -1 : 0;
}

static int
control(struct loop *loop, int what, struct watch *watch)
{
	struct epoll_event event = {.events = watch->wanted, .data.ptr = watch};

	return epoll_ctl(loop->fd, what, watch->fd, &event);
}

/* Without its effect the loop would report the same events in each turn, so an error is fatal. A closed descriptor
 * (EBADF, ENOENT) reports no events. */
static void
control_surely(struct loop *loop, int what, struct watch *watch)
{
	if (control(loop, what, watch) != 0 && errno != EBADF && errno != ENOENT)
		loop->error = errno;
}

int
watch_begin(struct loop *loop, struct watch *watch, int fd, uint32_t wanted)
{
	watch->fd = fd;
	watch->wanted = wanted;
	if (control(loop, EPOLL_CTL_ADD, watch) != 0)
		return -1;
	loop->watched++;
	return 0;
}

void
watch_want(struct loop *loop, struct watch *watch, uint32_t wanted)
{
	if (watch->wanted == wanted)
		return;
	watch->wanted = wanted;
	control_surely(loop, EPOLL_CTL_MOD, watch);
}

/* An event of this batch must not reach a watch that has ended: its memory may have been reused. */
static void
forget(struct loop *loop, const struct watch *watch)
{
	for (int i = loop->next; i < loop->count; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
}

void
watch_end(struct loop *loop, struct watch *watch)
{
	forget(loop, watch);
	loop->watched--;
	control_surely(loop, EPOLL_CTL_DEL, watch);
}

/* Closing the last descriptor of a file removes it from epoll, but this may not be the last one:
 * the parent of a vfork() continues when execve() has given the child new memory, and the child
 * closes its close-on-exec descriptors only after that. */
void
watch_close(struct loop *loop, struct watch *watch)
{
	watch_end(loop, watch);
	(void)close(watch->fd);
	watch->fd = -1;
}

void
deadlines_begin(struct loop *loop, struct deadlines *queue, int64_t after_ms,
    void (*passed)(struct loop *loop, struct deadline *deadline))
{
	queue->ring.next = queue->ring.before = &queue->ring;
	queue->after_ms = after_ms == 0 ? 1 : after_ms;
	queue->passed = passed;
	queue->others = loop->queues;
	loop->queues = queue;
}

void
deadline_drop(struct deadline *deadline)
{
	if (deadline->next == NULL)
		return;
	deadline->next->before = deadline->before;
	deadline->before->next = deadline->next;
	deadline->next = NULL;
}

/* Time is monotonic and all deadlines of a queue have the same duration: a new one goes last. */
void
deadline_set(struct loop *loop, struct deadlines *queue, struct deadline *deadline)
{
	int64_t at = loop->now + queue->after_ms;

	if (deadline->next == &queue->ring || (deadline->next != NULL && deadline->at == at)) {
		deadline->at = at;
		return;
	}
	deadline_drop(deadline);
	deadline->at = at;
	deadline->next = &queue->ring;
	deadline->before = queue->ring.before;
	queue->ring.before->next = deadline;
	queue->ring.before = deadline;
}

void
deadline_set_at(struct deadlines *queue, struct deadline *deadline, int64_t at)
{
	struct deadline *before;

	deadline_drop(deadline);
	before = queue->ring.before;
	while (before != &queue->ring && before->at > at)
		before = before->before;
	deadline->at = at;
	deadline->next = before->next;
	deadline->before = before;
	before->next->before = deadline;
	before->next = deadline;
}

struct deadline *
deadlines_first(const struct deadlines *queue)
{
	return queue->ring.next == &queue->ring ? NULL : queue->ring.next;
}

/* Return the earliest deadline of all queues, and its queue, or NULL. */
static struct deadline *
deadline_next(const struct loop *loop, struct deadlines **queue)
{
	struct deadline *next = NULL;

	for (struct deadlines *q = loop->queues; q != NULL; q = q->others) {
		struct deadline *first = deadlines_first(q);

		if (first == NULL || (next != NULL && next->at <= first->at))
			continue;
		next = first;
		*queue = q;
	}
	return next;
}

static int
wait_ms(const struct loop *loop, int64_t now)
{
	struct deadlines *queue;
	const struct deadline *next = deadline_next(loop, &queue);

	if (loop->no_wait)
		return 0;
	return clock_between(now, next == NULL ? CLOCK_NEVER : next->at);
}

/* Call the handlers of deadlines that have passed, the earliest first, for at most LOOP_TURN_MS, so that
 * descriptors do not wait for handlers that set their deadlines again. */
static void
deadlines_expire(struct loop *loop)
{
	int64_t until = 0;
	struct deadline *next;
	struct deadlines *queue;

	while ((next = deadline_next(loop, &queue)) != NULL && next->at <= loop->before) {
		if (until == 0)
			until = clock_ms() + LOOP_TURN_MS;
		deadline_drop(next);
		queue->passed(loop, next);
		if (clock_ms() >= until)
			return;
	}
}

/* While events are pending epoll_pwait() returns at once without delivering signals. */
static void
signals_deliver_sometimes(struct loop *loop)
{
	if (loop->now - loop->signals_at < SIGNALS_MS)
		return;
	loop->signals_at = loop->now;
	signals_deliver();
}

/* EINTR (a signal, or SIGCONT) hides pending events. */
static int
events_wait(struct loop *loop)
{
	int64_t before = clock_ms();
	int ms = wait_ms(loop, before);
	int count = epoll_pwait(loop->fd, loop->batch, LOOP_BATCH, ms, signals_wait_mask());

	if (count < 0 && errno == EINTR)
		count = epoll_wait(loop->fd, loop->batch, LOOP_BATCH, 0);
	if (count < 0 && errno != EINTR)
		return -1;
	count = count < 0 ? 0 : count;
	loop->no_wait = false;
	if (loop->reported == 0)
		loop->before = before;
	loop->reported += (size_t)count;
	loop->next = 0;
	loop->count = count;
	return 0;
}

/* The kernel reports events in rotation: the events pending at the start are complete if fewer than
 * a batch are left, or if as many were reported as there are watches. */
static bool
events_known(const struct loop *loop)
{
	return loop->count < LOOP_BATCH || loop->reported >= loop->watched;
}

int
loop_turn(struct loop *loop)
{
	if (loop->error != 0) {
		errno = loop->error;
		return -1;
	}
	if (loop->next == loop->count && events_wait(loop) != 0)
		return -1;
	loop->now = clock_ms();
	while (loop->next < loop->count) {
		struct epoll_event *event = &loop->batch[loop->next++];
		struct watch *watch = event->data.ptr;

		if (watch != NULL)
			watch->ready(loop, watch, event->events);
		if (clock_ms() - loop->now >= LOOP_TURN_MS)
			break;
	}
	if (loop->count > 0)
		signals_deliver_sometimes(loop);
	if (loop->next < loop->count)
		return 0;
	if (events_known(loop)) {
		loop->reported = 0;
		deadlines_expire(loop);
	}
	loop->next = loop->count = 0;
	return 0;
}
