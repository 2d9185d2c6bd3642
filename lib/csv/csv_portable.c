/* The kernel for any CPU: eight bytes in a word. */
#include "base/load.h"
#include "csv/csv_blocks.h"

#define KERNEL

static const uint64_t low_bits = 0x0101010101010101;

struct needles {
	uint64_t quote;
	uint64_t delimiter;
	uint64_t special; /* the other byte that no bare block has: NUL, or the quote again */
	uint64_t watched; /* all bits, or none if neither matters */
	uint64_t quoting; /* all bits or none */
	unsigned char terminator;
};

static inline struct needles
needles_make(const struct csv *csv, unsigned char terminator)
{
	uint64_t quote = csv->dialect.quoting ? low_bits * csv->dialect.quote : 0;

	return (struct needles){
		.quote = quote,
		.delimiter = low_bits * csv->dialect.delimiter,
		.special = terminator == '\0' ? 0 : quote,
		.watched = csv->dialect.quoting || terminator == '\0' ? ~(uint64_t)0 : 0,
		.quoting = csv->dialect.quoting ? ~(uint64_t)0 : 0,
		.terminator = terminator,
	};
}

/* Return the high bits of the bytes that equal those of the needle. */
static inline uint64_t
word_equal(uint64_t word, uint64_t needle)
{
	const uint64_t low_seven = 0x7f7f7f7f7f7f7f7f;
	uint64_t differs = word ^ needle;

	return ~(((differs & low_seven) + low_seven) | differs | low_seven);
}

/* Gather eight high bits into a byte. */
static inline uint64_t
word_gather(uint64_t high_bits)
{
	return (high_bits >> 7) * 0x0102040810204080 >> 56;
}

static inline void
block_bits(const struct needles *needles, const unsigned char *p, struct csv_bits *bits)
{
	*bits = (struct csv_bits){0};
	for (unsigned i = 0; i < 64; i += 8) {
		uint64_t word = load_64_low_first(p + i);

		bits->quote |= word_gather(word_equal(word, needles->quote)) << i;
		bits->delimiter |= word_gather(word_equal(word, needles->delimiter)) << i;
		bits->newline |= word_gather(word_equal(word, low_bits * '\n')) << i;
		bits->cr |= word_gather(word_equal(word, low_bits * '\r')) << i;
		bits->nul |= word_gather(word_equal(word, 0)) << i;
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
	uint64_t special = 0;

	bits->newline = bits->cr = 0;
	for (unsigned i = 0; i < 64; i += 8) {
		uint64_t word = load_64_low_first(p + i), newline = word_equal(word, low_bits * '\n');
		uint64_t ends = word_equal(word, needles->delimiter) | newline;

		special |= word_equal(word, needles->quote) | word_equal(word, needles->special);
		bits->newline |= word_gather(newline) << i;
		bits->cr |= word_gather(word_equal(word, low_bits * '\r')) << i;
		ends = (ends >> 7) * 0xff;
		word = (word & ~ends) | (low_bits * needles->terminator & ends);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		memcpy(out + i, &word, sizeof word);
	}
	return (special & needles->watched) == 0;
}

static inline size_t
block_compact(const struct needles *needles, const unsigned char *p, uint64_t ends, uint64_t drop,
              unsigned char *out)
{
	return csv_compact(p, needles->terminator, ends, drop, out);
}

#define block_parity csv_parity
#include "csv/csv_bare.h"
#include "csv/csv_kernel.h"

const struct csv_kernel csv_kernel_portable = {kernel_index, kernel_flatten, kernel_copy};
