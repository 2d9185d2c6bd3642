/* What a header says beside the names that a selection asks for: JSON's keys, and why a name may be missing. */
#ifndef FITTINGS_CSV_HEADER_H
#define FITTINGS_CSV_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "csv/csv.h"
#include "csv/csv_record.h"
#include "csv/csv_select.h"
#include "base/strbuf.h"

/* A number that is a name in the header, so that a field without a name cannot have it as its key. */
struct csv_number {
	uint64_t number;
	bool from_end;   /* ~5 */
	uint64_t suffix; /* of the first free key: 2 is 5_2 */
};

/* How many names of the header are such numbers, with suffixes or without. */
size_t csv_numbers_count(const struct csv_record *header);

/* Writes them, in the order that csv_key_put() needs; there is room for so many. Returns how many are left. */
size_t csv_numbers_find(const struct csv_record *header, struct csv_number *numbers);

/* The key of a field beyond the header: the first of N, N_2, N_3 ... that is no name in it. */
void csv_key_put(struct strbuf *key, uint64_t number, bool from_end, const struct csv_number *numbers,
                 size_t count);

/*
 * Finds the named items in the header. False if a name is not there, or if a
 * position that is beyond the header is a name there; *why then says so, with
 * the names that there are and what the file may be. It has bytes of the header
 * and needs room for 256 bytes.
 */
bool csv_header_resolve(struct csv_item *items, size_t count, const struct csv_record *header,
                        const struct csv *csv, struct strbuf *why);

#endif
