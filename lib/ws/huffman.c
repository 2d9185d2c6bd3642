#include "ws/huffman.h"

#include <string.h>

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

/* The part of an entry that the length of the code decides: bits 0-4 and 8-11. */
static uint32_t
length_of(unsigned length)
{
	return length * 0x101U;
}

/* Returns the code after this one, of the same length, the first bit in the lowest place. */
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

/* Sorts the symbols by their codes. Returns the longest length. *left is the unused code space in units of the longest
 * code, negative if the code is over-subscribed. */
static unsigned
sort(const uint8_t *lengths, size_t count, uint16_t number[HUFFMAN_LENGTH_MAX + 1], uint16_t *sorted, int *left)
{
	uint16_t next[HUFFMAN_LENGTH_MAX + 2], used[HUFFMAN_SYMBOLS_MAX];
	unsigned longest = HUFFMAN_LENGTH_MAX;
	size_t n = 0;

	/* Most symbols have no code. One pass without branches collects the others; it makes the passes below short. */
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

/* Returns the index bits of a subtable that begins with a code of this length; `rest` codes of the length remain. */
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

/* Fills the subtables with the codes from `code` on, which are longer than the index. */
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
incomplete_fill(enum huffman_kind kind, const uint16_t number[], unsigned longest, unsigned symbol, uint32_t *table)
{
	if (kind != HUFFMAN_DIST || longest > 1 || number[1] > 1)
		return 0;
	table[0] = longest == 0 ? HUFFMAN_OTHER : entries[kind][symbol] + length_of(1);
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
		return incomplete_fill(kind, number, longest, sorted[0], table);
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
