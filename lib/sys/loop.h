/*
 * An event loop for many descriptors with deadlines, based on level-triggered epoll. The state of a
 * watch lies in structs of the caller, so a connection needs no memory of the loop.
 *
 *     loop_open(&loop);
 *     watch_begin(&loop, &client->watch, fd, EPOLLIN);
 *     while (!done) {
 *         if (signals_take(SIGTERM))
 *             ...
 *         loop_turn(&loop);
 *     }
 *
 * Level-triggered: data that a handler leaves is reported again in the next turn, after all other
 * descriptors. One read and one write per event are therefore fair.
 */
#ifndef FITTINGS_LOOP_H
#define FITTINGS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/*
 * A watched descriptor. The handler gets EPOLLIN and EPOLLOUT as requested. EPOLLERR and EPOLLHUP
 * are always reported: a handler that ignores these events is called again every turn. A handler
 * may end and free any watch, including its own.
 */
struct watch {
	void (*ready)(struct loop *loop, struct watch *watch, uint32_t events);
	int fd;
	uint32_t wanted;
};

/* A point in time. All deadlines of a queue have the same duration, so that setting, moving and dropping one takes
 * constant time. */
struct deadline {
	struct deadline *next; /* NULL if not set */
	struct deadline *before;
	int64_t at;
};

struct deadlines {
	struct deadline ring;
	int64_t after_ms;
	/* Called after the deadline, which is then not set. It may set the deadline again or free
	 * the object that contains it. */
	void (*passed)(struct loop *loop, struct deadline *deadline);
	struct deadlines *others;
};

enum { LOOP_BATCH = 256, LOOP_TURN_MS = 20 };

struct loop {
	int fd;
	int64_t now; /* clock_ms() at the beginning of this turn */
	int64_t signals_at;
	struct deadlines *queues;
	int next;    /* position in the batch: the next event to handle */
	int count;
	bool no_wait;    /* the next turn does not wait, because the caller has more to do */
	int error;     /* of epoll_ctl(), or 0 */
	size_t watched;
	size_t reported; /* events since deadlines were last checked */
	int64_t before;  /* clock_ms() before the wait that reported the first of them */
	struct epoll_event batch[LOOP_BATCH];
};

/* Open an epoll descriptor. Return -1 with errno. After fork() each process opens a loop of its own. */
int loop_open(struct loop *loop);

/*
 * Wait for events, deadlines or a signal (delivered only here: signals.h), and call the handlers. Return after at
 * most LOOP_BATCH events or LOOP_TURN_MS, so that the caller can check signals and its own state; the rest of a
 * batch follows in the next turn.
 *
 * After a pause of the process (SIGSTOP, suspend), descriptors are read before deadlines are checked: a deadline
 * passes only after all events that were pending at that time have been reported.
 *
 * Return 0, or -1 with errno if waiting or changing a watch failed: repeating it would spin.
 */
int loop_turn(struct loop *loop);

/* Watch a descriptor; watch->ready is already set. Return -1 with errno (ENOMEM, ENOSPC). */
int watch_begin(struct loop *loop, struct watch *watch, int fd, uint32_t wanted);

/* Set the events to watch for. A system call is made only if they change. */
void watch_want(struct loop *loop, struct watch *watch, uint32_t wanted);

/* Stop watching: no event is reported, not even one of this turn. The descriptor stays open. */
void watch_end(struct loop *loop, struct watch *watch);

/* Stop watching and close the descriptor. It must be the last one of its socket or pipe end. */
void watch_close(struct loop *loop, struct watch *watch);

/* Add a queue of deadlines with the duration after_ms; 0 counts as 1. A queue is never removed. */
void deadlines_begin(struct loop *loop, struct deadlines *queue, int64_t after_ms,
    void (*passed)(struct loop *loop, struct deadline *deadline));

/* Set or move a deadline to queue->after_ms after this turn. */
void deadline_set(struct loop *loop, struct deadlines *queue, struct deadline *deadline);

/* Set or move a deadline to the time `at`, which may have passed; queue->after_ms is not used. This is fast if most
 * deadlines of the queue are set in the order of their times. */
void deadline_set_at(struct deadlines *queue, struct deadline *deadline, int64_t at);

/* Drop a deadline, whether or not it is set. */
void deadline_drop(struct deadline *deadline);

/* Return the deadline of the queue that was set first, or NULL. */
struct deadline *deadlines_first(const struct deadlines *queue);

#endif
