/* Compression (RFC 7692), always without context takeover, so that clients can share a compressed message. */
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "sys/block_cache.h"

enum { DEFLATE_MIN = 128 /* compression of shorter messages gains nothing */ };

/* The state of a compressed message of which only a part has arrived. */
struct inflater {
	struct inflater *next;
	struct reader_inflate in;
	unsigned char window[];
};

void
deflate_start(struct hub *hub, unsigned char window_bits)
{
	struct compressor *z = &hub->compressor;

	z->window_bits = window_bits != 0 ? window_bits : EXTENSION_BITS_MAX;
	deflate_begin(&z->deflate, z->window_bits, z->memory, &z->scratch);
}

bool
deflate_wanted(const struct client *c, size_t n)
{
	return c->deflate != 0 && n >= DEFLATE_MIN;
}

/* Write a frame to `to`: compressed, or as it is if that is not larger. Return the size. */
static size_t
frame_deflate(struct compressor *z, struct frame frame, const unsigned char *payload, unsigned char *to)
{
	unsigned char *space = to + FRAME_HEAD_MAX;
	size_t n = (size_t)frame.length, made = n, head;
	enum deflate_result result;

	if (n >= DEFLATE_MIN) {
		(void)deflate_step(&z->deflate, payload, n, true, space, deflate_bound(n), &made, &result);
		deflate_reset(&z->deflate);
	}
	frame.compressed = made < n;
	frame.length = made < n ? made : n;
	head = frame_encode(&frame, to);
	memmove(to + head, frame.compressed ? space : payload, (size_t)frame.length);
	return head + (size_t)frame.length;
}

/* Return the frames compressed, or NULL if that is not smaller or there is no memory. */
static struct message *
message_deflate(struct compressor *z, const struct message *plain)
{
	struct message *large = message_new(FRAME_HEAD_MAX + deflate_bound(plain->size)), *m = NULL;
	struct frame frame;
	size_t made = 0;

	if (large == NULL)
		return NULL;
	for (size_t at = 0; at < plain->size; at += (size_t)frame.length) {
		at += (size_t)frame_decode(&frame, plain->bytes + at, plain->size - at, false);
		made += frame_deflate(z, frame, plain->bytes + at, large->bytes + made);
	}
	if (made < plain->size)
		m = message_of(large->bytes, made);
	message_release(large);
	return m;
}

/* No match in a message of n bytes is further away than n. */
struct message *
outgoing_for(struct hub *hub, struct outgoing *o, const struct client *c)
{
	struct compressor *z = &hub->compressor;
	unsigned bits = DEFLATE_BITS_LEAST + c->deflate;

	if (!deflate_wanted(c, o->longest) || (bits < z->window_bits && o->longest > (size_t)1 << bits))
		return o->plain;
	if (!o->tried)
		o->deflated = message_deflate(z, o->plain);
	o->tried = true;
	return o->deflated != NULL ? o->deflated : o->plain;
}

void
outgoing_release(struct outgoing *o)
{
	message_release(o->plain);
	message_release(o->deflated);
}

/* While c->inflates the message begins with the address of its state. */
static struct inflater *
inflater_own(const struct client *c)
{
	struct inflater *z;

	memcpy(&z, buffer_head(&c->message), sizeof z);
	return z;
}

static struct inflater *
inflater_new(struct compressor *z)
{
	struct inflater *new = malloc(sizeof *new + ((size_t)1 << z->window_bits));

	if (new == NULL)
		return NULL;
	new->next = z->spare;
	z->spare = new;
	z->spare_count++;
	return new;
}

struct reader_inflate *
inflate_take(struct hub *hub, struct client *c)
{
	struct compressor *z = &hub->compressor;
	struct inflater *inflater = c->inflates ? inflater_own(c) : z->spare != NULL ? z->spare : inflater_new(z);

	if (inflater == NULL)
		return NULL;
	if (!c->inflates) {
		inflater->in = (struct reader_inflate){0};
		inflate_begin(&inflater->in.z, z->window_bits, inflater->window, &z->tables);
	}
	inflater->in.out = z->inflated;
	return &inflater->in;
}

bool
inflate_keep(struct hub *hub, struct client *c, struct reader_inflate *in)
{
	struct compressor *z = &hub->compressor;
	struct inflater *inflater = (struct inflater *)((char *)in - offsetof(struct inflater, in)), **at = &z->spare;

	if (c->inflates)
		return true;
	if (!block_reserve(&c->message, sizeof inflater, (size_t)(2 * hub->options.message)))
		return false;
	buffer_put(&c->message, &inflater, sizeof inflater);
	c->inflates = true;
	while (*at != inflater)
		at = &(*at)->next;
	*at = inflater->next;
	z->spare_count--;
	return true;
}

struct span
client_message(const struct client *c)
{
	struct span all = {(const char *)buffer_head(&c->message), buffer_held(&c->message)};

	return c->inflates ? span_skip(all, sizeof(struct inflater *)) : all;
}

void
client_message_drop(struct hub *hub, struct client *c)
{
	struct compressor *z = &hub->compressor;

	if (c->inflates) {
		struct inflater *inflater = inflater_own(c);

		c->inflates = false;
		inflater->next = z->spare;
		z->spare = inflater;
		z->spare_count++;
	}
	block_drop(&c->message);
}

/* Keep only a few states after a burst of incomplete messages. */
void
inflate_trim(struct hub *hub)
{
	struct compressor *z = &hub->compressor;

	while (z->spare_count > SPARES_MAX) {
		struct inflater *first = z->spare;

		z->spare = first->next;
		z->spare_count--;
		free(first);
	}
}
