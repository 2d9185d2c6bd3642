/* The kernel for 16-byte vectors, which every x86-64 (SSE2) and every arm64 (NEON) has. */
#include "csv/csv_blocks.h"

#if defined(__x86_64__) || defined(__AARCH64EL__)

#include "csv/csv_vector.h"
#ifdef __AARCH64EL__
#include "csv/csv_keep.h"
#endif

#define KERNEL

struct needles {
	csv_vector quote;
	csv_vector delimiter;
	csv_vector special; /* the other byte that no bare block has: NUL, or the quote again */
	csv_vector watched; /* all bits, or none if neither matters */
	csv_vector terminator;
	uint64_t quoting; /* all bits or none */
	unsigned char terminator_byte;
};

static inline struct needles
needles_make(const struct csv *csv, unsigned char terminator)
{
	unsigned char quote = csv->dialect.quoting ? csv->dialect.quote : '\0';

	return (struct needles){
		.quote = csv_splat(quote),
		.delimiter = csv_splat(csv->dialect.delimiter),
		.special = csv_splat(terminator == '\0' ? '\0' : quote),
		.watched = csv_splat(csv->dialect.quoting || terminator == '\0' ? 255 : 0),
		.terminator = csv_splat(terminator),
		.quoting = csv->dialect.quoting ? ~(uint64_t)0 : 0,
		.terminator_byte = terminator,
	};
}

struct quad {
	csv_vector a, b, c, d;
};

static inline struct quad
load(const unsigned char *p)
{
	return (struct quad){csv_load(p), csv_load(p + 16), csv_load(p + 32), csv_load(p + 48)};
}

#ifdef __x86_64__

/* Return whether bytes that are 0 or 255 are all 0. */
static inline bool
is_zero(csv_vector v)
{
	return _mm_movemask_epi8((__m128i)v) == 0;
}

static inline size_t
block_compact(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	return csv_compact(p, needles->terminator_byte, ends, drop, out);
}

#else

static inline bool
is_zero(csv_vector v)
{
	return vmaxvq_u8(v) == 0;
}

/* Eight bytes in each step. One instruction counts the bytes to keep of all steps. */
static inline size_t
block_compact(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	const uint8x8_t bit = vcreate_u8(0x8040201008040201), terminator = vdup_n_u8(needles->terminator_byte);
	uint64_t stay = vget_lane_u64(vreinterpret_u64_u8(vcnt_u8(vcreate_u8(~drop))), 0);
	unsigned char *to = out;

	for (unsigned i = 0; i < 64; i += 8, ends >>= 8, drop >>= 8, stay >>= 8) {
		uint8x8_t is_end = vtst_u8(vdup_n_u8((unsigned char)ends), bit);
		uint8x8_t bytes = vbsl_u8(is_end, terminator, vld1_u8(p + i));

		vst1_u8(to, vtbl1_u8(bytes, vcreate_u8(csv_keep_rows[drop & 0xff])));
		to += stay & 0xff;
	}
	return (size_t)(to - out);
}

#endif

static inline uint64_t
equal_bits(struct quad q, csv_vector needle)
{
	return csv_gather_4(csv_equal(q.a, needle), csv_equal(q.b, needle), csv_equal(q.c, needle),
	                    csv_equal(q.d, needle));
}

ALWAYS static inline void
block_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	struct quad q = load(p);

	bits->quote = equal_bits(q, needles->quote);
	bits->delimiter = equal_bits(q, needles->delimiter);
	bits->newline = equal_bits(q, csv_splat('\n'));
	bits->cr = equal_bits(q, csv_splat('\r'));
	bits->nul = equal_bits(q, csv_splat('\0'));
}

static inline bool
block_bare_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	block_bits(needles, p, bits);
	return (bits->quote & needles->quoting) == 0;
}

static inline csv_vector
special_in(const struct needles *needles, csv_vector v)
{
	return csv_equal(v, needles->quote) | csv_equal(v, needles->special);
}

static inline void
store_terminated(const struct needles *needles, csv_vector v, unsigned char *out)
{
	csv_vector ends = csv_equal(v, needles->delimiter) | csv_equal(v, csv_splat('\n'));

	v = (v & ~ends) | (needles->terminator & ends);
	memcpy(out, &v, sizeof v);
}

static inline bool
block_bare(const struct needles *needles, const unsigned char *p, unsigned char *out, struct csv_bits *bits)
{
	struct quad q = load(p);
	csv_vector special = special_in(needles, q.a) | special_in(needles, q.b) | special_in(needles, q.c)
	    | special_in(needles, q.d);

	store_terminated(needles, q.a, out);
	store_terminated(needles, q.b, out + 16);
	store_terminated(needles, q.c, out + 32);
	store_terminated(needles, q.d, out + 48);
	bits->newline = equal_bits(q, csv_splat('\n'));
	bits->cr = equal_bits(q, csv_splat('\r'));
	return is_zero(special & needles->watched);
}

#define block_parity csv_parity
#include "csv/csv_bare.h"
#include "csv/csv_kernel.h"

const struct csv_kernel csv_kernel_sse2_neon = {kernel_index, kernel_flatten, kernel_copy};

#endif
