#include "csv/csv_pick.h"

enum {
	PIECE_SHORT = 64,
	/* For a short piece and the end of a record. */
	PICK_SPACE = CSV_WRITE_GROWTH * PIECE_SHORT + 4 * CSV_WRITE_SPACE,
	EARLY_MAX = 16,
	EARLY_SPACE = EARLY_MAX * PICK_SPACE,
	SIGHT = 64, /* bytes that a cursor sees */
	COPY_PAUSE = 256, /* bytes; a field that cannot be copied is rarely the only one */
};

/* The walk is compiled twice: for any format, and for lines. For lines all of its state is in variables without a
 * pointer to them, so that it stays in registers. */
#define ALWAYS __attribute__((always_inline))

/* Decide about the field at pick->position. */
ALWAYS static inline void
choose(struct csv_pick *pick)
{
	while (pick->range < pick->count && pick->position > pick->ranges[pick->range].to)
		pick->range++;
	if (pick->range == pick->count)
		pick->want = CSV_WANT_NO_MORE;
	else
		pick->want = pick->position < pick->ranges[pick->range].from ? CSV_WANT_LATER : CSV_WANT_FIELD;
}

ALWAYS static inline void
record_start(struct csv_pick *pick)
{
	pick->range = 0;
	pick->position = 1;
	choose(pick);
}

void
csv_pick_start(struct csv_pick *pick, const struct csv_range *ranges, size_t count, bool fill)
{
	*pick = (struct csv_pick){.ranges = ranges, .count = count, .fill = fill};
	pick->all = count == 1 && ranges[0].from == 1 && ranges[0].to == UINT64_MAX;
	if (count == 0 || ranges[count - 1].to > EARLY_MAX)
		return;
	pick->early_count = (unsigned)ranges[count - 1].to;
	for (size_t i = 0; i < count; i++)
		for (uint64_t k = ranges[i].from; k <= ranges[i].to; k++)
			pick->early |= (uint32_t)1 << (k - 1);
}

/* Return the ends of the first `count` fields, and the last of them in *last. All must be in sight and have bytes
 * to drop only at their beginnings and ends, and only the last one may end the record; otherwise return 0. */
ALWAYS static inline uint64_t
early_ends(const struct csv_cursor *cursor, unsigned count, uint64_t *last)
{
	uint64_t ends = cursor->stop & ~cursor->drop, rest = ends, inner;

	for (unsigned k = 1; k < count; k++)
		rest &= rest - 1;
	*last = rest & (0 - rest);
	ends ^= rest & (rest - 1);
	inner = cursor->drop & ~(ends << 1 | 1) & ~(ends >> 1);
	return *last == 0 || ((inner | (cursor->record & ends)) & (*last - 1)) != 0 ? 0 : ends;
}

/* Return the byte after the end of the record, if the cursor or the next one sees it; otherwise 0. */
ALWAYS static inline size_t
record_end_near(struct csv_cursor *cursor, uint64_t last)
{
	uint64_t here = cursor->record & (0 - last), next;
	size_t base = cursor->base;

	csv_cursor_move(cursor, base + SIGHT);
	next = cursor->record;
	if ((here | next) == 0)
		return 0;
	return base + 1 + (size_t)(here != 0 ? __builtin_ctzll(here) : SIGHT + __builtin_ctzll(next));
}

/* Write fields of simple records of which only some of the first fields are wanted, with few branches that depend
 * on the data. Return where it stopped: before a record, and before the end of the window. */
ALWAYS static inline size_t
run_early(const struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
          struct csv_writer *writer, struct buffer *out, bool *refused)
{
	while (at + 3 * SIGHT <= index->end && buffer_space(out) >= EARLY_SPACE) {
		struct csv_cursor cursor = csv_cursor_at(index, at);
		uint64_t last, ends = early_ends(&cursor, pick->early_count, &last), drop = cursor.drop;
		size_t from = 0, end;

		if (ends == 0 || (end = record_end_near(&cursor, last)) == 0)
			break;
		for (uint32_t wanted = pick->early; ends != 0; wanted >>= 1, ends &= ends - 1) {
			size_t stop = (size_t)__builtin_ctzll(ends), n;

			if ((wanted & 1) != 0) {
				from += (size_t)(drop >> from & 1);
				n = stop - from - (stop != from ? (size_t)(drop >> (stop - 1) & 1) : 0);
				*refused = csv_write_whole(writer, out, in + at + from, n, SIGHT) < n;
				if (*refused)
					return at + from;
			}
			from = stop + 1;
		}
		csv_write_record_end(writer, out);
		at = end;
	}
	return at;
}

/* Copy fields that need no change. Return where it stopped, before the end of the window. */
ALWAYS static inline size_t
run_copied(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
           struct csv_writer *writer, struct buffer *out)
{
	size_t written, space = buffer_space(out) - PICK_SPACE;
	size_t end = csv_copy(index, in, at, buffer_tail(out), space, &written);

	buffer_grow(out, written);
	pick->again = end + COPY_PAUSE;
	if (end != at && in[end - 1] != '\n') {
		/* The record continues; the next field writes its own delimiter. */
		out->end--;
		writer->fields = 1;
		record_start(pick);
	}
	return end;
}

/* Write simple records by a faster function, if there is one. Return where it stopped. */
ALWAYS static inline size_t
run(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
    struct csv_writer *writer, struct buffer *out, bool *refused)
{
	bool copies = writer->format == CSV_CSV && pick->all && writer->delimiter == index->csv->dialect.delimiter;

	pick->again = copies || pick->early_count != 0 ? at : index->end;
	if (pick->want != CSV_WANT_RECORD)
		return at;
	/* Not for the very first field: a byte order mark in it needs quotes. */
	if (copies && writer->begun)
		return run_copied(pick, index, in, at, writer, out);
	return pick->early_count == 0 ? at : run_early(pick, index, in, at, writer, out, refused);
}

/* Write the fields that the record lacks. Return false if there is too little space. */
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
			if (buffer_space(out) < 2 * CSV_WRITE_SPACE)
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

/* A field has ended, and is written if it was wanted. */
ALWAYS static inline void
field_pass(struct csv_pick *pick, bool ends_record, struct csv_writer *writer, struct buffer *out)
{
	pick->position++;
	if (ends_record) {
		pick->want = CSV_WANT_MISSING;
		record_end(pick, writer, out);
	} else {
		choose(pick);
	}
}

/* Write as much of the data of a field as fits. Return the size. */
ALWAYS static inline size_t
put_part(struct csv_pick *pick, const unsigned char *data, size_t n, size_t readable,
         struct csv_writer *writer, struct buffer *out, bool *refused)
{
	size_t fit = csv_write_fit(out), part = n < fit ? n : fit, taken;

	if (pick->want == CSV_WANT_FIELD)
		csv_write_field(writer, out);
	pick->want = CSV_WANT_REST;
	taken = csv_write_data(writer, out, data, part, readable);
	*refused = taken < part;
	return taken;
}

/* Write a wanted field, or the part of it up to a byte to drop. Return where it stopped. */
ALWAYS static inline size_t
put_field(struct csv_pick *pick, struct csv_cursor *cursor, const unsigned char *in, size_t at,
          struct csv_writer *writer, struct buffer *out, bool *refused)
{
	size_t end = cursor->index->end, stop = csv_cursor_next(cursor, CSV_STOP_ANY), n = stop - at, taken;
	bool drops = stop < end && csv_cursor_at_drop(cursor);

	if (drops && n == 0)
		return stop + 1;
	if (drops && csv_cursor_end_follows(cursor)) {
		stop = csv_cursor_next(cursor, CSV_STOP_ANY);
		drops = false;
	}
	if (!drops && stop < end && pick->want == CSV_WANT_FIELD && n <= PIECE_SHORT) {
		taken = csv_write_whole(writer, out, in + at, n, end - at);
		*refused = taken < n;
	} else {
		taken = put_part(pick, in + at, n, end - at, writer, out, refused);
		if (taken == n && !drops && stop < end)
			csv_write_field_end(writer, out);
	}
	if (taken < n) {
		csv_cursor_move(cursor, at + taken);
		return at + taken;
	}
	if (stop == end)
		return end;
	if (!drops)
		field_pass(pick, csv_cursor_at_record(cursor), writer, out);
	return stop + 1;
}

/* Skip an unwanted field, or the rest of the record. Return where it stopped. */
ALWAYS static inline size_t
skip(struct csv_pick *pick, struct csv_cursor *cursor, struct csv_writer *writer, struct buffer *out)
{
	size_t end = cursor->index->end;
	size_t stop = pick->want == CSV_WANT_LATER ? csv_cursor_next(cursor, CSV_STOP_FIELD)
	                                           : csv_cursor_next(cursor, CSV_STOP_RECORD);

	if (stop == end)
		return end;
	field_pass(pick, csv_cursor_at_record(cursor), writer, out);
	return stop + 1;
}

/* Write fields one by one, until a faster function is worth another try, or the window or the space ends. */
ALWAYS static inline size_t
walk(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
     struct csv_writer *writer, struct buffer *out, bool *refused)
{
	struct csv_cursor cursor = csv_cursor_at(index, at);

	do {
		if (pick->want == CSV_WANT_RECORD)
			record_start(pick);
		if (pick->want == CSV_WANT_FIELD || pick->want == CSV_WANT_REST)
			at = put_field(pick, &cursor, in, at, writer, out, refused);
		else
			at = skip(pick, &cursor, writer, out);
	} while (at < index->end && buffer_space(out) >= PICK_SPACE && !*refused
	         && (pick->want != CSV_WANT_RECORD || at < pick->again));
	return at;
}

ALWAYS static inline size_t
pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
            struct csv_writer *writer, struct buffer *out, bool *refused)
{
	if (pick->want == CSV_WANT_MISSING) {
		record_end(pick, writer, out);
		at++;
	}
	while (at < index->end && buffer_space(out) >= PICK_SPACE && !*refused) {
		at = run(pick, index, in, at, writer, out, refused);
		if (!*refused)
			at = walk(pick, index, in, at, writer, out, refused);
	}
	/* Do not use the last byte of a record that still lacks fields: the caller would regard the window as used. */
	return at - (pick->want == CSV_WANT_MISSING);
}

size_t
csv_pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
                struct csv_writer *writer, struct buffer *out, bool *refused)
{
	struct csv_writer lines = {.format = CSV_LINES};
	struct csv_pick local = *pick;
	struct buffer to = *out;

	*refused = false;
	if (writer->format != CSV_LINES)
		return pick_window(pick, index, in, at, writer, out, refused);
	at = pick_window(&local, index, in, at, &lines, &to, refused);
	*pick = local;
	*out = to;
	return at;
}

bool
csv_pick_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	if (buffer_space(out) < PICK_SPACE)
		return false;
	if (pick->want == CSV_WANT_FIELD)
		csv_write_field(writer, out);
	if (pick->want == CSV_WANT_FIELD || pick->want == CSV_WANT_REST)
		csv_write_field_end(writer, out);
	if (pick->want == CSV_WANT_MISSING)
		record_end(pick, writer, out);
	else
		field_pass(pick, true, writer, out);
	return pick->want == CSV_WANT_RECORD;
}
