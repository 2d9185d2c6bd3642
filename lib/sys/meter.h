/* Progress of a program that reads files: bytes, percentage and rate. */
#ifndef FITTINGS_METER_H
#define FITTINGS_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
	int64_t start_ms, next_ms;
	uint64_t done, total; /* bytes; total is 0 if unknown */
};

/* Start measuring. The list of files ends with NULL, `-` is standard input. The total is known if
 * all files are regular. */
void meter_start(struct meter *meter, char *const *files);

/* Write `2.0 MiB, 50%, 300.1 MiB/s`, at most once a second unless `last`. Return false if it is not time yet. */
bool meter_read(struct meter *meter, bool last, char *line, size_t size);

#endif
