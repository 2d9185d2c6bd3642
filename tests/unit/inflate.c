/*
 * DEFLATE (RFC 1951) in messages (RFC 7692 section 7.2.2): decompression without a window. All codes, distances and
 * windows are seeds of the fuzz target inflate; the RFC's examples and the largest stored blocks are cases of wsprobe.
 */
#include "ws/inflate.h"

#include "unit.h"

static struct inflate z;
static struct inflate_tables tables;
static unsigned char want[517], out[600];

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
