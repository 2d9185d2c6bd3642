/* Frame headers, control frames and their codes. Invalid headers are seeds of the fuzz target frame. */
#include "ws/frame.h"

#include "unit.h"

static int
decode(const char *bytes, size_t n, struct frame *frame, bool deflate)
{
	unsigned char *edge = unit_at_edge(bytes, n);
	int result = frame_decode(frame, edge, n, deflate);

	unit_drop(edge, n);
	return result;
}

/* RFC 6455, section 5.7, and each size of length. */
static const struct {
	const char *bytes;
	size_t size;
	struct frame frame;
} heads[] = {
	{"\x81\x05", 2, {5, OPCODE_TEXT, true, false, {0}, false}},
	{"\x81\x85\x37\xfa\x21\x3d", 6, {5, OPCODE_TEXT, true, true, {0x37, 0xfa, 0x21, 0x3d}, false}},
	{"\x01\x03", 2, {3, OPCODE_TEXT, false, false, {0}, false}},
	{"\x80\x02", 2, {2, OPCODE_CONTINUATION, true, false, {0}, false}},
	{"\x89\x05", 2, {5, OPCODE_PING, true, false, {0}, false}},
	{"\x8a\x85\x37\xfa\x21\x3d", 6, {5, OPCODE_PONG, true, true, {0x37, 0xfa, 0x21, 0x3d}, false}},
	{"\x82\x7e\x01\x00", 4, {256, OPCODE_BINARY, true, false, {0}, false}},
	{"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10, {65536, OPCODE_BINARY, true, false, {0}, false}},
	{"\x82\x00", 2, {0, OPCODE_BINARY, true, false, {0}, false}},
	{"\x82\x7d", 2, {125, OPCODE_BINARY, true, false, {0}, false}},
	{"\x82\x7e\x00\x7e", 4, {126, OPCODE_BINARY, true, false, {0}, false}},
	{"\x82\x7e\xff\xff", 4, {65535, OPCODE_BINARY, true, false, {0}, false}},
	{"\x88\xfd\x01\x02\x03\x04", 6, {125, OPCODE_CLOSE, true, true, {1, 2, 3, 4}, false}},
	{"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14,
	    {INT64_MAX, OPCODE_BINARY, true, true, {1, 2, 3, 4}, false}},
	{"\xc1\x85\x37\xfa\x21\x3d", 6, {5, OPCODE_TEXT, true, true, {0x37, 0xfa, 0x21, 0x3d}, true}},
	{"\x42\x05", 2, {5, OPCODE_BINARY, false, false, {0}, true}},
};

static bool
same(const struct frame *a, const struct frame *b)
{
	return a->length == b->length && a->opcode == b->opcode && a->fin == b->fin && a->masked == b->masked && a->compressed == b->compressed
	    && memcmp(a->key, b->key, sizeof a->key) == 0;
}

TEST(headers_are_read_and_written)
{
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		unsigned char out[FRAME_HEAD_MAX];
		struct frame frame;

		CHECK(decode(heads[i].bytes, heads[i].size, &frame, heads[i].frame.compressed) == (int)heads[i].size);
		CHECK(same(&frame, &heads[i].frame));
		CHECK(frame_encode(&heads[i].frame, out) == heads[i].size);
		CHECK(memcmp(out, heads[i].bytes, heads[i].size) == 0);
	}
}

TEST(control_frames_are_written_completely)
{
	static const unsigned char key[FRAME_KEY_SIZE] = {0x37, 0xfa, 0x21, 0x3d};
	unsigned char out[FRAME_CONTROL_MAX], full[FRAME_CONTROL_PAYLOAD_MAX] = {0};

	CHECK(frame_control(OPCODE_PING, "Hello", 5, NULL, out) == 7);
	CHECK(memcmp(out, "\x89\x05\x48\x65\x6c\x6c\x6f", 7) == 0);
	CHECK(frame_control(OPCODE_PONG, "Hello", 5, key, out) == 11);
	CHECK(memcmp(out, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11) == 0);
	CHECK(frame_control(OPCODE_PING, NULL, 0, NULL, out) == 2 && memcmp(out, "\x89\x00", 2) == 0);
	CHECK(frame_control(OPCODE_PING, full, sizeof full, key, out) == FRAME_CONTROL_MAX);
}

TEST(a_close_holds_its_code_and_as_much_reason_as_fits)
{
	unsigned char out[FRAME_CONTROL_MAX];
	char reason[200];

	CHECK(frame_close(CLOSE_NORMAL, "", NULL, out) == 4 && memcmp(out, "\x88\x02\x03\xe8", 4) == 0);
	CHECK(frame_close(CLOSE_NO_CODE, "", NULL, out) == 2 && memcmp(out, "\x88\x00", 2) == 0);
	CHECK(frame_close(1011, "why", NULL, out) == 7 && memcmp(out, "\x88\x05\x03\xf3why", 7) == 0);
	memset(reason, 'x', sizeof reason);
	reason[199] = '\0';
	memcpy(reason + 122, "\xc3\xa9", 2);
	CHECK(frame_close(1011, reason, NULL, out) == 2 + 2 + 122);
	memcpy(reason + 121, "\xc3\xa9x", 3);
	CHECK(frame_close(1011, reason, NULL, out) == 2 + 2 + 123);
}
