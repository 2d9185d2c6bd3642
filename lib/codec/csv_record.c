#include "codec/csv_record.h"

#include "ground/copy.h"

void
csv_record_clear(struct csv_record *record)
{
	record->used = 0;
	record->count = 0;
	record->begun = false;
	record->line = 0;
}

uint64_t
csv_record_line(const struct csv_record *record, const struct csv_index *index)
{
	return record->line != 0 ? record->line : csv_index_line(index, record->begin);
}

/* Data of the field that is open; false where it does not fit. */
static bool
put(struct csv_record *record, const unsigned char *from, size_t n)
{
	if (n > record->size - record->used)
		return false;
	copy_bytes(record->bytes + record->used, from, n);
	record->used += n;
	return true;
}

bool
csv_record_end(struct csv_record *record)
{
	if (record->limit != 0 && record->count == record->limit)
		return true;
	if (record->count == record->room)
		return false;
	record->ends[record->count++] = record->used;
	return true;
}

enum csv_taken
csv_record_take(struct csv_record *record, const struct csv_index *index, const unsigned char *in, size_t *at)
{
	if (!record->begun && *at < index->end) {
		record->begun = true;
		record->begin = *at;
	}
	while (*at < index->end) {
		bool over = record->limit != 0 && record->count == record->limit;
		size_t stop = csv_index_find(index, *at, over ? CSV_STOP_RECORD : CSV_STOP_ANY);

		if (!over && !put(record, in + *at, stop - *at))
			return CSV_TAKEN_FULL;
		*at = stop;
		if (stop == index->end)
			break;
		if (!csv_index_drops(index, stop)) {
			if (!csv_record_end(record))
				return CSV_TAKEN_FULL;
			if (csv_index_ends_record(index, stop)) {
				*at = stop + 1;
				return CSV_TAKEN_RECORD;
			}
		}
		*at = stop + 1;
	}
	record->line = csv_record_line(record, index);
	return CSV_TAKEN_WINDOW;
}

struct span
csv_record_field(const struct csv_record *record, int64_t position)
{
	size_t i = (size_t)position - 1, from;

	if (position < 1 || i >= record->count)
		return (struct span){"", 0};
	from = i == 0 ? 0 : record->ends[i - 1];
	return (struct span){(const char *)record->bytes + from, record->ends[i] - from};
}
