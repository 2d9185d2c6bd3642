/*
 * What waits to be sent to one of many clients: a queue of shared messages, so
 * that one to ten thousand is in memory once. All that waits leaves in one
 * send.
 */
#ifndef FITTINGS_OUTBOX_H
#define FITTINGS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct message {
	unsigned users; /* 0: it is of one queue alone, see outbox_room() */
	size_t room; /* of its block */
	size_t size;
	unsigned char bytes[];
};

/* With one user, the caller; NULL where there is no memory. */
struct message *message_new(size_t size);

/* One user less; the last one frees it. */
void message_release(struct message *message);

struct queue_node;

/* All zero is an empty one. */
struct outbox {
	struct queue_node *first;
	struct queue_node *last;
	struct queue_node *newest; /* of outbox_put_newest(), NULL if none is queued */
	size_t sent; /* of the first message */
	size_t held; /* bytes that wait, with what it costs to hold them */
};

/* The queue becomes a user too. False where there is no memory. */
bool outbox_put(struct outbox *outbox, struct message *message);

enum { OUTBOX_SHORT = 256 };

/* Queues n bytes, at most OUTBOX_SHORT, without a message of their own: the caller writes them to the address that is
 * returned. NULL if there is no room for them: use outbox_put(). */
unsigned char *outbox_room(struct outbox *outbox, size_t n);

/* The same as outbox_put(), but takes the place of the last message that was put so, if that has not begun to leave. */
bool outbox_put_newest(struct outbox *outbox, struct message *message);

/*
 * Sends as much as the socket takes now. last: our side is shut down when all is
 * sent, and the last bytes may wait for that, to travel with it and not alone. The
 * socket is non-blocking and SIGPIPE ignored. Returns 0 (empty, or the socket is
 * full), or -1 with errno.
 */
int outbox_send(struct outbox *outbox, int fd, bool last);

/* Lets go of all that has not begun to leave. */
void outbox_cut(struct outbox *outbox);

/* Lets go of everything. */
void outbox_clear(struct outbox *outbox);

#endif
