/* Copy pieces that are usually short (a field, a word). A memcpy() call costs more than such a copy, with musl many
 * times more. */
#ifndef FITTINGS_COPY_H
#define FITTINGS_COPY_H

#include <stddef.h>
#include <string.h>

enum { COPY_SHORT = 256 };

/* Copy n bytes without reading or writing beyond them. The two areas must not overlap. */
static inline void
copy_bytes(unsigned char *to, const unsigned char *from, size_t n)
{
	if (n > COPY_SHORT) {
		memcpy(to, from, n);
	} else if (n >= 16) {
		for (size_t i = 0; i < n - 16; i += 16)
			memcpy(to + i, from + i, 16);
		memcpy(to + n - 16, from + n - 16, 16);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else if (n > 0) {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* Copy n bytes like copy_bytes(). At least 32 bytes must be readable and writable for any n, so that most copies
 * take no branch that depends on their size. */
static inline void
copy_bytes_32(unsigned char *to, const unsigned char *from, size_t n)
{
	memcpy(to, from, 16);
	memcpy(to + 16, from + 16, 16);
	if (n > 32)
		copy_bytes(to + 32, from + 32, n - 32);
}

#endif
