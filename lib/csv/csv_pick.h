/* Selected fields written while their record streams by: positions that only go up. */
#ifndef FITTINGS_CSV_PICK_H
#define FITTINGS_CSV_PICK_H

#include "csv/csv.h"
#include "csv/csv_select.h"
#include "csv/csv_write.h"

enum csv_want {
	CSV_WANT_RECORD,  /* the next one */
	CSV_WANT_FIELD,   /* this one */
	CSV_WANT_REST,    /* this one, of which some is written */
	CSV_WANT_LATER,   /* not this one */
	CSV_WANT_NO_MORE, /* none of the rest of the record */
	CSV_WANT_MISSING, /* what the record, which has ended, lacks */
};

struct csv_pick {
	const struct csv_range *ranges;
	size_t count;
	bool fill; /* positions that a record lacks are empty fields */
	bool all;  /* fields are wanted */
	/* Where all that is wanted is among the first few fields: bit 0 is position 1. */
	uint32_t early;
	unsigned early_count; /* fields up to the last one wanted, 0: too many */
	/* within a record */
	enum csv_want want;
	size_t range;
	uint64_t position;
	size_t again; /* in the window: a record that begins here or later is worth a shorter way */
};

void csv_pick_start(struct csv_pick *pick, const struct csv_range *ranges, size_t count, bool fill);

/*
 * Writes from the window's byte `at` on. Returns where it stopped: index->end,
 * or before it where out has too little room, or at a byte that the format
 * cannot have (then *refused).
 */
size_t csv_pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in,
                       size_t at, struct csv_writer *writer, struct buffer *out, bool *refused);

/* The input ended within a record: so does that. False where out has too little room; call again. */
bool csv_pick_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out);

#endif
