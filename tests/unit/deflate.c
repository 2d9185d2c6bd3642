/* Compression to messages of RFC 7692. Each output is decompressed with a window of the same size. */
#include "ws/deflate.h"

#include "unit.h"
#include "ws/inflate.h"

enum { TEXT = 200000 };

static struct deflate_scratch scratch;
static struct inflate_tables tables;
static struct deflate z;
static struct inflate back;
static uint16_t memory[100000];
static unsigned char window[1 << 15], text[TEXT], out[2 * TEXT], got[TEXT + 1];
static size_t out_size;

static void
begin(unsigned bits)
{
	memset(memory, 0xa5, sizeof memory);
	CHECK(deflate_memory(bits) <= sizeof memory);
	deflate_begin(&z, bits, memory, &scratch);
	inflate_begin(&back, bits, window, &tables);
}

/* Compress in steps of `cut` input bytes and `room` bytes of space. */
static void
compress(const void *in, size_t n, size_t cut, size_t room)
{
	static unsigned char *edge;
	unsigned char *end = edge != NULL ? edge : (edge = unit_at_edge(out, sizeof out) + sizeof out);

	out_size = 0;
	for (size_t at = 0, part; !unit_failed; at += part) {
		enum deflate_result result;
		bool last = n - at <= cut;
		size_t used = 0, made;

		part = last ? n - at : cut;
		do {
			used += deflate_step(&z, (const unsigned char *)in + at + used, part - used, last, end - room, room, &made, &result);
			CHECK(used <= part && made <= room && (result == DEFLATE_FULL || used == part));
			memcpy(out + out_size, end - room, made);
			out_size += made;
		} while (result == DEFLATE_FULL && !unit_failed);
		if (last)
			return;
	}
}

/* Decompress the output byte by byte: no block is final. */
static void
returns(const void *want, size_t n)
{
	size_t size = 0, made;
	enum inflate_result result;

	for (size_t i = 0; i < out_size && !unit_failed; i++) {
		CHECK(inflate_step(&back, out + i, 1, got + size, n + 1 - size, &made, &result) == 1 && result == INFLATE_MORE);
		size += made;
		CHECK(!back.final && size <= n);
	}
	CHECK(inflate_finish(&back) && size == n && memcmp(got, want, n) == 0);
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
	do { \
		compress(in, sizeof in - 1, 100, 100); \
		CHECK(out_size == sizeof want - 1 && memcmp(out, want, out_size) == 0); \
	} while (0)

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

TEST(every_division_of_input_and_output)
{
	text_make(700, 1);
	begin(9);
	for (size_t cut = 1; cut < 710; cut += cut < 40 ? 1 : 67) {
		for (size_t room = 1; room < 800; room += room < 70 ? 3 : 131) {
			compress(text, 700, cut, room);
			returns(text, 700);
		}
	}
}

/* Messages of all sizes with each window, with and without takeover; some are undone. */
TEST(every_window)
{
	for (unsigned bits = 8; bits <= 15; bits++) {
		for (unsigned takeover = 0; takeover < 2; takeover++) {
			begin(bits);
			for (unsigned turn = 0; turn < 60 && !unit_failed; turn++) {
				size_t n = turn % 12 == 11 ? 70000 : turn * turn;

				text_make(n, turn);
				compress(text, n, n, deflate_bound(n));
				if (turn % 5 == 4) {
					deflate_undo(&z);
					continue;
				}
				returns(text, n);
				if (takeover == 0) {
					deflate_reset(&z);
					inflate_reset(&back);
				}
			}
		}
	}
}

/* After deflate_undo() the output is as short as without the message. */
TEST(undo)
{
	size_t n, made;
	enum deflate_result result;

	text_make(3000, 7);
	begin(12);
	compress(text, 1000, 1000, 2000);
	returns(text, 1000);
	(void)deflate_step(&z, text + 2000, 1000, false, out, 10, &made, &result);
	CHECK(result == DEFLATE_FULL);
	deflate_undo(&z);
	compress(text + 500, 900, 900, 2000);
	n = out_size;
	deflate_undo(&z);
	compress(text + 500, 900, 900, 2000);
	CHECK(out_size <= n + 4); /* near matches of three bytes may be lost */
	returns(text + 500, 900);
	/* A message longer than the buffer loses the history, but not the state. */
	compress(text, sizeof text, sizeof text, deflate_bound(sizeof text));
	deflate_undo(&z);
	compress(text + 500, 900, 900, 2000);
	returns(text + 500, 900);
}

TEST(random_bytes_hardly_grow)
{
	unsigned seed = 1;

	for (size_t i = 0; i < TEXT; i++)
		text[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
	begin(15);
	for (size_t n = 1; n <= TEXT; n = n * 3 + 1) {
		for (unsigned turn = 0; turn < 2; turn++) {
			compress(text, n, n, turn == 0 ? n + 5 : deflate_bound(n));
			CHECK(turn == 0 || out_size <= n + 7 * (n / 16000 + 1));
			returns(text, n);
			deflate_reset(&z);
			inflate_reset(&back);
		}
	}
}

/* The history is kept when the buffer is full: a repeated message that fits into the window is a
 * few matches. */
TEST(repeated_messages)
{
	for (unsigned bits = 9; bits <= 15; bits++) {
		size_t n = (size_t)3 << bits >> 3;

		text_make(n, bits);
		begin(bits);
		for (unsigned turn = 0; turn < 40; turn++) {
			compress(text, n, n, deflate_bound(n));
			CHECK(turn == 0 || turn == 4 || out_size < 40 + n / 30);
			returns(text, n);
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
