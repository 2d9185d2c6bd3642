/* A slice of bytes that it does not own, without a terminator. */
#ifndef FITTINGS_SPAN_H
#define FITTINGS_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *at;
	size_t size;
};

static inline struct span
span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* Return s without its first n bytes (n <= s.size). */
static inline struct span
span_skip(struct span s, size_t n)
{
	return (struct span){s.at + n, s.size - n};
}

/* Compare ignoring the case of ASCII letters, independent of the locale. */
static inline bool
span_equal_case(struct span a, struct span b)
{
	if (a.size != b.size)
		return false;
	for (size_t i = 0; i < a.size; i++) {
		unsigned char x = (unsigned char)a.at[i], y = (unsigned char)b.at[i];

		if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
			return false;
	}
	return true;
}

static inline bool
span_begins_case(struct span text, struct span prefix)
{
	return text.size >= prefix.size && span_equal_case((struct span){text.at, prefix.size}, prefix);
}

#endif
