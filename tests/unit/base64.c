/* Base64 as in RFC 4648, section 10, and invalid texts. */
#include "ws/base64.h"

#include "unit.h"

static const char *const pairs[][2] = {
	{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	{"the sample nonce", "dGhlIHNhbXBsZSBub25jZQ=="}, /* RFC 6455 section 1.3 */
	{"\xfb\xff\xbf", "+/+/"},
};

static ssize_t
decode_at_edge(const char *text, unsigned char *out)
{
	size_t n = strlen(text);
	unsigned char *in = unit_at_edge(text, n);
	ssize_t size = base64_decode((struct span){(char *)in, n}, out);

	unit_drop(in, n);
	return size;
}

TEST(the_examples_encode_and_decode)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		size_t n = strlen(pairs[i][0]), size = base64_size(n);
		unsigned char *in = unit_at_edge(pairs[i][0], n), *out = unit_at_edge("                        ", size), back[64];

		CHECK(size == strlen(pairs[i][1]));
		base64_encode(in, n, (char *)out);
		CHECK(memcmp(out, pairs[i][1], size) == 0);
		CHECK(decode_at_edge(pairs[i][1], back) == (ssize_t)n && memcmp(back, in, n) == 0);
		unit_drop(in, n);
		unit_drop(out, size);
	}
}

TEST(invalid_base64_is_refused)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "=", "==", "===", "====", "Z===", "Zg==Zg==", "Zm8=Zm8=", "Zm=v", " Zg==",
		"Zg==\n", "Zm9\n", "Zm9-", "Zm9_", "Zm9.", "Z\xc3\xa9v", "Zm9v=", "Zm9vYg==="
	};
	unsigned char out[64];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(decode_at_edge(bad[i], out) == -1);
}

TEST(every_triple_of_bytes_is_decoded_again)
{
	for (unsigned i = 0; i < 1u << 16; i++) {
		unsigned char in[3] = {(unsigned char)i, (unsigned char)(i >> 8), (unsigned char)(i * 7)}, out[3];
		char text[4];

		for (size_t n = 1; n <= 3; n++) {
			base64_encode(in, n, text);
			CHECK(base64_decode((struct span){text, 4}, out) == (ssize_t)n && memcmp(in, out, n) == 0);
		}
	}
}
