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

TEST(each_delimiter_begins_a_field_and_all_else_is_data)
{
	static const struct { const char *text, *fields; } rows[] = {
		{"a", "[a]"}, {"hello world", "[hello world]"}, {"a,b", "[a][b]"}, {"a,", "[a][]"},
		{",a", "[][a]"}, {",", "[][]"}, {",,", "[][][]"}, {"", ""}, {"\"a,b\"\r\n", "[\"a][b\"\r\n]"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(gives(rows[i].text, strlen(rows[i].text), rows[i].fields));
}
