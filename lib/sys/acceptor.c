#include "sys/acceptor.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

/* Connections accepted per event, so that existing clients are served in between. */
enum { AT_ONCE = 16 };

static void
unwatch(struct loop *loop, struct acceptor *acceptor)
{
	while (acceptor->watched > 0)
		watch_end(loop, &acceptor->each[--acceptor->watched].watch);
}

void
acceptor_pause(struct loop *loop, struct acceptor *acceptor, const char *what)
{
	int error = errno;

	unwatch(loop, acceptor);
	if (shortage_begin(&acceptor->shortage, loop->now))
		warn("%s: %s", what, strerror(error));
	deadline_set(loop, &acceptor->pauses, &acceptor->pause);
}

static void
on_readable(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct acceptor *acceptor = ((struct acceptor_listener *)watch)->all;

	(void)events;
	if (acceptor->full != 0) {
		warn("%zu of %zu connections: the next one waits (--max)", acceptor->full, acceptor->full);
		acceptor->full_log_after = loop->now + SHORTAGE_LOG_MS;
		acceptor_stop(loop, acceptor);
	}
	for (int i = 0; i < AT_ONCE && acceptor->watched != 0 && acceptor->full == 0; i++) {
		struct address remote;
		int fd = accept_next(watch->fd, SOCK_NONBLOCK, &remote);

		if (fd >= 0)
			acceptor->on_connection(loop, acceptor, fd, &remote);
		else if (fd == ACCEPT_SHORTAGE)
			acceptor_pause(loop, acceptor, "accept");
		else if (fd == ACCEPT_NOTHING)
			return;
	}
}

/* EPOLLEXCLUSIVE: only one of several processes that share a socket wakes up. */
static void
watch_all(struct loop *loop, struct acceptor *acceptor)
{
	for (size_t *i = &acceptor->watched; *i < acceptor->listeners->count; ++*i) {
		if (watch_begin(loop, &acceptor->each[*i].watch, acceptor->listeners->fds[*i], EPOLLIN | EPOLLEXCLUSIVE) == 0)
			continue;
		acceptor_pause(loop, acceptor, "epoll_ctl");
		return;
	}
}

static void
watch_update(struct loop *loop, struct acceptor *acceptor)
{
	if (!acceptor->wanted)
		unwatch(loop, acceptor);
	else if (acceptor->watched == 0 && acceptor->pause.next == NULL)
		watch_all(loop, acceptor);
}

static void
pause_over(struct loop *loop, struct deadline *pause)
{
	struct acceptor *acceptor = (struct acceptor *)((char *)pause - offsetof(struct acceptor, pause));

	watch_update(loop, acceptor);
}

void
acceptor_begin(struct loop *loop, struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->listeners->count; i++)
		acceptor->each[i] = (struct acceptor_listener){.watch.ready = on_readable, .all = acceptor};
	deadlines_begin(loop, &acceptor->pauses, SHORTAGE_PAUSE_MS, pause_over);
}

void
acceptor_start(struct loop *loop, struct acceptor *acceptor)
{
	acceptor->wanted = true;
	acceptor->full = 0;
	watch_update(loop, acceptor);
}

void
acceptor_stop(struct loop *loop, struct acceptor *acceptor)
{
	acceptor->wanted = false;
	watch_update(loop, acceptor);
}

void
acceptor_full(struct loop *loop, struct acceptor *acceptor, size_t connections)
{
	acceptor->full = connections;
	if (loop->now < acceptor->full_log_after)
		acceptor_stop(loop, acceptor);
}

/* Read the length of each queue once, so that clients that arrive later cannot prolong the drain. */
void
acceptor_drain(struct loop *loop, struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->listeners->count; i++) {
		int listener = acceptor->listeners->fds[i];

		for (size_t n = accept_queued(listener, ACCEPT_QUEUE_MAX); n > 0 && acceptor->wanted && acceptor->full == 0; n--) {
			struct address remote;
			int fd = accept_next(listener, SOCK_NONBLOCK, &remote);

			if (fd >= 0)
				acceptor->on_connection(loop, acceptor, fd, &remote);
			else if (fd != ACCEPT_GONE)
				break;
		}
	}
	acceptor_stop(loop, acceptor);
}

void
acceptor_retry(struct loop *loop, struct acceptor *acceptor)
{
	if (acceptor->pause.next == NULL)
		return;
	deadline_drop(&acceptor->pause);
	watch_update(loop, acceptor);
}
