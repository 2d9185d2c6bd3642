/* Records out of a byte stream, and messages to records. Records of each mode, well-formed or not and divided anywhere, are
 * seeds of the fuzz target flow. */
#include "ws/record.h"

#include "unit.h"

TEST(a_chunk_may_be_consumed_before_its_record_is_complete)
{
	struct record_decoder s = {.mode = RECORD_TYPED};
	unsigned char in[] = "9:bhell", rest[] = "o xy,1:t,";
	struct record_decoder_find f;

	record_decoder_peek(&s, in, 7, RECORD_ALL, &f);
	CHECK(f.kind == RECORD_CHUNK && f.before == 3 && f.chunk.size == 4 && f.chunk.first && !f.chunk.last);
	CHECK(f.chunk.binary);
	f.chunk.size = 3;
	record_decoder_take(&s, &f);
	record_decoder_peek(&s, in + 6, 1, RECORD_ALL, &f);
	CHECK(f.kind == RECORD_CHUNK && f.before == 0 && f.chunk.size == 1 && !f.chunk.first && !f.chunk.last && f.chunk.binary);
	record_decoder_take(&s, &f);
	record_decoder_peek(&s, rest, 3, RECORD_WHOLE, &f);
	CHECK(f.kind == RECORD_MORE);
	record_decoder_peek(&s, rest, 9, RECORD_WHOLE, &f);
	CHECK(f.kind == RECORD_CHUNK && f.chunk.size == 4 && f.chunk.last && f.after == 1 && !f.chunk.first);
	CHECK(s.number == 0);
	record_decoder_take(&s, &f);
	CHECK(s.number == 1);
	record_decoder_peek(&s, rest + 5, 4, RECORD_WHOLE, &f);
	CHECK(f.chunk.first && f.chunk.last && !f.chunk.binary && f.chunk.size == 0);
}

TEST(the_held_part_of_an_invalid_message_is_dropped)
{
	static const enum record_mode modes[] = {RECORD_LINE, RECORD_NUL, RECORD_NETSTRING, RECORD_TYPED};

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		unsigned char storage[256], text[] = "xyz";
		struct buffer to = buffer_over(storage, sizeof storage);
		struct record_encoder j = {.mode = modes[i]};
		struct chunk whole = {text, 2, .first = true, .last = true}, part = {text, 3, .first = true};
		size_t before;

		record_encoder_put(&j, &to, &whole, true, 2);
		before = buffer_held(&to);
		record_encoder_put(&j, &to, &part, i % 2 == 0, 9);
		CHECK(buffer_held(&to) > before && j.held == buffer_held(&to) - before);
		record_encoder_drop(&j, &to);
		CHECK(buffer_held(&to) == before && j.held == 0);
	}
}

TEST(a_line_is_held_up_to_64k_and_then_passed_in_parts)
{
	static unsigned char storage[128 << 10], text[64 << 10];
	struct buffer to = buffer_over(storage, sizeof storage);
	struct record_encoder j = {.mode = RECORD_LINE};
	struct chunk most = {text, sizeof text, .first = true}, end = {text, 0, .last = true};
	struct chunk one = {.at = text, .size = 1};

	record_encoder_put(&j, &to, &most, false, 0);
	CHECK(j.held == sizeof text);
	record_encoder_put(&j, &to, &end, false, 0);
	CHECK(j.held == 0 && buffer_held(&to) == sizeof text + 1);

	to = buffer_over(storage, sizeof storage);
	record_encoder_put(&j, &to, &most, false, 0);
	record_encoder_put(&j, &to, &one, false, 0);
	CHECK(j.held == 0 && j.open);
	record_encoder_put(&j, &to, &one, false, 0);
	CHECK(j.held == 0 && buffer_held(&to) == sizeof text + 2);
	record_encoder_drop(&j, &to);
	CHECK(buffer_held(&to) == sizeof text + 2);
	record_encoder_put(&j, &to, &end, false, 0);
	CHECK(buffer_held(&to) == sizeof text + 3);

	to = buffer_over(storage, sizeof storage);
	one.first = true;
	record_encoder_put(&j, &to, &one, true, sizeof text + 1);
	CHECK(j.held == 0 && buffer_held(&to) == 1);
}

TEST(the_space_for_payload_excludes_the_overhead)
{
	unsigned char storage[64];
	struct buffer to = buffer_over(storage, sizeof storage);

	CHECK(record_encoder_space(&(struct record_encoder){.mode = RECORD_LINE}, &to) == 63);
	CHECK(record_encoder_space(&(struct record_encoder){.mode = RECORD_BYTES}, &to) == 64);
	CHECK(record_encoder_space(&(struct record_encoder){.mode = RECORD_TYPED}, &to) == 64 - RECORD_OVERHEAD_MAX);
	CHECK(record_encoder_space(&(struct record_encoder){.mode = RECORD_TYPED, .held = 30}, &to) == 63);
	to.end = 64;
	CHECK(record_encoder_space(&(struct record_encoder){.mode = RECORD_LINE}, &to) == 0);
}
