/*
 * A fixed linear buffer in storage that the caller owns:
 *
 *     bytes .. begin   taken already
 *     begin .. end     held
 *     end .. size      room
 *
 * A full buffer is backpressure: who fills it stops until somebody takes.
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

/* Room behind what is held; buffer_pack() first makes it all the room there is. */
static inline size_t
buffer_room(const struct buffer *b)
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

/* n bytes were taken from the head. An emptied buffer starts at its beginning
 * again, so that an idle connection touches the same few pages. */
static inline void
buffer_take(struct buffer *b, size_t n)
{
	b->begin += n;
	if (b->begin == b->end)
		b->begin = b->end = 0;
}

/* n bytes were written at the tail. */
static inline void
buffer_grow(struct buffer *b, size_t n)
{
	b->end += n;
}

/* Moves what is held to the beginning. */
static inline void
buffer_pack(struct buffer *b)
{
	if (b->begin == 0)
		return;
	memmove(b->bytes, b->bytes + b->begin, buffer_held(b));
	b->end -= b->begin;
	b->begin = 0;
}

/* Appends n bytes; the caller has seen that there is room. */
static inline void
buffer_put(struct buffer *b, const void *from, size_t n)
{
	memcpy(buffer_tail(b), from, n);
	b->end += n;
}

#endif
