/* The send queue of one of many clients. It refers to shared messages, so that a message to ten thousand clients is
 * in memory once. All pending messages are sent with one call. */
#ifndef FITTINGS_OUTBOX_H
#define FITTINGS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct message {
	unsigned users; /* 0: it belongs to one queue, see outbox_reserve() */
	size_t capacity; /* of its block */
	size_t size;
	unsigned char bytes[];
};

/* Allocate a message whose only user is the caller, without or with its contents. Return NULL without memory. */
struct message *message_new(size_t size);
struct message *message_of(const void *bytes, size_t size);

/* Remove a user, unless message is NULL. The last one frees the message. */
void message_release(struct message *message);

struct queue_node;

/* All zero: empty. */
struct outbox {
	struct queue_node *first;
	struct queue_node *last;
	struct queue_node *newest; /* of outbox_put_newest(), or NULL */
	size_t sent; /* of the first message */
	size_t held; /* pending bytes including the overhead of storing them */
};

/* Queue a message and become one of its users. Return false without memory. */
bool outbox_put(struct outbox *outbox, struct message *message);

enum { OUTBOX_SHORT = 256 };

/* Queue n bytes, at most OUTBOX_SHORT, without a message: the caller writes them to the returned
 * address. Return NULL without space: use outbox_put() instead. */
unsigned char *outbox_reserve(struct outbox *outbox, size_t n);

/* Queue a message like outbox_put(), but replace the last one queued by this function if sending it
 * has not begun. */
bool outbox_put_newest(struct outbox *outbox, struct message *message);

/*
 * Send as much as the socket accepts. last: the socket is shut down after all data is sent, so the
 * kernel may delay the last bytes and send them with the FIN. The socket is non-blocking and
 * SIGPIPE ignored. Return 0 if the queue is empty or the socket full, or -1 with errno.
 */
int outbox_send(struct outbox *outbox, int fd, bool last);

/* Remove all messages whose sending has not begun. */
void outbox_cut(struct outbox *outbox);

/* Remove all messages. */
void outbox_clear(struct outbox *outbox);

#endif
