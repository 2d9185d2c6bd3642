/* A simple implementation of DEFLATE (RFC 1951). The encoder makes stored blocks, and fixed codes for bytes and runs.
 * The decoder supports all of it, bit by bit, and checks each distance against the negotiated window. */
#include <string.h>

#include "wsprobe.h"

enum { LITERALS = 288, DISTANCES = 30, LENGTH_CODES = 19, BITS_MAX = 15, STORED_MAX = 65535, RUN_MAX = 258 };

static const unsigned short length_base[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67,
	83, 99, 115, 131, 163, 195, 227, 258};
static const unsigned char length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5,
	5, 5, 0};

/* A bit reader and writer. When writing, the last byte is incomplete. */
struct bits {
	struct bytes *out;
	const unsigned char *at;
	size_t size, bit;
};

static void
put_bits(struct bits *b, unsigned value, unsigned n)
{
	for (unsigned i = 0; i < n; i++, b->bit++) {
		if (b->bit % 8 == 0)
			bytes_byte(b->out, 0);
		b->out->at[b->out->size - 1] |= (unsigned char)((value >> i & 1) << b->bit % 8);
	}
}

static void
put_code(struct bits *b, unsigned code, unsigned n)
{
	while (n-- > 0)
		put_bits(b, code >> n & 1, 1);
}

static void
put_symbol(struct bits *b, unsigned symbol)
{
	if (symbol < 144)
		put_code(b, 0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(b, 0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(b, symbol - 256, 7);
	else
		put_code(b, 0xc0 + symbol - 280, 8);
}

/* A run of the previous byte. */
static void
put_run(struct bits *b, size_t length)
{
	unsigned code = 28;

	while (length < length_base[code])
		code--;
	put_symbol(b, 257 + code);
	put_bits(b, (unsigned)length - length_base[code], length_extra[code]);
	put_code(b, 0, 5);
}

static void
put_fixed(struct bits *b, const struct bytes *plain, bool final)
{
	put_bits(b, final, 1);
	put_bits(b, 1, 2);
	for (size_t i = 0, n; i < plain->size; i += n) {
		size_t most = plain->size - i < RUN_MAX ? plain->size - i : RUN_MAX;

		for (n = 0; i > 0 && n < most && plain->at[i + n] == plain->at[i - 1];)
			n++;
		if (n < 3) {
			put_symbol(b, plain->at[i]);
			n = 1;
		} else {
			put_run(b, n);
		}
	}
	put_symbol(b, 256);
}

static void
put_stored(struct bytes *out, const unsigned char *at, size_t n)
{
	const unsigned char head[] = {0, n & 0xff, (unsigned char)(n >> 8), ~n & 0xff, (unsigned char)(~n >> 8)};

	bytes_put(out, head, sizeof head);
	bytes_put(out, at, n);
}

/* Encode a message, or a fragment, which keeps the 00 00 FF FF that the last fragment omits. */
void
deflate(struct bytes *out, const struct bytes *plain, enum blocks blocks, bool last)
{
	struct bits b = {.out = out};

	if (blocks == STORED) {
		for (size_t i = 0; i < plain->size; i += STORED_MAX)
			put_stored(out, plain->at + i, plain->size - i < STORED_MAX ? plain->size - i : STORED_MAX);
	} else {
		put_fixed(&b, plain, blocks == FINAL);
		if (blocks == FINAL)
			b.bit = 0; /* the rest of its last byte is padding */
	}
	put_bits(&b, 0, 3); /* an empty stored block */
	if (!last)
		bytes_put(out, "\0\0\xff\xff", 4);
}

static unsigned
get_bits(struct bits *b, unsigned n)
{
	unsigned value = 0;

	for (unsigned i = 0; i < n; i++, b->bit++)
		if (b->bit / 8 < b->size)
			value |= (unsigned)(b->at[b->bit / 8] >> b->bit % 8 & 1) << i;
	return value;
}

struct code {
	unsigned short counts[BITS_MAX + 1], symbols[LITERALS];
};

static void
make_code(struct code *c, const unsigned char *lengths, unsigned n)
{
	unsigned short next[BITS_MAX + 1] = {0};

	*c = (struct code){0};
	for (unsigned i = 0; i < n; i++)
		c->counts[lengths[i]]++;
	c->counts[0] = 0;
	for (unsigned i = 1; i < BITS_MAX; i++)
		next[i + 1] = (unsigned short)(next[i] + c->counts[i]);
	for (unsigned i = 0; i < n; i++)
		if (lengths[i] != 0)
			c->symbols[next[lengths[i]]++] = (unsigned short)i;
}

/* Return the next symbol, or LITERALS if these bits are no code. */
static unsigned
get_symbol(struct bits *b, const struct code *c)
{
	unsigned code = 0, first = 0, index = 0;

	for (unsigned n = 1; n <= BITS_MAX; n++) {
		code |= get_bits(b, 1);
		if (code - first < c->counts[n])
			return c->symbols[index + code - first];
		index += c->counts[n];
		first = (first + c->counts[n]) << 1;
		code <<= 1;
	}
	return LITERALS;
}

static bool
read_lengths(struct bits *b, unsigned char *lengths, unsigned count)
{
	static const unsigned char order[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
	unsigned char short_lengths[LENGTH_CODES] = {0};
	struct code code;
	unsigned n = get_bits(b, 4) + 4;

	for (unsigned i = 0; i < n; i++)
		short_lengths[order[i]] = (unsigned char)get_bits(b, 3);
	make_code(&code, short_lengths, LENGTH_CODES);
	for (unsigned i = 0; i < count;) {
		unsigned symbol = get_symbol(b, &code), times = 1;
		unsigned char length = (unsigned char)symbol;

		if (symbol > 18 || (symbol == 16 && i == 0))
			return wrong("a code length came that is none");
		if (symbol >= 16) {
			length = symbol == 16 ? lengths[i - 1] : 0;
			times = symbol == 16 ? 3 + get_bits(b, 2) : symbol == 17 ? 3 + get_bits(b, 3) : 11 + get_bits(b, 7);
		}
		if (times > count - i)
			return wrong("too many code lengths came");
		memset(lengths + i, length, times);
		i += times;
	}
	return true;
}

static bool
read_codes(struct bits *b, unsigned type, struct code *literal, struct code *distance)
{
	unsigned char lengths[LITERALS + 32];
	unsigned literals = LITERALS, distances = DISTANCES;

	if (type == 1) {
		for (unsigned i = 0; i < LITERALS; i++)
			lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
		memset(lengths + LITERALS, 5, DISTANCES);
	} else {
		literals = get_bits(b, 5) + 257;
		distances = get_bits(b, 5) + 1;
		if (!read_lengths(b, lengths, literals + distances))
			return false;
	}
	make_code(literal, lengths, literals);
	make_code(distance, lengths + literals, distances);
	return true;
}

static bool
copy_match(struct bits *b, unsigned symbol, const struct code *distances, size_t window, struct bytes *out)
{
	size_t length = length_base[symbol - 257] + get_bits(b, length_extra[symbol - 257]);
	unsigned code = get_symbol(b, distances), extra = code < 4 ? 0 : code / 2 - 1;
	size_t distance;

	if (code >= DISTANCES)
		return wrong("distance code %u came", code);
	distance = (code < 4 ? code : (2u + (code & 1)) << extra) + 1 + get_bits(b, extra);
	if (distance > out->size || distance > window)
		return wrong("a distance of %zu came, there are %zu bytes, the window has %zu", distance, out->size, window);
	for (; length > 0; length--)
		bytes_byte(out, out->at[out->size - distance]);
	return true;
}

static bool
read_compressed(struct bits *b, unsigned type, size_t window, struct bytes *out)
{
	struct code literal, distance;

	if (!read_codes(b, type, &literal, &distance))
		return false;
	while (b->bit <= b->size * 8) {
		unsigned symbol = get_symbol(b, &literal);

		if (symbol == 256)
			return true;
		if (symbol < 256)
			bytes_byte(out, symbol);
		else if (symbol > 285)
			return wrong("symbol %u came", symbol);
		else if (!copy_match(b, symbol, &distance, window, out))
			return false;
	}
	return wrong("a compressed message ends inside a block");
}

static bool
read_stored(struct bits *b, struct bytes *out)
{
	b->bit = (b->bit + 7) / 8 * 8;
	size_t length = get_bits(b, 16);

	if ((get_bits(b, 16) ^ 0xffff) != length || length > b->size - b->bit / 8)
		return wrong("a stored block came whose length is wrong");
	bytes_put(out, b->at + b->bit / 8, length);
	b->bit += length * 8;
	return true;
}

/* Append a message of n compressed bytes to the earlier output, to which its distances refer within
 * the window. */
bool
inflate(struct bytes *out, const unsigned char *compressed, size_t n, size_t window)
{
	struct bytes in = {0};
	struct bits b = {0};
	bool good = true;

	bytes_put(&in, compressed, n);
	bytes_put(&in, "\0\0\xff\xff", 4);
	b.at = in.at;
	b.size = in.size;
	while (good && b.bit < b.size * 8) {
		bool final = get_bits(&b, 1) != 0;
		unsigned type = get_bits(&b, 2);

		if (final)
			good = wrong("a block with BFINAL came");
		else if (type == 3)
			good = wrong("a block of the reserved type came");
		else
			good = type == 0 ? read_stored(&b, out) : read_compressed(&b, type, window, out);
	}
	bytes_free(&in);
	return good;
}
