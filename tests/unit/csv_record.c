/* A record held completely, in storage that is too small at first. */
#include "csv/csv_record.h"

#include "unit.h"

#define BYTES(text) (text), sizeof(text) - 1

enum { SIZE = 256, ENDS = 16 };

static const struct csv_dialect dialect = {.delimiter = ',', .quote = '"', .quoting = true};
static struct csv_index csv_index;
static struct csv csv;
static unsigned char storage[SIZE];
static size_t storage_ends[ENDS];

static struct csv_record
record_of(size_t size, size_t room, uint64_t limit)
{
	return (struct csv_record){
		.bytes = storage, .size = size, .ends = storage_ends, .capacity = room, .limit = limit,
	};
}

/* The record of each test, and a position in its last window. */
static struct csv_record record;
static size_t at;

BEFORE_EACH
{
	record = record_of(SIZE, ENDS, 0);
}

/* Process a text in windows of at most `step` bytes. Return the last result. */
static enum csv_taken
take(const char *text, size_t n, size_t step)
{
	enum csv_taken taken = CSV_TAKEN_WINDOW;

	csv_start(&csv, &dialect, CSV_PORTABLE);
	for (size_t done = 0, end = 0; done < n && taken == CSV_TAKEN_WINDOW; done += csv_index.end) {
		const unsigned char *window = (const unsigned char *)text + done;

		end = n - end < step ? n : end + step;
		at = 0;
		(void)csv_index_make(&csv, window, end - done, end == n, &csv_index);
		taken = csv_record_take(&record, &csv_index, window, &at);
		while (taken == CSV_TAKEN_FULL && record.size < SIZE) {
			record.size *= 2;
			record.capacity *= 2;
			taken = csv_record_take(&record, &csv_index, window, &at);
		}
	}
	return taken;
}

static bool
field_is(int64_t position, const char *text)
{
	struct span field = csv_record_field(&record, position);

	return field.size == strlen(text) && memcmp(field.at, text, field.size) == 0;
}

TEST(fields_are_the_data_without_quotes_at_any_cut_and_in_any_storage)
{
	static const char text[] = "one,\"two \"\"2\"\"\",,\"th\nree\"\nnext";

	for (size_t step = 1; step <= sizeof text; step++)
		for (size_t size = 1; size < SIZE; size *= 4) {
			record = record_of(size, 1, 0);
			CHECK(take(BYTES(text), step) == CSV_TAKEN_RECORD && record.count == 4);
			CHECK(field_is(1, "one") && field_is(2, "two \"2\""));
			CHECK(field_is(3, "") && field_is(4, "th\nree"));
			CHECK(csv_record_line(&record, &csv_index) == 1);
		}
}

TEST(a_missing_field_is_empty)
{
	CHECK(take(BYTES("a,b\n"), 9) == CSV_TAKEN_RECORD);
	CHECK(field_is(0, "") && field_is(-1, "") && field_is(3, ""));
	CHECK(field_is(INT64_MAX, "") && field_is(INT64_MIN, ""));
}

TEST(fields_past_the_limit_are_skipped)
{
	for (size_t step = 1; step <= 16; step++) {
		record = record_of(3, 2, 2);
		CHECK(take(BYTES("ab,c,\"d,\ne\",f\nz"), step) == CSV_TAKEN_RECORD);
		CHECK(record.count == 2 && record.used == 3 && record.size == 3);
		CHECK(field_is(1, "ab") && field_is(2, "c") && field_is(3, ""));
	}
}

TEST(the_end_of_the_input_ends_the_record)
{
	record = record_of(SIZE, 1, 0);
	CHECK(take(BYTES("a,b"), 3) == CSV_TAKEN_FULL || record.count == 1);
	record = record_of(SIZE, 1, 0);
	CHECK(take(BYTES("ab"), 2) == CSV_TAKEN_WINDOW && record.count == 0);
	CHECK(csv_record_end(&record) && field_is(1, "ab"));
	CHECK(!csv_record_end(&record)); /* no space for another */
	record = record_of(SIZE, 1, 1);
	CHECK(take(BYTES("ab,cd"), 5) == CSV_TAKEN_WINDOW);
	CHECK(csv_record_end(&record) && record.count == 1 && field_is(1, "ab"));
}

TEST(a_used_window_gives_nothing_more)
{
	CHECK(take(BYTES("a\n"), 2) == CSV_TAKEN_RECORD && at == csv_index.end);
	csv_record_clear(&record);
	CHECK(csv_record_take(&record, &csv_index, (const unsigned char *)"", &at) == CSV_TAKEN_WINDOW);
	CHECK(!record.begun && record.count == 0);
}

TEST(its_line_is_that_of_its_start_even_many_windows_ago_or_when_it_is_full)
{
	static const char text[] = "a\n\"b\n\n\",c\nd";

	CHECK(take(BYTES("\"a\n\nb\",c\nd"), 2) == CSV_TAKEN_RECORD);
	CHECK(csv_record_line(&record, &csv_index) == 1 && field_is(1, "a\n\nb"));
	record = record_of(2, 2, 0);
	CHECK(take(BYTES(text), 99) == CSV_TAKEN_RECORD && csv_record_line(&record, &csv_index) == 1);
	csv_record_clear(&record);
	CHECK(csv_record_take(&record, &csv_index, (const unsigned char *)text, &at) == CSV_TAKEN_FULL);
	CHECK(csv_record_line(&record, &csv_index) == 2);
}

TEST(it_is_UTF8_if_each_field_is)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"a,b\n", true},
		{"\n", true},
		{"\xe2\x82\xac,\xf0\x9f\x98\x80\n", true},
		{"\xff,a\n", false},
		{"a,\xe2\x82\n", false},
		/* A character divided between two fields belongs to neither. */
		{"\xe2\x82,\xac\n", false},
		{"\xe2,\x82\xac\n", false},
		{"a\xc3,\xa9,b\n", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		record = record_of(SIZE, ENDS, 0);
		CHECK(take(cases[i].text, strlen(cases[i].text), 99) == CSV_TAKEN_RECORD);
		CHECK(csv_record_is_utf8(&record) == cases[i].good);
	}
}

TEST(a_text_in_it_is_readable_up_to_the_end_of_its_storage)
{
	CHECK(take(BYTES("ab,c\n"), 9) == CSV_TAKEN_RECORD);
	CHECK(csv_record_readable(&record, csv_record_field(&record, 1)) == SIZE);
	CHECK(csv_record_readable(&record, csv_record_field(&record, 2)) == SIZE - 2);
	CHECK(csv_record_readable(&record, (struct span){"else", 4}) == 4);
}
