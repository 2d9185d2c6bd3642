/*
 * Compression to messages of RFC 7692: the RFC's examples, the size of the output, and the fuzz target on texts: each
 * output is decompressed with a window of the same size.
 */
#include "../fuzz/deflate.c"

#include "unit.h"

enum { TEXT = 200000 };

static struct deflate_scratch scratch;
static struct deflate z;
static uint16_t memory[100000];
static unsigned char text[TEXT];

static void
begin(unsigned bits)
{
	memset(memory, 0xa5, sizeof memory);
	deflate_begin(&z, bits, memory, &scratch);
}

/* Compress to made_all in one step. Return the size. */
static size_t
compress(const void *in, size_t n)
{
	struct fuzz none = {0};

	return message(&z, &none, in, n, true);
}

/* Text with near and far repetitions, and a random part. */
static void
text_make(size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = (unsigned char)(seed >> 16);
		if (i % 1000 < 900)
			text[i] = (seed >> 16 & 7) != 0 ? (unsigned char)"{\"level\":\"info\"}, "[i % 18] : text[i] % 16 + 'a';
	}
}

#define MAKES(in, want) \
	CHECK(compress(in, sizeof in - 1) == sizeof want - 1 && memcmp(made_all, want, sizeof want - 1) == 0)

TEST(the_examples_of_RFC_7692)
{
	begin(15);
	MAKES("Hello", "\xf2\x48\xcd\xc9\xc9\x07\x00");
	/* One match; the RFC's example has a literal and a match. */
	MAKES("Hello", "\x02\x13\x00\x00");
	MAKES("", "\x00");
	MAKES("Hello", "\x02\x13\x00\x00");
	deflate_undo(&z);
	MAKES("Hello", "\x02\x13\x00\x00");
	deflate_reset(&z);
	MAKES("Hello", "\xf2\x48\xcd\xc9\xc9\x07\x00");
}

/* Each window, whole and in steps, with and without takeover, messages of several sizes, undone ones and repeated ones. */
TEST(every_choice_of_the_fuzz_target)
{
	static const uint8_t cuts[][FUZZ_CUTS] = {{1, 3, 0, 0}, {2, 7, 30, 100}, {255, 8, 6, 200}, {254, 248, 254, 255}};
	static uint8_t input[FUZZ_CUTS + 1 + 70000];

	for (unsigned choice = 0; choice < 256; choice++)
		for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
			for (size_t n = 1; n < (i < 2 || choice & 32 ? 2000 : 60000); n *= i < 2 ? 9 : 39) {
				text_make(n, choice);
				memcpy(input, cuts[i], FUZZ_CUTS);
				input[FUZZ_CUTS] = (uint8_t)choice;
				memcpy(input + FUZZ_CUTS + 1, text, n);
				(void)LLVMFuzzerTestOneInput(input, FUZZ_CUTS + 1 + n);
			}
}

TEST(without_an_undone_message_the_output_is_as_short)
{
	size_t n, made;
	enum deflate_result result;

	text_make(3000, 7);
	begin(12);
	(void)compress(text, 1000);
	(void)deflate_step(&z, text + 2000, 1000, false, made_all, 10, &made, &result);
	CHECK(result == DEFLATE_FULL);
	deflate_undo(&z);
	n = compress(text + 500, 900);
	deflate_undo(&z);
	CHECK(compress(text + 500, 900) <= n + 4); /* near matches of three bytes may be lost */
}

TEST(random_bytes_hardly_grow)
{
	for (size_t i = 0; i < TEXT; i++)
		text[i] = (unsigned char)unit_roll(256);
	begin(15);
	for (size_t n = 1; n <= FUZZ_MAX; n = n * 3 + 1) {
		CHECK(compress(text, n) <= n + 7 * (n / 16000 + 1));
		deflate_reset(&z);
	}
}

/* The history is kept when the buffer is full: a repeated message that fits into the window is a
 * few matches. */
TEST(repeated_messages)
{
	for (unsigned bits = 9; bits <= 15; bits++) {
		size_t n = (size_t)3 << bits >> 3, size;

		text_make(n, bits);
		begin(bits);
		for (unsigned turn = 0; turn < 40; turn++) {
			size = compress(text, n);
			CHECK(turn == 0 || turn == 4 || size < 40 + n / 30);
			if (turn == 3)
				deflate_reset(&z);
		}
	}
}

/* The lengths are a complete code within the limit; one symbol, or none, is completed to two. */
TEST(huffman_code_lengths)
{
	uint16_t occurrences[40] = {0};
	uint8_t lengths[40];

	for (unsigned count = 0; count <= 40; count++) {
		for (unsigned kind = 0; kind < 3; kind++) {
			uint32_t total = 0, space = 0, sum;

			for (unsigned i = 0; i < count; i++) /* equal; as Fibonacci, for the deepest tree; with gaps */
				occurrences[i] = (uint16_t)(kind == 0 ? 5 : kind == 2 ? i % 3 : i < 2 ? 1
				    : i < 24 ? occurrences[i - 1] + occurrences[i - 2] : 40000);
			for (unsigned longest = 6; longest <= 15; longest += 9) {
				sum = huffman_lengths(occurrences, count == 0 ? 2 : count < 2 ? 2 : count, longest, lengths);
				total = space = 0;
				for (unsigned i = 0; i < (count < 2 ? 2 : count); i++) {
					CHECK(lengths[i] <= longest && (occurrences[i] == 0 || lengths[i] != 0));
					space += lengths[i] == 0 ? 0 : 1U << (15 - lengths[i]);
					total += (uint32_t)lengths[i] * occurrences[i];
				}
				CHECK(space == 1U << 15 && total == sum);
			}
		}
	}
	/* Optimal: 1, 2, 3, 3 for the weights 4, 2, 1, 1. */
	memcpy(occurrences, (const uint16_t[]){1, 4, 1, 2}, 4 * sizeof *occurrences);
	CHECK(huffman_lengths(occurrences, 4, 15, lengths) == 14 && memcmp(lengths, "\3\1\3\2", 4) == 0);
}
