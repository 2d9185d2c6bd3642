/*
 * Records in all output formats, streamed (csv_pick) and held (csv_record): the results are equal,
 * however the input is divided and however small the output buffer is.
 */
#include "csv/csv_pick.h"
#include "csv/csv_record.h"

#include "csv_text.h"

enum { OUT_SIZE = CSV_HOLD_MAX + 4096, ALL_MAX = 1 << 19, RECORD_SIZE = 1 << 18, ENDS = 4096 };

static const struct csv_dialect plain = {.delimiter = ',', .quote = '"', .quoting = true};

/* Parameters of stream(); hold() uses only the dialect. */
static struct {
	struct csv_dialect dialect;
	enum csv_path path;
	size_t room; /* of the output buffer */
} way;

static void
way_common(void)
{
	way.dialect = plain;
	way.path = csv_best_path();
	way.room = OUT_SIZE;
}

struct output {
	unsigned char bytes[ALL_MAX];
	size_t size;
};

static struct output streamed, cut_up, held;
static struct csv_index csv_index;
static unsigned char storage[OUT_SIZE], *edge; /* edge: end of the writable memory */

static void
out_flush(struct output *all, struct buffer *out, size_t stays)
{
	size_t n = buffer_held(out) - stays;

	memcpy(all->bytes + all->size, buffer_head(out), n);
	all->size += n;
	buffer_take(out, n);
	buffer_pack(out);
}

/* With csv_pick, in pieces of `step`. Return false if the format refused a byte. */
static bool
stream(const unsigned char *p, size_t n, size_t step, enum csv_format format, const struct csv_range *ranges,
       size_t count, struct output *all)
{
	struct buffer out = buffer_over(edge + OUT_SIZE - way.room, way.room);
	struct csv_writer writer = {.format = format, .delimiter = ','};
	struct csv_pick pick;
	struct csv csv;
	bool refused = false;

	all->size = 0;
	csv_start(&csv, &way.dialect, way.path);
	csv_pick_start(&pick, ranges, count, true);
	for (size_t done = 0, end = step < n ? step : n;; end = n - end < step ? n : end + step) {
		while (csv_index_make(&csv, p + done, end - done, end == n, &csv_index) != 0) {
			unsigned char *window = unit_at_edge(p + done, csv_index.end);

			for (size_t at = 0; at < csv_index.end && !refused;) {
				at = csv_pick_window(&pick, &csv_index, window, at, &writer, &out, &refused);
				out_flush(all, &out, writer.held);
			}
			unit_drop(window, csv_index.end);
			done += csv_index.end;
		}
		if (end == n || refused)
			break;
	}
	while (csv.open && !refused && !csv_pick_end(&pick, &writer, &out))
		out_flush(all, &out, writer.held);
	out_flush(all, &out, 0);
	return !refused;
}

static void
put_held(struct csv_writer *writer, struct buffer *out, struct span data, struct output *all)
{
	for (size_t n; data.size > 0; data.at += n, data.size -= n) {
		out_flush(all, out, writer->held);
		n = csv_write_cut((const unsigned char *)data.at, data.size, csv_write_fit(out));
		(void)csv_write_data(writer, out, (const unsigned char *)data.at, n, n);
	}
	out_flush(all, out, writer->held);
}

static void
record_put(const struct csv_record *record, const struct csv_record *keys, const struct csv_range *ranges, size_t count,
           struct csv_writer *writer, struct buffer *out, struct output *all)
{
	for (size_t i = 0; i < count; i++)
		for (uint64_t k = ranges[i].from; k <= ranges[i].to; k++) {
			if (ranges[i].to == UINT64_MAX && k > record->count)
				break;
			if (writer->keyed) {
				csv_write_key(writer, out);
				put_held(writer, out, csv_record_field(keys, (int64_t)k), all);
				csv_write_key_end(writer, out);
			}
			csv_write_field(writer, out);
			put_held(writer, out, csv_record_field(record, (int64_t)k), all);
			csv_write_field_end(writer, out);
		}
	csv_write_record_end(writer, out);
}

/* With csv_record; with keys the first record contains them. */
static void
hold(const unsigned char *p, size_t n, struct csv_writer writer, const struct csv_range *ranges, size_t count,
     struct output *all)
{
	static unsigned char bytes[RECORD_SIZE], key_bytes[RECORD_SIZE];
	static size_t ends[ENDS], key_ends[ENDS];
	struct csv_record record = {.bytes = bytes, .size = sizeof bytes, .ends = ends, .capacity = ENDS};
	struct csv_record keys = {.bytes = key_bytes, .size = sizeof key_bytes, .ends = key_ends, .capacity = ENDS};
	struct buffer out = buffer_over(storage, sizeof storage);
	struct csv_record *now = writer.keyed ? &keys : &record;
	struct csv csv;

	all->size = 0;
	csv_start(&csv, &way.dialect, csv_best_path());
	for (size_t done = 0; csv_index_make(&csv, p + done, n - done, true, &csv_index) != 0; done += csv_index.end)
		for (size_t at = 0; csv_record_take(now, &csv_index, p + done, &at) == CSV_TAKEN_RECORD; now = &record) {
			if (now == &record)
				record_put(&record, &keys, ranges, count, &writer, &out, all);
			csv_record_clear(&record);
		}
	if (csv.open) {
		CHECK(csv_record_end(&record));
		record_put(&record, &keys, ranges, count, &writer, &out, all);
	}
	out_flush(all, &out, 0);
}

static bool
same(const struct output *a, const struct output *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static const struct csv_range every[] = {{1, UINT64_MAX}};
static const struct csv_range some[] = {{1, 1}, {3, 4}};

BEFORE_ALL
{
	edge = unit_at_edge(storage, sizeof storage);
	way_common();
}

TEST(a_cut_is_never_within_a_character)
{
	const unsigned char *euro = (const unsigned char *)"a\xe2\x82\xac\xe2\x82\xac";

	CHECK(csv_write_cut(euro, 7, 9) == 7);
	CHECK(csv_write_cut(euro, 7, 4) == 4);
	CHECK(csv_write_cut(euro, 7, 5) == 4);
	CHECK(csv_write_cut(euro, 7, 6) == 4);
	CHECK(csv_write_cut((const unsigned char *)"a\x80\x80\x80\x80\x80\x80", 7, 5) == 5);
}

/* Many simple records are taken at once. */
TEST(nul_refuses_a_NUL_of_a_selected_field_among_simple_records)
{
	static unsigned char text[600];

	for (size_t i = 0; i < sizeof text; i += 4)
		memcpy(text + i, "a,b\n", 4);
	text[302] = '\0';
	CHECK(stream(text, sizeof text, sizeof text, CSV_NUL, some, 1, &streamed) && streamed.size == sizeof text / 2);
	text[300] = '\0';
	CHECK(!stream(text, sizeof text, sizeof text, CSV_NUL, some, 1, &streamed) && streamed.size == 300 / 2);
}

TEST(more_missing_fields_than_fit_are_all_written)
{
	enum { FIELDS = 2 * OUT_SIZE };
	static const struct csv_range many[] = {{1, FIELDS}};
	static const char *const texts[] = {"a\n", "a"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const unsigned char *text = (const unsigned char *)texts[i];
		size_t n = strlen(texts[i]);

		CHECK(stream(text, n, n, CSV_LINES, many, 1, &streamed) && streamed.size == FIELDS + 1);
		CHECK(stream(text, n, n, CSV_CSV, many, 1, &streamed) && streamed.size == FIELDS + 1);
		CHECK(memcmp(streamed.bytes, "a,,,", 4) == 0 && memcmp(streamed.bytes + FIELDS - 3, ",,,\n", 4) == 0);
	}
}

/* Well-formed text, or any. */
static size_t
random_text(unsigned char *text, size_t n, bool tidy)
{
	return csv_text(text, n, tidy ? 0 : 3, 30, span_of(",,,\"\"\n\n\r\t\\\x80\xc3"));
}

TEST(streamed_and_held_are_the_same_on_random_text)
{
	static const enum csv_format formats[] = {CSV_LINES, CSV_NUL, CSV_TSV, CSV_CSV};
	static unsigned char text[20000 + CSV_TEXT_SLACK];
	struct csv_range ranges[2];

	for (unsigned turn = 0; turn < 600; turn++) {
		size_t size = turn % 10 == 0 ? 20000 : 1 + unit_roll(800), count = 1 + unit_roll(2);
		size_t n = random_text(text, size, turn % 3 == 0);
		enum csv_format format = formats[turn % 4];

		ranges[0].from = 1 + unit_roll(3);
		ranges[0].to = unit_roll(4) == 0 && count == 1 ? UINT64_MAX : ranges[0].from + unit_roll(3);
		ranges[1].from = ranges[0].to + 1 + unit_roll(3);
		ranges[1].to = unit_roll(2) == 0 ? UINT64_MAX : ranges[1].from + unit_roll(20);
		CHECK(stream(text, n, n, format, ranges, count, &streamed));
		CHECK(stream(text, n, 1 + unit_roll(turn % 10 == 0 ? 9000 : 100), format, ranges, count, &cut_up));
		hold(text, n, (struct csv_writer){.format = format, .delimiter = ','}, ranges, count, &held);
		CHECK(same(&streamed, &cut_up) && same(&streamed, &held));
	}
}

/* All fields as CSV: streaming on every path agrees with holding. */
static bool
copied_as_held(const unsigned char *text, size_t n, size_t step)
{
	hold(text, n, (struct csv_writer){.format = CSV_CSV, .delimiter = ','}, every, 1, &held);
	for (way.path = 0; way.path <= csv_best_path(); way.path++) {
		if (!stream(text, n, n, CSV_CSV, every, 1, &streamed) || !same(&streamed, &held)
		    || !stream(text, n, step, CSV_CSV, every, 1, &cut_up) || !same(&cut_up, &held)) {
			printf("# path %d:\n# %.*s\n", (int)way.path, (int)n, (const char *)text);
			return false;
		}
	}
	return true;
}

static const struct csv_dialect dialects[] = {
	{.delimiter = ',', .quote = '"', .quoting = true},
	{.delimiter = ',', .quote = '"'},
	{.delimiter = ';', .quote = '"', .quoting = true},
	{.delimiter = ',', .quote = '\'', .quoting = true},
};

enum { DIALECTS = sizeof dialects / sizeof *dialects };

/* Most of the bytes are copied, except in one place. */
TEST(csv_of_csv_is_copied_only_if_that_is_correct)
{
	static const char *const places[] = {
		"\"\"", "\"a\"", "\"a,b\"", "\"a\"\"b\"", "\"a\nb\"", "\"a\r\nb\"", "\"\"\"\"", "\"\"\",\"\"\"", "\",\"",
		"a\"b", "\"a\"b", "\"a,b\"c", "\"a,b\"c\"", "\"a,\"b\"\"c", "\"\"a\"b", "\"a\" ", "a\rb", "\"a,\"\r", "\r", "'a,b'", "a;b",
		"\n", "\r\n", "\n\"\"\n", "\n\"\"\r\n", "\n\n", "a\n", "\"a,b\"\r\n", "\"a\"\n\"b,\"",
		"\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\"",
		"\"abcdefghijklmnopqrstuvwxyz,abcdefghijklmnopqrstuvwxyz,abcdefghijklmnopqrstuvwxyz\"",
	};
	static const char around[] = "ab,\"c\",\"d,\",efghi\n";
	enum { AROUND = sizeof around - 1 };
	unsigned char text[400];

	for (size_t place = 0; place < sizeof places / sizeof *places; place++)
		for (size_t before = 0; before < 80; before++) {
			size_t n = strlen(places[place]), from = unit_roll(2) == 0 ? 0 : 3;

			for (size_t i = 0; i < sizeof text; i++)
				text[i] = (unsigned char)around[(i < before ? 80 * AROUND - before + from + i : i - before) % AROUND];
			memmove(text + before + n + 1, text + before, sizeof text - before - n - 1);
			memcpy(text + before, places[place], n);
			text[before + n] = ',';
			way.dialect = dialects[unit_roll(5) == 0 ? unit_roll(DIALECTS) : 0];
			CHECK(copied_as_held(text, sizeof text, 64 + unit_roll(400)));
		}
	way_common();
}

TEST(csv_of_csv_is_the_same_copied_or_not_on_random_text)
{
	static unsigned char text[20000 + CSV_TEXT_SLACK];

	for (unsigned turn = 0; turn < 200; turn++) {
		size_t size = turn % 10 == 0 ? 20000 : 1 + unit_roll(800);
		size_t n = random_text(text, size, turn % 3 != 0);

		way.dialect = dialects[turn % 4 == 0 ? unit_roll(DIALECTS) : 0];
		way.room = turn % 3 == 0 ? OUT_SIZE : 1200 + unit_roll(3000);
		CHECK(copied_as_held(text, n, 1 + unit_roll(turn % 10 == 0 ? 9000 : 300)));
	}
	way_common();
}

/* Apply another format to a text: CSV of CSV is the same CSV. */
TEST(csv_written_again_is_the_same)
{
	static unsigned char text[20000 + CSV_TEXT_SLACK];

	for (unsigned turn = 0; turn < 200; turn++) {
		size_t n = random_text(text, turn % 10 == 0 ? 20000 : 1 + unit_roll(500), false);

		CHECK(stream(text, n, n, CSV_CSV, every, 1, &streamed));
		CHECK(stream(streamed.bytes, streamed.size, streamed.size + 1, CSV_CSV, every, 1, &cut_up));
		CHECK(same(&streamed, &cut_up));
		CHECK(stream(text, n, n, CSV_TSV, every, 1, &held));
		CHECK(stream(streamed.bytes, streamed.size, streamed.size + 1, CSV_TSV, every, 1, &cut_up));
		CHECK(same(&held, &cut_up));
	}
}

TEST(a_long_field_is_always_quoted)
{
	static unsigned char text[3 * CSV_HOLD_MAX];

	for (size_t n = CSV_HOLD_MAX - 1; n <= CSV_HOLD_MAX + 1; n++) {
		bool quotes = n > CSV_HOLD_MAX;

		memset(text, 'x', n);
		memcpy(text + n, ",y", 2);
		CHECK(stream(text, n + 2, 1 + unit_roll(5000), CSV_CSV, every, 1, &streamed));
		CHECK(streamed.size == n + 3 + 2 * (size_t)quotes && streamed.bytes[0] == (quotes ? '"' : 'x'));
		CHECK(stream(streamed.bytes, streamed.size, 1000, CSV_CSV, every, 1, &cut_up));
		CHECK(same(&streamed, &cut_up));
	}
}

/* Two fields of n bytes at `data`, each written at once or in parts. */
static size_t
two_fields(struct csv_writer writer, bool at_once, const unsigned char *data, size_t n, size_t readable, unsigned char *to)
{
	struct buffer out = buffer_over(to, 1024);

	for (int i = 0; i < 2; i++) {
		if (writer.keyed) {
			csv_write_key(&writer, &out);
			csv_write_key_end(&writer, &out);
		}
		if (at_once) {
			(void)csv_write_whole(&writer, &out, data, n, readable);
			continue;
		}
		csv_write_field(&writer, &out);
		if (csv_write_data(&writer, &out, data, n, readable) == n)
			csv_write_field_end(&writer, &out);
	}
	csv_write_record_end(&writer, &out);
	return buffer_held(&out);
}

TEST(a_field_at_once_equals_its_parts)
{
	static const char specials[] = "x,\"\\\n\r\t\x1f\x20\x7f\xff";
	unsigned char data[64], whole[1024], parts[1024];

	for (unsigned i = 0; i < 5 * 2 * 2; i++) {
		struct csv_writer writer = {.format = i % 5, .delimiter = ',', .keyed = i % 5 == CSV_JSON && i / 5 % 2 == 1, .replace = i / 10 == 1};

		for (size_t n = 0; n <= 34; n++)
			for (size_t k = 0; k < (n + 1) * (sizeof specials - 1); k++) {
				size_t size;

				/* The bytes after it are special too, and must not matter. */
				memset(data, 'a', n);
				memset(data + n, '"', sizeof data - n);
				data[k % (n + 1)] = (unsigned char)specials[k / (n + 1)];
				size = two_fields(writer, true, data, n, sizeof data, whole);
				CHECK(two_fields(writer, false, data, n, sizeof data, parts) == size);
				CHECK(memcmp(whole, parts, size) == 0);
				CHECK(two_fields(writer, true, data, n, n, parts) == size);
				CHECK(memcmp(whole, parts, size) == 0);
			}
	}
}
