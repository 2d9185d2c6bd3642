/*
 * UTF-8 checked as it streams by (RFC 3629: no overlong form, no surrogate,
 * nothing above U+10FFFF).
 */
#ifndef FITTINGS_UTF8_H
#define FITTINGS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Where a text stands between two pieces of it; all zero at the start. */
struct utf8 {
	unsigned char state;
};

/*
 * Checks the next n bytes. Returns how many of them can stand in a valid text:
 * n, or the index of the first byte that cannot (the text is broken there,
 * although its character may have begun in an earlier piece).
 *
 * The text then stands before that byte: utf8_whole() says that the byte can
 * begin no character, not whole that it breaks off the character begun before
 * it. Who replaces and goes on puts one U+FFFD for either, sets the text to
 * zero, and skips the byte only in the first case.
 */
size_t utf8_check(struct utf8 *text, const void *bytes, size_t n);

/* Whether the text may end here: no character is half done. */
static inline bool
utf8_whole(const struct utf8 *text)
{
	return text->state == 0;
}

/* How many of the last bytes are the beginning of a character that needs more. */
size_t utf8_tail(const unsigned char *bytes, size_t n);

enum { UTF8_REPLACED_MAX = 3 }; /* bytes for each byte */

/* Writes n bytes with U+FFFD for each part that is not UTF-8 (a byte, or a character that breaks
 * off). out has room for UTF8_REPLACED_MAX times n, or is NULL. Returns how many bytes it takes. */
size_t utf8_replace(const void *bytes, size_t n, unsigned char *out);

/* The ways to check, all with the same results; tests and benchmarks name one. */
enum utf8_path {
	UTF8_PORTABLE,
	UTF8_SSSE3,
	UTF8_AVX2,
	UTF8_PATHS,
};

/* The best way that this CPU has; every lesser one works as well. Asks cpu_vectors(). */
enum utf8_path utf8_best_path(void);

size_t utf8_check_by(enum utf8_path path, struct utf8 *text, const void *bytes, size_t n);

#endif
