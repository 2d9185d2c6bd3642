/*
 * Canonical Huffman codes of DEFLATE (RFC 1951 section 3.2.2): decoding tables,
 * and lengths and codes for symbols by their occurrences.
 *
 * A table is indexed by the next bits of the input, the first bit in the lowest
 * place. A code longer than the index continues in a subtable. An entry:
 *
 *     bits 0-4     number of bits to consume, with the extra bits
 *     bits 8-11    number of these bits that are the code
 *     bit 13       HUFFMAN_SUBTABLE: bits 16-30 are the place of the subtable,
 *                  bits 8-11 the number of bits of its index
 *     bit 14       HUFFMAN_END: end of the block
 *     bit 15       HUFFMAN_OTHER: no value. Without HUFFMAN_SUBTABLE and
 *                  HUFFMAN_END: no such code, or an invalid symbol
 *     bits 16-30   base value
 *     bit 31       HUFFMAN_LITERAL: the value is a byte
 */
#ifndef FITTINGS_HUFFMAN_H
#define FITTINGS_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>

enum {
	HUFFMAN_LENGTH_MAX = 15,
	HUFFMAN_SYMBOLS_MAX = 288,
	HUFFMAN_LITLEN_BITS = 10, /* longest index of a table */
	HUFFMAN_DIST_BITS = 8,
	HUFFMAN_PRECODE_BITS = 7,
	HUFFMAN_LITLEN_SIZE = 1334, /* most entries, with subtables, for 288 symbols and 15 bits */
	HUFFMAN_DIST_SIZE = 402,    /* for 32 symbols */
};

#define HUFFMAN_SUBTABLE UINT32_C(0x2000)
#define HUFFMAN_END UINT32_C(0x4000)
#define HUFFMAN_OTHER UINT32_C(0x8000)
#define HUFFMAN_LITERAL UINT32_C(0x80000000)

/* Values of a table: literals and match lengths; distances; the symbols of the code lengths (0 to 18). */
enum huffman_kind { HUFFMAN_LITLEN, HUFFMAN_DIST, HUFFMAN_PRECODE };

/*
 * Fill table for codes of these lengths (0: the symbol has no code), with an index of at most
 * `bits` bits. Return the number of bits of the index: fewer than `bits` if all codes are shorter,
 * 0 if the code is over-subscribed or incomplete. Two incomplete distance codes are valid: a single
 * code of one bit, and no code at all (RFC 1951 section 3.2.7).
 */
unsigned huffman_table(enum huffman_kind kind, const uint8_t *lengths, size_t count, unsigned bits,
    uint32_t *table);

/*
 * Make the lengths (at most `longest` bits) of a complete code for symbols with these occurrences;
 * 0 for a symbol that does not occur. If fewer than two symbols occur, two symbols get a code of
 * one bit. count is at most HUFFMAN_SYMBOLS_MAX. Return the bits of all occurrences together.
 */
uint32_t huffman_lengths(const uint16_t *occurrences, size_t count, unsigned longest, uint8_t *lengths);

/* Make the codes of these lengths, the first bit in the lowest place. */
void huffman_codes(const uint8_t *lengths, size_t count, uint16_t *codes);

/* Base value and number of extra bits of a length symbol (counted from 257) and of a distance symbol. */
#define HUFFMAN_LENGTH_EXTRA(n) ((n) < 8 || (n) == 28 ? 0U : ((unsigned)(n) >> 2) - 1U)
#define HUFFMAN_LENGTH_BASE(n) \
	((n) < 8 ? (unsigned)(n) + 3U : (n) == 28 ? 258U \
	    : ((4U + ((unsigned)(n) & 3U)) << (HUFFMAN_LENGTH_EXTRA(n) & 7U)) + 3U)
#define HUFFMAN_DIST_EXTRA(n) ((n) < 4 ? 0U : ((unsigned)(n) >> 1) - 1U)
#define HUFFMAN_DIST_BASE(n) \
	((n) < 4 ? (unsigned)(n) + 1U : ((2U + ((unsigned)(n) & 1U)) << (HUFFMAN_DIST_EXTRA(n) & 15U)) + 1U)

#endif
