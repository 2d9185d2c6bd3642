#include "ws/base64.h"

#include <stdint.h>

void
base64_encode(const void *bytes, size_t n, char *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;

	for (; n != 0; in += 3, out += 4) {
		uint32_t group = (uint32_t)in[0] << 16;

		if (n > 1)
			group |= (uint32_t)in[1] << 8;
		if (n > 2)
			group |= in[2];
		out[0] = alphabet[group >> 18];
		out[1] = alphabet[group >> 12 & 63];
		out[2] = n > 1 ? alphabet[group >> 6 & 63] : '=';
		out[3] = n > 2 ? alphabet[group & 63] : '=';
		n = n > 3 ? n - 3 : 0;
	}
}

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t
base64_decode(struct span text, void *out)
{
	unsigned char *to = out;
	size_t pads = 0, used = 0;
	uint32_t group = 0;

	if (text.size % 4 != 0)
		return -1;
	while (pads < 2 && pads < text.size && text.at[text.size - 1 - pads] == '=')
		pads++;
	for (size_t i = 0; i < text.size - pads; i++) {
		int value = value_of(text.at[i]);

		if (value < 0)
			return -1;
		group = group << 6 | (uint32_t)value;
		/* The first character of a group of four does not complete a byte. */
		if (i % 4 != 0)
			to[used++] = (unsigned char)(group >> (6 - 2 * (i % 4)));
	}
	return (ptrdiff_t)used;
}
