/* The kernel for x86-64 with AVX-512 VBMI2 (2019 and later): a block is one vector, and one instruction closes gaps. */
#include "csv/csv_blocks.h"

#ifdef __x86_64__

#include <immintrin.h>

#define KERNEL __attribute__((target("avx512f,avx512bw,avx512vbmi2,pclmul,popcnt,bmi,bmi2,lzcnt")))

struct needles {
	__m512i quote;
	__m512i delimiter;
	__m512i newline;
	__m512i cr;
	__m512i terminator;
	uint64_t quoting; /* all bits or none */
	bool nul;         /* whether NULs matter */
};

KERNEL static inline struct needles
needles_make(const struct csv *csv, unsigned char terminator)
{
	return (struct needles){
		.quote = _mm512_set1_epi8((char)csv->dialect.quote),
		.delimiter = _mm512_set1_epi8((char)csv->dialect.delimiter),
		.newline = _mm512_set1_epi8('\n'),
		.cr = _mm512_set1_epi8('\r'),
		.terminator = _mm512_set1_epi8((char)terminator),
		.quoting = csv->dialect.quoting ? ~(uint64_t)0 : 0,
		.nul = terminator == '\0',
	};
}

KERNEL ALWAYS static inline void
block_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	__m512i bytes = _mm512_loadu_si512(p);

	bits->quote = _mm512_cmpeq_epi8_mask(bytes, needles->quote);
	bits->delimiter = _mm512_cmpeq_epi8_mask(bytes, needles->delimiter);
	bits->newline = _mm512_cmpeq_epi8_mask(bytes, needles->newline);
	bits->cr = _mm512_cmpeq_epi8_mask(bytes, needles->cr);
	bits->nul = needles->nul ? _mm512_testn_epi8_mask(bytes, bytes) : 0;
}

/* The carry-less product with all ones is the prefix XOR. */
KERNEL ALWAYS static inline uint64_t
block_parity(uint64_t bits)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)bits), _mm_set1_epi8(-1), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

/* Compress and store separately: the instruction that compresses into memory is many times slower. */
KERNEL ALWAYS static inline size_t
block_compact(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	__m512i bytes = _mm512_mask_mov_epi8(_mm512_loadu_si512(p), ends, needles->terminator);

	_mm512_storeu_si512(out, _mm512_maskz_compress_epi8(~drop, bytes));
	return csv_ones(~drop);
}

/* The state of a run. */
struct run {
	struct csv_carry carry;
	const unsigned char *in;
	size_t at;
	uint64_t lines;
	struct csv_marks *marks; /* end of the marks, if it marks */
	unsigned char *to;       /* end of the output, if it flattens */
	uint64_t opened; /* not 0 if a quote was opened in the last chunk */
	bool odd;        /* the last chunk is invalid */
};

enum { CHUNK = 16 * 64 };

/*
 * Scan blocks up to `end`, at most a chunk. A readable byte follows each block. This does what block_bits() and
 * marks_make() do for simple blocks, and stops before a block that is not simple. The result is invalid (run->odd)
 * if there is a CR without `crs` (most files have none or many), or a NUL with `nul`. Moves between mask and other
 * registers are slow, so there are few.
 */
KERNEL ALWAYS static inline void
chunk(struct run *run, const struct needles *needles, size_t end, bool flat, bool crs, bool nul)
{
	uint64_t quoted = run->carry.quoted, starting = run->carry.starting, closed = run->carry.closed, opened = 0;
	const unsigned char *p = run->in + run->at, *last = run->in + end;
	struct csv_marks *marks = run->marks;
	unsigned char *to = run->to;
	const __m512i one = _mm512_set1_epi8(1);
	__m512i lines = _mm512_setzero_si512(), odd = lines;

	for (; p < last; p += 64) {
		__m512i bytes = _mm512_loadu_si512(p);
		__mmask64 newlines = _mm512_cmpeq_epi8_mask(bytes, needles->newline);
		__mmask64 cr = _mm512_cmpeq_epi8_mask(bytes, needles->cr);
		uint64_t quote = _mm512_cmpeq_epi8_mask(bytes, needles->quote);
		uint64_t ends = _kor_mask64(_mm512_cmpeq_epi8_mask(bytes, needles->delimiter), newlines);
		uint64_t inside = block_parity(quote) ^ quoted, closing = quote & ~inside, opening = quote & inside;
		uint64_t doubled, drop, crlf = 0; /* doubled: the second quotes of doubled ones, which are data */

		ends &= ~inside;
		__asm__("" : "+r"(ends)); /* otherwise the compiler shifts its highest bit in a mask register */
		doubled = opening & ~(ends << 1 | starting);
		if ((doubled & ~(closing << 1 | closed)) != 0)
			break;
		if (crs)
			crlf = _mm512_mask_cmpeq_epi8_mask(cr, _mm512_loadu_si512(p + 1), needles->newline);
		if (nul)
			odd = _mm512_mask_mov_epi8(odd, _mm512_testn_epi8_mask(bytes, bytes), one);
		if (!crs)
			odd = _mm512_mask_mov_epi8(odd, cr, one);
		opened |= opening ^ doubled;
		drop = (quote ^ doubled) | (crlf & ~inside);
		quoted = (uint64_t)((int64_t)inside >> 63);
		starting = ends >> 63;
		closed = closing >> 63;
		lines = _mm512_mask_add_epi8(lines, newlines, lines, one);
		if (flat) {
			bytes = _mm512_mask_mov_epi8(bytes, ends, needles->terminator);
			_mm512_storeu_si512(to, _mm512_maskz_compress_epi8(~drop, bytes));
			to += csv_ones(~drop);
		} else {
			*marks++ = (struct csv_marks){
				.stop = ends | drop, .record = newlines & ends, .drop = drop, .newline = newlines,
			};
		}
	}
	csv_carry_set(&run->carry, quoted, starting, closed);
	run->at = (size_t)(p - run->in);
	run->marks = marks;
	run->to = to;
	run->opened = opened;
	run->odd = _mm512_test_epi8_mask(odd, odd) != 0;
	lines = _mm512_sad_epu8(lines, _mm512_setzero_si512());
	run->lines += (uint64_t)_mm512_reduce_add_epi64(lines);
}

/* A function for each case, so that each has all registers. */
#define CHUNK_OF(name, flat, crs, nul) \
	KERNEL __attribute__((noinline)) static void \
	name(struct run *run, const struct needles *needles, size_t end) \
	{ \
		chunk(run, needles, end, flat, crs, nul); \
	}

CHUNK_OF(chunk_flat, true, false, false)
CHUNK_OF(chunk_flat_crs, true, true, false)
CHUNK_OF(chunk_flat_nul, true, false, true)
CHUNK_OF(chunk_flat_nul_crs, true, true, true)
CHUNK_OF(chunk_marks, false, false, false)
CHUNK_OF(chunk_marks_crs, false, true, false)

/* Like chunk(), for any number of blocks without a quote. A CR without `crs`, or a NUL with `nul`, ends it. */
KERNEL ALWAYS static inline void
bare(struct run *run, const struct needles *needles, size_t end, bool flat, bool crs, bool nul)
{
	uint64_t lines = 0, ends = run->carry.starting << 63, crlf = 0;
	const unsigned char *p = run->in + run->at, *last = run->in + end;
	struct csv_marks *marks = run->marks;
	unsigned char *to = run->to;

	for (; p < last; p += 64) {
		__m512i bytes = _mm512_loadu_si512(p);
		__mmask64 quote = _mm512_cmpeq_epi8_mask(bytes, needles->quote);
		__mmask64 cr = _mm512_cmpeq_epi8_mask(bytes, needles->cr);
		uint64_t newline = _mm512_cmpeq_epi8_mask(bytes, needles->newline);

		if (nul)
			quote = _kor_mask64(quote, _mm512_testn_epi8_mask(bytes, bytes));
		if ((crs ? quote : _kor_mask64(quote, cr)) != 0)
			break;
		if (crs)
			crlf = _mm512_mask_cmpeq_epi8_mask(cr, _mm512_loadu_si512(p + 1), needles->newline);
		ends = newline | _mm512_cmpeq_epi8_mask(bytes, needles->delimiter);
		lines += csv_ones(newline);
		if (flat) {
			bytes = _mm512_mask_mov_epi8(bytes, ends, needles->terminator);
			_mm512_storeu_si512(to, crs ? _mm512_maskz_compress_epi8(~crlf, bytes) : bytes);
			to += crs ? csv_ones(~crlf) : 64;
		} else {
			*marks++ = (struct csv_marks){
				.stop = ends | crlf, .record = newline, .drop = crlf, .newline = newline,
			};
		}
	}
	run->carry.starting = ends >> 63;
	run->at = (size_t)(p - run->in);
	run->marks = marks;
	run->to = to;
	run->lines += lines;
}

/* Find the last opening quotes of a chunk that has some. */
KERNEL static void
opened_find(struct run run, const struct needles *needles, size_t end, struct csv_carry *carry)
{
	struct csv_marks ignored;

	while (run.at < end) {
		size_t block = run.at;

		run.marks = &ignored;
		chunk_marks_crs(&run, needles, block + 64);
		if (run.opened != 0) {
			carry->opened = run.opened;
			carry->opened_at = block;
		}
	}
}

/* Run up to a block that is not simple. The last opening quote is searched only if the run ends within quotes. */
KERNEL ALWAYS static inline void
run_on(struct run *run, const struct needles *needles, size_t n, bool flat, bool crs, bool nul)
{
	const size_t all = run->at + (n - run->at - 1) / 64 * 64;
	struct run before, before_opened = *run;
	size_t end, opened_end = 0;

	do {
		before = *run;
		end = all - run->at > CHUNK ? run->at + CHUNK : all;
		if (flat)
			(nul ? crs ? chunk_flat_nul_crs : chunk_flat_nul : crs ? chunk_flat_crs : chunk_flat)(run, needles, end);
		else
			(crs ? chunk_marks_crs : chunk_marks)(run, needles, end);
		if (run->odd) {
			*run = before;
			break;
		}
		if (run->opened != 0) {
			before_opened = before;
			opened_end = run->at;
		} else if (run->at == end && (run->carry.quoted | run->carry.closed) == 0) {
			bare(run, needles, all, flat, crs, nul);
		}
	} while (run->at - before.at >= CHUNK);
	if (opened_end != 0 && (run->carry.quoted | run->carry.closed) != 0)
		opened_find(before_opened, needles, opened_end, &run->carry);
}

/* Return whether a run can begin: csv->watching is not set, and quotes are not data. */
KERNEL static inline bool
run_begins(const struct csv *csv, const struct csv_carry *carry)
{
	return !csv->watching && carry->escaped == 0 && csv->dialect.quoting;
}

KERNEL static size_t
run_marks(const struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *in,
          size_t at, size_t n, struct csv_marks *marks, uint64_t *lines)
{
	struct run run = {.carry = *carry, .in = in, .at = at, .marks = marks + at / 64, .lines = *lines};

	if (!run_begins(csv, carry))
		return at;
	run_on(&run, needles, n, false, false, false);
	run_on(&run, needles, n, false, true, false);
	*carry = run.carry;
	*lines = run.lines;
	return run.at;
}

KERNEL static size_t
run_flat(const struct csv *csv, struct csv_carry *carry, const struct needles *needles, const unsigned char *in,
         size_t at, size_t n, unsigned char **out, uint64_t *lines)
{
	struct run run = {.carry = *carry, .in = in, .at = at, .to = *out, .lines = *lines};

	if (!run_begins(csv, carry) || (needles->nul && csv->dialect.delimiter == '\0'))
		return at;
	if (needles->nul) {
		run_on(&run, needles, n, true, false, true);
		run_on(&run, needles, n, true, true, true);
	} else {
		run_on(&run, needles, n, true, false, false);
		run_on(&run, needles, n, true, true, false);
	}
	*carry = run.carry;
	*lines = run.lines;
	*out = run.to;
	return run.at;
}

#include "csv/csv_kernel.h"

const struct csv_kernel csv_kernel_avx512 = {kernel_index, kernel_flatten, kernel_copy};

#endif
