/*
 * Loops over blocks without quotes, for csv_kernel.h. A file that includes this
 * defines first, beside KERNEL and struct needles:
 *
 *     block_bare_bits()      finds the special bytes of a block; false if there is a quote
 *     block_bare()           writes a block with its ends replaced, and finds its
 *                            newlines and CRs; false if there is a quote, or a NUL
 *                            that matters
 */
#ifndef FITTINGS_CSV_BARE_H
#define FITTINGS_CSV_BARE_H

#include "csv/csv_blocks.h"

/* Return whether a run can begin: not within quotes, and not in a dialect with escapes. */
KERNEL static inline bool
run_may_begin(const struct csv *csv, const struct csv_carry *carry)
{
	return (carry->quoted | carry->closed) == 0 && csv->dialect.escapes == CSV_ESCAPES_NONE;
}

/* Set the state after a run, which depends on the last byte only. */
KERNEL static inline void
run_end(const struct csv *csv, struct csv_carry *carry, unsigned char last)
{
	carry->starting = last == '\n' || last == csv->dialect.delimiter;
}

/* Return the CRs before an LF in a block that a readable byte follows. */
KERNEL static inline uint64_t
crlf_in(const struct csv_bits *bits, const unsigned char *block)
{
	return bits->cr & (bits->newline >> 1 | (uint64_t)(block[64] == '\n') << 63);
}

/* Mark blocks from `at` on and add to *lines. Return where it stopped, before n. */
KERNEL static inline size_t
run_marks(const struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *in,
          size_t at, size_t n, struct csv_marks *marks, uint64_t *lines)
{
	struct csv_bits bits;
	size_t begin = at;

	if (!run_may_begin(csv, carry))
		return at;
	for (; n - at > 64 && block_bare_bits(needles, in + at, &bits); at += 64) {
		uint64_t crlf = crlf_in(&bits, in + at);

		if (csv->watching && bits.cr != crlf)
			break;
		marks[at / 64] = (struct csv_marks){
			.stop = bits.delimiter | bits.newline | crlf,
			.record = bits.newline,
			.drop = crlf,
			.newline = bits.newline,
		};
		*lines += csv_ones(bits.newline);
	}
	if (at != begin)
		run_end(csv, carry, in[at - 1]);
	return at;
}

/* Flatten blocks from `at` on. Few bytes are dropped in them, so the bytes after each dropped byte are written
 * again, one byte earlier. This reads 64 bytes more. */
KERNEL static inline size_t
run_flat(const struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *in,
         size_t at, size_t n, unsigned char **out, uint64_t *lines)
{
	struct csv_bits bits, ignored;
	unsigned char *to = *out;
	size_t begin = at;

	if (!run_may_begin(csv, carry))
		return at;
	for (; n - at >= 128 && block_bare(needles, in + at, to, &bits); at += 64) {
		uint64_t crlf = crlf_in(&bits, in + at);

		if (csv->watching && bits.cr != crlf)
			break;
		*lines += csv_ones(bits.newline);
		for (; crlf != 0; crlf &= crlf - 1) {
			size_t place = csv_first_one(crlf);

			(void)block_bare(needles, in + at + place + 1, to + place, &ignored);
			to--;
		}
		to += 64;
	}
	*out = to;
	if (at != begin)
		run_end(csv, carry, in[at - 1]);
	return at;
}

#endif
