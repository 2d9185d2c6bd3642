/* Keys of JSON for fields without a name, and the diagnostics of a selection that does not fit the header. */
#ifndef FITTINGS_CSV_HEADER_H
#define FITTINGS_CSV_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "csv/csv.h"
#include "csv/csv_record.h"
#include "csv/csv_select.h"
#include "base/strbuf.h"

/* A number that is a name in the header. A field without a name cannot have it as its key. */
struct csv_number {
	uint64_t number;
	bool from_end;   /* ~5 */
	uint64_t suffix; /* of the first free key: 2 is 5_2 */
};

/* Return how many names of the header are such numbers, with suffixes or without. */
size_t csv_numbers_count(const struct csv_record *header);

/* Write these numbers, merged and in the order of csv_key_put(). Return how many remain. */
size_t csv_numbers_find(const struct csv_record *header, struct csv_number *numbers);

/* Write the key of a field beyond the header: the first of N, N_2, N_3 ... that is not a name in it. */
void csv_key_put(struct strbuf *key, uint64_t number, bool from_end, const struct csv_number *numbers,
                 size_t count);

/*
 * Find the named items in the header. Return false if a name is not there, or if a position beyond the header is a
 * name in it. *why is then the reason, with the names of the header and a hint. It contains unescaped bytes of the
 * header and needs space for 256 bytes.
 */
bool csv_header_resolve(struct csv_item *items, size_t count, const struct csv_record *header,
                        const struct csv *csv, struct strbuf *why);

#endif
