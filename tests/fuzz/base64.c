/* Base64 against a reading bit by bit, and SHA-1 against one by the letter of FIPS 180-4. */
#include "ws/base64.h"
#include "ws/sha1.h"
#include "fuzz.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Whether the text is base64, its bits one a byte in bits[]. */
static bool
naive_bits(const char *text, size_t n, uint8_t *bits, size_t *count)
{
	size_t end = n;

	*count = 0;
	while (end > 0 && text[end - 1] == '=')
		end--;
	if (n % 4 != 0 || n - end > 2)
		return false;
	for (size_t i = 0; i < end; i++) {
		const char *at = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);

		if (at == NULL)
			return false;
		for (int bit = 5; bit >= 0; bit--)
			bits[(*count)++] = (uint8_t)((at - alphabet) >> bit & 1);
	}
	return true;
}

static void
decode(const uint8_t *bytes, size_t n)
{
	static uint8_t bits[6 * FUZZ_MAX], out[FUZZ_MAX];
	size_t count;
	bool is = naive_bits((const char *)bytes, n, bits, &count);
	ssize_t got = base64_decode((struct span){(char *)fuzz_edge(0, bytes, n), n}, out);

	FUZZ_CHECK(got == (is ? (ssize_t)(count / 8) : -1));
	for (ssize_t i = 0; i < got; i++) {
		unsigned byte = 0;

		for (int bit = 0; bit < 8; bit++)
			byte = byte << 1 | bits[8 * i + bit];
		FUZZ_CHECK(out[i] == byte);
	}
}

static void
round_trip(const uint8_t *bytes, size_t n)
{
	static char text[2 * FUZZ_MAX];
	static uint8_t back[2 * FUZZ_MAX];

	base64_encode(fuzz_edge(0, bytes, n), n, text);
	FUZZ_CHECK(base64_decode((struct span){text, base64_size(n)}, back) == (ssize_t)n);
	FUZZ_CHECK(n == 0 || memcmp(back, bytes, n) == 0);
}

static uint32_t
rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void
naive_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], v[5];

	for (int t = 0; t < 80; t++)
		w[t] = t < 16 ? (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 | (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3]
		    : rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, h, sizeof v);
	for (int t = 0; t < 80; t++) {
		uint32_t ch = (v[1] & v[2]) ^ (~v[1] & v[3]), parity = v[1] ^ v[2] ^ v[3];
		uint32_t maj = (v[1] & v[2]) ^ (v[1] & v[3]) ^ (v[2] & v[3]);
		uint32_t f = t < 20 ? ch + 0x5a827999 : t < 40 ? parity + 0x6ed9eba1 : t < 60 ? maj + 0x8f1bbcdc
		    : parity + 0xca62c1d6;
		uint32_t next = rotl(v[0], 5) + f + v[4] + w[t];

		memmove(v + 1, v, 4 * sizeof *v);
		v[2] = rotl(v[2], 30);
		v[0] = next;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

static void
digest(const uint8_t *bytes, size_t n)
{
	static uint8_t padded[FUZZ_MAX + 128];
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char got[SHA1_SIZE];
	size_t size = n + 1;

	memcpy(padded, bytes, n);
	padded[n] = 0x80;
	while (size % 64 != 56)
		padded[size++] = 0;
	for (int i = 7; i >= 0; i--)
		padded[size++] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
	for (size_t at = 0; at < size; at += 64)
		naive_block(h, padded + at);
	sha1(fuzz_edge(0, bytes, n), n, got);
	for (unsigned i = 0; i < SHA1_SIZE; i++)
		FUZZ_CHECK(got[i] == (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4))));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size = size < FUZZ_MAX ? size : FUZZ_MAX;
	decode(bytes, size);
	round_trip(bytes, size);
	if (size != 0)
		digest(bytes, size);
	return 0;
}
