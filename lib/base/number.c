#include "base/number.h"

struct unit {
	const char *name;
	uint64_t factor;
};

bool
number_parse(struct span text, uint64_t min, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (text.size == 0)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n < min || n > max)
		return false;
	*value = n;
	return true;
}

/* The first unit applies to a number without a unit. */
static bool
measure_parse(struct span text, const struct unit *units, bool any_case, uint64_t min, uint64_t max, uint64_t *value)
{
	struct span digits = {text.at, 0}, name;
	uint64_t n;

	while (digits.size < text.size && text.at[digits.size] >= '0' && text.at[digits.size] <= '9')
		digits.size++;
	name = (struct span){text.at + digits.size, text.size - digits.size};
	for (; units->name != NULL; units++) {
		struct span unit = span_of(units->name);

		if (name.size != 0 && !(any_case ? span_equal_case(name, unit) : span_equal(name, unit)))
			continue;
		if (!number_parse(digits, 0, UINT64_MAX / units->factor, &n))
			return false;
		n *= units->factor;
		if (n < min || n > max)
			return false;
		*value = n;
		return true;
	}
	return false;
}

bool
size_parse(struct span text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
	};

	return measure_parse(text, units, true, min, max, bytes);
}

bool
duration_parse(struct span text, uint64_t min_ms, uint64_t max_ms, uint64_t *ms)
{
	static const struct unit units[] = {
		{"s", 1000}, {"ms", 1}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {NULL, 0},
	};

	return measure_parse(text, units, false, min_ms, max_ms, ms);
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0'
	    : c >= 'a' && c <= 'f' ? c - 'a' + 10
	    : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
byte_parse(struct span text, char *byte)
{
	static const char names[] = "t0\\", values[] = "\t\0\\";
	const char *named;

	if (text.size == 1) {
		*byte = text.at[0];
		return true;
	}
	if (text.size == 2 && text.at[0] == '\\' && (named = memchr(names, text.at[1], 3)) != NULL) {
		*byte = values[named - names];
		return true;
	}
	if (text.size != 4 || text.at[0] != '\\' || text.at[1] != 'x' || hex_digit(text.at[2]) < 0
	    || hex_digit(text.at[3]) < 0)
		return false;
	*byte = (char)(hex_digit(text.at[2]) << 4 | hex_digit(text.at[3]));
	return true;
}

static bool
range_parse(struct span item, struct port_range *range)
{
	const char *dash = memchr(item.at, '-', item.size);
	size_t before = dash == NULL ? item.size : (size_t)(dash - item.at);
	uint64_t first, last;

	if (dash == NULL) {
		if (!number_parse(item, 0, UINT16_MAX, &first))
			return false;
		last = first;
	} else {
		struct span last_port = {dash + 1, item.size - before - 1};

		if (!number_parse((struct span){item.at, before}, 1, UINT16_MAX, &first)
		    || !number_parse(last_port, first, UINT16_MAX, &last))
			return false;
	}
	*range = (struct port_range){(uint16_t)first, (uint16_t)last};
	return true;
}

size_t
port_list_parse(struct span text, struct port_range *ranges, size_t max)
{
	size_t count = 0;

	for (;;) {
		const char *comma = memchr(text.at, ',', text.size);
		size_t size = comma == NULL ? text.size : (size_t)(comma - text.at);

		if (count == max || size == 0 || !range_parse((struct span){text.at, size}, &ranges[count]))
			return 0;
		count++;
		if (comma == NULL)
			return count;
		text = (struct span){comma + 1, text.size - size - 1};
	}
}
