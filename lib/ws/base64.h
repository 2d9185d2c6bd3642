/* Base64 with padding (RFC 4648, section 4). */
#ifndef FITTINGS_BASE64_H
#define FITTINGS_BASE64_H

#include <stddef.h>

#include "base/span.h"

/* Write base64_size(n) characters, without a NUL. */
void base64_encode(const void *bytes, size_t n, char *out);

static inline size_t
base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/*
 * Decode a text into out, which has space for text.size / 4 * 3 bytes. Return the number of bytes, or -1 for a
 * character outside of the alphabet (including blanks and newlines), a length that is not a multiple of four, or
 * padding before the end. Nonzero pad bits are accepted, as by nearly every decoder (section 3.5 leaves this open).
 */
ptrdiff_t base64_decode(struct span text, void *out);

#endif
