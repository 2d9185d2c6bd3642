/*
 * A selection of fields, as a list that is itself a CSV record:
 *
 *     1  3-5  5-3  -2  7-  ~1  ~3-~1  name  "last, first"
 *
 * An item of only digits, `-` and `~` that is not quoted is a position or a
 * range; ~1 is the last field. Anything else is a name in the header; the empty
 * name must be quoted. A position that a record lacks gives an empty field; a
 * range between a number and a ~ (7- is 7-~1) gives what there is.
 */
#ifndef FITTINGS_CSV_SELECT_H
#define FITTINGS_CSV_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csv/csv_record.h"
#include "base/span.h"

#define CSV_POSITION_MAX UINT32_MAX

struct csv_point {
	uint32_t number; /* from 1 */
	bool from_end;
};

struct csv_item {
	bool named; /* both points are the name's place, once resolved */
	struct span text; /* without quotes */
	struct csv_point first;
	struct csv_point last;
};

struct csv_select {
	const struct csv_item *items;
	size_t count;
	bool complement; /* all the others, in the record's order */
};

enum csv_item_kind {
	CSV_ITEM_GOOD,
	CSV_ITEM_EMPTY,
	CSV_ITEM_NOT_A_RANGE,
	CSV_ITEM_OUT_OF_RANGE,
	CSV_ITEM_NOT_IN_A_LIST, /* a quote is never closed, or the record ends before the list does */
};

/* What one item of the list says; the text is without the quotes that it was quoted with. */
enum csv_item_kind csv_item_parse(struct span text, bool quoted, struct csv_item *item);

/*
 * Reads a list. `bytes` has room for list.size bytes, where the items' texts
 * are kept, and `items` for one more than that. *count is the number of items
 * read, the last of them the bad one if the result is not CSV_ITEM_GOOD.
 */
enum csv_item_kind csv_list_parse(struct span list, char *bytes, struct csv_item *items, size_t *count);

/*
 * Finds the named items in the header (the first field of that name). Returns
 * the first item that is not there, NULL where all are.
 */
const struct csv_item *csv_select_resolve(struct csv_item *items, size_t count,
                                          const struct csv_record *header);

/* The first position or range that is not all in the header and whose text is a name there, or NULL. */
const struct csv_item *csv_select_mistaken(const struct csv_item *items, size_t count,
                                           const struct csv_record *header);

/* Where a walk over the fields of one record stands; all zero at the start. */
struct csv_walk {
	size_t item;
	uint64_t step;
};

/*
 * The position of the next field selected from a record of n fields; the record
 * lacks it where it is not in 1 .. n (~5 of three fields is -1). False behind
 * the last one.
 */
bool csv_select_next(const struct csv_select *select, struct csv_walk *walk, uint64_t n, int64_t *position);

/* Whether two selections, each from its header, give the same names in the same order. */
bool csv_select_same_names(const struct csv_select *a, const struct csv_record *header_a,
                           const struct csv_select *b, const struct csv_record *header_b);

/* Whether all selected fields of a record are UTF-8. */
bool csv_select_is_utf8(const struct csv_select *select, const struct csv_record *record);

/* Positions from .. to; UINT64_MAX: as far as the record goes. */
struct csv_range {
	uint64_t from;
	uint64_t to;
};

/*
 * The selection as ranges that only go up, so that fields can be given while a
 * record streams by. Returns how many (at most count + 1), or -1 where the
 * selection needs whole records.
 */
long csv_select_ranges(const struct csv_select *select, struct csv_range *ranges);

/* The last position that can be selected, 0 where it depends on the record. */
uint64_t csv_select_limit(const struct csv_select *select);

#endif
