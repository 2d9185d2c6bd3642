/*
 * The scan by blocks of 64 bytes: a template for each kind of vectors. A file
 * that includes it defines first:
 *
 *     KERNEL                 the attribute of every function (its target)
 *     struct needles         the bytes to look for; needles_make() makes them
 *     block_bits()           finds the special bytes of a block
 *     block_parity()         bit i is the parity of the bits 0 to i
 *     block_compact()        writes a block with replaced and dropped bytes
 *     run_marks(), run_flat()  loops over simple blocks: those of csv_bare.h, or
 *                            its own
 *
 * A prefix XOR of the quotes gives the bytes within quotes: each quote toggles
 * the state. This is correct for a quote that opens, closes or is doubled, but
 * not for a quote in an unquoted field. A block with such a quote, or with a
 * possible problem, is scanned by csv_machine() byte by byte.
 */
#ifndef FITTINGS_CSV_KERNEL_H
#define FITTINGS_CSV_KERNEL_H

#include <string.h>

#include "csv/csv_blocks.h"

/* Return the bytes that masks cannot handle: a quote in an unquoted field, and, if watching, possible problems. */
KERNEL static inline uint64_t
unsupported_bytes(const struct csv *csv, const struct csv_bits *b, uint64_t inside, uint64_t misplaced,
           uint64_t after_close, uint64_t crlf)
{
	if (!csv->watching)
		return misplaced;
	misplaced |= b->cr & ~inside & ~crlf;
	if (csv->dialect.strict)
		misplaced |= after_close & ~(b->quote | b->delimiter | b->newline | crlf);
	return misplaced;
}

/* Make the marks of n bytes, and in *opened the opening quotes. Return false if csv_machine() must do it. */
KERNEL ALWAYS static inline bool
marks_make(struct csv_carry *carry, const struct csv *csv, const struct csv_bits *b, size_t n,
           int next, struct csv_marks *m, uint64_t *opened)
{
	uint64_t inside = block_parity(b->quote) ^ carry->quoted;
	uint64_t closing = b->quote & ~inside;
	uint64_t opening = b->quote & inside;
	uint64_t ends = (b->delimiter | b->newline) & ~inside;
	uint64_t starts = ends << 1 | carry->starting;
	uint64_t after_close = closing << 1 | carry->closed;
	uint64_t crlf = b->cr & ~inside & (b->newline >> 1 | (uint64_t)(next == '\n') << (n - 1));

	if (unsupported_bytes(csv, b, inside, opening & ~starts & ~after_close, after_close, crlf) != 0)
		return false;
	*opened = opening & starts;
	m->record = b->newline & ~inside;
	m->drop = closing | *opened | crlf;
	m->stop = ends | m->drop;
	m->newline = b->newline;
	carry->quoted = 0 - (inside >> (n - 1) & 1);
	carry->starting = ends >> (n - 1) & 1;
	carry->closed = closing >> (n - 1) & 1;
	return true;
}

/* The same by csv_machine(). It works on copies, so that the loops can keep all of this in registers. */
KERNEL static inline size_t
machine_mark(struct csv *csv, struct csv_carry *carry, const unsigned char *p, size_t n, int next,
             struct csv_marks *m, uint64_t *opened)
{
	struct csv_carry its_carry = *carry;
	struct csv_marks its_marks;
	uint64_t its_opened;

	n = csv_machine(csv, &its_carry, p, n, next, &its_marks, &its_opened);
	*carry = its_carry;
	*m = its_marks;
	*opened = its_opened;
	return n;
}

/* Mark the first n bytes (1 to 64) of the block at `at`. Return the number of bytes marked, less than n only if
 * there is a problem. */
KERNEL ALWAYS static inline size_t
block_mark(struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *p,
           size_t at, size_t n, int next, struct csv_marks *m, uint64_t *nul)
{
	struct csv_bits bits;
	uint64_t opened = 0, valid = ~(uint64_t)0 >> (64 - n);

	block_bits(needles, p, &bits);
	bits.quote &= needles->quoting & valid;
	bits.delimiter &= valid;
	bits.newline &= valid;
	bits.cr &= valid;
	if ((csv->watching && csv_has_escape(csv, carry->escaped, p, n))
	    || !marks_make(carry, csv, &bits, n, next, m, &opened))
		n = machine_mark(csv, carry, p, n, next, m, &opened);
	*nul = bits.nul & valid & ~m->stop;
	carry->opened_at = opened != 0 ? at : carry->opened_at;
	carry->opened = opened != 0 ? opened : carry->opened;
	return n;
}

/* Store the state after n bytes with `lines` LFs. */
KERNEL static inline void
state_keep(struct csv *csv, const struct csv_carry *carry, const unsigned char *in, size_t n, uint64_t lines)
{
	csv->line += lines;
	csv->quoted = carry->quoted != 0;
	csv->starting = carry->starting != 0;
	csv->closed = carry->closed != 0;
	if ((!csv->quoted && !csv->closed) || carry->opened == 0)
		return;
	csv->quote_line = csv->line;
	for (size_t at = carry->opened_at + csv_last_one(carry->opened); at < n; at++)
		csv->quote_line -= in[at] == '\n';
}

/* A window never ends between an escape and its byte: such an escape is left for the next window. */
KERNEL static inline size_t
escape_left(const struct csv *csv, const struct csv_carry *carry)
{
	return csv->problem == CSV_FINE && carry->escaped != 0;
}

KERNEL static size_t
kernel_index(struct csv *csv, const unsigned char *in, size_t n, int next, struct csv_marks *marks)
{
	const struct needles needles = needles_make(csv, '\n');
	struct csv_carry carry = csv_carry_of(csv);
	unsigned char padded[64] = {0};
	uint64_t lines = 0, nul;
	size_t at = 0, size;

	while (at < n && csv->problem == CSV_FINE) {
		at = run_marks(csv, &carry, &needles, in, at, n, marks, &lines);
		size = n - at;
		if (size > 64)
			size = block_mark(csv, &carry, &needles, in + at, at, 64, in[at + 64], &marks[at / 64], &nul);
		else
			size = block_mark(csv, &carry, &needles, memcpy(padded, in + at, size), at, size, next, &marks[at / 64], &nul);
		lines += csv_ones(marks[at / 64].newline);
		at += size;
	}
	state_keep(csv, &carry, in, at, lines);
	if (escape_left(csv, &carry)) {
		at--;
		marks[at / 64].stop &= csv_below(at % 64);
		marks[at / 64].drop &= csv_below(at % 64);
	}
	return at;
}

/* Flatten the first n bytes of a block and advance *out. Return the number of bytes, as block_mark(). */
KERNEL ALWAYS static inline size_t
block_flatten(struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *p,
              size_t at, size_t n, int next, unsigned char terminator, unsigned char **out, uint64_t *lines)
{
	struct csv_marks m;
	uint64_t nul, some;

	n = block_mark(csv, carry, needles, p, at, n, next, &m, &nul);
	if (terminator == '\0' && nul != 0 && csv_first_one(nul) < n) {
		n = csv_first_one(nul);
		csv->problem = CSV_NUL_IN_FIELD;
	}
	some = csv_below(n);
	*out += block_compact(needles, p, m.stop & ~m.drop, m.drop | ~some, *out);
	*lines += csv_ones(m.newline & some);
	return n;
}

KERNEL static size_t
kernel_flatten(struct csv *csv, const unsigned char *in, size_t n, int next, unsigned char terminator,
               unsigned char *out, size_t *written)
{
	const struct needles needles = needles_make(csv, terminator);
	struct csv_carry carry = csv_carry_of(csv);
	unsigned char padded[64] = {0}, *to = out;
	uint64_t lines = 0;
	size_t at = 0, size;

	while (at < n && csv->problem == CSV_FINE) {
		at = run_flat(csv, &carry, &needles, in, at, n, &to, &lines);
		size = n - at;
		if (size > 64)
			at += block_flatten(csv, &carry, &needles, in + at, at, 64, in[at + 64], terminator, &to, &lines);
		else
			at += block_flatten(csv, &carry, &needles, memcpy(padded, in + at, size), at, size, next, terminator,
			    &to, &lines);
	}
	state_keep(csv, &carry, in, at, lines);
	*written = (size_t)(to - out);
	return at - escape_left(csv, &carry);
}

/* Extend each bit downwards through adjacent bits of `through`. */
KERNEL static inline uint64_t
fill_down(uint64_t bits, uint64_t through)
{
	for (unsigned shift = 1; shift < 64; shift *= 2) {
		bits |= bits >> shift & through;
		through &= through >> shift;
	}
	return bits;
}

/* Return all bits of the fields that need no quotes. The addition of a bit at the start of a field carries through
 * its bytes, up to the first byte that needs quotes or to the end. */
KERNEL static inline uint64_t
quoteless_fields(const struct csv_cursor *cursor, const struct csv_bits *b, uint64_t starts, uint64_t ends)
{
	uint64_t special = (b->quote | b->delimiter | b->newline | b->cr) & ~cursor->stop;

	return fill_down((~(special | ends) + starts) & ends, ~ends);
}

/* Find the bytes that are not copied of the fields with these ends. Return false if one of the fields cannot be
 * copied: it needs quotes and is not quoted as the output quotes it, or it is empty and alone in its record. */
KERNEL static inline bool
copy_drop(const struct csv_cursor *cursor, const struct csv_bits *b, uint64_t ends, bool record_starts,
          uint64_t *drop)
{
	uint64_t all = csv_below(csv_last_one(ends) + 1), starts = ends << 1 | 1;
	uint64_t quoteless = quoteless_fields(cursor, b, starts, ends), quotes = b->quote & cursor->drop;
	/* A quote before the end of its field (a closing one), or before another quote (the first of two). */
	uint64_t closing_or_half = (b->quote ^ cursor->stop) >> 1;
	uint64_t odd = ~quoteless & all & ((starts & ~quotes) | (quotes & ~starts & ~closing_or_half));

	*drop = cursor->drop & all & (quoteless | ~quotes);
	odd |= (*drop + (cursor->record << 1 | record_starts)) & cursor->record;
	return odd == 0;
}

/* Each step handles 64 bytes from the start of a field. */
KERNEL static size_t
kernel_copy(const struct csv_index *index, const unsigned char *in, size_t at, unsigned char *out,
            size_t space, size_t *written)
{
	const struct needles needles = needles_make(index->csv, '\n');
	struct csv_cursor cursor = {.index = index};
	bool record_starts = true;
	struct csv_bits bits;
	uint64_t ends, drop;

	*written = 0;
	while (index->end - at > 64 && space - *written >= 64) {
		csv_cursor_move(&cursor, at);
		ends = cursor.stop & ~cursor.drop;
		if (ends == 0)
			break;
		block_bits(&needles, in + at, &bits);
		if (!copy_drop(&cursor, &bits, ends, record_starts, &drop))
			break;
		(void)block_compact(&needles, in + at, 0, drop, out + *written);
		at += csv_last_one(ends) + 1;
		*written += csv_last_one(ends) + 1 - csv_ones(drop);
		record_starts = in[at - 1] == '\n';
	}
	return at;
}

#endif
