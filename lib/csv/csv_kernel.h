/*
 * The scan by blocks of 64 bytes, once for each kind of vectors. A file that
 * includes this defines before:
 *
 *     KERNEL                 the attribute of every function here (its target)
 *     struct needles         the bytes to look for, as needles_make() spreads them
 *     block_bits()           which bytes of a block are what
 *     block_bare_bits()      the same, but false where there is a quote
 *     block_bare()           a block with its ends replaced, its newlines and CRs;
 *                            false where there is a quote, or a NUL that matters
 *     block_squeeze()        a block with replaced and dropped bytes
 *
 * A block's quotes become "within quotes" by a prefix XOR: each quote turns it
 * over. That is right for a quote that opens, closes or is doubled; a quote in
 * an unquoted field breaks it. Such a block (and one that strictness objects
 * to) goes through the machine of csv_machine() byte by byte instead.
 */
#ifndef FITTINGS_CSV_KERNEL_H
#define FITTINGS_CSV_KERNEL_H

#include <string.h>

#include "csv/csv_blocks.h"

/* All bits up to and with each set bit's next one: bit i is the parity of bits 0 to i. */
KERNEL static inline uint64_t
parity_to_here(uint64_t bits)
{
	bits ^= bits << 1;
	bits ^= bits << 2;
	bits ^= bits << 4;
	bits ^= bits << 8;
	bits ^= bits << 16;
	bits ^= bits << 32;
	return bits;
}

/* What objects to the way of bits: a quote in an unquoted field, and what is watched for. */
KERNEL static inline uint64_t
objections(const struct csv *csv, const struct csv_bits *b, uint64_t inside, uint64_t misplaced,
           uint64_t after_close, uint64_t crlf)
{
	if (!csv->watching)
		return misplaced;
	misplaced |= b->cr & ~inside & ~crlf;
	if (csv->dialect.strict)
		misplaced |= after_close & ~(b->quote | b->delimiter | b->newline | crlf);
	return misplaced;
}

/* The marks of n bits, or false where the machine must look. *opened: the opening quotes. */
KERNEL static inline bool
marks_make(struct csv_carry *carry, const struct csv *csv, const struct csv_bits *b, size_t n,
           int next, struct csv_marks *m, uint64_t *opened)
{
	uint64_t inside = parity_to_here(b->quote) ^ carry->quoted;
	uint64_t closing = b->quote & ~inside;
	uint64_t opening = b->quote & inside;
	uint64_t ends = (b->delimiter | b->newline) & ~inside;
	uint64_t starts = ends << 1 | carry->starting;
	uint64_t after_close = closing << 1 | carry->closed;
	uint64_t crlf = b->cr & ~inside & (b->newline >> 1 | (uint64_t)(next == '\n') << (n - 1));

	if (objections(csv, b, inside, opening & ~starts & ~after_close, after_close, crlf) != 0)
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

/*
 * The marks of the first n bytes of a block (1 to 64). Returns how many it has:
 * fewer than n only where there is a problem.
 */
KERNEL static inline size_t
block_mark(struct csv *csv, struct csv_carry *carry, const struct needles *needles,
           const unsigned char *p, size_t n, int next, struct csv_marks *m, uint64_t *nul)
{
	struct csv_bits bits;
	uint64_t opened = 0, mine = ~(uint64_t)0 >> (64 - n);

	block_bits(needles, p, &bits);
	bits.quote &= needles->quoting & mine;
	bits.delimiter &= mine;
	bits.newline &= mine;
	bits.cr &= mine;
	if ((csv->watching && csv_has_escape(csv, carry, p, n))
	    || !marks_make(carry, csv, &bits, n, next, m, &opened))
		n = csv_machine(csv, carry, p, n, next, m, &opened);
	*nul = bits.nul & mine & ~m->stop;
	if (opened != 0)
		csv->quote_line = csv->line + csv_ones(m->newline & csv_below(csv_last_one(opened)));
	return n;
}

/* The CRs that an LF follows; *bits are of a block with a byte behind it. */
KERNEL static inline uint64_t
crlf_in(const struct csv_bits *bits, const unsigned char *block)
{
	return bits->cr & (bits->newline >> 1 | (uint64_t)(block[64] == '\n') << 63);
}

/* Marks as many blocks as have no quote, nor anything else that needs a closer look. */
KERNEL static inline size_t
run_bare_marks(struct csv *csv, const struct needles *needles, const unsigned char *in, size_t n,
               struct csv_marks *marks)
{
	struct csv_bits bits;
	size_t at = 0;

	for (; n - at > 64 && block_bare_bits(needles, in + at, &bits); at += 64) {
		uint64_t crlf = crlf_in(&bits, in + at);

		if (csv->watching && bits.cr != crlf)
			break;
		*marks++ = (struct csv_marks){
			.stop = bits.delimiter | bits.newline | crlf,
			.record = bits.newline,
			.drop = crlf,
			.newline = bits.newline,
		};
		csv->line += csv_ones(bits.newline);
	}
	return at;
}

/* After a run of blocks without quotes, where only the last byte matters. */
KERNEL static inline bool
starts_behind(const struct csv *csv, unsigned char last)
{
	return last == '\n' || last == csv->dialect.delimiter;
}

/* A window never ends between an escape and its byte: that escape waits for the next one. */
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
	const uint64_t careful = csv->dialect.escapes != CSV_ESCAPES_NONE;
	unsigned char padded[64] = {0};
	size_t at = 0;

	while (at < n && csv->problem == CSV_FINE) {
		if ((carry.quoted | carry.closed | careful) == 0) {
			size_t ran = run_bare_marks(csv, &needles, in + at, n - at, marks);

			at += ran;
			marks += ran / 64;
			if (ran != 0)
				carry.starting = starts_behind(csv, in[at - 1]);
			if (at == n)
				break;
		}
		size_t size = n - at < 64 ? n - at : 64;
		int follows = at + size < n ? in[at + size] : next;
		const unsigned char *p = size < 64 ? memcpy(padded, in + at, size) : in + at;
		uint64_t nul;

		at += block_mark(csv, &carry, &needles, p, size, follows, marks, &nul);
		csv->line += csv_ones(marks++->newline);
	}
	csv_carry_keep(csv, &carry);
	if (escape_left(csv, &carry)) {
		at--;
		marks[-1].stop &= csv_below(at % 64);
		marks[-1].drop &= csv_below(at % 64);
	}
	return at;
}

/*
 * Flattens as many blocks as have no quote, nor anything else that needs a
 * closer look. Few bytes are dropped there, so what is behind each of them is
 * written once more, a byte earlier; for that 64 bytes more must be readable.
 */
KERNEL static inline size_t
run_bare(struct csv *csv, const struct needles *needles, const unsigned char *in, size_t n,
         unsigned char **out)
{
	unsigned char *to = *out;
	struct csv_bits bits, ignored;
	uint64_t lines = 0;
	size_t at = 0;

	for (; n - at >= 128 && block_bare(needles, in + at, to, &bits); at += 64) {
		uint64_t crlf = crlf_in(&bits, in + at);

		if (csv->watching && bits.cr != crlf)
			break;
		lines += csv_ones(bits.newline);
		for (; crlf != 0; crlf &= crlf - 1) {
			size_t place = csv_first_one(crlf);

			(void)block_bare(needles, in + at + place + 1, to + place, &ignored);
			to--;
		}
		to += 64;
	}
	csv->line += lines;
	*out = to;
	return at;
}

KERNEL static size_t
kernel_flatten(struct csv *csv, const unsigned char *in, size_t n, int next,
               unsigned char terminator, unsigned char *out, size_t *written)
{
	const struct needles needles = needles_make(csv, terminator);
	struct csv_carry carry = csv_carry_of(csv);
	const uint64_t careful = csv->dialect.escapes != CSV_ESCAPES_NONE;
	unsigned char padded[64] = {0}, *to = out;
	size_t at = 0;

	while (at < n && csv->problem == CSV_FINE) {
		if ((carry.quoted | carry.closed | careful) == 0) {
			size_t ran = run_bare(csv, &needles, in + at, n - at, &to);

			at += ran;
			if (ran != 0)
				carry.starting = starts_behind(csv, in[at - 1]);
			if (at == n)
				break;
		}
		size_t size = n - at < 64 ? n - at : 64;
		int follows = at + size < n ? in[at + size] : next;
		const unsigned char *p = size < 64 ? memcpy(padded, in + at, size) : in + at;
		struct csv_marks m;
		uint64_t nul;

		size = block_mark(csv, &carry, &needles, p, size, follows, &m, &nul);
		if (terminator == '\0' && nul != 0 && csv_first_one(nul) < size) {
			size = csv_first_one(nul);
			csv->problem = CSV_NUL_IN_FIELD;
		}
		to += block_squeeze(&needles, p, m.stop & ~m.drop, m.drop | ~csv_below(size), to);
		csv->line += csv_ones(m.newline & csv_below(size));
		at += size;
	}
	csv_carry_keep(csv, &carry);
	*written = (size_t)(to - out);
	return at - escape_left(csv, &carry);
}

/* Down from each of the bits, as far as `through` goes. */
KERNEL static inline uint64_t
fill_down(uint64_t bits, uint64_t through)
{
	for (unsigned shift = 1; shift < 64; shift *= 2) {
		bits |= bits >> shift & through;
		through &= through >> shift;
	}
	return bits;
}

/*
 * All bits of the fields that need no quotes: where a field starts a bit is
 * added, which is carried through its bytes up to the first that needs them,
 * or to its end.
 */
KERNEL static inline uint64_t
quoteless_fields(const struct csv_cursor *cursor, const struct csv_bits *b, uint64_t starts, uint64_t ends)
{
	uint64_t special = (b->quote | b->delimiter | b->newline | b->cr) & ~cursor->stop;

	return fill_down((~(special | ends) + starts) & ends, ~ends);
}

/*
 * Which bytes are not copied of the fields with these ends, all that are in
 * sight. False where one of them cannot be copied: one that needs quotes and is
 * not quoted just so, or an empty one alone in its record.
 */
KERNEL static inline bool
copy_drop(const struct csv_cursor *cursor, const struct csv_bits *b, uint64_t ends, bool record_starts,
          uint64_t *drop)
{
	uint64_t all = csv_below(csv_last_one(ends) + 1), starts = ends << 1 | 1;
	uint64_t quoteless = quoteless_fields(cursor, b, starts, ends), quotes = b->quote & cursor->drop;
	/* Behind a closing quote the field ends, behind half of a doubled one is the other half. */
	uint64_t closing_or_half = (b->quote ^ cursor->stop) >> 1;
	uint64_t odd = ~quoteless & all & ((starts & ~quotes) | (quotes & ~starts & ~closing_or_half));

	*drop = cursor->drop & all & (quoteless | ~quotes);
	odd |= (*drop + (cursor->record << 1 | record_starts)) & cursor->record;
	return odd == 0;
}

/* Each step sees 64 bytes from a field's start on. */
KERNEL static size_t
kernel_copy(const struct csv_index *index, const unsigned char *in, size_t at, unsigned char *out,
            size_t room, size_t *written)
{
	const struct needles needles = needles_make(index->csv, '\n');
	struct csv_cursor cursor = {.index = index};
	bool record_starts = true;
	struct csv_bits bits;
	uint64_t ends, drop;

	*written = 0;
	while (index->end - at > 64 && room - *written >= 64) {
		csv_cursor_move(&cursor, at);
		ends = cursor.stop & ~cursor.drop;
		if (ends == 0)
			break;
		block_bits(&needles, in + at, &bits);
		if (!copy_drop(&cursor, &bits, ends, record_starts, &drop))
			break;
		(void)block_squeeze(&needles, in + at, 0, drop, out + *written);
		at += csv_last_one(ends) + 1;
		*written += csv_last_one(ends) + 1 - csv_ones(drop);
		record_starts = in[at - 1] == '\n';
	}
	return at;
}

#endif
