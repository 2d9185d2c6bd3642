/*
 * The listening sockets of a server that runs on a loop: whom it lets in, and
 * when. A shortage (descriptors, memory) stops accepting for a moment and is
 * said; the connections wait in the backlog meanwhile.
 */
#ifndef FITTINGS_ACCEPTOR_H
#define FITTINGS_ACCEPTOR_H

#include "sys/accept.h"
#include "sys/address.h"
#include "sys/listen.h"
#include "sys/loop.h"

struct acceptor;

struct acceptor_listener {
	struct watch watch;
	struct acceptor *all;
};

struct acceptor {
	/* A connection came: a non-blocking, close-on-exec socket, now the callee's. */
	void (*on_connection)(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote);
	const struct listeners *listeners; /* opened with listeners_open() */
	struct acceptor_listener each[LISTEN_MAX];
	bool wanted;
	size_t watched; /* listeners: all that there are, or none */
	struct shortage shortage;
	struct deadlines pauses;
	struct deadline pause;
};

/* acceptor->on_connection and acceptor->listeners are set already, all else is zero. They are not open yet. */
void acceptor_begin(struct loop *loop, struct acceptor *acceptor);

/* Lets people in from now on (once a pause is over). */
void acceptor_start(struct loop *loop, struct acceptor *acceptor);

/* Nobody comes in until they are opened again. */
void acceptor_stop(struct loop *loop, struct acceptor *acceptor);

/* Lets in whoever waits now, as far as descriptors and the callee allow, and nobody after that. */
void acceptor_drain(struct loop *loop, struct acceptor *acceptor);

/* Something is short, errno tells of what: `WHAT: WHY` is said, but not every time, and for a moment nobody comes in. */
void acceptor_pause(struct loop *loop, struct acceptor *acceptor, const char *what);

/* What was short may be there again, for a connection ended: a pause ends early. */
void acceptor_retry(struct loop *loop, struct acceptor *acceptor);

#endif
