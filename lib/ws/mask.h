/* Masking of a frame's payload (RFC 6455, section 5.3). */
#ifndef FITTINGS_MASK_H
#define FITTINGS_MASK_H

#include <stddef.h>
#include <stdint.h>

/* XOR n bytes in place with the key, the first byte with key[phase % 4]. Return the bitwise OR of the resulting
 * bytes: a value below 0x80 means ASCII. */
unsigned char mask_apply(void *bytes, size_t n, const unsigned char key[4], uint64_t phase);

#endif
