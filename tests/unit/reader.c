/*
 * The frame reader without space, and the limits of compressed messages. All else is shown by the seeds of the fuzz
 * target frame, and for compressed messages by the group deflate of wsprobe.
 */
#include "ws/reader.h"

#include "unit.h"

#define BYTES(text) text, sizeof text - 1
#define HELLO "\x07\xf2\x48\xcd\xc9\xc9\x07\x00"

static const struct reader from_server = {.peer = READER_OF_SERVER, .limit = 1000};

TEST(the_limit_applies_to_the_decompressed_size_and_the_header_may_exceed_it_a_little)
{
	static const struct {
		uint64_t limit;
		bool text_only;
		unsigned char bytes[16];
		size_t size;
		unsigned code;
	} rows[] = {
		{5, false, BYTES("\xc1" HELLO), 0},
		{4, false, BYTES("\xc1" HELLO), CLOSE_TOO_BIG},
		{4, false, BYTES("\xc1\x7e\x04\x04"), 0},
		{4, false, BYTES("\xc1\x7e\x04\x05"), CLOSE_TOO_BIG},
		{4, false, BYTES("\x41\x04\x00\x00\x00\xff\x00\x7e\x04\x01"), CLOSE_TOO_BIG},
		{1000, true, BYTES("\xc2\x07\x00\x01\x00\xfe\xff\xff\x00"), CLOSE_UNSUPPORTED},
	};
	static struct inflate_tables tables;
	static unsigned char window[1 << 15], inflated[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reader r = {.peer = READER_OF_SERVER, .limit = rows[i].limit, .text_only = rows[i].text_only,
		    .deflate = true};
		struct reader_inflate inflate = {.out = inflated, .capacity = sizeof inflated};
		struct reader_event e = {.kind = READER_DATA};
		unsigned char in[16];

		memcpy(in, rows[i].bytes, sizeof in);
		inflate_begin(&inflate.z, 15, window, &tables);
		for (size_t used = 0; e.kind == READER_DATA;)
			used += reader_step_inflate(&r, &inflate, in + used, rows[i].size - used, SIZE_MAX, &e);
		CHECK(e.code == rows[i].code);
	}
}

TEST(without_output_space_control_frames_are_delivered_and_payload_waits)
{
	struct reader r = from_server;
	unsigned char in[] = "\x89\x01p\x81\x00\x89\x01q";
	struct reader_event e;
	size_t used = reader_step(&r, in, 8, 0, &e);

	CHECK(used == 3 && e.kind == READER_PING && e.chunk.size == 1 && *e.chunk.at == 'p');
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 5 && e.kind == READER_FULL);
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 5 && e.kind == READER_FULL);
	used += reader_step(&r, in + used, 8 - used, 1, &e);
	CHECK(used == 5 && e.kind == READER_DATA && e.chunk.size == 0 && e.chunk.first && e.chunk.last);
	used += reader_step(&r, in + used, 8 - used, 0, &e);
	CHECK(used == 8 && e.kind == READER_PING);
}

TEST(a_message_of_one_frame_has_its_size)
{
	struct reader r = from_server;
	unsigned char one[] = "\x81\x05Hello", two[] = "\x01\x05Hello\x80\x00";
	struct reader_event e;

	CHECK(reader_step(&r, one, 4, SIZE_MAX, &e) == 4 && e.sized && e.size == 5 && e.chunk.size == 2);
	r = from_server;
	CHECK(reader_step(&r, two, 7, SIZE_MAX, &e) == 7 && !e.sized && e.chunk.first && !e.chunk.last);
	CHECK(reader_step(&r, two + 7, 2, SIZE_MAX, &e) == 2 && !e.sized && e.chunk.last);
}
