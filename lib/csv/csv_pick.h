/* Write selected fields while their record is read. The positions only increase. */
#ifndef FITTINGS_CSV_PICK_H
#define FITTINGS_CSV_PICK_H

#include "csv/csv.h"
#include "csv/csv_select.h"
#include "csv/csv_write.h"

enum csv_want {
	CSV_WANT_RECORD,  /* the next record */
	CSV_WANT_FIELD,   /* this field */
	CSV_WANT_REST,    /* the rest of this field */
	CSV_WANT_LATER,   /* a later field of the record */
	CSV_WANT_NO_MORE, /* no more fields of the record */
	CSV_WANT_MISSING, /* the record has ended: fields that it lacks */
};

struct csv_pick {
	const struct csv_range *ranges;
	size_t count;
	bool fill; /* write an empty field for a position that the record lacks */
	bool all;  /* all fields are wanted */
	/* If only some of the first fields are wanted: bit 0 is position 1. */
	uint32_t early;
	unsigned early_count; /* fields up to the last one that is wanted, 0: too many */
	/* within a record */
	enum csv_want want;
	size_t range;
	uint64_t position;
	size_t again; /* in the window: try the faster functions again for a record that begins here or later */
};

void csv_pick_start(struct csv_pick *pick, const struct csv_range *ranges, size_t count, bool fill);

/* Write the selected fields from the byte `at` of the window on. Return where it stopped: at index->end, earlier if
 * out has too little space, or, with *refused, at a byte that the format cannot write. */
size_t csv_pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in,
                       size_t at, struct csv_writer *writer, struct buffer *out, bool *refused);

/* The input ended within a record: end the record. Return false if out has too little space; call again. */
bool csv_pick_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out);

#endif
