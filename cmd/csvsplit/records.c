/* Records that csvsplit holds completely, including the header, and its output. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "sys/stream.h"
#include "job.h"

enum {
	RECORD_FIRST = 64 * 1024, /* bytes of the first allocation for a record */
	FIELD_COST = 8,           /* bytes that --max-record counts for each field of a record */
	FIT_MIN = 4096,           /* bytes of data for which out_reserve() makes space */
};

void *
storage(void *old, size_t count, size_t size)
{
	void *grown = reallocarray(old, count, size);

	if (grown == NULL)
		die(STATUS_FAILED, "no memory for a record: %s", strerror(errno));
	return grown;
}

void
out_flush(struct job *job, bool all)
{
	size_t n = buffer_held(&job->out) - (all ? 0 : job->writer.held);

	if (stream_write(STDOUT_FILENO, buffer_head(&job->out), n) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	buffer_take(&job->out, n);
	buffer_pack(&job->out);
}

void
out_reserve(struct job *job)
{
	if (buffer_space(&job->out) < FIT_MIN * CSV_WRITE_GROWTH + CSV_WRITE_SPACE)
		out_flush(job, false);
}

void
line_die(struct job *job, uint64_t line, const char *why)
{
	out_flush(job, job->writer.format != CSV_NUL);
	die(STATUS_FAILED, "%s: line %" PRIu64 ": %s", quoted(job->name), line, why);
}

void
nul_die(struct job *job, uint64_t line)
{
	line_die(job, line, "NUL in a field, which --format nul cannot write");
}

/* Write data of a held field in pieces. There is space for FIT_MIN bytes before and after. */
static void
data_put(struct job *job, struct span data, const struct csv_record *record)
{
	const unsigned char *at = (const unsigned char *)data.at;
	size_t left = data.size, readable = csv_record_readable(record, data);

	while (left > 0) {
		size_t n = left <= FIT_MIN ? left : csv_write_cut(at, left, FIT_MIN);

		if (csv_write_data(&job->writer, &job->out, at, n, readable) < n)
			nul_die(job, csv_record_line(record, &job->index));
		at += n;
		left -= n;
		readable -= n;
		out_reserve(job);
	}
}

static void
field_put(struct job *job, struct span data, const struct csv_record *record)
{
	const unsigned char *at = (const unsigned char *)data.at;

	if (data.size > FIT_MIN) {
		csv_write_field(&job->writer, &job->out);
		data_put(job, data, record);
		csv_write_field_end(&job->writer, &job->out);
	} else if (csv_write_whole(&job->writer, &job->out, at, data.size, csv_record_readable(record, data))
	           < data.size) {
		nul_die(job, csv_record_line(record, &job->index));
	}
}

/* Write a field's key: its name, or its number if the header has no name for it (~5: from the end). */
static void
key_put(struct job *job, int64_t position)
{
	char number[64];
	struct strbuf text = {.at = number, .capacity = sizeof number};
	struct span key = csv_record_field(&job->keys, position);

	if (position < 1 || (uint64_t)position > job->keys.count) {
		bool before = position < 1;
		uint64_t shown = (uint64_t)(before ? (int64_t)job->record.count + 1 - position : position);

		csv_key_put(&text, shown, before, job->numbers, job->number_count);
		key = (struct span){number, text.size};
	}
	csv_write_key(&job->writer, &job->out);
	data_put(job, key, &job->keys);
	csv_write_key_end(&job->writer, &job->out);
}

/* JSON is written only after its whole record is known to be UTF-8. */
static void
utf8_need(struct job *job, const struct csv_record *record, bool is_utf8)
{
	if (!is_utf8)
		line_die(job, csv_record_line(record, &job->index),
		    "not UTF-8, which JSON requires (--replace writes U+FFFD)");
}

/* Write the selected fields of a held record. */
static void
record_put(struct job *job, const struct csv_record *record)
{
	struct csv_walk walk = {0};
	int64_t position;

	if (job->writer.format == CSV_JSON && !job->writer.replace)
		utf8_need(job, record, csv_select_is_utf8(&job->select, record));
	while (csv_select_next(&job->select, &walk, record->count, &position)) {
		out_reserve(job);
		if (job->writer.keyed)
			key_put(job, position);
		field_put(job, csv_record_field(record, position), record);
	}
	out_reserve(job);
	csv_write_record_end(&job->writer, &job->out);
}

static void
record_refuse(struct job *job, const struct csv_record *record)
{
	char why[80];

	(void)snprintf(why, sizeof why, "record is larger than %" PRIu64 " bytes (--max-record)", job->record_max);
	line_die(job, csv_record_line(record, &job->index), why);
}

/* Check --max-record, which limits a record's bytes, the ends of its fields and `more`. */
static void
record_need_small(struct job *job, const struct csv_record *record, uint64_t more)
{
	if (record->used + (uint64_t)record->count * FIELD_COST + more > job->record_max)
		record_refuse(job, record);
}

/* Return twice the capacity, at most `most`. If the capacity is `most` already, the record is too large. */
static size_t
capacity_double(struct job *job, const struct csv_record *record, size_t capacity, size_t first, uint64_t most)
{
	size_t wanted = capacity == 0 ? first : 2 * capacity;

	if (capacity >= most)
		record_refuse(job, record);
	return wanted < most ? wanted : (size_t)most;
}

/* Enlarge the allocation that is full. Both allocations are limited to the largest allowed record. */
static void
record_grow(struct job *job, struct csv_record *record)
{
	const uint64_t most = job->record_max;

	if (record->count == record->capacity) {
		record->capacity = capacity_double(job, record, record->capacity, RECORD_FIRST / FIELD_COST,
		    most / FIELD_COST);
		record->ends = storage(record->ends, record->capacity, sizeof *record->ends);
	} else {
		record->size = capacity_double(job, record, record->size, RECORD_FIRST, most);
		record->bytes = storage(record->bytes, record->size, 1);
	}
}

void
stage_choose(struct job *job)
{
	bool all = job->select.complement && job->select.count == 0;
	long count;

	job->record.limit = csv_select_limit(&job->select);
	job->stage = STAGE_HOLD;
	if (job->writer.format == CSV_JSON)
		return;
	count = csv_select_ranges(&job->select, job->ranges);
	if (count < 0)
		return;
	/* csv_flatten() does not know where records end, and does not undo escapes. */
	if (job->dialect.even || job->dialect.skip_blank || job->dialect.escapes == CSV_ESCAPES_TSV)
		all = false;
	job->stage = all && job->writer.format <= CSV_NUL ? STAGE_FLATTEN : STAGE_PICK;
	csv_pick_start(&job->pick, job->ranges, (size_t)count, !job->select.complement);
}

static void
names_find(struct job *job)
{
	char text[256];
	struct strbuf why = {.at = text, .capacity = sizeof text};

	if (csv_header_resolve(job->items, job->select.count, &job->keys, &job->csv, &why))
		return;
	out_flush(job, true);
	die(STATUS_FAILED, "%s: %s", quoted(job->name), quoted_bytes(text, why.size));
}

/* The header of the first file is the header of the output: later files must have the same names. */
static void
header_compare(struct job *job)
{
	if (job->first_name == NULL) {
		job->first_name = job->name;
		job->first_keys = job->keys;
		job->keys = (struct csv_record){0};
		job->first_select = job->select;
		if (job->select.count != 0)
			job->first_select.items = memcpy(storage(NULL, job->select.count, sizeof *job->items), job->items,
			    job->select.count * sizeof *job->items);
	} else if (!csv_select_same_names(&job->first_select, &job->first_keys, &job->select, &job->keys)) {
		out_flush(job, true);
		die(STATUS_FAILED, "%s: header differs from that of %s (-f NAME,... selects fields by name)",
		    quoted(job->name), quoted(job->first_name));
	}
}

/* Prepare the header's names as keys of JSON. */
static void
keys_prepare(struct job *job)
{
	size_t count = csv_numbers_count(&job->keys);

	record_need_small(job, &job->keys, count * sizeof *job->numbers);
	if (!job->writer.replace)
		utf8_need(job, &job->keys, csv_record_is_utf8(&job->keys));
	job->numbers = storage(job->numbers, count + 1, sizeof *job->numbers);
	job->number_count = csv_numbers_find(&job->keys, job->numbers);
}

/* The header is complete: resolve names, and write it if the format has a header. */
static void
header_take(struct job *job)
{
	enum csv_format format = job->writer.format;

	names_find(job);
	if ((format == CSV_CSV || format == CSV_TSV) && job->first_name == NULL && !job->headerless)
		record_put(job, &job->keys);
	if (format == CSV_JSON)
		keys_prepare(job);
	else
		header_compare(job);
	stage_choose(job);
}

void
record_take(struct job *job, const unsigned char *in, size_t *at)
{
	bool header = job->stage == STAGE_HEADER;
	struct csv_record *record = header ? &job->keys : &job->record;

	switch (csv_record_take(record, &job->index, in, at)) {
	case CSV_TAKEN_FULL:
		record_grow(job, record);
		break;
	case CSV_TAKEN_RECORD:
		record_need_small(job, record, 0);
		if (header) {
			header_take(job);
		} else {
			record_put(job, record);
			csv_record_clear(record);
		}
		break;
	case CSV_TAKEN_WINDOW:
		record_need_small(job, record, 0);
		break;
	}
}

/* After a failed read(), half a header is not used, and in JSON no record that ends in half a character. */
static bool
is_incomplete(const struct job *job, const struct csv_record *record)
{
	if (!job->cut_short)
		return false;
	return job->stage == STAGE_HEADER
	       || (job->writer.format == CSV_JSON && !job->writer.replace && !csv_record_is_utf8(record));
}

void
record_take_end(struct job *job)
{
	struct csv_record *record = job->stage == STAGE_HEADER ? &job->keys : &job->record;

	while (!csv_record_end(record))
		record_grow(job, record);
	record_need_small(job, record, 0);
	if (is_incomplete(job, record))
		return;
	if (job->stage == STAGE_HEADER)
		header_take(job);
	else
		record_put(job, record);
}
