#include "serve/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "sys/block_cache.h"

enum { PIECES_MAX = 256, BLOCKS_OVERHEAD = 32 };

struct queue_node {
	struct queue_node *next;
	struct message *message;
};

/* Parcels that are not in use: they come and go with each message. */
static struct queue_node *spare;
static size_t spare_count;
enum { SPARE_MAX = 4096 };

struct message *
message_new(size_t size)
{
	size_t whole = sizeof(struct message) + size, room;
	struct message *message = block_alloc(whole, whole + whole / 4, &room);

	if (message != NULL)
		*message = (struct message){.users = 1, .room = room, .size = size};
	return message;
}

void
message_release(struct message *message)
{
	if (--message->users == 0)
		block_free(message, message->room);
}

/* What it takes to hold it, with what the libc needs for two blocks: small messages are
 * mostly that. */
static size_t
cost(const struct message *message)
{
	return message->room + sizeof(struct queue_node) + BLOCKS_OVERHEAD;
}

bool
outbox_put(struct outbox *outbox, struct message *message)
{
	struct queue_node *queue_node = spare;

	if (queue_node != NULL) {
		spare = queue_node->next;
		spare_count--;
	} else {
		queue_node = malloc(sizeof *queue_node);
	}
	if (queue_node == NULL)
		return false;
	*queue_node = (struct queue_node){.message = message};
	message->users++;
	if (outbox->first == NULL)
		outbox->first = queue_node;
	else
		outbox->last->next = queue_node;
	outbox->last = queue_node;
	outbox->held += cost(message);
	return true;
}

bool
outbox_put_newest(struct outbox *outbox, struct message *message)
{
	struct queue_node *newest = outbox->newest;

	if (newest == NULL || (newest == outbox->first && outbox->sent != 0)) {
		bool put = outbox_put(outbox, message);

		outbox->newest = put ? outbox->last : NULL;
		return put;
	}
	outbox->held += cost(message) - cost(newest->message);
	message_release(newest->message);
	newest->message = message;
	message->users++;
	return true;
}

static void
queue_node_drop(struct outbox *outbox, struct queue_node *queue_node)
{
	outbox->held -= cost(queue_node->message);
	if (outbox->newest == queue_node)
		outbox->newest = NULL;
	message_release(queue_node->message);
	if (spare_count == SPARE_MAX) {
		free(queue_node);
		return;
	}
	queue_node->next = spare;
	spare = queue_node;
	spare_count++;
}

static void
first_drop(struct outbox *outbox)
{
	struct queue_node *first = outbox->first;

	outbox->first = first->next;
	outbox->sent = 0;
	queue_node_drop(outbox, first);
}

/* n bytes from the first on were sent. */
static void
take(struct outbox *outbox, size_t n)
{
	while (outbox->first != NULL) {
		size_t left = outbox->first->message->size - outbox->sent;

		if (n < left) {
			outbox->sent += n;
			return;
		}
		n -= left;
		first_drop(outbox);
	}
}

/* The bytes offered, in pieces. */
static size_t
gather(const struct outbox *outbox, struct iovec *pieces, int *count)
{
	size_t total = 0, skip = outbox->sent;

	*count = 0;
	for (const struct queue_node *p = outbox->first; p != NULL && *count < PIECES_MAX; p = p->next) {
		pieces[*count] = (struct iovec){p->message->bytes + skip, p->message->size - skip};
		total += pieces[(*count)++].iov_len;
		skip = 0;
	}
	return total;
}

int
outbox_send(struct outbox *outbox, int fd, bool last)
{
	while (outbox->first != NULL) {
		struct iovec pieces[PIECES_MAX];
		int count;
		size_t offered = gather(outbox, pieces, &count);
		/* One piece, as most often, need not be told of in the kernel's slower way. */
		ssize_t n = count == 1 ? send(fd, pieces->iov_base, offered, last ? MSG_MORE : 0)
		                       : writev(fd, pieces, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
		take(outbox, (size_t)n);
		if ((size_t)n < offered)
			return 0;
	}
	return 0;
}

void
outbox_cut(struct outbox *outbox)
{
	struct queue_node *first = outbox->sent != 0 ? outbox->first : NULL, *queue_node;

	queue_node = first != NULL ? first->next : outbox->first;
	while (queue_node != NULL) {
		struct queue_node *next = queue_node->next;

		queue_node_drop(outbox, queue_node);
		queue_node = next;
	}
	outbox->first = outbox->last = first;
	if (first != NULL)
		first->next = NULL;
}

void
outbox_clear(struct outbox *outbox)
{
	outbox->sent = 0;
	outbox_cut(outbox);
}
