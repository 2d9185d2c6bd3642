/*
 * Strict numbers as people type them: digits only, no sign, no blank, no 0x.
 * Every function returns false where the text is not one or is out of range.
 */
#ifndef FITTINGS_NUMBER_H
#define FITTINGS_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

bool number_parse(struct span text, uint64_t min, uint64_t max, uint64_t *value);

/* Bytes: a number, optionally followed by k, M or G in either case (powers of 1024). */
bool size_parse(struct span text, uint64_t min, uint64_t max, uint64_t *bytes);

/* Milliseconds: a number with ms, s, m, h or nothing (seconds) behind it. */
bool duration_parse(struct span text, uint64_t min_ms, uint64_t max_ms, uint64_t *ms);

/* One byte as people type it: itself, or \t, \0, \\, \xHH. */
bool byte_parse(struct span text, char *byte);

/* Ports, first to last. */
struct port_range {
	uint16_t first;
	uint16_t last;
};

/*
 * A list of ports and ranges in order, `8080,9000-9998`. Returns how many
 * ranges there are, 0 for a list that is none (a range that counts down, 0
 * within a range, over 65535, or more than max ranges).
 */
size_t port_list_parse(struct span text, struct port_range *ranges, size_t max);

#endif
