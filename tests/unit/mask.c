#include "ws/mask.h"
#include "unit.h"

static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* n bytes at any alignment, in two pieces, compared with one byte at a time. */
TEST(masks_every_size_phase_alignment_and_split_as_a_byte_loop_does)
{
	for (size_t n = 0; n <= 150; n++) {
		unsigned char plain[150], want[150], any = 0;

		for (size_t i = 0; i < n; i++)
			plain[i] = (unsigned char)(i * 167 + n);
		for (size_t phase = 0; phase < 5; phase++) {
			unsigned char *edge = unit_at_edge(plain, n);

			any = 0;
			for (size_t i = 0; i < n; i++)
				any |= want[i] = (unsigned char)(plain[i] ^ key[(phase + i) % 4]);
			CHECK(mask_apply(edge, n, key, phase) == any);
			CHECK(memcmp(edge, want, n) == 0);
			for (size_t cut = 0; cut <= n; cut++) {
				memcpy(edge, plain, n);
				unsigned char first = mask_apply(edge, cut, key, phase);
				unsigned char rest = mask_apply(edge + cut, n - cut, key, phase + cut);

				CHECK((first | rest) == any);
				CHECK(memcmp(edge, want, n) == 0);
			}
			unit_drop(edge, n);
		}
	}
}

TEST(every_byte_counts_towards_the_high_bits)
{
	const unsigned char none[4] = {0};

	for (size_t n = 1; n <= 100; n++)
		for (size_t at = 0; at < n; at++) {
			unsigned char text[100] = {0};

			text[at] = 0x80;
			CHECK(mask_apply(text, n, none, 0) == 0x80);
		}
}

TEST(a_phase_beyond_32_bits_still_turns_the_key)
{
	unsigned char text[3] = {0};

	mask_apply(text, sizeof text, key, UINT64_C(0x100000002));
	CHECK(memcmp(text, "\x21\x3d\x37", 3) == 0);
}
