/* Strict numbers as users type them: digits only, without sign, blank or 0x. Every function returns false if the
 * text is invalid or out of range. */
#ifndef FITTINGS_NUMBER_H
#define FITTINGS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

bool number_parse(struct span text, uint64_t min, uint64_t max, uint64_t *value);

/* Parse a size in bytes: a number, optionally followed by k, M or G in either case (powers of 1024). */
bool size_parse(struct span text, uint64_t min, uint64_t max, uint64_t *bytes);

/* Parse a duration into milliseconds: a number followed by ms, s, m, h or nothing (seconds). */
bool duration_parse(struct span text, uint64_t min_ms, uint64_t max_ms, uint64_t *ms);

/* Parse one byte as users type it: the character itself, or \t, \0, \\ or \xHH. */
bool byte_parse(struct span text, char *byte);

/* A range of ports, both ends included. */
struct port_range {
	uint16_t first;
	uint16_t last;
};

/* Parse a list of ports and ascending ranges, for example `8080,9000-9998`. Return the number of ranges, or 0 if
 * the list is invalid: a descending range, 0 in a range, a port over 65535, or more than max ranges. */
size_t port_list_parse(struct span text, struct port_range *ranges, size_t max);

#endif
