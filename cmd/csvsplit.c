/* csvsplit: CSV to fields. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csv/csv.h"
#include "csv/csv_header.h"
#include "csv/csv_pick.h"
#include "csv/csv_record.h"
#include "csv/csv_select.h"
#include "csv/csv_write.h"
#include "base/buffer.h"
#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/fds.h"
#include "sys/meter.h"
#include "sys/stream.h"

enum {
	IN_SIZE = 128 * 1024,
	OUT_SIZE = 256 * 1024,
	RECORD_FIRST = 64 * 1024, /* a held record's first storage */
	RECORD_MAX = 64 << 20,
	FIELD_COST = 8,           /* of a held record, beside its bytes */
	FIT_MIN = 4096,           /* data bytes that there is always room for */
};

enum key { KEY_HEADERLESS = OPTION_LONG, KEY_REPLACE, KEY_MAX_RECORD, KEY_PROGRESS };

static const struct option_row rows[] = {
	{'I', "input", "FORMAT", "csv, or tsv as -O tsv writes it (csv)"},
	{'B', "skip-blank", NULL, "pass over records of an empty line"},
	{'H', "header", NULL, "the first record of each file is its header"},
	{'Q', "no-quotes", NULL, "no quoting at all: split at each delimiter"},
	{'S', "strict", NULL, "refuse what only lenient readers take"},
	{'x', "complement", NULL, "with -f: all fields but these"},
	{'d', "delimiter", "CHAR", "one byte, also \\t, \\0, \\xHH (,)"},
	{'q', "quote", "CHAR", "one byte, as -d (\")"},
	{'e', "escape", "CHAR", "the byte after it is data (none)"},
	{'f', "fields", "LIST", "positions (1,3-5,-2,7-,~1) and header names"},
	{'O', "format", "FORMAT", "lines, nul, tsv, csv or json (lines)"},
	{'D', "output-delimiter", "CHAR", "with -O csv: between fields (,)"},
	{KEY_HEADERLESS, "headerless", NULL, "csv and tsv without the header"},
	{KEY_REPLACE, "replace", NULL, "with -O json: U+FFFD for what is no UTF-8"},
	{KEY_MAX_RECORD, "max-record", "SIZE", "limit for a record that must be held (64M)"},
	{KEY_PROGRESS, "progress", NULL, "say on stderr how far it is, each second"},
};

static const struct usage usage = {
	.program = "csvsplit",
	.synopsis = "[option...] [file...]",
	.summary = "Splits CSV from files or stdin into fields, one per line or in an exact format.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

/* What becomes of the input. */
enum stage {
	STAGE_HEADER,  /* the header is held */
	STAGE_FLATTEN, /* every field, by the vectors' shortest way */
	STAGE_PICK,    /* fields go out while their record streams by */
	STAGE_HOLD,    /* each record is held whole first */
};

struct job {
	/* what was asked for */
	struct csv_dialect dialect;
	enum csv_path path;
	bool header;
	bool headerless;
	bool named;
	char *list; /* the texts of items */
	struct csv_item *items;
	struct csv_select select;
	uint64_t record_max;
	bool progress;
	struct meter meter;
	/* what is being done */
	const char *name; /* of the file */
	int fd;
	bool never_waits;
	bool cut_short; /* its end could not be read */
	bool bare_cr;   /* the file is one record so far, with a CR that ends nothing */
	enum stage stage;
	int status;
	struct csv csv;
	struct csv_index index;
	struct csv_range *ranges;
	struct csv_pick pick;
	struct csv_record keys; /* the file's header */
	struct csv_number *numbers; /* among the keys */
	size_t number_count;
	const char *first_name; /* the file whose header came first, with that and what it selects */
	struct csv_record first_keys;
	struct csv_select first_select;
	struct csv_record record;
	struct csv_writer writer;
	struct buffer in;
	struct buffer out;
};

static void *
storage(void *old, size_t count, size_t size)
{
	void *grown = reallocarray(old, count, size);

	if (grown == NULL)
		die(STATUS_FAILED, "no memory for a record: %s", strerror(errno));
	return grown;
}

/*
 * Writes what is ready. What its field may still change stays, but for `all`.
 */
static void
out_flush(struct job *job, bool all)
{
	size_t n = buffer_held(&job->out) - (all ? 0 : job->writer.held);

	if (stream_write(STDOUT_FILENO, buffer_head(&job->out), n) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	buffer_take(&job->out, n);
	buffer_pack(&job->out);
}

static inline void
out_reserve(struct job *job)
{
	if (buffer_room(&job->out) < FIT_MIN * CSV_WRITE_GROWTH + CSV_WRITE_ROOM)
		out_flush(job, false);
}

/* Of a file that the others go on without. */
static void
file_warn(struct job *job, const char *why)
{
	warn("%s: %s", quoted(job->name), why);
	job->status = STATUS_FAILED;
}

/* What is wrong with a byte: all that came before it is delivered. */
static _Noreturn void
byte_die(struct job *job)
{
	const struct csv *csv = &job->csv;
	char begins[80] = "";

	if (csv->problem == CSV_QUOTE_IN_FIELD || csv->problem == CSV_TEXT_AFTER_QUOTE)
		(void)snprintf(begins, sizeof begins, " (the field begins at %" PRIu64 ":%" PRIu64 ")", csv->field_line,
		    csv->field_column);
	out_flush(job, job->writer.format != CSV_NUL);
	die(STATUS_FAILED, "%s: %" PRIu64 ":%" PRIu64 ": %s%s", quoted(job->name), csv->line, csv->column,
	    csv_problem_text(csv), begins);
}

/* What is wrong with a line: all that came before it is delivered. */
static _Noreturn void
line_die(struct job *job, uint64_t line, const char *why)
{
	out_flush(job, job->writer.format != CSV_NUL);
	die(STATUS_FAILED, "%s: line %" PRIu64 ": %s", quoted(job->name), line, why);
}

static _Noreturn void
uneven_die(struct job *job)
{
	const struct csv *csv = &job->csv;
	char why[96];

	(void)snprintf(why, sizeof why, "%" PRIu64 " field%s, but %" PRIu64 " in the first record", csv->fields,
	    csv->fields == 1 ? "" : "s", csv->width);
	line_die(job, csv->record_line, why);
}

static const char nul_refused[] = "NUL in a field, which NUL-terminated output cannot have";

/*
 * Held records
 */

/* Data of a held field: there is room for FIT_MIN bytes, and again when it is done. */
static void
data_put(struct job *job, struct span data, const struct csv_record *record)
{
	const unsigned char *at = (const unsigned char *)data.at;
	size_t left = data.size, readable = csv_record_readable(record, data);

	while (left > 0) {
		size_t n = left <= FIT_MIN ? left : csv_write_cut(at, left, FIT_MIN);

		if (csv_write_data(&job->writer, &job->out, at, n, readable) < n)
			line_die(job, csv_record_line(record, &job->index), nul_refused);
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
		line_die(job, csv_record_line(record, &job->index), nul_refused);
	}
}

/* A field's key is its name, or if the header has none its number (~5: from the end). */
static void
key_put(struct job *job, int64_t position)
{
	char number[64];
	struct strbuf text = {.at = number, .room = sizeof number};
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

/* JSON goes out only once all of its record is known to be good. */
static void
utf8_need(struct job *job, const struct csv_record *record, bool is_utf8)
{
	if (!is_utf8)
		line_die(job, csv_record_line(record, &job->index),
		    "not UTF-8, which JSON must be (--replace puts U+FFFD)");
}

/* The selected fields of a record that is held. */
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

	(void)snprintf(why, sizeof why, "record of more than %" PRIu64 " bytes (--max-record)", job->record_max);
	line_die(job, csv_record_line(record, &job->index), why);
}

/* Its bytes, where its fields end, and what is made of them: what --max-record limits. */
static void
record_need_small(struct job *job, const struct csv_record *record, uint64_t more)
{
	if (record->used + (uint64_t)record->count * FIELD_COST + more > job->record_max)
		record_refuse(job, record);
}

/* Twice the storage; where `most` keeps it from becoming more, the record is too large. */
static size_t
room_double(struct job *job, const struct csv_record *record, size_t room, size_t first, uint64_t most)
{
	size_t wanted = room == 0 ? first : 2 * room;

	if (room >= most)
		record_refuse(job, record);
	return wanted < most ? wanted : (size_t)most;
}

/* Neither storage ever has room for more than the limit lets the record have. */
static void
record_grow(struct job *job, struct csv_record *record)
{
	const uint64_t most = job->record_max;

	if (record->count == record->room) {
		record->room = room_double(job, record, record->room, RECORD_FIRST / FIELD_COST, most / FIELD_COST);
		record->ends = storage(record->ends, record->room, sizeof *record->ends);
	} else {
		record->size = room_double(job, record, record->size, RECORD_FIRST, most);
		record->bytes = storage(record->bytes, record->size, 1);
	}
}

/*
 * Stages
 */

/* Where records go from here on, now that all names are positions. */
static void
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
	/* Flattening knows no records, and does not undo escapes. */
	if (job->dialect.even || job->dialect.skip_blank || job->dialect.escapes == CSV_ESCAPES_TSV)
		all = false;
	job->stage = all && job->writer.format <= CSV_NUL ? STAGE_FLATTEN : STAGE_PICK;
	csv_pick_start(&job->pick, job->ranges, (size_t)count, !job->select.complement);
}

static void
names_find(struct job *job)
{
	char text[256];
	struct strbuf why = {.at = text, .room = sizeof text};

	if (csv_header_resolve(job->items, job->select.count, &job->keys, &job->csv, &why))
		return;
	out_flush(job, true);
	die(STATUS_FAILED, "%s: %s", quoted(job->name), quoted_bytes(text, why.size));
}

/* Records of later files stand under the first file's header. */
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
		die(STATUS_FAILED, "%s: the header differs from that of %s (-f NAME,... takes fields by name)", quoted(job->name),
		    quoted(job->first_name));
	}
}

/* JSON has the header as keys. */
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

/* The header is whole: it names the fields, and goes out first if the format has a place for it. */
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

static void
hold_record(struct job *job, const unsigned char *in, size_t *at)
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

static void
walk_window(struct job *job, const unsigned char *in)
{
	size_t at = 0;
	bool refused = false;

	while (at < job->index.end) {
		out_reserve(job);
		if (job->stage == STAGE_HEADER || job->stage == STAGE_HOLD)
			hold_record(job, in, &at);
		else
			at = csv_pick_window(&job->pick, &job->index, in, at, &job->writer, &job->out, &refused);
		if (refused)
			line_die(job, csv_index_line(&job->index, at), nul_refused);
	}
}

static size_t
flatten(struct job *job, bool last)
{
	size_t n = buffer_held(&job->in), written, used;

	if (buffer_room(&job->out) < n + CSV_SLACK)
		out_flush(job, false);
	used = csv_flatten(&job->csv, buffer_head(&job->in), n, last,
	    job->writer.format == CSV_NUL ? '\0' : '\n', buffer_tail(&job->out), &written);
	buffer_grow(&job->out, written);
	if (job->writer.format == CSV_NUL)
		csv_write_hold_tail(&job->writer, &job->out, written);
	return used;
}

/* If there is a problem. */
static void
problem_die(struct job *job)
{
	switch (job->csv.problem) {
	case CSV_FINE:
		return;
	case CSV_NUL_IN_FIELD:
		line_die(job, job->csv.line, nul_refused);
	case CSV_UNEVEN:
		uneven_die(job);
	default:
		byte_die(job);
	}
}

/* All of the input that there is by now. */
static void
scan(struct job *job, bool last)
{
	size_t used;

	/* The last call does not count: a CR at the very end of the input is no sign. */
	job->bare_cr = job->csv.bare_cr;

	do {
		if (job->stage == STAGE_FLATTEN) {
			used = flatten(job, last);
		} else {
			unsigned char *in = buffer_head(&job->in);

			used = csv_index_make(&job->csv, in, buffer_held(&job->in), last, &job->index);
			if (job->dialect.escapes == CSV_ESCAPES_TSV)
				csv_unescape(&job->index, in);
			walk_window(job, in);
		}
		buffer_take(&job->in, used);
	} while (used != 0);
	if (job->cut_short) { /* what is left hangs on a byte that did not come */
		buffer_take(&job->in, buffer_held(&job->in));
		return;
	}
	problem_die(job);
}

/* What cannot be used where reading was cut short: half a header, and for JSON half a character. */
static bool
is_scrap(const struct job *job, const struct csv_record *record)
{
	if (!job->cut_short)
		return false;
	return job->stage == STAGE_HEADER
	       || (job->writer.format == CSV_JSON && !job->writer.replace && !csv_record_is_utf8(record));
}

/* The input ended within a record that is held. */
static void
hold_end(struct job *job)
{
	struct csv_record *record = job->stage == STAGE_HEADER ? &job->keys : &job->record;

	while (!csv_record_end(record))
		record_grow(job, record);
	record_need_small(job, record, 0);
	if (is_scrap(job, record))
		return;
	if (job->stage == STAGE_HEADER)
		header_take(job);
	else
		record_put(job, record);
}

/* A file whose records end at CR alone is one record, in which the others are data. */
static void
cr_complain(struct job *job)
{
	if (job->csv.alone && (job->header ? job->csv.bare_cr : job->bare_cr) && !job->cut_short)
		file_warn(job, "CR alone does not end a record (tr '\\r' '\\n')");
}

/* The input ended, perhaps within a record. */
static void
scan_end(struct job *job)
{
	if (!job->csv.open) {
		if (job->stage == STAGE_HEADER && job->named && !job->cut_short)
			file_warn(job, "no header");
		return;
	}
	if (!job->cut_short && !csv_unclosed(&job->csv) && csv_end_is_uneven(&job->csv))
		uneven_die(job);
	out_reserve(job);
	switch (job->stage) {
	case STAGE_FLATTEN:
		csv_write_field_end(&job->writer, &job->out);
		break;
	case STAGE_PICK:
		while (!csv_pick_end(&job->pick, &job->writer, &job->out))
			out_flush(job, false);
		break;
	default:
		hold_end(job);
	}
	if (csv_unclosed(&job->csv) && !job->cut_short) {
		out_flush(job, true);
		line_die(job, job->csv.quote_line, "quote never closed");
	}
}

/*
 * Files
 */

static void
progress_say(struct job *job, bool last)
{
	char line[128];

	if (!job->progress || !meter_read(&job->meter, last, line, sizeof line))
		return;
	if (isatty(STDERR_FILENO))
		(void)dprintf(STDERR_FILENO, "\r%s: %s\x1b[K%s", usage.program, line, last ? "\n" : "");
	else
		warn("%s", line);
}

static void
file_split(struct job *job)
{
	ssize_t n;

	job->cut_short = false;
	csv_start(&job->csv, &job->dialect, job->path);
	csv_record_clear(&job->keys);
	csv_record_clear(&job->record);
	if (job->header)
		job->stage = STAGE_HEADER;
	else
		stage_choose(job);
	do {
		buffer_pack(&job->in);
		if (!job->never_waits && !stream_ready(job->fd))
			out_flush(job, false);
		n = stream_read(job->fd, buffer_tail(&job->in), buffer_room(&job->in));
		if (n > 0)
			buffer_grow(&job->in, (size_t)n);
		if (n < 0) {
			warn("%s: read: %s", quoted(job->name), strerror(errno));
			job->status = STATUS_FAILED;
			job->cut_short = true;
		}
		scan(job, n <= 0);
		job->meter.done += n > 0 ? (uint64_t)n : 0;
		progress_say(job, false);
	} while (n > 0);
	scan_end(job);
	cr_complain(job);
}

static void
file_run(struct job *job, const char *name)
{
	bool is_stdin = strcmp(name, "-") == 0;
	struct stat status;

	job->name = is_stdin ? "stdin" : name;
	job->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	if (job->fd < 0) {
		file_warn(job, strerror(errno));
		return;
	}
	job->never_waits = fstat(job->fd, &status) == 0 && S_ISREG(status.st_mode);
	if (job->never_waits)
		(void)posix_fadvise(job->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	file_split(job);
	if (job->fd != STDIN_FILENO)
		(void)close(job->fd);
}

/*
 * Options
 */

static unsigned char
char_option(const char *text)
{
	char byte;

	if (!byte_parse(span_of(text), &byte))
		option_refuse("not one byte, \\t, \\0, \\\\ or \\xHH");
	if (byte == '\n' || byte == '\r')
		option_refuse("CR and LF end records");
	return (unsigned char)byte;
}

/* The number of a name in a list of them that ends with NULL. */
static unsigned
name_option(const char *text, const char *const *names, const char *why)
{
	for (unsigned i = 0; names[i] != NULL; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	option_refuse(why);
}

static void
list_option(struct job *job, const char *list)
{
	struct span text = span_of(list), last;
	struct csv_item *items;
	size_t count;

	job->list = storage(job->list, text.size + 1, 1);
	job->items = items = storage(job->items, text.size + 1, sizeof *items);
	switch (csv_list_parse(text, job->list, items, &count)) {
	case CSV_ITEM_NOT_IN_A_LIST:
		option_refuse("not a list of fields");
	case CSV_ITEM_EMPTY:
		option_refuse("an item is empty (the empty name is \"\")");
	case CSV_ITEM_NOT_A_RANGE:
		last = items[count - 1].text;
		usage_refuse("--fields: %s: not a position or a range", quoted_bytes(last.at, last.size));
	case CSV_ITEM_OUT_OF_RANGE:
		last = items[count - 1].text;
		usage_refuse("--fields: %s: not a position from 1 to %" PRIu32, quoted_bytes(last.at, last.size), CSV_POSITION_MAX);
	case CSV_ITEM_GOOD: break;
	}
	job->select.items = items, job->select.count = count;
	job->named = false;
	for (size_t i = 0; i < count; i++)
		job->named |= items[i].named;
}

static void
dialect_check(struct csv_dialect *d, bool given, bool tsv)
{
	if (tsv && given)
		usage_refuse("--input tsv: takes no other delimiter, quote or escape");
	if (tsv)
		csv_dialect_tsv(d);
	if (d->quoting && d->quote == d->delimiter)
		usage_refuse("delimiter and quote are the same");
	if (d->escapes != CSV_ESCAPES_NONE && (d->escape == d->delimiter || (d->quoting && d->escape == d->quote)))
		usage_refuse("the escape is the delimiter or the quote");
}

static void
options_check(struct job *job, bool complement)
{
	enum csv_format format = job->writer.format;

	if (complement && job->select.items == NULL)
		usage_refuse("--complement: needs --fields");
	if (job->writer.replace && format != CSV_JSON)
		usage_refuse("--replace: only JSON needs it (--format json)");
	if (job->writer.delimiter != ',' && format != CSV_CSV)
		usage_refuse("--output-delimiter: only CSV has it (--format csv)");
	if (job->writer.delimiter == '"')
		usage_refuse("the output delimiter is the quote");
	job->select.complement = complement || job->select.items == NULL;
	job->header |= job->named;
	job->writer.keyed = job->header && format == CSV_JSON;
	if (job->headerless && (!job->header || (format != CSV_CSV && format != CSV_TSV)))
		usage_refuse("--headerless: needs a header that CSV or TSV would have (--header)");
}

static void
options_read(struct job *job, int argc, char **argv)
{
	static const char *const inputs[] = {"csv", "tsv", NULL};
	static const char *const formats[] = {"lines", "nul", "tsv", "csv", "json", NULL};
	struct csv_dialect *dialect = &job->dialect;
	bool complement = false, given = false, tsv = false;
	int key;

	while ((key = option_next(&usage, argc, argv)) != -1) {
		given |= key == 'Q' || key == 'd' || key == 'e' || key == 'q';
		switch (key) {
		case 'B': dialect->skip_blank = true; break;
		case 'D': job->writer.delimiter = char_option(optarg); break;
		case 'H': job->header = true; break;
		case 'I': tsv = name_option(optarg, inputs, "not csv or tsv") == 1; break;
		case 'Q': dialect->quoting = false; break;
		case 'S': dialect->strict = dialect->even = true; break;
		case 'x': complement = true; break;
		case 'd': dialect->delimiter = char_option(optarg); break;
		case 'e': dialect->escape = char_option(optarg), dialect->escapes = CSV_ESCAPES_ANY; break;
		case 'q': dialect->quote = char_option(optarg); break;
		case 'f': list_option(job, optarg); break;
		case 'O': job->writer.format = name_option(optarg, formats, "not lines, nul, tsv, csv or json"); break;
		case KEY_HEADERLESS: job->headerless = true; break;
		case KEY_REPLACE: job->writer.replace = true; break;
		case KEY_MAX_RECORD: job->record_max = option_size(1, (uint64_t)1 << 40); break;
		case KEY_PROGRESS: job->progress = true; break;
		}
	}
	dialect_check(dialect, given, tsv);
	options_check(job, complement);
}

/* A closed stdout must not go unseen because there was nothing to write. */
static void
stdout_need(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		die(STATUS_FAILED, "stdout: %s", strerror(EBADF));
	stream_widen(STDOUT_FILENO);
	/* With a file size limit, write() then fails with EFBIG and can be reported. */
	(void)signal(SIGXFSZ, SIG_IGN);
}

int
main(int argc, char **argv)
{
	static _Alignas(64) unsigned char in[IN_SIZE], out[OUT_SIZE];
	static char *no_files[] = {"-", NULL};
	static struct job job = {
		.dialect = {.delimiter = ',', .quote = '"', .quoting = true},
		.writer = {.delimiter = ','},
		.record_max = RECORD_MAX,
	};
	char **files;

	fds_open_standard();
	options_read(&job, argc, argv);
	stdout_need();
	job.path = csv_best_path();
	job.in = buffer_over(in, sizeof in);
	job.out = buffer_over(out, sizeof out);
	job.ranges = storage(NULL, job.select.count + 1, sizeof *job.ranges);
	files = optind < argc ? argv + optind : no_files;
	if (job.progress)
		meter_start(&job.meter, files);
	for (; *files != NULL; files++)
		file_run(&job, *files);
	out_flush(&job, true);
	progress_say(&job, true);
	if (close(STDOUT_FILENO) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	return job.status;
}
