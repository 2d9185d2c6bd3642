#include "ws/sha1.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK = 64, LENGTH_SIZE = 8 };

static uint32_t
rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t
load_big(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The message schedule is a ring of 16 words (FIPS 180-4, section 6.1.3). */
static void
block_add(uint32_t hash[5], const unsigned char *block)
{
	uint32_t w[16], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load_big(block + 4 * t);
	for (unsigned t = 0; t < 80; t++) {
		uint32_t f, k, next;

		if (t >= 16)
			w[t % 16] = rotate(w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ w[t % 16], 1);
		if (t < 20) {
			f = (b & c) ^ (~b & d);
			k = 0x5a827999;
		} else if (t < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (t < 60) {
			f = (b & c) ^ (b & d) ^ (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		next = rotate(a, 5) + f + e + k + w[t % 16];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	hash[0] += a;
	hash[1] += b;
	hash[2] += c;
	hash[3] += d;
	hash[4] += e;
}

void
sha1(const void *bytes, size_t n, unsigned char digest[SHA1_SIZE])
{
	uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char tail[2 * BLOCK] = {0};
	const unsigned char *p = bytes;
	uint64_t bits = (uint64_t)n * 8;
	size_t left = n, padded;

	for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
		block_add(hash, p);
	if (left != 0)
		memcpy(tail, p, left);
	tail[left] = 0x80;
	padded = left + 1 + LENGTH_SIZE <= BLOCK ? BLOCK : 2 * BLOCK;
	for (unsigned i = 0; i < LENGTH_SIZE; i++)
		tail[padded - 1 - i] = (unsigned char)(bits >> (8 * i));
	block_add(hash, tail);
	if (padded > BLOCK)
		block_add(hash, tail + BLOCK);
	for (unsigned i = 0; i < SHA1_SIZE; i++)
		digest[i] = (unsigned char)(hash[i / 4] >> (24 - 8 * (i % 4)));
}
