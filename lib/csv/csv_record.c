#include "csv/csv_record.h"

#include "base/utf8.h"
#include "base/copy.h"

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

/* Add data to the field that is open; `readable` bytes can be read. Return false if it does not fit. */
static inline bool
put(struct csv_record *record, const unsigned char *from, size_t n, size_t readable)
{
	size_t space = record->size - record->used;

	if (n > space)
		return false;
	if (space >= 32 && readable >= 32)
		copy_bytes_32(record->bytes + record->used, from, n);
	else
		copy_bytes(record->bytes + record->used, from, n);
	record->used += n;
	return true;
}

bool
csv_record_end(struct csv_record *record)
{
	if (record->limit != 0 && record->count == record->limit)
		return true;
	if (record->count == record->capacity)
		return false;
	record->ends[record->count++] = record->used;
	return true;
}

static enum csv_taken
take(struct csv_record *record, const struct csv_index *index, const unsigned char *in, size_t *at)
{
	struct csv_cursor cursor = csv_cursor_at(index, *at);

	while (*at < index->end) {
		bool over = record->limit != 0 && record->count == record->limit;
		size_t stop = csv_cursor_next(&cursor, over ? CSV_STOP_RECORD : CSV_STOP_ANY);

		if (!over && !put(record, in + *at, stop - *at, index->end - *at))
			return CSV_TAKEN_FULL;
		*at = stop;
		if (stop == index->end)
			break;
		if (over || !csv_cursor_at_drop(&cursor)) {
			if (!csv_record_end(record))
				return CSV_TAKEN_FULL;
			if (csv_cursor_at_record(&cursor)) {
				*at = stop + 1;
				return CSV_TAKEN_RECORD;
			}
		}
		*at = stop + 1;
		if (in[stop] == '\n') { /* a skipped empty line: the record begins after it */
			record->line = 0;
			record->begin = *at;
		}
	}
	return CSV_TAKEN_WINDOW;
}

enum csv_taken
csv_record_take(struct csv_record *record, const struct csv_index *index, const unsigned char *in,
                size_t *at)
{
	enum csv_taken taken;

	if (*at >= index->end)
		return CSV_TAKEN_WINDOW;
	if (!record->begun) {
		record->begun = true;
		record->begin = *at;
	}
	taken = take(record, index, in, at);
	if (taken == CSV_TAKEN_WINDOW && record->line == 0 && record->begin == index->end)
		record->begun = false;
	else if (taken == CSV_TAKEN_WINDOW)
		record->line = csv_record_line(record, index);
	return taken;
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

/* Check all fields at once; then a field ends in a whole character if the next one begins with one. */
bool
csv_record_is_utf8(const struct csv_record *record)
{
	struct utf8 text = {0};

	if (utf8_check(&text, record->bytes, record->used) != record->used || !utf8_whole(&text))
		return false;
	for (size_t i = 0; i < record->count; i++)
		if (record->ends[i] < record->used && (record->bytes[record->ends[i]] & 0xc0) == 0x80)
			return false;
	return true;
}
