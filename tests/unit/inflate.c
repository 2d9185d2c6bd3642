/*
 * DEFLATE (RFC 1951) in messages (RFC 7692 section 7.2.2): the largest stored block, and decompression without a window.
 * All codes, distances and windows are seeds of the fuzz target inflate; the RFC's examples are in reader.c.
 */
#include "ws/inflate.h"

#include "unit.h"

static struct inflate z;
static struct inflate_tables tables;
static unsigned char window[1 << 15], want[65535], out[65535];

/* Decompress until the input is used, `room` bytes of output a step. Return the size of the output. */
static size_t
feed(const void *in, size_t n, unsigned char *to, size_t room)
{
	enum inflate_result result;
	size_t used = 0, size = 0, made;

	do {
		used += inflate_step(&z, (const unsigned char *)in + used, n - used, to + size, room, &made, &result);
		size += made;
	} while (result == INFLATE_FULL);
	CHECK(result == INFLATE_MORE && used == n);
	return size;
}

TEST(a_stored_block_has_up_to_65535_bytes)
{
	for (size_t i = 0; i < sizeof want; i++)
		want[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t n = 65534; n <= 65535; n++) {
		inflate_begin(&z, 15, window, &tables);
		CHECK(feed(n == 65535 ? "\0\xff\xff\0\0" : "\0\xfe\xff\x01\0", 5, out, 1) == 0);
		CHECK(feed(want, n, out, 1000) == n && memcmp(out, want, n) == 0);
		CHECK(feed("", 1, out, 0) == 0 && inflate_finish(&z));
	}
}

TEST(a_message_that_is_decompressed_by_one_step_needs_no_window)
{
	static const char message[] = "\xaa\x18\x05\xa3\x41\x00\x00";
	enum inflate_result result;
	size_t made;

	memset(want, 'x', 517);
	inflate_begin(&z, 15, NULL, &tables);
	for (int i = 0; i < 2; i++)
		CHECK(feed(message, sizeof message - 1, out, 600) == 517 && memcmp(out, want, 517) == 0 && inflate_finish(&z));
	/* A reference to the message before. */
	(void)inflate_step(&z, (const unsigned char *)"\xf2\x00\x11\x00\x00", 5, out, 100, &made, &result);
	CHECK(result == INFLATE_BAD);
}
