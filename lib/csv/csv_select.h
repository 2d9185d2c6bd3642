/*
 * A selection of fields. Its text is a list that is itself a CSV record:
 *
 *     1  3-5  5-3  -2  7-  ~1  ~3-~1  name  "last, first"
 *
 * An unquoted item of digits, `-` and `~` is a position or a range; ~1 is the last
 * field. Any other item is a name in the header; the empty name must be quoted. A
 * position that a record lacks is an empty field. A range between a number and a ~
 * (7- is 7-~1) has only the fields that exist.
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
	bool named; /* once resolved, both points are the position of the name */
	struct span text; /* without quotes */
	struct csv_point first;
	struct csv_point last;
};

struct csv_select {
	const struct csv_item *items;
	size_t count;
	bool complement; /* all other fields, in the order of the record */
};

enum csv_item_kind {
	CSV_ITEM_GOOD,
	CSV_ITEM_EMPTY,
	CSV_ITEM_NOT_A_RANGE,
	CSV_ITEM_OUT_OF_RANGE,
	CSV_ITEM_NOT_IN_A_LIST, /* a quote is never closed, or the list has a second line */
};

/* Parse one item of a list. The text is without its quotes. */
enum csv_item_kind csv_item_parse(struct span text, bool quoted, struct csv_item *item);

/* Parse a list. `bytes` has space for list.size bytes, the texts of the items, and `items` for one more item than
 * that. *count is the number of items read. If the result is not CSV_ITEM_GOOD, the last of them is invalid. */
enum csv_item_kind csv_list_parse(struct span list, char *bytes, struct csv_item *items, size_t *count);

/* Find the named items in the header (the first field of the name). Return the first item that is not there, or
 * NULL. */
const struct csv_item *csv_select_resolve(struct csv_item *items, size_t count,
                                          const struct csv_record *header);

/* Return the first position or range beyond the header whose text is a name in it, or NULL. */
const struct csv_item *csv_select_mistaken(const struct csv_item *items, size_t count,
                                           const struct csv_record *header);

/* A walk over the fields of one record; all zero at the start. */
struct csv_walk {
	size_t item;
	uint64_t step;
};

/* Find the position of the next selected field of a record of n fields. The record lacks the field if the position
 * is not from 1 to n (~5 of three fields is -1). Return false after the last one. */
bool csv_select_next(const struct csv_select *select, struct csv_walk *walk, uint64_t n, int64_t *position);

/* Return whether two selections, each from its header, have the same names in the same order. */
bool csv_select_same_names(const struct csv_select *a, const struct csv_record *header_a,
                           const struct csv_select *b, const struct csv_record *header_b);

/* Return whether all selected fields of a record are UTF-8. */
bool csv_select_is_utf8(const struct csv_select *select, const struct csv_record *record);

/* Positions from `from` to `to`; UINT64_MAX: the end of the record. */
struct csv_range {
	uint64_t from;
	uint64_t to;
};

/* Convert the selection to increasing ranges, so that fields can be written while a record is read. Return their
 * number (at most count + 1), or -1 if the selection needs whole records. */
long csv_select_ranges(const struct csv_select *select, struct csv_range *ranges);

/* Return the last position that can be selected, 0 if it depends on the record. */
uint64_t csv_select_limit(const struct csv_select *select);

#endif
