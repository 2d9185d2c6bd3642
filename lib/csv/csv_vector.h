/* Vectors of 16 bytes, for architectures that have them in every CPU: SSE2 or NEON. */
#ifndef FITTINGS_CSV_VECTOR_H
#define FITTINGS_CSV_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) || defined(__AARCH64EL__)

#define CSV_HAS_VECTOR

#ifdef __SSE2__
#include <emmintrin.h>
#else
#include <arm_neon.h>
#endif

typedef unsigned char csv_vector __attribute__((vector_size(16)));

static inline csv_vector
csv_splat(unsigned char byte)
{
	return (csv_vector){0} + byte;
}

static inline csv_vector
csv_load(const unsigned char *p)
{
	csv_vector v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Return 255 for each byte that equals that of the needle, 0 for the others. */
static inline csv_vector
csv_equal(csv_vector v, csv_vector needle)
{
	return (csv_vector)(v == needle);
}

#ifdef __SSE2__

/* Return one bit for each byte, 0 or 255, of two vectors. */
static inline uint32_t
csv_gather_2(csv_vector a, csv_vector b)
{
	return (uint32_t)_mm_movemask_epi8((__m128i)a) | (uint32_t)_mm_movemask_epi8((__m128i)b) << 16;
}

static inline uint64_t
csv_gather_4(csv_vector a, csv_vector b, csv_vector c, csv_vector d)
{
	return csv_gather_2(a, b) | (uint64_t)csv_gather_2(c, d) << 32;
}

#else

/* Sums of adjacent bytes combine their bits, until eight bytes are one. */
static inline csv_vector
csv_gather_half(csv_vector a, csv_vector b)
{
	const csv_vector bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

	return vpaddq_u8(a & bit, b & bit);
}

static inline uint32_t
csv_gather_2(csv_vector a, csv_vector b)
{
	uint8x16_t half = csv_gather_half(a, b);

	half = vpaddq_u8(half, half);
	return vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(half, half)), 0);
}

static inline uint64_t
csv_gather_4(csv_vector a, csv_vector b, csv_vector c, csv_vector d)
{
	uint8x16_t half = vpaddq_u8(csv_gather_half(a, b), csv_gather_half(c, d));

	return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(half, half)), 0);
}

#endif
#endif
#endif
