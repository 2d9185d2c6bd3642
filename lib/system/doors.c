#include "system/doors.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "ground/log.h"

/* At most so many an event: who is in already is served as well. */
enum { AT_ONCE = 16 };

static void
unwatch(struct loop *loop, struct doors *doors)
{
	if (!doors->watched)
		return;
	for (size_t i = 0; i < doors->listeners->count; i++)
		watch_end(loop, &doors->each[i].watch);
	doors->watched = false;
}

void
doors_pause(struct loop *loop, struct doors *doors, const char *what)
{
	int error = errno;

	unwatch(loop, doors);
	if (shortage_begin(&doors->shortage, loop->now))
		warn("%s: %s", what, strerror(error));
	deadline_set(loop, &doors->pauses, &doors->pause);
}

static void
knocked(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct doors *doors = ((struct door *)watch)->all;

	(void)events;
	for (int i = 0; i < AT_ONCE && doors->watched; i++) {
		struct address remote;
		int fd = accept_next(watch->fd, SOCK_NONBLOCK, &remote);

		if (fd >= 0)
			doors->enter(loop, doors, fd, &remote);
		else if (fd == ACCEPT_SHORTAGE)
			doors_pause(loop, doors, "accept");
		else if (fd == ACCEPT_NOTHING)
			return;
	}
}

/* EPOLLEXCLUSIVE: of several processes that share a socket one wakes up, not all. */
static void
watch_all(struct loop *loop, struct doors *doors)
{
	doors->watched = true;
	for (size_t i = 0; i < doors->listeners->count; i++) {
		if (watch_begin(loop, &doors->each[i].watch, doors->listeners->fds[i], EPOLLIN | EPOLLEXCLUSIVE) == 0)
			continue;
		doors_pause(loop, doors, "epoll_ctl");
		return;
	}
}

static void
reconsider(struct loop *loop, struct doors *doors)
{
	if (!doors->wanted)
		unwatch(loop, doors);
	else if (!doors->watched && doors->pause.next == NULL)
		watch_all(loop, doors);
}

static void
pause_over(struct loop *loop, struct deadline *pause)
{
	struct doors *doors = (struct doors *)((char *)pause - offsetof(struct doors, pause));

	reconsider(loop, doors);
}

void
doors_begin(struct loop *loop, struct doors *doors)
{
	for (size_t i = 0; i < doors->listeners->count; i++)
		doors->each[i] = (struct door){.watch.ready = knocked, .all = doors};
	doors->pauses.passed = pause_over;
	deadlines_begin(loop, &doors->pauses, SHORTAGE_PAUSE_MS);
}

void
doors_open(struct loop *loop, struct doors *doors)
{
	doors->wanted = true;
	reconsider(loop, doors);
}

void
doors_shut(struct loop *loop, struct doors *doors)
{
	doors->wanted = false;
	reconsider(loop, doors);
}

/* Each queue's length is read once: a client that arrives later must not keep us here. */
void
doors_drain(struct loop *loop, struct doors *doors)
{
	for (size_t i = 0; i < doors->listeners->count; i++) {
		int listener = doors->listeners->fds[i];

		for (size_t n = accept_queued(listener, ACCEPT_QUEUE_MAX); n > 0 && doors->wanted; n--) {
			struct address remote;
			int fd = accept_next(listener, SOCK_NONBLOCK, &remote);

			if (fd >= 0)
				doors->enter(loop, doors, fd, &remote);
			else if (fd != ACCEPT_GONE)
				break;
		}
	}
	doors_shut(loop, doors);
}

void
doors_retry(struct loop *loop, struct doors *doors)
{
	if (doors->pause.next == NULL)
		return;
	deadline_drop(&doors->pause);
	reconsider(loop, doors);
}
