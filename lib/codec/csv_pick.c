#include "codec/csv_pick.h"

enum { FIT_MIN = 256 };

/* What to do with the field at pick->position. */
static void
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

static void
record_start(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	pick->range = 0;
	pick->position = 1;
	choose(pick, writer, out);
}

void
csv_pick_start(struct csv_pick *pick, const struct csv_range *ranges, size_t count, bool fill,
               struct csv_writer *writer, struct buffer *out)
{
	*pick = (struct csv_pick){.ranges = ranges, .count = count, .fill = fill};
	record_start(pick, writer, out);
}

/* The fields that the record lacks, as many as there is room for. True when all are there. */
static bool
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

static void
record_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	if (!fill_missing(pick, writer, out))
		return;
	csv_write_record_end(writer, out);
	record_start(pick, writer, out);
}

static void
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

size_t
csv_pick_window(struct csv_pick *pick, const struct csv_index *index, const unsigned char *in, size_t at,
                struct csv_writer *writer, struct buffer *out, bool *refused)
{
	static const enum csv_stop stops[] = {
		[CSV_WANT_NO_MORE] = CSV_STOP_RECORD,
		[CSV_WANT_LATER] = CSV_STOP_FIELD,
		[CSV_WANT_FIELD] = CSV_STOP_ANY,
	};

	*refused = false;
	while (at < index->end) {
		size_t fit = csv_write_fit(out), stop;

		if (fit < FIT_MIN)
			break;
		if (pick->want == CSV_WANT_MISSING) {
			record_end(pick, writer, out);
			continue;
		}
		stop = csv_index_find(index, at, stops[pick->want]);
		if (pick->want == CSV_WANT_FIELD && stop > at) {
			size_t n = stop - at < fit ? stop - at : fit;
			size_t taken = csv_write_data(writer, out, in + at, n);

			at += taken;
			*refused = taken < n;
			if (*refused)
				return at;
			if (at < stop)
				continue;
		}
		at = stop;
		if (at == index->end)
			break;
		if (pick->want != CSV_WANT_FIELD || !csv_index_drops(index, at))
			field_end(pick, csv_index_ends_record(index, at), writer, out);
		at++;
	}
	return at;
}

bool
csv_pick_end(struct csv_pick *pick, struct csv_writer *writer, struct buffer *out)
{
	if (csv_write_fit(out) < FIT_MIN)
		return false;
	if (pick->want != CSV_WANT_MISSING)
		field_end(pick, true, writer, out);
	else
		record_end(pick, writer, out);
	return pick->want != CSV_WANT_MISSING;
}
