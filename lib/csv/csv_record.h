/*
 * A record held whole: its fields' data one after the other, and where each
 * ends. The storage is handed in; who owns it makes more when it is full.
 */
#ifndef FITTINGS_CSV_RECORD_H
#define FITTINGS_CSV_RECORD_H

#include "csv/csv.h"
#include "base/span.h"

struct csv_record {
	unsigned char *bytes;
	size_t size;
	size_t used;
	size_t *ends; /* of the first `count` fields, in bytes */
	size_t room;  /* how many ends there is room for */
	size_t count;
	uint64_t limit; /* fields past so many are skipped; 0: all are held */
	bool begun;
	size_t begin;  /* in the window where it began; */
	uint64_t line; /* its line, once that window is used up (else 0) */
};

enum csv_taken {
	CSV_TAKEN_WINDOW, /* the window is used up, the record goes on */
	CSV_TAKEN_RECORD, /* the record is whole */
	CSV_TAKEN_FULL,   /* no room for the next piece: double either storage, call again */
};

/* Empties it for the next record. */
void csv_record_clear(struct csv_record *record);

/* Takes what the window has from *at on, up to the record's end, and moves *at behind it. */
enum csv_taken csv_record_take(struct csv_record *record, const struct csv_index *index,
                               const unsigned char *in, size_t *at);

/* The line that the record begins in; index is the window that csv_record_take() saw last. */
uint64_t csv_record_line(const struct csv_record *record, const struct csv_index *index);

/* The input ended: so does the record. False where there is no room for that. */
bool csv_record_end(struct csv_record *record);

/* A field, from 1; one that the record lacks is empty. */
struct span csv_record_field(const struct csv_record *record, int64_t position);

/* How many bytes can be read from a text's beginning: more than its own where it is in the record. */
static inline size_t
csv_record_readable(const struct csv_record *record, struct span text)
{
	const unsigned char *at = (const unsigned char *)text.at, *end = record->bytes + record->size;

	return at >= record->bytes && at < end ? (size_t)(end - at) : text.size;
}

/* Whether all of its fields are UTF-8. */
bool csv_record_is_utf8(const struct csv_record *record);

#endif
