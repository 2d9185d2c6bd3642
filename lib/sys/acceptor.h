/* Accept connections on the listening sockets of a server that runs on a loop. After a shortage (of descriptors or
 * memory) the acceptor logs the error and pauses; connections wait in the backlog. */
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
	/* Called for each connection: a non-blocking, close-on-exec socket that the callee owns. */
	void (*on_connection)(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote);
	const struct listeners *listeners; /* opened by listeners_open() */
	struct acceptor_listener each[LISTEN_MAX];
	bool wanted;
	size_t full;            /* acceptor_full(): the number of connections, else 0 */
	int64_t full_log_after; /* when the next message about that may be logged */
	size_t watched; /* number of watched listeners: all or none */
	struct shortage shortage;
	struct deadlines pauses;
	struct deadline pause;
};

/* Set up an acceptor whose on_connection and listeners are set and whose other fields are zero. It
 * does not accept yet. */
void acceptor_begin(struct loop *loop, struct acceptor *acceptor);

/* Start accepting, after a pause that may be in progress. */
void acceptor_start(struct loop *loop, struct acceptor *acceptor);

/* Stop accepting until acceptor_start(). */
void acceptor_stop(struct loop *loop, struct acceptor *acceptor);

/* The limit of connections is reached. As acceptor_stop(), but log at most once a second that the next
 * connection waits. */
void acceptor_full(struct loop *loop, struct acceptor *acceptor, size_t connections);

/* Accept the connections that are queued now, as far as descriptors and the callee allow, then stop. */
void acceptor_drain(struct loop *loop, struct acceptor *acceptor);

/* Pause after a shortage that errno names. Log `WHAT: WHY`, but not more often than SHORTAGE_LOG_MS. */
void acceptor_pause(struct loop *loop, struct acceptor *acceptor, const char *what);

/* End a pause early, because a connection has ended and released its resources. */
void acceptor_retry(struct loop *loop, struct acceptor *acceptor);

#endif
