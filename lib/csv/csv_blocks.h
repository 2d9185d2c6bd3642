/* What csv.c and its kernels (one for each kind of vectors) share; nobody else's. */
#ifndef FITTINGS_CSV_BLOCKS_H
#define FITTINGS_CSV_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include "csv/csv.h"

#define ALWAYS __attribute__((always_inline))

/* Which bytes of a block are what, the first byte's bit lowest. */
struct csv_bits {
	uint64_t quote;
	uint64_t delimiter;
	uint64_t newline;
	uint64_t cr;
	uint64_t nul;
};

/* The state between two blocks, as bits that blocks are combined with. */
struct csv_carry {
	uint64_t quoted;   /* all bits or none */
	uint64_t starting; /* 1 or 0 */
	uint64_t closed;   /* 1 or 0 */
	uint64_t escaped;  /* 1 or 0 */
	uint64_t opened;   /* opening quotes in the block at opened_at, the last one with any, or 0 */
	size_t opened_at;
};

/* What stands for a byte behind the last one: none will come, or it is not known yet. */
enum { CSV_NEXT_NONE = -1, CSV_NEXT_UNKNOWN = -2 };

static inline struct csv_carry
csv_carry_of(const struct csv *csv)
{
	return (struct csv_carry){csv->quoted ? ~(uint64_t)0 : 0, csv->starting, csv->closed, 0, 0, 0};
}

/* What comes next; escaped and the last opening quotes stay. */
static inline void
csv_carry_set(struct csv_carry *carry, uint64_t quoted, uint64_t starting, uint64_t closed)
{
	carry->quoted = quoted;
	carry->starting = starting;
	carry->closed = closed;
}

/*
 * The marks of n bytes (at most 64), found byte by byte; whatever is in them.
 * Returns how many there are: fewer than n where there is a problem.
 */
size_t csv_machine(struct csv *csv, struct csv_carry *carry, const unsigned char *p, size_t n, int next,
                   struct csv_marks *m, uint64_t *opened);

/* Whether n bytes have an escape or its byte, which no way of bits sees. csv->watching tells that there may be. */
bool csv_has_escape(const struct csv *csv, uint64_t escaped, const unsigned char *p, size_t n)
	__attribute__((cold));

/* The lowest n bits. */
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

/* Bit i is the parity of bits 0 to i. */
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

/* Where there is no shuffle: a block without its dropped bytes, the ends replaced. Returns its size. */
static inline size_t
csv_squeeze(const unsigned char *p, unsigned char terminator, uint64_t ends, uint64_t drop,
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
 * A kernel scans n bytes, fewer where there is a problem or the last one is an
 * escape, and keeps quoted, starting, closed, line, problem and, within quotes,
 * quote_line of *csv. `next` is the byte behind them, or an enum above.
 * It copies as csv_copy() does, where the dialect is that of the output.
 */
struct csv_kernel {
	size_t (*index)(struct csv *csv, const unsigned char *in, size_t n, int next,
	                struct csv_marks *marks);
	size_t (*flatten)(struct csv *csv, const unsigned char *in, size_t n, int next,
	                  unsigned char terminator, unsigned char *out, size_t *written);
	size_t (*copy)(const struct csv_index *index, const unsigned char *in, size_t at,
	               unsigned char *out, size_t room, size_t *written);
};

extern const struct csv_kernel csv_kernel_portable;
extern const struct csv_kernel csv_kernel_sse2_neon;
extern const struct csv_kernel csv_kernel_avx2;
extern const struct csv_kernel csv_kernel_avx512;

#endif
