#include "ws/mask.h"

#include <string.h>

/* Eight bytes at any alignment; the compiler makes one load or store of it. */
static inline uint64_t
word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

static inline uint64_t
word_flip(unsigned char *p, uint64_t with)
{
	uint64_t word = word_at(p) ^ with;

	memcpy(p, &word, sizeof word);
	return word;
}

/* Four words a step keep enough loads in flight that no vector code is needed. */
unsigned char
mask_apply(void *bytes, size_t n, const unsigned char key[4], uint64_t phase)
{
	unsigned char *p = bytes, turned[8];
	uint64_t any = 0;

	for (unsigned i = 0; i < sizeof turned; i++)
		turned[i] = key[(phase + i) % 4];
	const uint64_t with = word_at(turned);

	for (; n >= 32; n -= 32, p += 32) {
		uint64_t a = word_flip(p, with), b = word_flip(p + 8, with);
		uint64_t c = word_flip(p + 16, with), d = word_flip(p + 24, with);

		any |= (a | b) | (c | d);
	}
	for (; n >= 8; n -= 8, p += 8)
		any |= word_flip(p, with);
	any |= any >> 32;
	any |= any >> 16;
	any |= any >> 8;
	for (size_t i = 0; i < n; i++)
		any |= p[i] ^= turned[i];
	return (unsigned char)any;
}
