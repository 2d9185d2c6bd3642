/* Incremental validation of UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
#ifndef FITTINGS_UTF8_H
#define FITTINGS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The state between two pieces of a text; zero at the start. */
struct utf8 {
	unsigned char state;
};

/*
 * Validate the next n bytes. Return n if they are valid, or the index of the first byte that makes the text
 * invalid, even if its character began in an earlier piece.
 *
 * The state after an error is the state before that byte. utf8_whole() tells two cases apart: true if the byte
 * cannot begin a character, false if the byte interrupts an incomplete character. To replace errors and continue,
 * write one U+FFFD in both cases, reset the state to zero, and skip the byte only in the first case.
 */
size_t utf8_check(struct utf8 *text, const void *bytes, size_t n);

/* Return whether the text may end here: no character is incomplete. */
static inline bool
utf8_whole(const struct utf8 *text)
{
	return text->state == 0;
}

/* Return how many of the last bytes are the beginning of an incomplete character. */
size_t utf8_tail(const unsigned char *bytes, size_t n);

enum { UTF8_REPLACED_MAX = 3 }; /* output bytes per input byte */

/* Copy n bytes and replace each invalid part (a byte, or an incomplete character) by U+FFFD. out
 * has space for UTF8_REPLACED_MAX times n bytes, or is NULL. Return the size of the output. */
size_t utf8_replace(const void *bytes, size_t n, unsigned char *out);

/* Implementations with the same results. Tests and benchmarks choose one. */
enum utf8_path {
	UTF8_PORTABLE,
#ifdef __AARCH64EL__
	UTF8_NEON,
#else
	UTF8_SSSE3, UTF8_AVX2,
#endif
	UTF8_PATHS,
};

/* Return the fastest implementation for this CPU, from cpu_vectors(). All lower ones work, too. */
enum utf8_path utf8_best_path(void);

size_t utf8_check_by(enum utf8_path path, struct utf8 *text, const void *bytes, size_t n);

#endif
