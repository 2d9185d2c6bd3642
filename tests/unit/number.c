#include "base/number.h"

#include "unit.h"

typedef bool parser(struct span text, uint64_t min, uint64_t max, uint64_t *value);

TEST(digits_are_a_number_sizes_count_in_1024_and_durations_are_seconds_by_default)
{
	static const struct {
		parser *parse;
		const char *text;
		uint64_t value;
	} rows[] = {
		{number_parse, "0", 0}, {number_parse, "08", 8}, {number_parse, "65535", 65535},
		{number_parse, "18446744073709551615", UINT64_MAX}, {size_parse, "10", 10}, {size_parse, "4k", 4096},
		{size_parse, "64M", 67108864}, {size_parse, "3G", 3221225472}, {size_parse, "4K", 4096}, {size_parse, "64m", 67108864},
		{size_parse, "3g", 3221225472}, {size_parse, "17179869183G", 17179869183U * (1ULL << 30)},
		{duration_parse, "3", 3000}, {duration_parse, "3s", 3000}, {duration_parse, "250ms", 250},
		{duration_parse, "2m", 120000}, {duration_parse, "1h", 3600000},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t got = ~rows[i].value;

		CHECK(rows[i].parse(span_of(rows[i].text), 0, UINT64_MAX, &got) && got == rows[i].value);
		CHECK(rows[i].parse(span_of(rows[i].text), got, got, &got));
		CHECK(got == 0 || !rows[i].parse(span_of(rows[i].text), 0, got - 1, &got));
		CHECK(got == UINT64_MAX || !rows[i].parse(span_of(rows[i].text), got + 1, UINT64_MAX, &got));
	}
}

TEST(anything_else_is_invalid)
{
	static const struct {
		parser *parse;
		const char *texts[16];
	} rows[] = {
		{number_parse, {"", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1,", "\t1", "1\n", "x", "1k", "18446744073709551616",
		    "18446744073709551617", "99999999999999999999"}},
		{size_parse, {"4kk", "k", "1.5k", "17179869184G"}}, {duration_parse, {"1d", "ms", "1 s"}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (const char *const *text = rows[i].texts; *text != NULL; text++) {
			uint64_t got = 7;

			CHECK(!rows[i].parse(span_of(*text), 0, UINT64_MAX, &got) && got == 7);
		}
}

static size_t
ports(const char *text, struct port_range *ranges)
{
	return port_list_parse(span_of(text), ranges, 3);
}

TEST(port_lists_keep_their_order)
{
	struct port_range r[3];

	CHECK(ports("8080,9000-9998", r) == 2);
	CHECK(r[0].first == 8080 && r[0].last == 8080 && r[1].first == 9000 && r[1].last == 9998);
	CHECK(ports("0", r) == 1 && r[0].first == 0 && r[0].last == 0);
	CHECK(ports("65535-65535", r) == 1 && r[0].last == 65535);
}

TEST(invalid_port_lists_are_refused)
{
	static const char *const texts[] = {
		"", ",", "1,", ",1", "1,,2", "9000-8000", "8000-", "-8000", "-1", "-", "0-70000", "0-5", "65536",
		"1-65536", "1-2-3", "1 ,2", "a", "1,2,3,4", "1--2",
	};
	struct port_range r[3];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(ports(texts[i], r) == 0);
}

static bool
byte_is(const char *text, int want)
{
	char got = 'z';

	return byte_parse(span_of(text), &got) ? (unsigned char)got == want : want == -1 && got == 'z';
}

TEST(a_byte_is_itself_or_a_backslash_name)
{
	CHECK(byte_is(",", ',') && byte_is("\\", '\\') && byte_is("\xff", 0xff) && byte_is("x", 'x'));
	CHECK(byte_is("\\t", '\t') && byte_is("\\0", 0) && byte_is("\\\\", '\\'));
	CHECK(byte_is("\\x1f", 0x1f) && byte_is("\\xAb", 0xab) && byte_is("\\x00", 0));
	CHECK(byte_is("", -1) && byte_is(",,", -1) && byte_is("\\q", -1) && byte_is("\\x", -1));
	CHECK(byte_is("\\x1", -1) && byte_is("\\x1g", -1) && byte_is("\\x111", -1) && byte_is("\xc3\xa9", -1));
}
