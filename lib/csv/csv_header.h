/* What a header says beside the names that a selection asks for: JSON's keys, and why a name may be missing. */
#ifndef FITTINGS_CSV_HEADER_H
#define FITTINGS_CSV_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "csv/csv.h"
#include "csv/csv_record.h"
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

/* The number of fields and the first names, as many as there is room for: `2 fields: 'a', 'b'`. */
void csv_header_describe(const struct csv_record *header, struct strbuf *text);

/* What the user may have to do before a name is found, as ` (hint)`; nothing if the header looks right. */
void csv_header_hint(const struct csv_record *header, const struct csv *csv, struct strbuf *text);

#endif
