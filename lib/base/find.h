/* Find the first of certain bytes, 64 at a time with the vectors of the CPU: musl's memchr() examines eight at a
 * time. */
#ifndef FITTINGS_FIND_H
#define FITTINGS_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char vector16 __attribute__((vector_size(16)));

static inline vector16
vector_load(const void *from)
{
	vector16 v;

	memcpy(&v, from, sizeof v);
	return v;
}

static inline bool
vector_any(vector16 hits)
{
	uint64_t halves[2];

	memcpy(halves, &hits, sizeof halves);
	return (halves[0] | halves[1]) != 0;
}

/* hits(v, what) returns a vector that is nonzero at each byte of v to be found. Return the number of bytes before the
 * first block of 16 that contains such a byte, or else before the last, shorter block. */
static inline size_t
find_block(const void *bytes, size_t n, vector16 (*hits)(vector16 v, unsigned what), unsigned what)
{
	const unsigned char *p = bytes;
	size_t i = 0;

	for (; n - i >= 64; i += 64)
		if (vector_any(hits(vector_load(p + i), what) | hits(vector_load(p + i + 16), what)
		    | hits(vector_load(p + i + 32), what) | hits(vector_load(p + i + 48), what)))
			break;
	while (n - i >= 16 && !vector_any(hits(vector_load(p + i), what)))
		i += 16;
	return i;
}

static inline vector16
find_hits(vector16 v, unsigned byte)
{
	return (vector16)(v == (unsigned char)byte);
}

/* Return the number of bytes before the first one of this value, or n. */
static inline size_t
find_byte(const void *bytes, size_t n, unsigned char byte)
{
	const unsigned char *p = bytes;
	size_t i = find_block(p, n, find_hits, byte);

	while (i < n && p[i] != byte)
		i++;
	return i;
}

#endif
