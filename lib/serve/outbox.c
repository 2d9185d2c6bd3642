#include "serve/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/copy.h"
#include "sys/block_cache.h"

enum { PIECES_MAX = 256, BLOCKS_OVERHEAD = 32, JOIN_MAX = 1024, JOINED_SIZE = 16 << 10 };

struct queue_node {
	struct queue_node *next;
	struct message *message;
};

/* Unused nodes, kept because each message needs one. */
static struct queue_node *spare;
static size_t spare_count;
enum { SPARE_MAX = 4096 };

/* Nodes with a message buffer of fixed size that belongs to one queue and has no users. Short
 * frames for one client are collected in it. */
static struct queue_node *spare_private;
static size_t private_count;
enum {
	PRIVATE_MAX = 256,
	PRIVATE_CAPACITY = 320 - sizeof(struct message),
	PRIVATE_HELD = 4096, /* a queue with more pending bytes gets no further ones */
};

struct message *
message_new(size_t size)
{
	size_t whole = sizeof(struct message) + size, capacity;
	struct message *message = block_alloc(whole, whole + whole / 4, &capacity);

	if (message != NULL)
		*message = (struct message){.users = 1, .capacity = capacity, .size = size};
	return message;
}

struct message *
message_of(const void *bytes, size_t size)
{
	struct message *message = message_new(size);

	if (message != NULL && size != 0)
		memcpy(message->bytes, bytes, size);
	return message;
}

void
message_release(struct message *message)
{
	if (message != NULL && --message->users == 0)
		block_free(message, message->capacity);
}

/* Return the memory for a message, including the overhead of the libc for two blocks, which
 * dominates for small messages. */
static size_t
cost(const struct message *message)
{
	size_t capacity = message->users == 0 ? sizeof *message + message->size : message->capacity;

	return capacity + sizeof(struct queue_node) + BLOCKS_OVERHEAD;
}

static void
append(struct outbox *outbox, struct queue_node *node)
{
	node->next = NULL;
	if (outbox->first == NULL)
		outbox->first = node;
	else
		outbox->last->next = node;
	outbox->last = node;
	outbox->held += cost(node->message);
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
	queue_node->message = message;
	message->users++;
	append(outbox, queue_node);
	return true;
}

static struct queue_node *
private_take(void)
{
	struct queue_node *node = spare_private;

	if (node != NULL) {
		spare_private = node->next;
		return node;
	}
	if (private_count == PRIVATE_MAX)
		return NULL;
	node = malloc(sizeof *node + sizeof(struct message) + PRIVATE_CAPACITY);
	if (node == NULL)
		return NULL;
	private_count++;
	node->message = (struct message *)(node + 1);
	*node->message = (struct message){.capacity = sizeof(struct message) + PRIVATE_CAPACITY};
	return node;
}

unsigned char *
outbox_reserve(struct outbox *outbox, size_t n)
{
	struct queue_node *node = outbox->last;
	bool empty = outbox->first == NULL;
	struct message *message;

	if (n > OUTBOX_SHORT)
		return NULL;
	if (empty || node->message->users != 0 || n > PRIVATE_CAPACITY - node->message->size) {
		node = outbox->held > PRIVATE_HELD ? NULL : private_take();
		if (node == NULL)
			return NULL;
		append(outbox, node);
	}
	message = node->message;
	message->size += n;
	outbox->held += n;
	return message->bytes + message->size - n;
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
	if (queue_node->message->users == 0) {
		queue_node->message->size = 0;
		queue_node->next = spare_private;
		spare_private = queue_node;
		return;
	}
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

/* n bytes from the first message on were sent. */
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

/* Collect the pending data. Return its size. */
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

/* Copy the pending messages to `to` if they are short, as many as fit. Return the size, or 0 to use
 * writev(): a system call takes longer for each piece than copying it. */
static size_t
join(const struct outbox *outbox, unsigned char *to, size_t space)
{
	size_t total = 0, skip = outbox->sent;

	for (const struct queue_node *p = outbox->first; p != NULL; p = p->next) {
		size_t n = p->message->size - skip;

		if (n > JOIN_MAX)
			return 0;
		if (n > space - total)
			break;
		copy_bytes(to + total, p->message->bytes + skip, n);
		total += n;
		skip = 0;
	}
	return total;
}

static ssize_t
send_some(const struct outbox *outbox, int fd, bool last, size_t *offered)
{
	const struct message *first = outbox->first->message;
	unsigned char joined[JOINED_SIZE];
	struct iovec pieces[PIECES_MAX];
	int count;

	if (outbox->first->next == NULL) {
		*offered = first->size - outbox->sent;
		return send(fd, first->bytes + outbox->sent, *offered, last ? MSG_MORE : 0);
	}
	*offered = join(outbox, joined, sizeof joined);
	if (*offered != 0)
		return send(fd, joined, *offered, last ? MSG_MORE : 0);
	*offered = gather(outbox, pieces, &count);
	return writev(fd, pieces, count);
}

int
outbox_send(struct outbox *outbox, int fd, bool last)
{
	while (outbox->first != NULL) {
		size_t offered;
		ssize_t n = send_some(outbox, fd, last, &offered);

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
