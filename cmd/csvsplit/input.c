/* The input of csvsplit: read a file, scan it, and write its fields as its stage requires. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "sys/stream.h"
#include "job.h"

/* Report an error that ends this file only. */
static void
file_warn(struct job *job, const char *why)
{
	warn("%s: %s", quoted(job->name), why);
	job->status = STATUS_FAILED;
}

/* Write the output that precedes an error in a byte, report the error and exit. */
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

static _Noreturn void
uneven_die(struct job *job)
{
	const struct csv *csv = &job->csv;
	char why[96];

	(void)snprintf(why, sizeof why, "%" PRIu64 " field%s, but %" PRIu64 " in the first record", csv->fields,
	    csv->fields == 1 ? "" : "s", csv->width);
	line_die(job, csv->record_line, why);
}

static void
walk_window(struct job *job, const unsigned char *in)
{
	size_t at = 0;
	bool refused = false;

	while (at < job->index.end) {
		out_reserve(job);
		if (job->stage == STAGE_HEADER || job->stage == STAGE_HOLD)
			record_take(job, in, &at);
		else
			at = csv_pick_window(&job->pick, &job->index, in, at, &job->writer, &job->out, &refused);
		if (refused)
			nul_die(job, csv_index_line(&job->index, at));
	}
}

static size_t
flatten(struct job *job, bool last)
{
	size_t n = buffer_held(&job->in), written, used;

	if (buffer_space(&job->out) < n + CSV_SLACK)
		out_flush(job, false);
	used = csv_flatten(&job->csv, buffer_head(&job->in), n, last,
	    job->writer.format == CSV_NUL ? '\0' : '\n', buffer_tail(&job->out), &written);
	buffer_grow(&job->out, written);
	if (job->writer.format == CSV_NUL)
		csv_write_hold_tail(&job->writer, &job->out, written);
	return used;
}

static void
problem_die(struct job *job)
{
	switch (job->csv.problem) {
	case CSV_FINE:
		return;
	case CSV_NUL_IN_FIELD:
		nul_die(job, job->csv.line);
	case CSV_UNEVEN:
		uneven_die(job);
	default:
		byte_die(job);
	}
}

/* Scan the input that is in the buffer. */
static void
scan(struct job *job, bool last)
{
	size_t used;

	/* Store it before the last call updates it: a CR at the very end of the input does not count. */
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
	if (job->cut_short) { /* the rest cannot be scanned without its next byte */
		buffer_take(&job->in, buffer_held(&job->in));
		return;
	}
	problem_die(job);
}

/* A file whose records end at CR alone is one record, whose CRs are data. */
static void
cr_warn(struct job *job)
{
	if (job->csv.alone && (job->header ? job->csv.bare_cr : job->bare_cr) && !job->cut_short)
		file_warn(job, "CR alone does not end a record (tr '\\r' '\\n')");
}

/* The input ended: end the record that is open. */
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
		record_take_end(job);
	}
	if (csv_unclosed(&job->csv) && !job->cut_short) {
		out_flush(job, true);
		line_die(job, job->csv.quote_line, "quote never closed");
	}
}

void
progress_report(struct job *job, bool last)
{
	char line[128];

	if (!job->progress || !meter_read(&job->meter, last, line, sizeof line))
		return;
	if (isatty(STDERR_FILENO))
		(void)dprintf(STDERR_FILENO, "\rcsvsplit: %s\x1b[K%s", line, last ? "\n" : "");
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
		n = stream_read(job->fd, buffer_tail(&job->in), buffer_space(&job->in));
		if (n > 0)
			buffer_grow(&job->in, (size_t)n);
		if (n < 0) {
			warn("%s: read: %s", quoted(job->name), strerror(errno));
			job->status = STATUS_FAILED;
			job->cut_short = true;
		}
		scan(job, n <= 0);
		job->meter.done += n > 0 ? (uint64_t)n : 0;
		progress_report(job, false);
	} while (n > 0);
	scan_end(job);
	cr_warn(job);
}

void
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
