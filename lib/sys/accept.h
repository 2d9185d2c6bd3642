/*
 * Accepting connections without ever spinning or dying: what accept(2) may say
 * comes down to three cases, and a shortage is waited out.
 */
#ifndef FITTINGS_ACCEPT_H
#define FITTINGS_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/address.h"

enum accept_failure {
	ACCEPT_NOTHING = -1,  /* nobody waits */
	ACCEPT_GONE = -2,     /* the next connection had failed already: take the one behind it */
	ACCEPT_SHORTAGE = -3, /* errno tells of what (EMFILE, ENOMEM, ...): the connection still waits */
};

/*
 * The next connection of a listener, which is made non-blocking, close-on-exec and with the
 * flags given (SOCK_NONBLOCK or 0); remote is the peer's address, or NULL.
 * Returns its descriptor, or one of the above.
 */
int accept_next(int listener, int flags, struct address *remote);

/* The largest queue that Linux allows unless somebody raises net.core.somaxconn. */
enum { ACCEPT_QUEUE_MAX = 4096 };

/* How many connections wait to be accepted; `unknown` if the kernel does not tell (a UNIX socket). */
size_t accept_queued(int listener, size_t unknown);

/* How long to leave the listeners alone after a shortage, and how often to speak of it. */
enum { SHORTAGE_PAUSE_MS = 100, SHORTAGE_LOG_MS = 1000 };

/* All zero at first. Also for failed starts of a program: the rule is the same. */
struct shortage {
	int64_t until;     /* clock_ms() when to try again, 0 where there is none now */
	int64_t log_after;
};

/* A shortage was met: a pause begins. Returns whether it is time to say so. */
bool shortage_begin(struct shortage *s, int64_t now);

/* Whether the pause still lasts. What ends it early (a connection or a child ended): shortage_end(). */
bool shortage_lasts(struct shortage *s, int64_t now);
void shortage_end(struct shortage *s);

#endif
