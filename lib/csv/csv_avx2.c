/* The kernel for x86-64 with AVX2 (2013 and later): 32 bytes in a vector, and a shuffle that closes gaps. */
#include "csv/csv_blocks.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "csv/csv_keep.h"

#define KERNEL __attribute__((target("avx2,popcnt,bmi")))

struct needles {
	__m256i quote;
	__m256i delimiter;
	__m256i newline;
	__m256i cr;
	__m256i special; /* the other byte that no bare block has: NUL, or the quote again */
	__m256i watched; /* all bits, or none if neither matters */
	__m256i terminator;
	uint64_t quoting; /* all bits or none */
};

KERNEL static inline struct needles
needles_make(const struct csv *csv, unsigned char terminator)
{
	char quote = csv->dialect.quoting ? (char)csv->dialect.quote : '\0';

	return (struct needles){
		.quote = _mm256_set1_epi8(quote),
		.delimiter = _mm256_set1_epi8((char)csv->dialect.delimiter),
		.newline = _mm256_set1_epi8('\n'),
		.cr = _mm256_set1_epi8('\r'),
		.special = _mm256_set1_epi8(terminator == '\0' ? '\0' : quote),
		.watched = _mm256_set1_epi8(csv->dialect.quoting || terminator == '\0' ? -1 : 0),
		.terminator = _mm256_set1_epi8((char)terminator),
		.quoting = csv->dialect.quoting ? ~(uint64_t)0 : 0,
	};
}

KERNEL static inline __m256i
load(const unsigned char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

KERNEL static inline void
store(unsigned char *p, __m256i bytes)
{
	_mm256_storeu_si256((__m256i *)(void *)p, bytes);
}

KERNEL static inline uint64_t
equal_bits(__m256i low, __m256i high, __m256i needle)
{
	uint64_t first = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, needle));
	uint64_t second = (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, needle));

	return first | second << 32;
}

KERNEL static inline void
block_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	__m256i low = load(p), high = load(p + 32);

	bits->quote = equal_bits(low, high, needles->quote);
	bits->delimiter = equal_bits(low, high, needles->delimiter);
	bits->newline = equal_bits(low, high, needles->newline);
	bits->cr = equal_bits(low, high, needles->cr);
	bits->nul = equal_bits(low, high, _mm256_setzero_si256());
}

KERNEL static inline bool
block_bare_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	block_bits(needles, p, bits);
	return (bits->quote & needles->quoting) == 0;
}

KERNEL static inline __m256i
special_in(const struct needles *needles, __m256i bytes)
{
	__m256i quote = _mm256_cmpeq_epi8(bytes, needles->quote);

	return _mm256_or_si256(quote, _mm256_cmpeq_epi8(bytes, needles->special));
}

KERNEL static inline __m256i
terminated(const struct needles *needles, __m256i bytes)
{
	__m256i newline = _mm256_cmpeq_epi8(bytes, needles->newline);
	__m256i ends = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, needles->delimiter), newline);

	return _mm256_blendv_epi8(bytes, needles->terminator, ends);
}

KERNEL static inline bool
block_bare(const struct needles *needles, const unsigned char *p, unsigned char *out, struct csv_bits *bits)
{
	__m256i low = load(p), high = load(p + 32);
	__m256i special = _mm256_or_si256(special_in(needles, low), special_in(needles, high));

	store(out, terminated(needles, low));
	store(out + 32, terminated(needles, high));
	bits->newline = equal_bits(low, high, needles->newline);
	bits->cr = equal_bits(low, high, needles->cr);
	return _mm256_testz_si256(special, needles->watched) != 0;
}

/* Return a byte, 0 or 255, for each bit. */
KERNEL static inline __m256i
bits_to_bytes(uint32_t bits)
{
	const __m256i bytes = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
	const __m256i bit_of_byte = _mm256_set1_epi64x((long long)0x8040201008040201);
	__m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), bytes);

	return _mm256_cmpeq_epi8(_mm256_and_si256(all, bit_of_byte), bit_of_byte);
}

/* Write sixteen bytes without the dropped ones. Return the end of the output. */
KERNEL static inline unsigned char *
compact_16(__m128i bytes, unsigned drop, unsigned char *out)
{
	__m128i first = _mm_cvtsi64_si128((long long)csv_keep_rows[drop & 0xff]);
	__m128i second = _mm_cvtsi64_si128((long long)csv_keep_rows[drop >> 8 & 0xff]);

	_mm_storel_epi64((__m128i *)(void *)out, _mm_shuffle_epi8(bytes, first));
	out += csv_ones(~drop & 0xff);
	_mm_storel_epi64((__m128i *)(void *)out, _mm_shuffle_epi8(_mm_srli_si128(bytes, 8), second));
	return out + csv_ones(~drop & 0xff00);
}

KERNEL ALWAYS static inline size_t
block_compact(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	__m256i low = _mm256_blendv_epi8(load(p), needles->terminator, bits_to_bytes((uint32_t)ends));
	__m256i high = _mm256_blendv_epi8(load(p + 32), needles->terminator, bits_to_bytes((uint32_t)(ends >> 32)));
	unsigned char *to = out;

	if (drop == 0) {
		store(out, low);
		store(out + 32, high);
		return 64;
	}
	to = compact_16(_mm256_castsi256_si128(low), (unsigned)(drop & 0xffff), to);
	to = compact_16(_mm256_extracti128_si256(low, 1), (unsigned)(drop >> 16 & 0xffff), to);
	to = compact_16(_mm256_castsi256_si128(high), (unsigned)(drop >> 32 & 0xffff), to);
	to = compact_16(_mm256_extracti128_si256(high, 1), (unsigned)(drop >> 48), to);
	return (size_t)(to - out);
}

#define block_parity csv_parity
#include "csv/csv_bare.h"
#include "csv/csv_kernel.h"

const struct csv_kernel csv_kernel_avx2 = {kernel_index, kernel_flatten, kernel_copy};

#endif
