/* Accept connections without spinning or exiting: the errors of accept(2) are reduced to three cases, and the
 * caller pauses after a shortage. */
#ifndef FITTINGS_ACCEPT_H
#define FITTINGS_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/address.h"

enum accept_failure {
	ACCEPT_NOTHING = -1,  /* no connection is pending */
	ACCEPT_GONE = -2,     /* the next connection has already failed: try again for the one after it */
	ACCEPT_SHORTAGE = -3, /* see errno (EMFILE, ENOMEM, ...); the connection stays queued */
};

/*
 * Accept the next connection of a listener, which becomes non-blocking. The connection is
 * close-on-exec and has the given flags (SOCK_NONBLOCK or 0). Store the peer's address in *remote.
 * Return the descriptor, or one of the values above.
 */
int accept_next(int listener, int flags, struct address *remote);

/* The largest accept queue on Linux with the default net.core.somaxconn. */
enum { ACCEPT_QUEUE_MAX = 4096 };

/* Return the number of connections in the accept queue, or `unknown` if the kernel does not report
 * it (a UNIX socket). */
size_t accept_queued(int listener, size_t unknown);

/* How long to pause accepting after a shortage, and the shortest interval between two messages about it. */
enum { SHORTAGE_PAUSE_MS = 100, SHORTAGE_LOG_MS = 1000 };

/* All zero initially. The same rule also applies to programs that cannot be started. */
struct shortage {
	int64_t until;     /* end of the pause on the clock of clock_ms(), 0 without a pause */
	int64_t log_after;
};

/* Begin a pause after a shortage. Return whether a message is due. */
bool shortage_begin(struct shortage *s, int64_t now);

/* Return whether the pause still lasts. shortage_end() ends it early, after a connection or a child has ended. */
bool shortage_lasts(struct shortage *s, int64_t now);
void shortage_end(struct shortage *s);

/* Return whether a call that failed with this errno (or the start of a program) may soon succeed. */
bool shortage_passes(int error);

#endif
