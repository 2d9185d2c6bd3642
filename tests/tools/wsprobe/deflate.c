/* A simple encoder of DEFLATE (RFC 1951): stored blocks, and fixed codes for bytes and runs. */
#include <string.h>

#include "wsprobe.h"

enum { STORED_MAX = 65535, RUN_MAX = 258 };

static const unsigned short length_base[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67,
	83, 99, 115, 131, 163, 195, 227, 258};
static const unsigned char length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5,
	5, 5, 0};

/* The last byte is incomplete. */
struct bits {
	struct bytes *out;
	size_t bit;
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
