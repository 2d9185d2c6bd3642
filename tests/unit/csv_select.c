#include "csv/csv_select.h"

#include "unit.h"

enum { ITEMS_MAX = 8, TEXT_MAX = 512 };

static struct csv_item items[ITEMS_MAX];

static size_t
put_number(char *all, size_t used, int64_t position, uint64_t n)
{
	bool missing = position < 1 || position > (int64_t)n;

	return (size_t)snprintf(all + used, TEXT_MAX - used, missing ? " -" : " %lld", (long long)position);
}

/* Items separated by blanks. */
static size_t
items_parse(const char *list)
{
	size_t count = 0;

	for (const char *at = list; *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
		CHECK(csv_item_parse((struct span){at, strcspn(at, " ")}, false, &items[count++]) == CSV_ITEM_GOOD);
	return count;
}

/* The positions of a walk over a record of n fields, `-` for a missing field. */
static void
walk_text(const struct csv_select *select, uint64_t n, char *all)
{
	struct csv_walk walk = {0};
	int64_t position;
	size_t used = 0;

	all[0] = '\0';
	while (csv_select_next(select, &walk, n, &position) && used < TEXT_MAX - 32)
		used += put_number(all, used, position, n);
}

static bool
gives(const char *list, bool complement, uint64_t n, const char *expected)
{
	struct csv_select select = {.items = items, .count = items_parse(list), .complement = complement};
	char all[TEXT_MAX];

	walk_text(&select, n, all);
	if (strcmp(all, expected) != 0)
		printf("# %s of %d:%s, not%s\n", list, (int)n, all, expected);
	return strcmp(all, expected) == 0;
}

TEST(a_list_selects_these_positions)
{
	static const struct {
		const char *list;
		bool complement;
		uint64_t n;
		const char *positions;
	} rows[] = {
		/* In the order given. */
		{"1", false, 3, " 1"}, {"3 1 1", false, 3, " 3 1 1"}, {"1-3", false, 3, " 1 2 3"},
		{"3-1", false, 3, " 3 2 1"}, {"-2", false, 3, " 1 2"}, {"2-", false, 3, " 2 3"},
		{"2-2", false, 3, " 2"},
		/* A tilde counts from the end. */
		{"~1", false, 3, " 3"}, {"~3", false, 3, " 1"}, {"~2-~1", false, 3, " 2 3"},
		{"~1-~2", false, 3, " 3 2"}, {"2-~1", false, 4, " 2 3 4"}, {"2-~2", false, 4, " 2 3"},
		{"~1-1", false, 3, " 3 2 1"}, {"~2-", false, 3, " 2 3"}, {"-~2", false, 3, " 1 2"},
		/* Missing fields are empty, or not there. */
		{"5", false, 3, " -"}, {"2-5", false, 3, " 2 3 - -"}, {"5-2", false, 3, " - - 3 2"},
		{"~5", false, 3, " -"}, {"~4-~1", false, 2, " - - 1 2"}, {"4-", false, 3, ""},
		{"3-~2", false, 3, ""}, {"~1-2", false, 1, ""}, {"1-", false, 0, ""},
		/* The complement is all other fields. */
		{"2", true, 3, " 1 3"}, {"3-2 5", true, 6, " 1 4 6"}, {"~1", true, 3, " 1 2"},
		{"~2-~1 1", true, 5, " 2 3"}, {"2-", true, 3, " 1"}, {"1-", true, 3, ""},
		{"9", true, 2, " 1 2"}, {"", true, 3, " 1 2 3"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(gives(rows[i].list, rows[i].complement, rows[i].n, rows[i].positions));
}

TEST(an_item_is_a_position_or_a_name)
{
	static const struct { const char *text; enum csv_item_kind kind; bool named; } rows[] = {
		{"1", CSV_ITEM_GOOD, false}, {"4294967295", CSV_ITEM_GOOD, false}, {"007", CSV_ITEM_GOOD, false},
		{"name", CSV_ITEM_GOOD, true}, {"", CSV_ITEM_EMPTY, true}, {" 1", CSV_ITEM_GOOD, true},
		{"+1", CSV_ITEM_GOOD, true}, {"1.5", CSV_ITEM_GOOD, true}, {"0x1", CSV_ITEM_GOOD, true},
		{"0", CSV_ITEM_OUT_OF_RANGE, false}, {"~0", CSV_ITEM_OUT_OF_RANGE, false},
		{"4294967296", CSV_ITEM_OUT_OF_RANGE, false}, {"18446744073709551616", CSV_ITEM_OUT_OF_RANGE, false},
		{"18446744073709551617", CSV_ITEM_OUT_OF_RANGE, false}, {"1-0", CSV_ITEM_OUT_OF_RANGE, false},
		{"0-3", CSV_ITEM_OUT_OF_RANGE, false}, {"-0", CSV_ITEM_OUT_OF_RANGE, false},
		{"-", CSV_ITEM_NOT_A_RANGE, false}, {"~", CSV_ITEM_NOT_A_RANGE, false}, {"--", CSV_ITEM_NOT_A_RANGE, false},
		{"1-2-3", CSV_ITEM_NOT_A_RANGE, false}, {"1~", CSV_ITEM_NOT_A_RANGE, false},
		{"~~1", CSV_ITEM_NOT_A_RANGE, false}, {"1--2", CSV_ITEM_NOT_A_RANGE, false},
		{"~-1", CSV_ITEM_NOT_A_RANGE, false}, {"1-~", CSV_ITEM_NOT_A_RANGE, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct csv_item item;

		if (csv_item_parse(span_of(rows[i].text), false, &item) == rows[i].kind && item.named == rows[i].named)
			continue;
		printf("# %s\n", rows[i].text);
		CHECK(false);
	}
}

TEST(a_quoted_item_is_always_a_name)
{
	static const char *const texts[] = {"1", "2000", "2-3", "-", "~", "0", "1-2-3", "", "name", "4294967296"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct csv_item item;

		CHECK(csv_item_parse(span_of(texts[i]), true, &item) == CSV_ITEM_GOOD && item.named);
		CHECK(span_equal(item.text, span_of(texts[i])));
	}
}

/* The items of a list, with `!` before a name and `|` after each. */
static bool
lists(const char *list, enum csv_item_kind kind, const char *expected)
{
	char bytes[64], all[64];
	unsigned char *edge = unit_at_edge(list, strlen(list));
	size_t count, used = 0;
	struct csv_item *read = calloc(strlen(list) + 1, sizeof *read);
	bool good = csv_list_parse((struct span){(char *)edge, strlen(list)}, bytes, read, &count) == kind;

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(all + used, sizeof all - used, "%s%.*s|", read[i].named ? "!" : "",
		    (int)read[i].text.size, read[i].text.at);
	all[used] = '\0';
	unit_drop(edge, strlen(list));
	free(read);
	return good && strcmp(all, expected) == 0;
}

TEST(a_list_is_a_CSV_record)
{
	static const struct { const char *list; enum csv_item_kind kind; const char *items; } rows[] = {
		{"1", CSV_ITEM_GOOD, "1|"}, {"1,2-3,~1,name", CSV_ITEM_GOOD, "1|2-3|~1|!name|"},
		{"\"1\",\"a,\"\"b\n\",\"\"", CSV_ITEM_GOOD, "!1|!a,\"b\n|!|"},
		{"\"a\"b\",c\"d", CSV_ITEM_GOOD, "!ab\"|!c\"d|"},
		{"\xef\xbb\xbf\"1\"\r\n", CSV_ITEM_GOOD, "!1|"}, {"\"a\n\"\n", CSV_ITEM_GOOD, "!a\n|"},
		{"a\n\n", CSV_ITEM_NOT_IN_A_LIST, ""}, {"a,b\nc", CSV_ITEM_NOT_IN_A_LIST, "!a|"},
		{"a,\"b", CSV_ITEM_NOT_IN_A_LIST, "!a|"}, {"\"\"\"", CSV_ITEM_NOT_IN_A_LIST, ""},
		{"a,\n", CSV_ITEM_EMPTY, "!a|!|"}, {"", CSV_ITEM_EMPTY, "!|"},
		{"1,0,2", CSV_ITEM_OUT_OF_RANGE, "1|0|"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(lists(rows[i].list, rows[i].kind, rows[i].items));
}

/* The positions of ranges for a record of n fields. */
static void
ranges_text(const struct csv_range *ranges, size_t count, bool fill, uint64_t n, char *all)
{
	size_t used = 0;

	all[0] = '\0';
	for (size_t i = 0; i < count; i++)
		for (uint64_t p = ranges[i].from; p <= ranges[i].to && (p <= n || (fill && ranges[i].to != UINT64_MAX)); p++)
			used += put_number(all, used, (int64_t)p, n);
}

TEST(ranges_agree_with_the_walk_and_those_of_a_complement_are_in_any_order)
{
	static const char *const lists[] = {
		"1", "2 4", "1-3", "1 3-", "2-2 4-6 9", "-3 5", "7-", "1-5 6-7 8-", "1 2 3 4 5 6 7 8", "9 3-1 2 5",
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (int complement = 0; complement < 2; complement++)
			for (uint64_t n = 0; n < 12; n++) {
				struct csv_select select = {items, items_parse(lists[i]), complement != 0};
				struct csv_range ranges[ITEMS_MAX + 1];
				long count = csv_select_ranges(&select, ranges);
				char walked[TEXT_MAX], ranged[TEXT_MAX];

				if (count < 0 && complement == 0)
					continue; /* the next test has these */
				CHECK(count >= 0);
				walk_text(&select, n, walked);
				ranges_text(ranges, (size_t)count, complement == 0, n, ranged);
				CHECK(strcmp(walked, ranged) == 0);
			}
}

TEST(lists_that_go_back_or_count_from_the_end_have_no_ranges)
{
	static const char *const lists[] = {"2 1", "1 1", "3-1", "~1", "2-~2", "1-3 2", "1- 2", "~2-"};
	struct csv_range ranges[ITEMS_MAX + 1];

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct csv_select select = {items, items_parse(lists[i]), false};

		CHECK(csv_select_ranges(&select, ranges) < 0);
	}
}

TEST(the_limit_is_the_last_position_that_matters)
{
	static const struct { const char *list; uint64_t limit; } rows[] = {
		{"3 1", 3}, {"5-2 1", 5}, {"1 4-", 0}, {"~1", 0}, {"7", 7},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct csv_select select = {items, items_parse(rows[i].list), false};

		CHECK(csv_select_limit(&select) == rows[i].limit);
		select.complement = true;
		CHECK(csv_select_limit(&select) == 0);
	}
}

TEST(names_are_found_in_the_header)
{
	unsigned char bytes[] = "idnamenamelast, first";
	size_t ends[] = {2, 6, 10, 21};
	struct csv_record header = {.bytes = bytes, .size = 21, .used = 21, .ends = ends, .capacity = 4, .count = 4};

	items_parse("name 4 id");
	CHECK(csv_select_resolve(items, 3, &header) == NULL);
	CHECK(items[0].first.number == 2 && items[1].first.number == 4 && items[2].last.number == 1);
	CHECK(csv_item_parse(span_of("last, first"), false, &items[0]) == CSV_ITEM_GOOD);
	CHECK(csv_select_resolve(items, 1, &header) == NULL && items[0].first.number == 4);
	items_parse("id nam");
	CHECK(csv_select_resolve(items, 2, &header) == &items[1]);
}
