#include "codec/csv_pick.h"

enum {
	PIECE_SHORT = 64,
	PICK_ROOM = CSV_WRITE_GROWTH * PIECE_SHORT + 4 * CSV_WRITE_ROOM, /* for a short piece and what ends a record */
};

/*
 * The walk is made twice, for any format and for lines alone. There all of its
 * state is in variables that no pointer reaches, so that it can stay in registers.
 */
#define ALWAYS __attribute__((always_inline))

/* What to do with the field at pick->position. */
ALWAYS static inline void
choose(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	while (pick->range < pick->count && pick->position > pick->ranges[pick->range].to)
		pick->range++;
	if (pick->range == pick->count) {
		pick->want = CSV_WANT_NO_MORE;
	} else if (pick->position < pick->ranges[pick->range].from) {
		pick->want = CSV_WANT_LATER;
	} else {
		pick->want = CSV_WANT_FIELD;
		csv_write_field(writer, out);
	}
}

ALWAYS static inline void
record_start(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	pick->range = 0;
	pick->position = 1;
	choose(pick, writer, out);
}

void
csv_pick_start(struct csv_pick *pick, const struct csv_range *ranges, size_t count, bool fill)
{
	*pick = (struct csv_pick){.ranges = ranges, .count = count, .fill = fill};
}

/* The fields that the record lacks, as many as there is room for. True when all are there. */
ALWAYS static inline bool
fill_missing(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	for (; pick->fill && pick->range < pick->count; pick->range++) {
		const struct csv_range *range = &pick->ranges[pick->range];

		if (range->to == UINT64_MAX)
			break;
		if (pick->position < range->from)
			pick->position = range->from;
		for (; pick->position <= range->to; pick->position++) {
			if (buffer_room(out) < 2 * CSV_WRITE_ROOM)
				return false;
			csv_write_field(writer, out);
			csv_write_field_end(writer, out);
		}
	}
	return true;
}

ALWAYS static inline void
record_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	if (!fill_missing(pick, writer, out))
		return;
	csv_write_record_end(writer, out);
	pick->want = CSV_WANT_RECORD;
}

ALWAYS static inline void
field_end(struct csv_pick *pick, bool ends_record, struct csv_writer *writer, struct buffer *out)
{
	if (pick->want == CSV_WANT_FIELD)
		csv_write_field_end(writer, out);
	pick->position++;
	if (ends_record) {
		pick->want = CSV_WANT_MISSING;
		record_end(pick, writer, out);
	} else {
		choose(pick, writer, out);
	}
}

/* Data up to a stop, as much as there is room for. Returns how much is done. */
ALWAYS static inline size_t
put_piece(struct csv_writer *writer, struct buffer *out, const unsigned char *data, size_t n, size_t readable,
          bool *refused)
{
	size_t fit = n <= PIECE_SHORT ? n : csv_write_fit(out), taken;

	if (n > fit)
		n = fit;
	taken = csv_write_data(writer, out, data, n, readable);
	*refused = taken < n;
	return taken;
}

ALWAYS static inline size_t
walk(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
     struct csv_writer *writer, struct buffer *out, bool *refused)
{
	struct csv_cursor cursor = csv_cursor_at(index, at);

	*refused = false;
	while (at < index->end && buffer_room(out) >= PICK_ROOM) {
		size_t stop;

		if (pick->want == CSV_WANT_RECORD)
			record_start(pick, writer, out);
		if (pick->want == CSV_WANT_FIELD) {
			stop = csv_cursor_next(&cursor, CSV_STOP_ANY);
			at += put_piece(writer, out, in + at, stop - at, index->end - at, refused);
			if (at < stop)
				break;
		} else if (pick->want == CSV_WANT_LATER) {
			stop = csv_cursor_next(&cursor, CSV_STOP_FIELD);
		} else if (pick->want == CSV_WANT_NO_MORE) {
			stop = csv_cursor_next(&cursor, CSV_STOP_RECORD);
		} else {
			record_end(pick, writer, out);
			continue;
		}
		at = stop;
		if (at == index->end)
			break;
		if (pick->want != CSV_WANT_FIELD || !csv_cursor_at_drop(&cursor))
			field_end(pick, csv_cursor_at_record(&cursor), writer, out);
		at++;
	}
	return at;
}

size_t
csv_pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
                struct csv_writer *writer, struct buffer *out, bool *refused)
{
	struct csv_writer lines = {.format = CSV_LINES};
	struct csv_pick mine = *pick;
	struct buffer to = *out;

	if (writer->format != CSV_LINES)
		return walk(pick, index, in, at, writer, out, refused);
	at = walk(&mine, index, in, at, &lines, &to, refused);
	*pick = mine;
	*out = to;
	return at;
}

bool
csv_pick_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	if (buffer_room(out) < PICK_ROOM)
		return false;
	if (pick->want == CSV_WANT_MISSING)
		record_end(pick, writer, out);
	else
		field_end(pick, true, writer, out);
	return pick->want == CSV_WANT_RECORD;
}
