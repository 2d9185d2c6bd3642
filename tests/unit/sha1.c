/* SHA-1 with the examples of FIPS 180-4. That of RFC 6455, section 1.3, is in handshake.c. */
#include "ws/sha1.h"

#include "unit.h"

static bool
digest_is(const void *bytes, size_t n, const char *expected)
{
	unsigned char digest[SHA1_SIZE];
	unsigned char *copy = unit_at_edge(bytes, n);
	char hex[2 * SHA1_SIZE + 1];

	sha1(copy, n, digest);
	unit_drop(copy, n);
	for (size_t i = 0; i < SHA1_SIZE; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return strcmp(hex, expected) == 0;
}

TEST(a_million_times_a_is_hashed)
{
	static char many[1000000];

	memset(many, 'a', sizeof many);
	CHECK(digest_is(many, sizeof many, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
}

/* Examples of FIPS 180-4, and zero bytes around a block, whose digests were computed with sha1sum of coreutils. */
TEST(every_length_around_a_block_is_padded_right)
{
	static const struct {
		const char *text; /* NULL: n zero bytes */
		size_t n;
		const char *digest;
	} rows[] = {
		{"abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
		{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 112, "a49b2446a02c645bf419f995b67091253a04a259"},
		{NULL, 1, "5ba93c9db0cff93f52b521d7420e43f6eda2784f"}, {NULL, 54, "7aa0ee429b305a7017069c2d5d7c4839a063cfa5"},
		{NULL, 55, "8e8832c642a6a38c74c17fc92ccedc266c108e6c"}, {NULL, 56, "9438e360f578e12c0e0e8ed28e2c125c1cefee16"},
		{NULL, 63, "0b8bf9fc37ad802cefa6733ec62b09d5f43a1b75"}, {NULL, 64, "c8d7d0ef0eedfa82d2ea1aa592845b9a6d4b02b7"},
		{NULL, 65, "f0fa45906bd0f4c3668fcd0d8f68d4b298b30e5b"}, {NULL, 119, "85634f17f58bda0e4f0515dfb68bc1af922a031f"},
		{NULL, 120, "b110a88a11436b215220486c1081dec2fb0f389a"}, {NULL, 128, "0ae4f711ef5d6e9d26c611fd2c8c8ac45ecbf9e7"},
	};
	static const char zeros[128];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(digest_is(rows[i].text == NULL ? zeros : rows[i].text, rows[i].n, rows[i].digest));
}
