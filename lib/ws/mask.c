#include "ws/mask.h"

#include <string.h>

#include "base/load.h"

static inline uint64_t
word_flip(unsigned char *p, uint64_t with)
{
	uint64_t word = load_64(p) ^ with;

	memcpy(p, &word, sizeof word);
	return word;
}

/* Compiled to SSE2, NEON or plain words. */
typedef uint64_t vector __attribute__((vector_size(16)));

/* Pointers, because without SSE there is no calling convention for vectors on i386. */
static inline void
vector_flip(unsigned char *p, const vector *with, vector *all)
{
	vector v;

	memcpy(&v, p, sizeof v);
	v ^= *with;
	memcpy(p, &v, sizeof v);
	*all |= v;
}

unsigned char
mask_apply(void *bytes, size_t n, const unsigned char key[4], uint64_t phase)
{
	unsigned char *p = bytes, turned[8];
	vector all = {0};
	uint64_t any;

	for (unsigned i = 0; i < sizeof turned; i++)
		turned[i] = key[(phase + i) % 4];
	const uint64_t with = load_64(turned);
	const vector both = {with, with};

	for (; n >= 64; n -= 64, p += 64) {
		vector_flip(p, &both, &all);
		vector_flip(p + 16, &both, &all);
		vector_flip(p + 32, &both, &all);
		vector_flip(p + 48, &both, &all);
	}
	any = all[0] | all[1];
	for (; n >= 8; n -= 8, p += 8)
		any |= word_flip(p, with);
	any |= any >> 32;
	any |= any >> 16;
	any |= any >> 8;
	for (size_t i = 0; i < n; i++)
		any |= p[i] ^= turned[i];
	return (unsigned char)any;
}
