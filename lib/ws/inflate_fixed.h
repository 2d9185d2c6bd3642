/* The tables of the fixed codes (RFC 1951 section 3.2.6), as huffman_table() would build them. They are constant so
 * that all states share them: a table in each state would not stay in the cache. */
#ifndef FITTINGS_INFLATE_FIXED_H
#define FITTINGS_INFLATE_FIXED_H

#include <stdint.h>

#include "ws/huffman.h"

enum { INFLATE_FIXED_LITLEN_BITS = 9, INFLATE_FIXED_DIST_BITS = 5 };

/* Nine bits in reverse. */
#define FIXED_REVERSE(i) \
	(((i) & 1U) << 8 | ((i) & 2U) << 6 | ((i) & 4U) << 4 | ((i) & 8U) << 2 | ((i) & 16U) | ((i) & 32U) >> 2 \
	    | ((i) & 64U) >> 4 | ((i) & 128U) >> 6 | ((i) & 256U) >> 8)
#define FIXED_BYTE(length, byte) (HUFFMAN_LITERAL | (uint32_t)(byte) << 16 | (length) << 8 | (length))
/* A length symbol, counted from 257. */
#define FIXED_LENGTH(length, n) \
	((n) > 28 ? HUFFMAN_OTHER | (length) : (uint32_t)HUFFMAN_LENGTH_BASE(n) << 16 | (length) << 8 \
	    | ((length) + HUFFMAN_LENGTH_EXTRA(n)))
/* The entry for nine bits. Codes have 7 bits for 256 to 279, 8 for 0 to 143 and 280 to 287, else 9. */
#define FIXED_CODE(c) \
	((c) >> 2 == 0 ? HUFFMAN_OTHER | HUFFMAN_END | 7U \
	: (c) >> 2 < 24 ? FIXED_LENGTH(7U, ((c) >> 2) - 1U) \
	: (c) >> 1 < 0xc0 ? FIXED_BYTE(8U, ((c) >> 1) - 0x30U) \
	: (c) >> 1 < 0xc8 ? FIXED_LENGTH(8U, ((c) >> 1) - 0xc0U + 23U) \
	: FIXED_BYTE(9U, (c) - 0x190U + 144U))
#define FIXED_1(i) FIXED_CODE(FIXED_REVERSE(i))
#define FIXED_8(i) \
	FIXED_1(i), FIXED_1((i) + 1U), FIXED_1((i) + 2U), FIXED_1((i) + 3U), FIXED_1((i) + 4U), FIXED_1((i) + 5U), \
	FIXED_1((i) + 6U), FIXED_1((i) + 7U)
#define FIXED_64(i) \
	FIXED_8(i), FIXED_8((i) + 8U), FIXED_8((i) + 16U), FIXED_8((i) + 24U), FIXED_8((i) + 32U), FIXED_8((i) + 40U), \
	FIXED_8((i) + 48U), FIXED_8((i) + 56U)

static const uint32_t inflate_fixed_litlen[1 << INFLATE_FIXED_LITLEN_BITS] = {
	FIXED_64(0U), FIXED_64(64U), FIXED_64(128U), FIXED_64(192U), FIXED_64(256U), FIXED_64(320U), FIXED_64(384U), FIXED_64(448U),
};

#define FIXED_DIST_OF(n) \
	((n) > 29 ? HUFFMAN_OTHER | 5U << 8 | 5U : (uint32_t)HUFFMAN_DIST_BASE(n) << 16 | 5U << 8 | (5U + HUFFMAN_DIST_EXTRA(n)))
#define FIXED_DIST(i) \
	FIXED_DIST_OF(((i) & 1U) << 4 | ((i) & 2U) << 2 | ((i) & 4U) | ((i) & 8U) >> 2 | ((i) & 16U) >> 4)
#define FIXED_DIST_8(i) \
	FIXED_DIST(i), FIXED_DIST((i) + 1U), FIXED_DIST((i) + 2U), FIXED_DIST((i) + 3U), FIXED_DIST((i) + 4U), \
	FIXED_DIST((i) + 5U), FIXED_DIST((i) + 6U), FIXED_DIST((i) + 7U)

static const uint32_t inflate_fixed_dist[1 << INFLATE_FIXED_DIST_BITS] = {
	FIXED_DIST_8(0U), FIXED_DIST_8(8U), FIXED_DIST_8(16U), FIXED_DIST_8(24U),
};

#endif
