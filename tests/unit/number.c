#include "base/number.h"

#include "unit.h"

static bool
reads(const char *text, uint64_t min, uint64_t max, uint64_t want)
{
	uint64_t got = ~want;

	return number_parse(span_of(text), min, max, &got) && got == want;
}

static bool
refuses(const char *text, uint64_t min, uint64_t max)
{
	uint64_t got = 7;

	return !number_parse(span_of(text), min, max, &got) && got == 7;
}

TEST(digits_are_a_number)
{
	CHECK(reads("0", 0, 9, 0));
	CHECK(reads("08", 0, 9, 8));
	CHECK(reads("65535", 1, 65535, 65535));
	CHECK(reads("18446744073709551615", 0, UINT64_MAX, UINT64_MAX));
}

TEST(anything_else_is_invalid)
{
	static const char *const texts[] = {
		"", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1,", "\t1", "1\n", "x", "1k",
		"18446744073709551616", "18446744073709551617", "99999999999999999999",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(refuses(texts[i], 0, UINT64_MAX));
	CHECK(refuses("2147483648", 0, INT32_MAX));
	CHECK(refuses("0", 1, 9));
}

#define REFUSED UINT64_MAX

static const struct {
	bool (*parse)(struct span text, uint64_t min, uint64_t max, uint64_t *value);
	const char *text;
	uint64_t value; /* REFUSED: the text is invalid */
} units[] = {
	{size_parse, "10", 10}, {size_parse, "4k", 4096}, {size_parse, "64M", 67108864}, {size_parse, "3G", 3221225472},
	{size_parse, "4K", 4096}, {size_parse, "64m", 67108864}, {size_parse, "3g", 3221225472},
	{size_parse, "17179869183G", 17179869183U * (1ULL << 30)}, {size_parse, "17179869184G", REFUSED},
	{size_parse, "4kk", REFUSED}, {size_parse, "k", REFUSED}, {size_parse, "1.5k", REFUSED},
	{duration_parse, "3", 3000}, {duration_parse, "3s", 3000}, {duration_parse, "250ms", 250}, {duration_parse, "2m", 120000},
	{duration_parse, "1h", 3600000}, {duration_parse, "1d", REFUSED}, {duration_parse, "ms", REFUSED},
	{duration_parse, "1 s", REFUSED},
};

TEST(sizes_count_in_1024_and_durations_are_seconds_by_default)
{
	uint64_t n;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		CHECK((units[i].parse(span_of(units[i].text), 0, UINT64_MAX, &n) ? n : REFUSED) == units[i].value);
	CHECK(!size_parse(span_of("2k"), 0, 2047, &n));
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
