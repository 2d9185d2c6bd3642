/*
 * The listening sockets of a server that runs on a loop: whom it lets in, and
 * when. A shortage (descriptors, memory) closes the doors for a moment and is
 * said; the connections wait in the backlog meanwhile.
 */
#ifndef FITTINGS_DOORS_H
#define FITTINGS_DOORS_H

#include "system/accept.h"
#include "system/address.h"
#include "system/listen.h"
#include "system/loop.h"

struct doors;

struct door {
	struct watch watch;
	struct doors *all;
};

struct doors {
	/* A connection came: a non-blocking, close-on-exec socket, now the callee's. */
	void (*enter)(struct loop *loop, struct doors *doors, int fd, const struct address *remote);
	const struct listeners *listeners; /* opened with listeners_open() */
	struct door each[LISTEN_MAX];
	bool wanted;
	bool watched;
	struct shortage shortage;
	struct deadlines pauses;
	struct deadline pause;
};

/* doors->enter and doors->listeners are set already, all else is zero. They are not open yet. */
void doors_begin(struct loop *loop, struct doors *doors);

/* Lets people in from now on (once a pause is over). */
void doors_open(struct loop *loop, struct doors *doors);

/* Nobody comes in until they are opened again. */
void doors_shut(struct loop *loop, struct doors *doors);

/* Lets in whoever waits now, as far as descriptors and the callee allow, and nobody after that. */
void doors_drain(struct loop *loop, struct doors *doors);

/* Something is short, errno tells of what: `WHAT: WHY` is said, but not every time, and for a moment nobody comes in. */
void doors_pause(struct loop *loop, struct doors *doors, const char *what);

/* What was short may be there again, for a connection ended: a pause ends early. */
void doors_retry(struct loop *loop, struct doors *doors);

#endif
