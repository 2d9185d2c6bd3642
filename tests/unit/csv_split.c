#include "base/split.h"

#include "unit.h"

/* The fields of a text, each in brackets. */
static bool
gives(const char *text, size_t size, const char *expected)
{
	char all[256] = "";
	size_t used = 0;
	unsigned char *copy = unit_at_edge(text, size);
	struct split s = split_over((struct span){(char *)copy, size}, ',');
	struct span field;

	while (split_next(&s, &field))
		used += (size_t)snprintf(all + used, sizeof all - used, "[%.*s]", (int)field.size, field.at);
	unit_drop(copy, size);
	return strcmp(all, expected) == 0;
}

TEST(a_message_without_the_delimiter_is_one_field)
{
	CHECK(gives("a", 1, "[a]"));
	CHECK(gives("hello world", 11, "[hello world]"));
}

TEST(each_delimiter_begins_a_field_at_the_end_too)
{
	CHECK(gives("a,b", 3, "[a][b]"));
	CHECK(gives("a,", 2, "[a][]"));
	CHECK(gives(",a", 2, "[][a]"));
	CHECK(gives(",", 1, "[][]"));
	CHECK(gives(",,", 2, "[][][]"));
}

TEST(no_bytes_are_no_field)
{
	CHECK(gives("", 0, ""));
}

TEST(quotes_and_newlines_are_data)
{
	CHECK(gives("\"a,b\"\r\n", 7, "[\"a][b\"\r\n]"));
}
