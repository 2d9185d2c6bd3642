/* Frames to records and records to frames, through small buffers. Records of each mode are seeds of the fuzz target flow. */
#include "ws/frames_to_records.h"
#include "ws/records_to_frames.h"

#include "unit.h"

#define BYTES(text) (text), sizeof(text) - 1

enum { ROOM = 256 };

/* Convert a server's frames to records, in chunks. Return the kind of the last event. */
struct in {
	struct frames_to_records flow;
	struct buffer from, to;
	unsigned char from_bytes[ROOM], to_bytes[ROOM];
	struct reader_event last;
};

static void
in_start(struct in *in, enum record_mode mode, size_t room)
{
	*in = (struct in){.flow = {.reader.peer = READER_OF_SERVER, .records.mode = mode}};
	in->from = buffer_over(in->from_bytes, sizeof in->from_bytes);
	in->to = buffer_over(in->to_bytes, room);
}

static enum reader_kind
in_feed(struct in *in, const char *bytes, size_t n, size_t chunk)
{
	enum reader_kind kind = READER_MORE;

	for (size_t at = 0; at < n && kind == READER_MORE; at += chunk) {
		buffer_put(&in->from, bytes + at, n - at < chunk ? n - at : chunk);
		while ((kind = frames_to_records_step(&in->flow, &in->from, &in->to, &in->last)) == READER_DATA)
			CHECK(in->flow.discard);
	}
	return kind;
}

static bool
holds(const struct buffer *b, const char *bytes, size_t n)
{
	return buffer_held(b) == n && memcmp(buffer_head(b), bytes, n) == 0;
}

TEST(the_held_part_of_an_interrupted_message_is_dropped)
{
	static const struct {
		enum record_mode mode;
		const char *records;
		size_t size;
	} modes[] = {
		{RECORD_LINE, BYTES("hi\n")},
		{RECORD_NUL, BYTES("hi\0")},
		{RECORD_NETSTRING, BYTES("2:hi,")},
		{RECORD_TYPED, BYTES("3:thi,")},
		{RECORD_BYTES, BYTES("hiabc")}, /* nothing is held: bytes pass at once */
	};
	static const struct {
		const char *bytes;
		size_t size;
		enum reader_kind kind;
		unsigned code;
	} ends[] = {
		{BYTES("\x81\x02hi\x01\x03" "abc\x88\x02\x03\xe8"), READER_CLOSE, CLOSE_NORMAL},
		{BYTES("\x81\x02hi\x01\x03" "abc\x88\x00"), READER_CLOSE, CLOSE_NO_CODE},
		{BYTES("\x81\x02hi\x01\x03" "abc\x83\x00"), READER_FAIL, CLOSE_PROTOCOL_ERROR},
		{BYTES("\x81\x02hi\x01\x03" "abc\x80\x01\xff"), READER_FAIL, CLOSE_BAD_TEXT},
	};
	static struct in in;

	for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
		for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
			for (size_t chunk = 1; chunk <= ends[e].size; chunk++) {
				in_start(&in, modes[m].mode, ROOM);
				CHECK(in_feed(&in, ends[e].bytes, ends[e].size, chunk) == ends[e].kind);
				CHECK(in.last.code == ends[e].code && in.flow.messages == 1);
				CHECK(holds(&in.to, modes[m].records, modes[m].size));
			}
}

TEST(discarded_payload_is_still_validated)
{
	static const char good[] = "\x81\x02hi\x02\x01\xff\x80\x01\xfe\x88\x02\x03\xe8";
	static const char bad[] = "\x81\x02hi\x81\x02\xc0\x80";
	static struct in in;

	in_start(&in, RECORD_NETSTRING, 1);
	in.flow.discard = true;
	CHECK(in_feed(&in, BYTES(good), 3) == READER_CLOSE);
	CHECK(in.flow.messages == 2 && in.flow.taken == sizeof good - 1 && buffer_held(&in.to) == 0);
	in_start(&in, RECORD_NETSTRING, 1);
	in.flow.discard = true;
	CHECK(in_feed(&in, BYTES(bad), 3) == READER_FAIL && in.last.code == CLOSE_BAD_TEXT);
	CHECK(in.flow.messages == 1 && buffer_held(&in.to) == 0);
}

TEST(the_peer_is_inside_a_frame_or_message_until_it_is_complete)
{
	static const char frames[] = "\x01\x02hi\x80\x01!\x82\x00";
	static const bool inside[] = {false, true, true, true, true, true, true, false, true, false};
	static struct in in;

	in_start(&in, RECORD_LINE, ROOM);
	for (size_t n = 0; n < sizeof frames; n++) {
		CHECK(frames_to_records_inside(&in.flow, &in.from) == inside[n]);
		if (n + 1 < sizeof frames)
			CHECK(in_feed(&in, frames + n, 1, 1) == READER_MORE);
	}
	CHECK(holds(&in.to, BYTES("hi!\n\n")));
}

TEST(a_held_message_that_fills_the_buffer_needs_a_larger_one)
{
	static const char fragment[] = "\x01\x10" "0123456789abcdef", next[] = "\x00\x10" "0123456789abcdef";
	static struct in in;

	in_start(&in, RECORD_NETSTRING, 2 + RECORD_HEAD_MAX + 1 + 20);
	CHECK(in_feed(&in, BYTES("\x81\x05vwxyz"), 7) == READER_MORE);
	CHECK(holds(&in.to, BYTES("5:vwxyz,")) && !frames_to_records_needs_more(&in.flow, &in.to));
	CHECK(in_feed(&in, BYTES(fragment), 18) == READER_FULL);
	CHECK(!frames_to_records_needs_more(&in.flow, &in.to)); /* the earlier data must be sent first */
	buffer_take(&in.to, 8);
	CHECK(frames_to_records_step(&in.flow, &in.from, &in.to, &in.last) == READER_MORE);
	CHECK(in_feed(&in, BYTES(next), 18) == READER_FULL);
	CHECK(frames_to_records_needs_more(&in.flow, &in.to));
	in.to.size = ROOM;
	CHECK(frames_to_records_step(&in.flow, &in.from, &in.to, &in.last) == READER_MORE);
	CHECK(in_feed(&in, BYTES("\x80\x00"), 2) == READER_MORE);
	CHECK(holds(&in.to, BYTES("32:0123456789abcdef0123456789abcdef,")));
	CHECK(!frames_to_records_needs_more(&in.flow, &in.to));
}

TEST(a_buffer_is_packed_if_few_bytes_must_be_moved)
{
	static struct in in;

	in_start(&in, RECORD_LINE, 16);
	CHECK(in_feed(&in, BYTES("\x81\x07" "1234567\x81\x02" "ab"), 32) == READER_MORE);
	buffer_take(&in.to, 8);
	CHECK(in_feed(&in, BYTES("\x81\x08" "ABCDEFGH"), 32) == READER_MORE);
	CHECK(in.to.begin == 0 && holds(&in.to, BYTES("ab\nABCDEFGH\n")));
	in_start(&in, RECORD_LINE, 16);
	CHECK(in_feed(&in, BYTES("\x81\x01" "1\x81\x07" "abcdefg"), 32) == READER_MORE);
	buffer_take(&in.to, 2);
	CHECK(in_feed(&in, BYTES("\x81\x08" "ABCDEFGH"), 32) == READER_FULL && in.to.begin == 2);
}

/* Records to frames. */
struct out {
	struct records_to_frames flow;
	struct buffer from, to;
	unsigned char from_bytes[3 * ENCODE_COPY_MAX], to_bytes[2 * ENCODE_COPY_MAX];
	const char *why;
};

static void
out_start(struct out *out, struct records_to_frames flow, const char *bytes, size_t n)
{
	out->flow = flow;
	out->from = buffer_over(out->from_bytes, sizeof out->from_bytes);
	out->to = buffer_over(out->to_bytes, sizeof out->to_bytes);
	buffer_put(&out->from, bytes, n);
}

static enum records_to_frames_kind
out_step(struct out *out, enum record_decoder_want want)
{
	return records_to_frames_step(&out->flow, &out->from, want, &out->to, (const unsigned char *)"\x37\xfa\x21\x3d", &out->why);
}

static enum records_to_frames_kind
out_all(struct out *out, enum record_decoder_want want)
{
	enum records_to_frames_kind kind;

	do
		kind = out_step(out, want);
	while (kind == ENCODE_FRAMED);
	return kind;
}

static struct out out;

TEST(an_incomplete_character_in_a_long_record_waits_for_the_rest)
{
	out_start(&out, (struct records_to_frames){.replace = true}, BYTES("\xe2\x82"));
	CHECK(out_all(&out, RECORD_ALL) == ENCODE_MORE && buffer_held(&out.to) == 0);
	buffer_put(&out.from, BYTES("\xac!"));
	CHECK(out_all(&out, RECORD_ALL) == ENCODE_MORE);
	buffer_put(&out.from, BYTES("\n"));
	CHECK(out_all(&out, RECORD_WHOLE) == ENCODE_MORE);
	CHECK(holds(&out.to, BYTES("\x01\x04\xe2\x82\xac!\x80\x00")));
	/* Without --replace a fragment may end inside a character, and the next one continues it. */
	out_start(&out, (struct records_to_frames){.replace = false}, BYTES("\xe2\x82"));
	CHECK(out_step(&out, RECORD_ALL) == ENCODE_FRAMED);
	buffer_put(&out.from, BYTES("\xac\n"));
	CHECK(out_all(&out, RECORD_WHOLE) == ENCODE_MORE);
	CHECK(holds(&out.to, BYTES("\x01\x02\xe2\x82\x80\x01\xac")));
}

TEST(a_replaced_text_that_does_not_fit_leaves_in_fragments)
{
	enum { BAD = 3000, FITS = 1500 };
	static char record[BAD + 1];
	size_t room = ENCODE_RESERVE + 2 * FRAME_HEAD_MAX + 3 * FITS, text = 0, frames = 0;

	memset(record, 0xff, BAD);
	record[BAD] = '\n';
	out_start(&out, (struct records_to_frames){.replace = true}, record, sizeof record);
	out.to.size = 2 * ENCODE_RESERVE;
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FULL && buffer_held(&out.to) == 0);
	for (out.to.size = room; buffer_held(&out.from) > 0; buffer_take(&out.to, buffer_held(&out.to))) {
		struct frame frame;
		int head;

		CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FRAMED && buffer_space(&out.to) >= ENCODE_RESERVE);
		head = frame_decode(&frame, buffer_head(&out.to), buffer_held(&out.to), true);
		CHECK(head > 0 && (size_t)head + frame.length == buffer_held(&out.to) && frame.length % 3 == 0);
		CHECK(frame.opcode == (frames++ == 0 ? OPCODE_TEXT : OPCODE_CONTINUATION));
		CHECK(frame.fin == (buffer_held(&out.from) == 0));
		text += (size_t)frame.length;
	}
	CHECK(text == (size_t)3 * BAD && frames > 1 && out.flow.records.number == 1);
}

/* Both ends of a connection with permessage-deflate. */
static struct inflate_tables tables;
static struct deflate_scratch scratch;
static unsigned char window[1 << 15];
static uint16_t memory[128 << 10];
static struct frames_deflate deflate;
static struct reader_inflate inflate;

static void
compression_start(bool takeover)
{
	inflate = (struct reader_inflate){.takeover = takeover};
	deflate = (struct frames_deflate){.takeover = takeover};
	inflate_begin(&inflate.z, 15, window, &tables);
	CHECK(deflate_memory(15) <= sizeof memory);
	deflate_begin(&deflate.z, 15, memory, &scratch);
}

/* Convert the frames of `out` to one record in `record`. Return its size and the number of frames;
 * SIZE_MAX after a failure. */
static size_t
decompressed(unsigned char *record, size_t room, size_t *frames)
{
	struct frames_to_records in = {.reader = {.peer = READER_OF_EITHER, .deflate = true}, .inflate = &inflate,
	    .records.mode = RECORD_NUL};
	struct buffer to = buffer_over(record, room), frame = {0};
	struct reader_event e;

	for (*frames = 0; out_step(&out, RECORD_END) == ENCODE_FRAMED; ++*frames) {
		CHECK(buffer_space(&out.to) >= ENCODE_RESERVE);
		frame = out.to;
		if (frames_to_records_step(&in, &frame, &to, &e) != READER_MORE || buffer_held(&frame) != 0)
			return SIZE_MAX;
		buffer_take(&out.to, buffer_held(&out.to));
	}
	return in.messages == 1 ? buffer_held(&to) : SIZE_MAX;
}

TEST(compressed_records_come_back)
{
	enum { SIZE = 3 * ENCODE_COPY_MAX - 1 };
	static char record[SIZE], want[3 * SIZE + 1];
	static unsigned char got[3 * SIZE + 64];

	for (unsigned i = 0; i < 8 * 8; i++) {
		bool takeover = (i & 1) != 0, replace = (i & 2) != 0, masked = (i & 4) != 0;
		size_t n = i / 8 * (SIZE / 7), frames, size;

		compression_start(takeover);
		for (size_t k = 0; k < n; k++)
			record[k] = replace && k % 50 == 7 ? '\xff' : "some text, and some more "[(k * k >> 10) % 25];
		size = utf8_replace(record, n, (unsigned char *)want);
		out_start(&out, (struct records_to_frames){.records.mode = RECORD_NUL, .deflate = &deflate, .masked = masked,
		    .replace = replace}, record, n);
		out.from.size = SIZE;
		buffer_put(&out.from, "", 1);
		CHECK(decompressed(got, sizeof got, &frames) == size + 1 && memcmp(got, want, size) == 0);
		CHECK(n < sizeof out.to_bytes || frames > 1);
	}
}

TEST(a_turn_decompresses_only_its_share)
{
	static const char bomb[] = "\xc2\x0b\x4a\x4c\x1c\x05\xa3\x60\x14\x0c\x77\x00\x00"; /* 1000 times `a` */
	static unsigned char frames[2 * FRAME_HEAD_MAX + 1000], space[1100];
	enum { SHARE = 300 };

	for (int discard = 0; discard < 2; discard++) {
		struct frames_to_records in = {.reader = {.peer = READER_OF_EITHER, .deflate = true}, .inflate = &inflate,
		    .records.mode = RECORD_NUL, .discard = discard, .share = SHARE};
		struct buffer from = buffer_over(frames, sizeof frames), to = buffer_over(space, sizeof space);
		struct reader_event e = {.kind = READER_DATA};
		size_t turns = 0;

		compression_start(false);
		buffer_put(&from, bomb, sizeof bomb - 1);
		buffer_put(&from, BYTES("\xc2\x7e\x03\xe8")); /* 1000 bytes that are empty blocks */
		memset(buffer_tail(&from), 0, 1000);
		for (size_t i = 3; i < 1000; i += 5)
			memset(buffer_tail(&from) + i, 0xff, 2);
		buffer_grow(&from, 1000);
		for (; e.kind == READER_DATA; turns++) {
			size_t made = buffer_held(&to);
			uint64_t taken = in.taken;

			in.spent = 0;
			(void)frames_to_records_step(&in, &from, &to, &e);
			CHECK(buffer_held(&to) - made <= SHARE && in.taken - taken <= SHARE / 4 + READER_NEEDS);
		}
		CHECK(e.kind == READER_MORE && in.messages == 2 && buffer_held(&to) == (discard ? 0 : 1002));
		CHECK(turns >= 1000 / SHARE + 4 * 1000 / (SHARE + 4 * READER_NEEDS));
	}
}

TEST(a_turn_handles_only_its_share_of_uncompressed_messages)
{
	enum { FRAMES = 5, SHARE = 10 * 32 };
	static const char *const frames[FRAMES] = {"\x81\0", "\x89\0", "\x01\0", "\x80\0", "\x81\1y"};
	static unsigned char bytes[3000], space[1000];
	struct buffer from = buffer_over(bytes, sizeof bytes), to = buffer_over(space, sizeof space);
	struct frames_to_records in = {.reader = {.peer = READER_OF_SERVER}, .records.mode = RECORD_LINE, .share = SHARE};
	struct reader_event e = {.kind = READER_DATA};
	size_t turns = 0, made = 0;

	for (size_t i = 0; i < 1000; i++)
		buffer_put(&from, frames[i % FRAMES], i % FRAMES == FRAMES - 1 ? 3 : 2);
	for (; e.kind != READER_MORE; turns += e.kind == READER_DATA) {
		size_t held = buffer_held(&from);

		in.spent = e.kind == READER_DATA ? 0 : in.spent;
		(void)frames_to_records_step(&in, &from, &to, &e);
		CHECK(held - buffer_held(&from) <= 10 * 3);
	}
	CHECK(turns >= 99 && in.messages == 600);
	out_start(&out, (struct records_to_frames){.records.mode = RECORD_LINE, .share = SHARE}, "", 0);
	out.from = to;
	while (out.flow.spent < SHARE && out_step(&out, RECORD_WHOLE) == ENCODE_FRAMED)
		made++;
	CHECK(made == 10);
}

TEST(a_turn_compresses_only_its_share)
{
	static unsigned char zeros[10000], space[12000];

	compression_start(true);
	out_start(&out, (struct records_to_frames){.records.mode = RECORD_BYTES, .deflate = &deflate, .share = 20000}, "", 0);
	out.from = buffer_over(zeros, sizeof zeros);
	out.to = buffer_over(space, sizeof space);
	buffer_grow(&out.from, sizeof zeros);
	for (size_t left = 10000; left > 0; left = buffer_held(&out.from)) {
		CHECK(out_step(&out, RECORD_END) == ENCODE_FRAMED);
		CHECK(left - buffer_held(&out.from) == (left == 10000 ? 5000 : left == 5000 ? 4096 : 904));
	}
	/* Text is validated before its first part is sent, and divided between characters. */
	for (size_t n = 9999; n <= 10000; n++) {
		for (size_t i = 0; i < n; i++)
			zeros[i] = (unsigned char)"\xe2\x82\xac"[i % 3];
		out.flow = (struct records_to_frames){.records.mode = RECORD_NUL, .deflate = &deflate, .share = 20000};
		out.from = buffer_over(zeros, sizeof zeros);
		out.to = buffer_over(space, sizeof space);
		buffer_grow(&out.from, n);
		CHECK(out_step(&out, RECORD_END) == (n % 3 == 0 ? ENCODE_FRAMED : ENCODE_BAD_TEXT));
		CHECK(buffer_held(&out.from) == (n % 3 == 0 ? n - 4998 : n) && (n % 3 == 0) == (buffer_held(&out.to) > 0));
		CHECK(n % 3 != 0 || (out_all(&out, RECORD_END) == ENCODE_MORE && buffer_held(&out.from) == 0));
	}
}

TEST(a_message_is_sent_as_it_is_if_it_is_short_or_would_grow)
{
	static char text[] = "repeated, repeated, repeated, repeated, repeated, repeated, repeated, repeated, repeated, repeated, "
	    "repeated, repeated, repeated,\n", *noise = text; /* of 128 letters */

	for (int takeover = 0; takeover < 2; takeover++) {
		for (size_t n = takeover ? 31 : 127, more = 0; more < 2; more++) {
			compression_start(takeover);
			out_start(&out, (struct records_to_frames){.deflate = &deflate}, text, n + more);
			CHECK(out_step(&out, RECORD_END) == ENCODE_FRAMED && (*buffer_head(&out.to) == 0xc1) == (more == 1));
		}
	}
	for (size_t i = 0; i < 128; i++)
		noise[i] = (char)(1 + (i * i * 7919 >> 3) % 127);
	compression_start(true);
	out_start(&out, (struct records_to_frames){.records.mode = RECORD_BYTES, .deflate = &deflate}, noise, 128);
	CHECK(out_step(&out, RECORD_END) == ENCODE_FRAMED && *buffer_head(&out.to) == 0x82 && buffer_held(&out.to) == 132);
}

TEST(a_long_payload_is_not_copied_and_follows_its_header)
{
	enum { LONG = ENCODE_COPY_MAX + 1 };
	static char record[LONG + 3];

	memset(record, 'x', LONG);
	memcpy(record + LONG, "\ny\n", 3);
	out_start(&out, (struct records_to_frames){.records.mode = RECORD_LINE}, record, sizeof record);
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FRAMED);
	CHECK(holds(&out.to, BYTES("\x81\x7e\x40\x01")) && out.flow.zero_copy_left == LONG);
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FULL);
	records_to_frames_sent(&out.flow, &out.from, 1);
	CHECK(out.flow.zero_copy_left == LONG - 1 && buffer_held(&out.from) == LONG + 2);
	records_to_frames_sent(&out.flow, &out.from, LONG - 1);
	CHECK(out.flow.zero_copy_left == 0 && buffer_held(&out.from) == 2);
	CHECK(out_all(&out, RECORD_WHOLE) == ENCODE_MORE);
	CHECK(holds(&out.to, BYTES("\x81\x7e\x40\x01\x81\x01y")));
}

TEST(a_short_payload_waits_for_space_beyond_the_reserve_for_control_frames)
{
	static char record[101];

	memset(record, 'x', 100);
	record[100] = '\n';
	out_start(&out, (struct records_to_frames){.records.mode = RECORD_LINE}, record, sizeof record);
	out.to.size = ENCODE_RESERVE + FRAME_HEAD_MAX - 1;
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FULL);
	out.to.size = ENCODE_RESERVE + FRAME_HEAD_MAX + 99;
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FULL && buffer_held(&out.from) == sizeof record);
	out.to.size++;
	CHECK(out_step(&out, RECORD_WHOLE) == ENCODE_FRAMED && buffer_held(&out.to) == 102);
}
