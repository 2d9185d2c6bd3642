/*
 * Validation by table lookup as in J. Keiser and D. Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2021). For each byte and the one before it, three lookups with 16 entries
 * (high and low half of the earlier byte, high half of the later byte) return sets of errors. An
 * error that is in all three sets is present. The set TWO_TAILS is not an error after the lead byte of
 * a sequence of three or four bytes, which is compared separately.
 */
#include "base/utf8_vector.h"

#include <string.h>

#include "base/cpu.h"

#if defined(__x86_64__) || defined(__i386__) || defined(__AARCH64EL__)

enum { BLOCK = 64 };

enum wrong {
	TOO_SHORT = 1 << 0,  /* lead, then no tail */
	TOO_LONG = 1 << 1,   /* ASCII, then a tail */
	OVERLONG_3 = 1 << 2, /* e0, then below a0 */
	TOO_LARGE = 1 << 3,  /* f4, then 90 and above; f5 and above, then any tail */
	SURROGATE = 1 << 4,  /* ed, then a0 and above */
	OVERLONG_2 = 1 << 5, /* c0 or c1 */
	OVERLONG_4 = 1 << 6, /* f0, then below 90; and f5 and above, then below 90 */
	TWO_TAILS = 1 << 7,
	ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS, /* errors for any low half of the lead byte */
};

static const unsigned char lead_high[16] = {
	TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
	TWO_TAILS, TWO_TAILS, TWO_TAILS, TWO_TAILS,
	TOO_SHORT | OVERLONG_2,
	TOO_SHORT,
	TOO_SHORT | OVERLONG_3 | SURROGATE,
	TOO_SHORT | TOO_LARGE | OVERLONG_4,
};

static const unsigned char lead_low[16] = {
	ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
	ANY_LOW | OVERLONG_2,
	ANY_LOW, ANY_LOW,
	ANY_LOW | TOO_LARGE,
	ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4,
	ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4,
	ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4,
	ANY_LOW | TOO_LARGE | OVERLONG_4 | SURROGATE,
	ANY_LOW | TOO_LARGE | OVERLONG_4, ANY_LOW | TOO_LARGE | OVERLONG_4,
};

static const unsigned char tail_high[16] = {
	TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
	TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | OVERLONG_4,
	TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | TOO_LARGE,
	TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
	TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
	TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
};

/* A lead byte at the end of a vector needs tails in the next one. Bytes above these values are such leads. */
static const unsigned char last_leads[32] = {
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xef, 0xdf, 0xbf,
};

/* Vectors of 16 bytes: SSSE3 or NEON */

typedef unsigned char vector __attribute__((vector_size(16)));

#ifdef __AARCH64EL__

#include <arm_neon.h>

#define FOR_16

/* The 16 bytes that begin n bytes before `now`; `before` precedes it. */
#define BYTES_BACK(now, before, n) vextq_u8(before, now, 16 - (n))
#define LOOK_UP(table, indexes) vqtbl1q_u8(load_16(table), indexes)
#define SUBTRACT_SATURATING(v, w) vqsubq_u8(v, w)
#define IS_ASCII(v) (vmaxvq_u8(v) < 0x80)
#define IS_ZERO(v) (vmaxvq_u8(v) == 0)

#else

#include <immintrin.h>

#define FOR_16 __attribute__((target("ssse3")))
#define FOR_AVX2 __attribute__((target("avx2")))

#define BYTES_BACK(now, before, n) (vector)_mm_alignr_epi8((__m128i)(now), (__m128i)(before), 16 - (n))
#define LOOK_UP(table, indexes) (vector)_mm_shuffle_epi8((__m128i)load_16(table), (__m128i)(indexes))
#define SUBTRACT_SATURATING(v, w) (vector)_mm_subs_epu8((__m128i)(v), (__m128i)(w))
#define IS_ASCII(v) (_mm_movemask_epi8((__m128i)(v)) == 0)
#define IS_ZERO(v) (_mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)(v), _mm_setzero_si128())) == 0xffff)

#endif

FOR_16 static inline vector
load_16(const unsigned char *p)
{
	vector v;

	memcpy(&v, p, sizeof v);
	return v;
}

FOR_16 static inline vector
errors_16(vector now, vector before)
{
	const vector none = {0};
	vector one_back = BYTES_BACK(now, before, 1);
	vector a = LOOK_UP(lead_high, one_back >> 4);
	vector b = LOOK_UP(lead_low, one_back & 0x0f);
	vector c = LOOK_UP(tail_high, now >> 4);
	vector third = SUBTRACT_SATURATING(BYTES_BACK(now, before, 2), none + (0xe0 - 0x80));
	vector fourth = SUBTRACT_SATURATING(BYTES_BACK(now, before, 3), none + (0xf0 - 0x80));

	return ((third | fourth) & 0x80) ^ (a & b & c);
}

FOR_16 static size_t
scan_16(const unsigned char *p, size_t n)
{
	const vector leads = load_16(last_leads + 16);
	vector before = {0};
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK) {
		vector a = load_16(p + i), b = load_16(p + i + 16);
		vector c = load_16(p + i + 32), d = load_16(p + i + 48), wrong;

		if (IS_ASCII((a | b) | (c | d)))
			wrong = SUBTRACT_SATURATING(before, leads);
		else
			wrong = errors_16(a, before) | errors_16(b, a) | errors_16(c, b) | errors_16(d, c);
		if (!IS_ZERO(wrong))
			break;
		before = d;
	}
	return i;
}

#ifndef __AARCH64EL__

FOR_AVX2 static inline __m256i
load_32(const unsigned char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

FOR_AVX2 static inline __m256i
load_twice(const unsigned char *p)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
}

FOR_AVX2 static inline __m256i
errors_32(__m256i now, __m256i before)
{
	const __m256i half = _mm256_set1_epi8(0x0f);
	__m256i seam = _mm256_permute2x128_si256(before, now, 0x21);
	__m256i one_back = _mm256_alignr_epi8(now, seam, 15);
	__m256i two_back = _mm256_alignr_epi8(now, seam, 14);
	__m256i three_back = _mm256_alignr_epi8(now, seam, 13);
	__m256i a = _mm256_shuffle_epi8(load_twice(lead_high), _mm256_and_si256(_mm256_srli_epi16(one_back, 4), half));
	__m256i b = _mm256_shuffle_epi8(load_twice(lead_low), _mm256_and_si256(one_back, half));
	__m256i c = _mm256_shuffle_epi8(load_twice(tail_high), _mm256_and_si256(_mm256_srli_epi16(now, 4), half));
	__m256i third = _mm256_subs_epu8(two_back, _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(three_back, _mm256_set1_epi8(0xf0 - 0x80));
	__m256i expected = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));

	return _mm256_xor_si256(expected, _mm256_and_si256(_mm256_and_si256(a, b), c));
}

FOR_AVX2 static size_t
scan_avx2(const unsigned char *p, size_t n)
{
	const __m256i leads = load_32(last_leads);
	__m256i before = _mm256_setzero_si256();
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK) {
		__m256i a = load_32(p + i), b = load_32(p + i + 32), wrong;

		if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0)
			wrong = _mm256_subs_epu8(before, leads);
		else
			wrong = _mm256_or_si256(errors_32(a, before), errors_32(b, a));
		if (!_mm256_testz_si256(wrong, wrong))
			break;
		before = b;
	}
	return i;
}

#endif

size_t
utf8_vector_scan(enum utf8_path path, const unsigned char *bytes, size_t n)
{
#ifndef __AARCH64EL__
	if (path == UTF8_AVX2)
		return scan_avx2(bytes, n);
#endif
	(void)path;
	return scan_16(bytes, n);
}

#else

size_t
utf8_vector_scan(enum utf8_path path, const unsigned char *bytes, size_t n)
{
	(void)path, (void)bytes, (void)n;
	return 0;
}

#endif

enum utf8_path
utf8_best_path(void)
{
#ifdef __AARCH64EL__
	return UTF8_NEON;
#else
	static const enum utf8_path best[] = {
		[CPU_BASE] = UTF8_PORTABLE, [CPU_SSSE3] = UTF8_SSSE3, [CPU_AVX2] = UTF8_AVX2,
		[CPU_AVX512] = UTF8_AVX2,
	};

	return best[cpu_vectors()];
#endif
}
