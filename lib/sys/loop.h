/*
 * One loop over many descriptors: level-triggered epoll, with deadlines. What
 * is watched lives in the caller's own structs, so that a connection costs the
 * loop no memory of its own.
 *
 *     loop_open(&loop);
 *     watch_begin(&loop, &client->watch, fd, EPOLLIN);
 *     while (!done) {
 *         if (signals_take(SIGTERM))
 *             ...
 *         loop_turn(&loop);
 *     }
 *
 * Level-triggered: who takes only part of what there is hears of the rest in
 * the next turn, behind everyone else. So one read and one write an event is
 * fair without further ado.
 */
#ifndef FITTINGS_LOOP_H
#define FITTINGS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/*
 * A watched descriptor. ready() gets EPOLLIN, EPOLLOUT as wanted; EPOLLERR and
 * EPOLLHUP always come, also to a watch that wants nothing: who does not act on
 * them hears of them for ever. It may end and free any watch, its own too.
 */
struct watch {
	void (*ready)(struct loop *loop, struct watch *watch, uint32_t events);
	int fd;
	uint32_t wanted;
};

/*
 * A point in time. Deadlines that are the same length of time away stand in
 * one queue, so that setting, moving and dropping one costs the same few
 * instructions however many there are.
 */
struct deadline {
	struct deadline *next; /* NULL while it is not set */
	struct deadline *before;
	int64_t at;
};

struct deadlines {
	struct deadline ring;
	int64_t after_ms;
	/* It has passed, and is not set any more; may set it again, and free what it is part of. */
	void (*passed)(struct loop *loop, struct deadline *deadline);
	struct deadlines *others;
};

enum { LOOP_BATCH = 256, LOOP_TURN_MS = 20 };

struct loop {
	int fd;
	int64_t now; /* clock_ms() when this turn began */
	int64_t signals_at;
	struct deadlines *queues;
	int next;    /* the batch's events that are still to be told */
	int count;
	bool hurry;    /* for the next turn: does not wait, the caller has more to do */
	size_t watched;
	size_t reported; /* events since the last time that deadlines were judged */
	int64_t before;  /* clock_ms() before the first of them was waited for */
	struct epoll_event batch[LOOP_BATCH];
};

/* -1 with errno where there is none to be had. After fork each process opens its own. */
int loop_open(struct loop *loop);

/*
 * Waits for events, deadlines or a signal (let in only here: signals.h), and calls the
 * handlers. Returns after at most LOOP_BATCH events and after LOOP_TURN_MS, so that the
 * caller sees signals and its own state often; the rest of a batch comes in the next turn.
 *
 * After a pause of the process (SIGSTOP, suspend) descriptors are read before deadlines
 * are judged: a deadline passes only when every event that was there at that time has
 * been reported.
 *
 * Returns 0, or -1 with errno if waiting itself failed: trying again would only spin.
 */
int loop_turn(struct loop *loop);

/* watch->ready is set already. -1 with errno (ENOMEM, ENOSPC). */
int watch_begin(struct loop *loop, struct watch *watch, int fd, uint32_t wanted);

/* Costs a system call only where what is wanted changes. */
void watch_want(struct loop *loop, struct watch *watch, uint32_t wanted);

/* It hears nothing more, not even of this turn; the descriptor stays open. */
void watch_end(struct loop *loop, struct watch *watch);

/* The same, and closes the descriptor. It must be the last one of its socket or pipe end. */
void watch_close(struct loop *loop, struct watch *watch);

/* A queue of deadlines after_ms (at least 1) away; queue->passed is set already. It is never removed. */
void deadlines_begin(struct loop *loop, struct deadlines *queue, int64_t after_ms);

/* Sets, or moves, a deadline to queue->after_ms from this turn on. */
void deadline_set(struct loop *loop, struct deadlines *queue, struct deadline *deadline);

/* Also for one that is not set. */
void deadline_drop(struct deadline *deadline);

/* The one of the queue that was set first, NULL where there is none. */
struct deadline *deadlines_first(const struct deadlines *queue);

#endif
