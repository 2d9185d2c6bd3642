/* SHA-1 and base64 for the answer to a client (FIPS 180-4, RFC 4648), and UTF-8 by its definition (RFC 3629). */
#include <string.h>

#include "wsprobe.h"

static uint32_t
turn_left(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void
sha1_block(uint32_t h[5], const unsigned char *p)
{
	static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int t = 0; t < 80; t++) {
		if (t < 16)
			w[t] = (uint32_t)p[t * 4] << 24 | (uint32_t)p[t * 4 + 1] << 16
			       | (uint32_t)p[t * 4 + 2] << 8 | p[t * 4 + 3];
		else
			w[t] = turn_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
		uint32_t f = t < 20 ? (b & c) | (~b & d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
		uint32_t next = turn_left(a, 5) + f + e + constants[t / 20] + w[t];

		e = d;
		d = c;
		c = turn_left(b, 30);
		b = a;
		a = next;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* At most 119 bytes, two blocks. */
static void
sha1(const void *bytes, size_t n, unsigned char digest[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char block[128] = {0};
	size_t size = n < 56 ? 64 : 128;

	memcpy(block, bytes, n);
	block[n] = 0x80;
	block[size - 2] = (unsigned char)(n * 8 >> 8);
	block[size - 1] = (unsigned char)(n * 8);
	for (size_t i = 0; i < size; i += 64)
		sha1_block(h, block + i);
	for (int i = 0; i < 20; i++)
		digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

const char base64_letters[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
accept_for(const char *key, char accept[29])
{
	unsigned char text[64], digest[21] = {0};

	memcpy(text, key, 24);
	memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	sha1(text, 60, digest);
	for (int i = 0; i < 28; i++) {
		int bit = i * 6;
		unsigned two = (unsigned)digest[bit / 8] << 8 | (bit / 8 + 1 < 21 ? digest[bit / 8 + 1] : 0);

		accept[i] = base64_letters[two >> (10 - bit % 8) & 63];
	}
	accept[27] = '=';
	accept[28] = '\0';
}

bool
is_utf8(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t size = p[i] < 0x80 ? 1 : p[i] >> 5 == 6 ? 2 : p[i] >> 4 == 14 ? 3 : p[i] >> 3 == 30 ? 4 : 0;
		unsigned long c = p[i];

		if (size == 0 || size > n - i)
			return false;
		if (size > 1)
			c &= 0x7fu >> size;
		for (size_t k = 1; k < size; k++) {
			if (p[i + k] >> 6 != 2)
				return false;
			c = c << 6 | (p[i + k] & 63u);
		}
		static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};

		if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
		i += size;
	}
	return true;
}
