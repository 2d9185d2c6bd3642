#include "csv/csv_header.h"

#include "unit.h"

enum { NAMES = 12, TEXT = 32 };

static char names[NAMES][TEXT];
static unsigned char bytes[NAMES * TEXT];
static size_t ends[NAMES];

static struct csv_record
header_of(size_t count)
{
	struct csv_record header = {.bytes = bytes, .ends = ends, .size = sizeof bytes, .capacity = NAMES, .count = count};

	for (size_t i = 0; i < count; i++) {
		memcpy(bytes + header.used, names[i], strlen(names[i]));
		ends[i] = header.used += strlen(names[i]);
	}
	return header;
}

static bool
is_name(const char *key, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], key) == 0)
			return true;
	return false;
}

/* Set the number and whether it counts from the end. Compare with the first of N, N_2 ... that is
 * not a name. */
static bool
key_is_free(const struct csv_record *header, unsigned number, bool from_end)
{
	static struct csv_number numbers[NAMES];
	size_t count = csv_numbers_find(header, numbers);
	char key[64], expected[64];
	struct strbuf text = {.at = key, .capacity = sizeof key};

	snprintf(expected, sizeof expected, "%s%u", from_end ? "~" : "", number);
	for (unsigned suffix = 2; is_name(expected, header->count); suffix++)
		snprintf(expected, sizeof expected, "%s%u_%u", from_end ? "~" : "", number, suffix);
	csv_key_put(&text, number, from_end, numbers, count);
	if (count <= csv_numbers_count(header) && text.size == strlen(expected) && memcmp(key, expected, text.size) == 0)
		return true;
	printf("# %.*s, not %s\n", (int)text.size, key, expected);
	return false;
}

TEST(a_number_that_is_a_name_gets_the_first_suffix_that_is_free)
{
	static const char *const suffixes[] = {"", "_2", "_3", "_4", "_1", "_02", "_", "_2_2", "x"};
	bool good = true;

	for (unsigned turn = 0; turn < 20000 && good; turn++) {
		struct csv_record header;
		size_t count = turn % (NAMES + 1);

		for (size_t i = 0; i < count; i++) {
			snprintf(names[i], TEXT, "%s%s%u%s", unit_roll(5) == 0 ? "~" : "", unit_roll(9) == 0 ? "0" : "",
			    unit_roll(3), suffixes[unit_roll(9)]);
		}
		header = header_of(count);
		for (unsigned number = 1; number < 4; number++)
			good = good && key_is_free(&header, number, false) && key_is_free(&header, number, true);
	}
	CHECK(good);
}

TEST(only_numbers_that_fit_are_numbers)
{
	static const char *const not[] = {"", "~", "0", "01", "1a", "_2", "1_", "1_0", "1_x", "18446744073709551616", "~~1", "+1", "1 "};
	struct csv_record header;

	for (size_t i = 0; i < sizeof not / sizeof *not; i++) {
		strcpy(names[0], not[i]);
		header = header_of(1);
		CHECK(csv_numbers_count(&header) == 0);
	}
	strcpy(names[0], "18446744073709551615_2");
	header = header_of(1);
	CHECK(csv_numbers_count(&header) == 1);
}

/* For any header and name, in 256 bytes. */
TEST(a_message_is_complete)
{
	static char long_name[300];
	const struct csv csv = {.dialect = {.delimiter = ','}};
	char room[256];

	memset(long_name, 'x', sizeof long_name);
	for (size_t i = 0; i < NAMES; i++)
		snprintf(names[i], TEXT, "%.*s;", (int)(3 * i % TEXT), long_name);
	for (size_t size = 1; size <= sizeof long_name; size++)
		for (size_t count = 1; count <= NAMES; count++) {
			struct csv_record header = header_of(count);
			struct csv_item item = {.named = true, .text = {long_name, size}};
			struct strbuf why = {.at = room, .capacity = sizeof room};

			CHECK(!csv_header_resolve(&item, 1, &header, &csv, &why));
			CHECK(!why.cut && why.size <= sizeof room);
			CHECK(room[why.size - 1] == ')' || room[why.size - 1] == '\'' || room[why.size - 1] == '.');
		}
}
