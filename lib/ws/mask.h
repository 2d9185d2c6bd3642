/* Masking of a frame's payload (RFC 6455 section 5.3). */
#ifndef FITTINGS_MASK_H
#define FITTINGS_MASK_H

#include <stddef.h>
#include <stdint.h>

/*
 * XORs n bytes in place with the key, the first byte with key[phase % 4].
 * Returns all the resulting bytes OR-ed together: below 0x80 they are ASCII.
 */
unsigned char mask_apply(void *bytes, size_t n, const unsigned char key[4], uint64_t phase);

#endif
