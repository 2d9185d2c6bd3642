/* A complete record in memory: the data of its fields one after the other, and the end of each. The caller owns the
 * storage and enlarges it when it is full. */
#ifndef FITTINGS_CSV_RECORD_H
#define FITTINGS_CSV_RECORD_H

#include "csv/csv.h"
#include "base/span.h"

struct csv_record {
	unsigned char *bytes;
	size_t size;
	size_t used;
	size_t *ends; /* of the first `count` fields, in bytes */
	size_t capacity;  /* of ends, in elements */
	size_t count;
	uint64_t limit; /* later fields are skipped; 0: all are held */
	bool begun;
	size_t begin;  /* byte of the window in which it began */
	uint64_t line; /* its line, after the end of that window; before: 0 */
};

enum csv_taken {
	CSV_TAKEN_WINDOW, /* the window is used, the record continues */
	CSV_TAKEN_RECORD, /* the record is whole */
	CSV_TAKEN_FULL,   /* no space for the next piece: enlarge the storage that is full, call again */
};

/* Empty it for the next record. */
void csv_record_clear(struct csv_record *record);

/* Take bytes of the window from *at on, up to the end of the record, and advance *at. */
enum csv_taken csv_record_take(struct csv_record *record, const struct csv_index *index,
                               const unsigned char *in, size_t *at);

/* Return the line in which the record begins. index is the window that csv_record_take() read last. */
uint64_t csv_record_line(const struct csv_record *record, const struct csv_index *index);

/* The input ended: end the record. Return false if there is no space for an end. */
bool csv_record_end(struct csv_record *record);

/* Return a field, from 1. A field that the record lacks is empty. */
struct span csv_record_field(const struct csv_record *record, int64_t position);

/* Return how many bytes are readable from the beginning of a text: in the record more than its own size. */
static inline size_t
csv_record_readable(const struct csv_record *record, struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at, *end = record->bytes + record->size;

	return at >= record->bytes && at < end ? (size_t)(end - at) : text.size;
}

/* Return whether all of its fields are UTF-8. */
bool csv_record_is_utf8(const struct csv_record *record);

#endif
