#include "csv/csv_rows.h"

#include "csv/csv_blocks.h"

uint64_t
csv_index_line(const struct csv_index *index, size_t at)
{
	uint64_t line = index->line;

	for (size_t block = 0; block < at / 64; block++)
		line += csv_ones(index->marks[block].newline);
	if (at % 64 != 0)
		line += csv_ones(index->marks[at / 64].newline & csv_below(at % 64));
	return line;
}

void
csv_rows_skip_blank(struct csv *csv, struct csv_index *index)
{
	for (size_t at = 0; at < index->end; at += 64) {
		struct csv_marks *m = &index->marks[at / 64];
		size_t top = (index->end - at < 64 ? index->end - at : 64) - 1;
		uint64_t starts = m->record << 1 | csv->fresh;
		/* At the start of an empty line the dropped byte is the CR of a CRLF. */
		uint64_t crs = m->drop & starts, blank = m->record & (starts | crs << 1 | csv->fresh_cr);

		csv->fresh = m->record >> top & 1;
		csv->fresh_cr = crs >> top & 1;
		m->record &= ~blank;
		m->drop |= blank;
	}
}

/* Return the offset after the last of these marks before `end`, or 0 without a mark. */
static size_t
after_last(const struct csv_index *index, size_t end, uint64_t (*marks_of)(const struct csv_marks *marks))
{
	for (size_t block = (end + 63) / 64; block-- > 0;) {
		uint64_t found = marks_of(&index->marks[block]) & csv_below(end - 64 * block);

		if (found != 0)
			return 64 * block + csv_last_one(found) + 1;
	}
	return 0;
}

static uint64_t
field_ends(const struct csv_marks *marks)
{
	return marks->stop & ~marks->drop;
}

/* The LFs of skipped empty lines. */
static uint64_t
blank_ends(const struct csv_marks *marks)
{
	return marks->drop & marks->newline;
}

static uint64_t
before_fields(const struct csv_marks *marks)
{
	return field_ends(marks) | blank_ends(marks);
}

static uint64_t
newlines(const struct csv_marks *marks)
{
	return marks->newline;
}

/* Store where the last field begins, if it begins in this window. */
static void
field_keep(struct csv *csv, const struct csv_index *index)
{
	size_t begin = after_last(index, index->end, before_fields), line = after_last(index, begin, newlines);

	if (begin == 0)
		return;
	csv->field_line = csv_index_line(index, begin);
	csv->field_column = line == 0 ? csv->column + begin : begin - line + 1;
}

/* End the window and the scan before the end of a record. */
static void
window_cut(struct csv *csv, struct csv_index *index, size_t end)
{
	struct csv_marks *last = &index->marks[end / 64];
	uint64_t kept = csv_below(end % 64);

	last->stop &= kept;
	last->record &= kept;
	last->drop &= kept;
	last->newline &= kept;
	index->end = end;
	csv->line = csv_index_line(index, end);
	csv->quoted = csv->closed = false;
	csv->problem = CSV_UNEVEN;
}

/* A record ends. Return false if it has more or fewer fields than the first one. */
static bool
record_check(struct csv *csv)
{
	if (csv->width == 0)
		csv->width = csv->fields;
	return csv->fields == csv->width;
}

/* Count fields up to the end of the window, or of an uneven record. */
static void
records_check(struct csv *csv, struct csv_index *index)
{
	bool begins = csv->record_line == 0; /* the record begins in this window */
	size_t begin = 0;

	for (size_t at = 0; at < index->end; at += 64) {
		const struct csv_marks *m = &index->marks[at / 64];
		uint64_t ends = field_ends(m), blanks = blank_ends(m), through;

		for (uint64_t records = m->record | blanks; records != 0; records &= records - 1) {
			through = records ^ (records - 1);
			csv->fields += csv_ones(ends & through);
			if ((blanks & through) == 0 && !record_check(csv)) {
				csv->record_line = begins ? csv_index_line(index, begin) : csv->record_line;
				window_cut(csv, index, at + csv_first_one(records));
				return;
			}
			csv->fields = 0;
			begin = at + csv_first_one(records) + 1;
			begins = true;
			ends &= ~through;
			blanks &= ~through;
		}
		csv->fields += csv_ones(ends);
	}
	if (begins)
		csv->record_line = begin < index->end ? csv_index_line(index, begin) : 0;
}

void
csv_rows_check(struct csv *csv, struct csv_index *index)
{
	records_check(csv, index);
	field_keep(csv, index);
}
