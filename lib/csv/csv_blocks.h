/* Shared by csv.c and its kernels, one for each kind of vectors. Private to lib/csv. */
#ifndef FITTINGS_CSV_BLOCKS_H
#define FITTINGS_CSV_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include "csv/csv.h"

#define ALWAYS __attribute__((always_inline))

/* The special bytes of a block, the first byte in the lowest bit. */
struct csv_bits {
	uint64_t quote;
	uint64_t delimiter;
	uint64_t newline;
	uint64_t cr;
	uint64_t nul;
};

/* The state between two blocks, as bits to combine with those of a block. */
struct csv_carry {
	uint64_t quoted;   /* all bits or none */
	uint64_t starting; /* 1 or 0 */
	uint64_t closed;   /* 1 or 0 */
	uint64_t escaped;  /* 1 or 0 */
	uint64_t opened;   /* opening quotes of the block at opened_at, the last block with such quotes, or 0 */
	size_t opened_at;
};

/* Values instead of the byte after the last one: the input ends there, or its next byte is unknown. */
enum { CSV_NEXT_NONE = -1, CSV_NEXT_UNKNOWN = -2 };

static inline struct csv_carry
csv_carry_of(const struct csv *csv)
{
	return (struct csv_carry){csv->quoted ? ~(uint64_t)0 : 0, csv->starting, csv->closed, 0, 0, 0};
}

/* Set the state of the next byte, without escaped and the last opening quotes. */
static inline void
csv_carry_set(struct csv_carry *carry, uint64_t quoted, uint64_t starting, uint64_t closed)
{
	carry->quoted = quoted;
	carry->starting = starting;
	carry->closed = closed;
}

/* Mark n bytes (at most 64) one by one; any bytes are allowed. Return the number of bytes marked, less than n if
 * there is a problem. */
size_t csv_machine(struct csv *csv, struct csv_carry *carry, const unsigned char *p, size_t n, int next,
                   struct csv_marks *m, uint64_t *opened);

/* Return whether n bytes have an escape or an escaped byte, which masks cannot handle. Called if csv->watching. */
bool csv_has_escape(const struct csv *csv, uint64_t escaped, const unsigned char *p, size_t n)
	__attribute__((cold));

/* Return a mask of the lowest n bits. */
static inline uint64_t
csv_below(size_t n)
{
	return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

static inline unsigned
csv_ones(uint64_t bits)
{
	return (unsigned)__builtin_popcountll(bits);
}

static inline size_t
csv_first_one(uint64_t bits)
{
	return (size_t)__builtin_ctzll(bits);
}

static inline size_t
csv_last_one(uint64_t bits)
{
	return 63 - (size_t)__builtin_clzll(bits);
}

/* Return bits of which bit i is the parity of the bits 0 to i. */
static inline uint64_t
csv_parity(uint64_t bits)
{
	bits ^= bits << 1;
	bits ^= bits << 2;
	bits ^= bits << 4;
	bits ^= bits << 8;
	bits ^= bits << 16;
	bits ^= bits << 32;
	return bits;
}

/* Write a block without its dropped bytes, its ends replaced. Return the size. For CPUs without a shuffle. */
static inline size_t
csv_compact(const unsigned char *p, unsigned char terminator, uint64_t ends, uint64_t drop,
            unsigned char *out)
{
	unsigned char block[64];
	size_t used = 0;

	memcpy(block, p, sizeof block);
	for (; ends != 0; ends &= ends - 1)
		block[csv_first_one(ends)] = terminator;
	for (size_t i = 0; i < sizeof block; i += 8, drop >>= 8) {
		if ((drop & 0xff) == 0) {
			memcpy(out + used, block + i, 8);
			used += 8;
			continue;
		}
		for (size_t k = 0; k < 8; k++) {
			out[used] = block[i + k];
			used += ~drop >> k & 1;
		}
	}
	return used;
}

/*
 * A kernel scans n bytes, fewer if there is a problem or if the last one is an escape, and updates quoted,
 * starting, closed, line, problem and, within quotes, quote_line of *csv. `next` is the byte after them or a
 * constant from above. copy() implements csv_copy(), for the dialect of the output only.
 */
struct csv_kernel {
	size_t (*index)(struct csv *csv, const unsigned char *in, size_t n, int next,
	                struct csv_marks *marks);
	size_t (*flatten)(struct csv *csv, const unsigned char *in, size_t n, int next,
	                  unsigned char terminator, unsigned char *out, size_t *written);
	size_t (*copy)(const struct csv_index *index, const unsigned char *in, size_t at,
	               unsigned char *out, size_t space, size_t *written);
};

extern const struct csv_kernel csv_kernel_portable;
extern const struct csv_kernel csv_kernel_sse2_neon;
extern const struct csv_kernel csv_kernel_avx2;
extern const struct csv_kernel csv_kernel_avx512;

#endif
