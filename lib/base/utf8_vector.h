/* The vectorized part of UTF-8 validation, called only by utf8.c. */
#ifndef FITTINGS_UTF8_VECTOR_H
#define FITTINGS_UTF8_VECTOR_H

#include <stddef.h>

#include "base/utf8.h"

/* Scan whole blocks of 64 bytes of a text that starts at a character boundary. Return the size of the blocks before
 * the first one with an error. They are valid, except that the end of the last block may split a character. */
size_t utf8_vector_scan(enum utf8_path path, const unsigned char *bytes, size_t n);

#endif
