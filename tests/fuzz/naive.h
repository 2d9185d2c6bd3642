/* The meaning of texts, numbers and records, computed slowly and simply, to compare the codecs with. */
#ifndef FITTINGS_NAIVE_H
#define FITTINGS_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

/* Return whether a character in first..last may be encoded by UTF-8 in size bytes. */
static inline bool
naive_range_has_character(uint32_t first, uint32_t last, size_t size)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};

	if (first < lowest[size])
		first = lowest[size];
	if (last > 0x10ffff)
		last = 0x10ffff;
	return first <= last && (first < 0xd800 || last > 0xdfff);
}

/*
 * Return how many of n bytes, from the start of a character, can belong to that character; 0 if
 * none can. *whole is set if the character is complete.
 */
static inline size_t
naive_character(const unsigned char *bytes, size_t n, bool *whole)
{
	size_t size = bytes[0] < 0x80 ? 1 : bytes[0] >> 5 == 6 ? 2 : bytes[0] >> 4 == 14 ? 3 : bytes[0] >> 3 == 30 ? 4 : 0;
	uint32_t value = size < 2 ? bytes[0] : bytes[0] & (0x7fU >> size);
	size_t good = 0;

	*whole = false;
	for (size_t i = 0; i < size && i < n; i++) {
		unsigned behind = (unsigned)(size - 1 - i) * 6;

		if (i > 0 && bytes[i] >> 6 != 2)
			return good;
		if (i > 0)
			value = value << 6 | (bytes[i] & 0x3f);
		/* For any following bytes, the character is in this range. */
		if (size > 1 && !naive_range_has_character(value << behind, (value << behind) + (1U << behind) - 1, size))
			return good;
		good = i + 1;
	}
	*whole = size != 0 && good == size;
	return good;
}

/* Return how many of n bytes can be in a valid text. *whole is set if they end with a complete
 * character. */
static inline size_t
naive_utf8(const unsigned char *bytes, size_t n, bool *whole)
{
	size_t at = 0;

	*whole = true;
	while (at < n) {
		size_t good = naive_character(bytes + at, n - at, whole);

		at += good;
		if (!*whole) {
			*whole = good == 0;
			return at;
		}
	}
	return at;
}

/* Return whether the text consists of digits and is a number of at most 64 bits. */
static inline bool
naive_digits(const char *text, size_t n, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (digit > 9 || *value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return n > 0;
}

/* Take the first record from the text: up to the terminator, if the text has one, or a netstring (end ':'). Return
 * false if the netstring is invalid. */
static inline bool
naive_record_take(struct span *text, char end, struct span *record)
{
	const char *stop = memchr(text->at, end, text->size);
	size_t head = stop == NULL ? text->size : (size_t)(stop - text->at);
	uint64_t n;

	if (end != ':') {
		*record = (struct span){text->at, head};
		*text = span_skip(*text, head + (stop != NULL));
		return true;
	}
	if (stop == NULL || !naive_digits(text->at, head, &n) || (head > 1 && *text->at == '0')
	    || n >= text->size - head - 1 || stop[1 + n] != ',')
		return false;
	*record = (struct span){stop + 1, (size_t)n};
	*text = span_skip(*text, head + (size_t)n + 2);
	return true;
}

#endif
