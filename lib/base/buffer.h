/*
 * A fixed linear buffer in storage that the caller owns:
 *
 *     bytes .. begin   consumed
 *     begin .. end     held
 *     end .. size      free
 *
 * A full buffer is backpressure: the producer stops until the consumer takes bytes.
 */
#ifndef FITTINGS_BUFFER_H
#define FITTINGS_BUFFER_H

#include <stddef.h>
#include <string.h>

struct buffer {
	unsigned char *bytes;
	size_t size;
	size_t begin;
	size_t end;
};

static inline struct buffer
buffer_over(void *storage, size_t size)
{
	return (struct buffer){.bytes = storage, .size = size};
}

static inline size_t
buffer_held(const struct buffer *b)
{
	return b->end - b->begin;
}

/* Return the free bytes after the held ones. buffer_pack() first makes all free bytes contiguous there. */
static inline size_t
buffer_space(const struct buffer *b)
{
	return b->size - b->end;
}

static inline unsigned char *
buffer_head(const struct buffer *b)
{
	return b->bytes + b->begin;
}

static inline unsigned char *
buffer_tail(const struct buffer *b)
{
	return b->bytes + b->end;
}

/* Remove n bytes from the head. An emptied buffer restarts at its beginning, so that an idle
 * connection touches the same few pages. */
static inline void
buffer_take(struct buffer *b, size_t n)
{
	b->begin += n;
	if (b->begin == b->end)
		b->begin = b->end = 0;
}

/* Add n bytes that the caller has written at the tail. */
static inline void
buffer_grow(struct buffer *b, size_t n)
{
	b->end += n;
}

/* Move the held bytes to the beginning. */
static inline void
buffer_pack(struct buffer *b)
{
	if (b->begin == 0)
		return;
	memmove(b->bytes, b->bytes + b->begin, buffer_held(b));
	b->end -= b->begin;
	b->begin = 0;
}

/* Append n bytes. The caller has checked that they fit. */
static inline void
buffer_put(struct buffer *b, const void *from, size_t n)
{
	memcpy(buffer_tail(b), from, n);
	b->end += n;
}

#endif
