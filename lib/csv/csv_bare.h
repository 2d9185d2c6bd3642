/*
 * The runs of a kernel whose vectors are best where there are no quotes. A file
 * that includes this defines before, beside KERNEL and struct needles:
 *
 *     block_bare_bits()      which bytes of a block are what; false where there is a quote
 *     block_bare()           a block with its ends replaced, its newlines and CRs;
 *                            false where there is a quote, or a NUL that matters
 */
#ifndef FITTINGS_CSV_BARE_H
#define FITTINGS_CSV_BARE_H

#include "csv/csv_blocks.h"

/* Within quotes nothing is bare, and where escapes are each block needs a look. */
KERNEL static inline bool
run_may_begin(const struct csv *csv, const struct csv_carry *carry)
{
	return (carry->quoted | carry->closed) == 0 && csv->dialect.escapes == CSV_ESCAPES_NONE;
}

/* After a run only the last byte matters. */
KERNEL static inline void
run_end(const struct csv *csv, struct csv_carry *carry, unsigned char last)
{
	carry->starting = last == '\n' || last == csv->dialect.delimiter;
}

/* The CRs that an LF follows; *bits are of a block with a byte behind it. */
KERNEL static inline uint64_t
crlf_in(const struct csv_bits *bits, const unsigned char *block)
{
	return bits->cr & (bits->newline >> 1 | (uint64_t)(block[64] == '\n') << 63);
}

/* Marks blocks from `at` on. Returns where it stopped, before n, and adds to *lines. */
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

/*
 * Flattens blocks from `at` on. Few bytes are dropped there, so what is behind
 * each of them is written once more, a byte earlier; for that 64 bytes more must
 * be readable.
 */
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
