/* Base64 with padding (RFC 4648 section 4). */
#ifndef FITTINGS_BASE64_H
#define FITTINGS_BASE64_H

#include <stddef.h>

#include "base/span.h"

/* Writes base64_size(n) characters, no NUL. */
void base64_encode(const void *bytes, size_t n, char *out);

static inline size_t
base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/*
 * The bytes that the text stands for, into out, which has room for
 * text.size / 4 * 3. Returns how many they are, or -1: a character of no
 * alphabet (blank and newline too), a length that is no multiple of four,
 * padding elsewhere than at the end. Pad bits that are not zero pass, as
 * nearly every decoder lets them (section 3.5 leaves it open).
 */
ptrdiff_t base64_decode(struct span text, void *out);

#endif
