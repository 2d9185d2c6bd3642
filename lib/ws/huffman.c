#include "ws/huffman.h"

#include <string.h>

enum { DEPTHS = 40 }; /* a tree of 288 weights of 16 bits has fewer */

#define BYTE(n) (HUFFMAN_LITERAL | (uint32_t)(n) << 16)
#define LENGTH(n) ((uint32_t)HUFFMAN_LENGTH_BASE(n) << 16 | HUFFMAN_LENGTH_EXTRA(n))
#define DISTANCE(n) ((uint32_t)HUFFMAN_DIST_BASE(n) << 16 | HUFFMAN_DIST_EXTRA(n))
#define FOUR(of, n) of(n), of((n) + 1), of((n) + 2), of((n) + 3)
#define SIXTEEN(of, n) FOUR(of, n), FOUR(of, (n) + 4), FOUR(of, (n) + 8), FOUR(of, (n) + 12)
#define SIXTY_FOUR(of, n) SIXTEEN(of, n), SIXTEEN(of, (n) + 16), SIXTEEN(of, (n) + 32), SIXTEEN(of, (n) + 48)

/* The entry of each symbol, without the length of its code. */
static const uint32_t litlen_entries[HUFFMAN_SYMBOLS_MAX] = {
	SIXTY_FOUR(BYTE, 0), SIXTY_FOUR(BYTE, 64), SIXTY_FOUR(BYTE, 128), SIXTY_FOUR(BYTE, 192),
	HUFFMAN_OTHER | HUFFMAN_END,
	SIXTEEN(LENGTH, 0), FOUR(LENGTH, 16), FOUR(LENGTH, 20), FOUR(LENGTH, 24), LENGTH(28), HUFFMAN_OTHER, HUFFMAN_OTHER,
};
static const uint32_t dist_entries[32] = {
	SIXTEEN(DISTANCE, 0), FOUR(DISTANCE, 16), FOUR(DISTANCE, 20), FOUR(DISTANCE, 24), DISTANCE(28), DISTANCE(29),
	HUFFMAN_OTHER, HUFFMAN_OTHER,
};
static const uint32_t *const entries[] = {
	[HUFFMAN_LITLEN] = litlen_entries, [HUFFMAN_DIST] = dist_entries, [HUFFMAN_PRECODE] = litlen_entries,
};

/* The part of an entry that depends on the length of the code: bits 0-4 and 8-11. */
static uint32_t
length_of(unsigned length)
{
	return length * 0x101U;
}

/* Return the next code of the same length. The first bit of a code is the lowest one. */
static unsigned
code_after(unsigned code, unsigned length)
{
	unsigned bit = 1U << (length - 1);

	while ((code & bit) != 0) {
		code ^= bit;
		bit >>= 1;
	}
	return code | bit;
}

/* Sort the symbols by their codes. Return the longest length. *left is the unused code space in units of the longest
 * code, negative if the code is over-subscribed. */
static unsigned
sort(const uint8_t *lengths, size_t count, uint16_t number[HUFFMAN_LENGTH_MAX + 1], uint16_t *sorted, int *left)
{
	uint16_t next[HUFFMAN_LENGTH_MAX + 2], used[HUFFMAN_SYMBOLS_MAX];
	unsigned longest = HUFFMAN_LENGTH_MAX;
	size_t n = 0;

	/* Most symbols have no code. One pass without branches collects those that have one, so that the passes below
	 * are short. */
	for (size_t i = 0; i < count; i++) {
		used[n] = (uint16_t)i;
		n += lengths[i] != 0;
	}
	memset(number, 0, (HUFFMAN_LENGTH_MAX + 1) * sizeof *number);
	for (size_t i = 0; i < n; i++)
		number[lengths[used[i]]]++;
	while (longest > 0 && number[longest] == 0)
		longest--;
	*left = 1;
	next[1] = 0;
	for (unsigned length = 1; length <= longest; length++) {
		*left = 2 * *left - number[length];
		if (*left < 0)
			return longest;
		next[length + 1] = (uint16_t)(next[length] + number[length]);
	}
	for (size_t i = 0; i < n; i++)
		sorted[next[lengths[used[i]]]++] = used[i];
	return longest;
}

/* Return the index bits of a subtable that begins with a code of this length; `rest` codes of the length remain. */
static unsigned
subtable_bits(const uint16_t number[], unsigned length, unsigned rest, unsigned bits, unsigned longest)
{
	unsigned size = length - bits;
	int left = (1 << size) - (int)rest;

	while (left > 0 && bits + size < longest) {
		size++;
		left = 2 * left - number[bits + size];
	}
	return size;
}

/* Fill the subtables with the codes from `code` on, which are longer than the index. */
static void
subtables_fill(enum huffman_kind kind, const uint16_t number[], const uint16_t *sorted, unsigned bits,
    unsigned longest, unsigned code, uint32_t *table)
{
	unsigned mask = (1U << bits) - 1, prefix = ~0U, size = 0;
	uint32_t *sub = table, *end = table + mask + 1;

	for (unsigned length = bits + 1; length <= longest; length++) {
		for (unsigned rest = number[length]; rest > 0; rest--) {
			if ((code & mask) != prefix) {
				prefix = code & mask;
				size = subtable_bits(number, length, rest, bits, longest);
				sub = end;
				end += (size_t)1 << size;
				table[prefix] = (uint32_t)(sub - table) << 16 | HUFFMAN_OTHER | HUFFMAN_SUBTABLE | size << 8 | bits;
			}
			for (unsigned i = code >> bits; i < 1U << size; i += 1U << (length - bits))
				sub[i] = entries[kind][*sorted] + length_of(length);
			sorted++;
			code = code_after(code, length);
		}
	}
}

/* The two incomplete distance codes: no code, and a single code of one bit. */
static unsigned
incomplete_fill(enum huffman_kind kind, const uint16_t number[], unsigned longest, const uint16_t *symbol, uint32_t *table)
{
	if (kind != HUFFMAN_DIST || longest > 1 || number[1] > 1)
		return 0;
	table[0] = longest == 0 ? HUFFMAN_OTHER : entries[kind][*symbol] + length_of(1);
	table[1] = HUFFMAN_OTHER;
	return 1;
}

unsigned
huffman_table(enum huffman_kind kind, const uint8_t *lengths, size_t count, unsigned bits, uint32_t *table)
{
	uint16_t number[HUFFMAN_LENGTH_MAX + 1], sorted[HUFFMAN_SYMBOLS_MAX];
	const uint16_t *next = sorted;
	const uint32_t *of = entries[kind];
	unsigned code = 0, size = 1, longest;
	int left;

	longest = sort(lengths, count, number, sorted, &left);
	if (left < 0)
		return 0;
	if (left > 0)
		return incomplete_fill(kind, number, longest, sorted, table);
	if (bits > longest)
		bits = longest;
	for (unsigned length = 1; length <= bits; length++, size *= 2) {
		uint32_t add = length_of(length);

		/* The codes so far do not depend on the highest bit of the index: both halves are equal. */
		memcpy(table + size, table, size * sizeof *table);
		for (unsigned n = number[length]; n > 0; n--) {
			table[code] = of[*next++] + add;
			code = code_after(code, length);
		}
	}
	if (longest > bits)
		subtables_fill(kind, number, next, bits, longest, code, table);
	return bits;
}

void
huffman_codes(const uint8_t *lengths, size_t count, uint16_t *codes)
{
	uint16_t number[HUFFMAN_LENGTH_MAX + 1], sorted[HUFFMAN_SYMBOLS_MAX] = {0};
	const uint16_t *next = sorted;
	unsigned code = 0, longest;
	int left;

	longest = sort(lengths, count, number, sorted, &left);
	for (unsigned length = 1; length <= longest; length++) {
		for (unsigned n = number[length]; n > 0; n--) {
			codes[*next++] = (uint16_t)code;
			code = code_after(code, length);
		}
	}
}

/* Sort the keys: occurrences in the upper bits, the symbol in the lower 16 bits. */
static void
keys_sort(uint32_t *keys, size_t n)
{
	static const uint8_t gaps[] = {109, 41, 19, 10, 4, 1};

	for (size_t g = 0; g < sizeof gaps; g++) {
		size_t gap = gaps[g];

		for (size_t i = gap; i < n; i++) {
			uint32_t key = keys[i];
			size_t j = i;

			for (; j >= gap && keys[j - gap] > key; j -= gap)
				keys[j] = keys[j - gap];
			keys[j] = key;
		}
	}
}

/* Count the leaves of each depth in a Huffman tree. keys: the leaves in rising order of weight. Each new node joins
 * the two lightest of the remaining leaves and of the nodes so far; the nodes come in rising order, too. */
static void
depths_count(const uint32_t *keys, size_t n, uint16_t number[DEPTHS])
{
	uint32_t weight[HUFFMAN_SYMBOLS_MAX];
	uint16_t parent[HUFFMAN_SYMBOLS_MAX], nodes[DEPTHS] = {1};
	uint8_t depth[HUFFMAN_SYMBOLS_MAX];
	size_t leaf = 0, node = 0;

	for (size_t next = 0; next < n - 1; next++) {
		weight[next] = 0;
		for (int two = 0; two < 2; two++) {
			if (leaf < n && (node >= next || keys[leaf] >> 16 <= weight[node])) {
				weight[next] += keys[leaf++] >> 16;
			} else {
				parent[node] = (uint16_t)next;
				weight[next] += weight[node++];
			}
		}
	}
	/* The last node is the root. A depth has two places for each inner node of the depth above. The leaves take the
	 * places without an inner node. */
	depth[n - 2] = 0;
	for (size_t i = n - 2; i-- > 0;) {
		depth[i] = (uint8_t)(depth[parent[i]] + 1);
		nodes[depth[i]]++;
	}
	number[0] = 0;
	for (unsigned d = 1; d < DEPTHS; d++)
		number[d] = (uint16_t)(2 * nodes[d - 1] - nodes[d]);
}

/* Shorten codes of more than `longest` bits, and lengthen others until the code is not over-subscribed. */
static void
depths_limit(uint16_t number[DEPTHS], unsigned longest)
{
	uint32_t space = 0;

	for (unsigned d = longest + 1; d < DEPTHS; d++)
		number[longest] = (uint16_t)(number[longest] + number[d]);
	for (unsigned d = 1; d <= longest; d++)
		space += (uint32_t)number[d] << (longest - d);
	for (; space > UINT32_C(1) << longest; space--) {
		unsigned d = longest - 1;

		while (number[d] == 0)
			d--;
		/* A code of d bits gets one more bit, and one of the longest codes becomes its neighbor. */
		number[d]--;
		number[d + 1] = (uint16_t)(number[d + 1] + 2);
		number[longest]--;
	}
}

uint32_t
huffman_lengths(const uint16_t *occurrences, size_t count, unsigned longest, uint8_t *lengths)
{
	uint32_t keys[HUFFMAN_SYMBOLS_MAX + 1], total = 0;
	uint16_t number[DEPTHS];
	size_t n = 0, next = 0;

	memset(lengths, 0, count);
	for (size_t i = 0; i < count; i++) {
		keys[n] = (uint32_t)occurrences[i] << 16 | (uint32_t)i;
		n += occurrences[i] != 0;
	}
	if (n < 2) {
		size_t only = n == 0 ? 0 : keys[0] & 0xffff;

		lengths[only] = lengths[only == 0 ? 1 : 0] = 1;
		return occurrences[only];
	}
	keys_sort(keys, n);
	depths_count(keys, n, number);
	depths_limit(number, longest);
	for (unsigned d = longest; d > 0; d--) {
		for (unsigned left = number[d]; left > 0; left--, next++) {
			lengths[keys[next] & 0xffff] = (uint8_t)d;
			total += d * (keys[next] >> 16);
		}
	}
	return total;
}
