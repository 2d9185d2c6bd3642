/*
 * The send queue of one of many clients. Its messages are shared, so that a message to ten thousand
 * clients is in memory once. The whole queue is sent with one system call, if possible.
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

/* Returns a message with one user, the caller; NULL without memory. */
struct message *message_new(size_t size);

/* Removes one user; the last one frees the message. */
void message_release(struct message *message);

struct queue_node;

/* All zero: empty. */
struct outbox {
	struct queue_node *first;
	struct queue_node *last;
	struct queue_node *newest; /* of outbox_put_newest(), NULL if none is queued */
	size_t sent; /* of the first message */
	size_t held; /* memory for the messages */
};

/* Appends a message, which gets one user more. Returns false without memory. */
bool outbox_put(struct outbox *outbox, struct message *message);

enum { OUTBOX_SHORT = 256 };

/* Queues n bytes, at most OUTBOX_SHORT, without a message of their own: the caller writes them to the address that is
 * returned. NULL if there is no room for them: use outbox_put(). */
unsigned char *outbox_room(struct outbox *outbox, size_t n);

/* The same as outbox_put(), but replaces the last message that was put by this function, unless some of it was sent. */
bool outbox_put_newest(struct outbox *outbox, struct message *message);

/*
 * Sends as much as the socket takes now. last: the caller shuts the socket down when all is
 * sent, so the last bytes may be held back for the FIN. The socket is non-blocking and
 * SIGPIPE ignored. Returns 0 (the queue is empty, or the socket is full), or -1 with errno.
 */
int outbox_send(struct outbox *outbox, int fd, bool last);

/* Drops all messages but one of which some was sent. */
void outbox_cut(struct outbox *outbox);

/* Drops all messages. */
void outbox_clear(struct outbox *outbox);

#endif
