/* The kernel for every x86-64: sixteen bytes in a vector. */
#include "csv/csv_blocks.h"

#ifdef __x86_64__

#include <emmintrin.h>

#define KERNEL

struct needles {
	__m128i quote;
	__m128i delimiter;
	__m128i newline;
	__m128i cr;
	__m128i special; /* what else is in no bare block: NUL, or the quote once more */
	__m128i watched; /* all bits, or none where neither matters */
	__m128i terminator;
	uint64_t quoting; /* all bits or none */
	unsigned char terminator_byte;
};

static inline struct needles
needles_make(const struct csv *csv, unsigned char terminator)
{
	char quote = csv->dialect.quoting ? (char)csv->dialect.quote : '\0';

	return (struct needles){
		.quote = _mm_set1_epi8(quote),
		.delimiter = _mm_set1_epi8((char)csv->dialect.delimiter),
		.newline = _mm_set1_epi8('\n'),
		.cr = _mm_set1_epi8('\r'),
		.special = _mm_set1_epi8(terminator == '\0' ? '\0' : quote),
		.watched = _mm_set1_epi8(csv->dialect.quoting || terminator == '\0' ? -1 : 0),
		.terminator = _mm_set1_epi8((char)terminator),
		.quoting = csv->dialect.quoting ? ~(uint64_t)0 : 0,
		.terminator_byte = terminator,
	};
}

static inline __m128i
load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline uint64_t
equal_bits(__m128i bytes, __m128i needle)
{
	return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, needle));
}

static inline void
block_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	*bits = (struct csv_bits){0};
	for (unsigned i = 0; i < 64; i += 16) {
		__m128i bytes = load(p + i);

		bits->quote |= equal_bits(bytes, needles->quote) << i;
		bits->delimiter |= equal_bits(bytes, needles->delimiter) << i;
		bits->newline |= equal_bits(bytes, needles->newline) << i;
		bits->cr |= equal_bits(bytes, needles->cr) << i;
		bits->nul |= equal_bits(bytes, _mm_setzero_si128()) << i;
	}
}

static inline bool
block_bare_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	block_bits(needles, p, bits);
	return (bits->quote & needles->quoting) == 0;
}

static inline bool
block_bare(const struct needles *needles, const unsigned char *p, unsigned char *out, struct csv_bits *bits)
{
	__m128i special = _mm_setzero_si128();

	bits->newline = bits->cr = 0;
	for (unsigned i = 0; i < 64; i += 16) {
		__m128i bytes = load(p + i), newline = _mm_cmpeq_epi8(bytes, needles->newline);
		__m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, needles->delimiter), newline);

		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, needles->quote));
		special = _mm_or_si128(special, _mm_cmpeq_epi8(bytes, needles->special));
		bits->newline |= (uint64_t)(unsigned)_mm_movemask_epi8(newline) << i;
		bits->cr |= equal_bits(bytes, needles->cr) << i;
		bytes = _mm_or_si128(_mm_andnot_si128(ends, bytes), _mm_and_si128(ends, needles->terminator));
		_mm_storeu_si128((__m128i *)(void *)(out + i), bytes);
	}
	return _mm_movemask_epi8(_mm_and_si128(special, needles->watched)) == 0;
}

static inline size_t
block_squeeze(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	return csv_squeeze(p, needles->terminator_byte, ends, drop, out);
}

#define block_parity csv_parity
#include "csv/csv_bare.h"
#include "csv/csv_kernel.h"

const struct csv_kernel csv_kernel_sse2 = {kernel_index, kernel_flatten, kernel_copy};

#endif
