/* Words at any alignment; compilers generate a single load. */
#ifndef FITTINGS_LOAD_H
#define FITTINGS_LOAD_H

#include <stdint.h>
#include <string.h>

static inline uint32_t
load_32(const unsigned char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

static inline uint64_t
load_64(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return word;
}

/* Load a word whose first byte is the lowest. */
static inline uint64_t
load_64_low_first(const unsigned char *p)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(load_64(p));
#else
	return load_64(p);
#endif
}

#endif
