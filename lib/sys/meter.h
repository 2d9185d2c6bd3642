/* How much of its files a program has read, which share that is, and how fast. */
#ifndef FITTINGS_METER_H
#define FITTINGS_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meter {
	int64_t start_ms, next_ms;
	uint64_t done, total; /* bytes; total 0: not known */
};

/* The files end with NULL, `-` is standard input. Their sizes are known if all of them are regular files. */
void meter_start(struct meter *meter, char *const *files);

/* Writes `2.0 MiB, 50%, 300.1 MiB/s`, at most once a second unless `last`. False if it is not time yet. */
bool meter_read(struct meter *meter, bool last, char *line, size_t size);

#endif
