/* SHA-1 (FIPS 180-4), only for the opening handshake. */
#ifndef FITTINGS_SHA1_H
#define FITTINGS_SHA1_H

#include <stddef.h>

enum { SHA1_SIZE = 20 };

void sha1(const void *bytes, size_t n, unsigned char digest[SHA1_SIZE]);

#endif
