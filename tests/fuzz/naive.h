/* What texts and frames mean, worked out the slow and plain way, to compare the codecs with. */
#ifndef FITTINGS_NAIVE_H
#define FITTINGS_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether some character lies in first..last that UTF-8 may write in size bytes. */
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
 * How many of n bytes, from the start of a character on, can belong to that one
 * character; 0 where none can. *whole says that the character is complete.
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
		/* Whatever follows, the character is in this range. */
		if (size > 1 && !naive_range_has_character(value << behind, (value << behind) + (1U << behind) - 1, size))
			return good;
		good = i + 1;
	}
	*whole = size != 0 && good == size;
	return good;
}

/* How many of n bytes can stand in a valid text; *whole where they end with a whole character. */
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

#endif
