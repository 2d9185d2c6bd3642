/*
 * A naive decoder of DEFLATE (RFC 1951) and of messages (RFC 7692 section 7.2.2):
 * bit by bit over the whole input, strict.
 */
#ifndef FITTINGS_NAIVE_INFLATE_H
#define FITTINGS_NAIVE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum naive_end { NAIVE_BETWEEN_BLOCKS, NAIVE_SHORT, NAIVE_WRONG, NAIVE_LONG };

struct naive_inflate {
	const unsigned char *in;
	size_t bits, at; /* in the input; consumed */
	size_t window, floor;
	unsigned char *out;
	size_t size, capacity; /* output of all messages */
};

/* The next n bits, or -1. */
static inline int
naive_bits(struct naive_inflate *z, unsigned n)
{
	int value = 0;

	if (z->bits - z->at < n)
		return -1;
	for (unsigned i = 0; i < n; i++, z->at++)
		value |= (z->in[z->at / 8] >> z->at % 8 & 1) << i;
	return value;
}

/* The symbol of the next code; -1 if the input ends inside it, -2 if there is no such code. */
static inline int
naive_symbol(struct naive_inflate *z, const unsigned char *lengths, unsigned count)
{
	unsigned first = 0, code = 0;

	for (unsigned n = 1; n <= 15; n++) {
		int bit = naive_bits(z, 1);
		unsigned of_length = 0;

		if (bit < 0)
			return -1;
		code = code << 1 | (unsigned)bit;
		for (unsigned s = 0; s < count; s++)
			if (lengths[s] == n && first + of_length++ == code)
				return (int)s;
		first = (first + of_length) << 1;
	}
	return -2;
}

/* Whether the code is complete, or one of the two incomplete distance codes (3.2.7). */
static inline bool
naive_code_good(const unsigned char *lengths, unsigned count, bool distances)
{
	unsigned long space = 0, codes = 0;

	for (unsigned s = 0; s < count; s++) {
		space += lengths[s] == 0 ? 0 : 1UL << (15 - lengths[s]);
		codes += lengths[s] != 0;
	}
	return space == 1UL << 15 || (distances && (codes == 0 || (codes == 1 && space == 1UL << 14)));
}

#define NAIVE_TAKE(name, taken) \
	int name = (taken); \
	if (name < 0) \
		return name == -1 ? NAIVE_SHORT : NAIVE_WRONG

static inline enum naive_end
naive_block_data(struct naive_inflate *z, const unsigned char *litlen, unsigned litlens, const unsigned char *dist,
    unsigned dists)
{
	for (;;) {
		size_t length = 3, distance = 1;
		NAIVE_TAKE(symbol, naive_symbol(z, litlen, litlens));

		if (symbol == 256)
			return NAIVE_BETWEEN_BLOCKS;
		if (symbol < 256) {
			if (z->size == z->capacity)
				return NAIVE_LONG;
			z->out[z->size++] = (unsigned char)symbol;
			continue;
		}
		if (symbol > 285)
			return NAIVE_WRONG;
		/* The tables of 3.2.5: four length symbols and two distance symbols have each number of extra bits. */
		for (int s = 257; s < symbol; s++)
			length += s < 265 ? 1 : 1U << (s - 261) / 4;
		if (symbol == 285)
			length = 258;
		NAIVE_TAKE(more, naive_bits(z, symbol < 265 || symbol == 285 ? 0 : (unsigned)(symbol - 261) / 4));
		NAIVE_TAKE(far, naive_symbol(z, dist, dists));
		if (far > 29)
			return NAIVE_WRONG;
		for (int s = 0; s < far; s++)
			distance += s < 4 ? 1 : 1U << (s - 2) / 2;
		NAIVE_TAKE(further, naive_bits(z, far < 4 ? 0 : (unsigned)(far - 2) / 2));
		length += (size_t)more;
		distance += (size_t)further;
		if (distance > z->window || distance > z->size - z->floor)
			return NAIVE_WRONG;
		for (; length > 0 && z->size < z->capacity; length--, z->size++)
			z->out[z->size] = z->out[z->size - distance];
		if (length > 0)
			return NAIVE_LONG;
	}
}

static inline enum naive_end
naive_dynamic(struct naive_inflate *z)
{
	static const unsigned char order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
	unsigned char lengths[288 + 32 + 138] = {0}, code[19] = {0};
	unsigned known = 0, all;
	NAIVE_TAKE(counts, naive_bits(z, 14));
	unsigned litlens = 257 + (counts & 31), dists = 1 + (counts >> 5 & 31);

	if (litlens > 286 || dists > 30)
		return NAIVE_WRONG;
	for (int i = 0; i < 4 + (counts >> 10); i++) {
		NAIVE_TAKE(length, naive_bits(z, 3));
		code[order[i]] = (unsigned char)length;
	}
	if (!naive_code_good(code, 19, false))
		return NAIVE_WRONG;
	for (all = litlens + dists; known < all;) {
		NAIVE_TAKE(symbol, naive_symbol(z, code, 19));

		if (symbol < 16) {
			lengths[known++] = (unsigned char)symbol;
			continue;
		}
		NAIVE_TAKE(times, naive_bits(z, symbol == 16 ? 2 : symbol == 17 ? 3 : 7));
		times += symbol == 18 ? 11 : 3;
		if ((symbol == 16 && known == 0) || known + (unsigned)times > all)
			return NAIVE_WRONG;
		for (; times > 0; times--, known++)
			lengths[known] = symbol == 16 ? lengths[known - 1] : 0;
	}
	if (lengths[256] == 0 || !naive_code_good(lengths, litlens, false)
	    || !naive_code_good(lengths + litlens, dists, true))
		return NAIVE_WRONG;
	return naive_block_data(z, lengths, litlens, lengths + litlens, dists);
}

static inline enum naive_end
naive_stored(struct naive_inflate *z)
{
	z->at = (z->at + 7) / 8 * 8;
	NAIVE_TAKE(length, naive_bits(z, 16));
	NAIVE_TAKE(inverse, naive_bits(z, 16));

	if (length + inverse != 65535)
		return NAIVE_WRONG;
	for (; length > 0; length--) {
		NAIVE_TAKE(byte, naive_bits(z, 8));
		if (z->size == z->capacity)
			return NAIVE_LONG;
		z->out[z->size++] = (unsigned char)byte;
	}
	return NAIVE_BETWEEN_BLOCKS;
}

static inline enum naive_end
naive_blocks(struct naive_inflate *z)
{
	static unsigned char fixed[288 + 32];

	for (int i = 0; i < 320; i++)
		fixed[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : i < 288 ? 8 : 5;
	while (z->at < z->bits) {
		enum naive_end end = NAIVE_WRONG;
		NAIVE_TAKE(head, naive_bits(z, 3));

		switch (head >> 1) {
		case 0: end = naive_stored(z); break;
		case 1: end = naive_block_data(z, fixed, 288, fixed + 288, 32); break;
		case 2: end = naive_dynamic(z); break;
		default: break;
		}
		if (end != NAIVE_BETWEEN_BLOCKS)
			return end;
		if (head & 1)
			z->at = (z->at + 7) / 8 * 8;
	}
	return NAIVE_BETWEEN_BLOCKS;
}

/*
 * Decode a message of n bytes, which have capacity for 4 more, and append its output. The message is valid if
 * it ends between two blocks as it is, or followed by 00 00 ff ff. NAIVE_LONG is no verdict.
 */
static inline enum naive_end
naive_message(struct naive_inflate *z, unsigned char *payload, size_t n)
{
	size_t before = z->size, made;
	enum naive_end end;

	memcpy(payload + n, (const unsigned char[4]){0x00, 0x00, 0xff, 0xff}, 4);
	z->in = payload;
	z->bits = 8 * n;
	z->at = 0;
	end = naive_blocks(z);
	made = z->size;
	if (end != NAIVE_SHORT)
		return end;
	z->bits += 32;
	z->at = 0;
	z->size = before;
	end = naive_blocks(z);
	if (z->size != made)
		end = NAIVE_WRONG;
	z->size = made;
	return end;
}

#endif
