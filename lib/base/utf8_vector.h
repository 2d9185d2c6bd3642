/* The part of the UTF-8 check that is made for a CPU's vectors; utf8.c alone calls it. */
#ifndef FITTINGS_UTF8_VECTOR_H
#define FITTINGS_UTF8_VECTOR_H

#include <stddef.h>

#include "base/utf8.h"

/*
 * Reads whole blocks of 64 bytes of a text that starts with a character.
 * Returns the size of the blocks before the first one that shows an error;
 * those are valid, but for a last character that their end may have cut.
 */
size_t utf8_vector_scan(enum utf8_path path, const unsigned char *bytes, size_t n);

#endif
