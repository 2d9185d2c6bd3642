/* csvsplit: splits CSV into fields. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/fds.h"
#include "sys/stream.h"
#include "job.h"

enum {
	IN_SIZE = 128 * 1024,
	OUT_SIZE = 256 * 1024,
	RECORD_MAX = 64 << 20,
};

enum key { KEY_HEADERLESS = OPTION_LONG, KEY_REPLACE, KEY_MAX_RECORD, KEY_PROGRESS };

static const struct option_row rows[] = {
	{'I', "input", "FORMAT", "input: csv, or tsv as -O tsv writes it (csv)"},
	{'B', "skip-blank", NULL, "no records from empty lines"},
	{'H', "header", NULL, "header in the first record of each file"},
	{'Q', "no-quotes", NULL, "no quoting: the quote is data"},
	{'S', "strict", NULL, "errors for violations of RFC 4180"},
	{'x', "complement", NULL, "with -f: all other fields"},
	{'d', "delimiter", "CHAR", "delimiter: one byte, or \\t, \\0, \\xHH (,)"},
	{'q', "quote", "CHAR", "quote, as for -d (\")"},
	{'e', "escape", "CHAR", "escape before a byte that is data (none)"},
	{'f', "fields", "LIST", "positions (1,3-5,-2,7-,~1) and header names"},
	{'O', "format", "FORMAT", "output: lines, nul, tsv, csv or json (lines)"},
	{'D', "output-delimiter", "CHAR", "delimiter of -O csv, as for -d (,)"},
	{KEY_HEADERLESS, "headerless", NULL, "no header in csv and tsv output"},
	{KEY_REPLACE, "replace", NULL, "with -O json: U+FFFD for invalid UTF-8"},
	{KEY_MAX_RECORD, "max-record", "SIZE", "memory limit for a record (64M)"},
	{KEY_PROGRESS, "progress", NULL, "progress on stderr, every second"},
};

static const struct usage usage = {
	.program = "csvsplit",
	.synopsis = "[option...] [file...]",
	.summary = "Splits CSV from files or stdin into fields, one per line or in an exact format.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

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

/* Return the index of a name in a list that ends with NULL. */
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
		usage_refuse("--fields: %s: not a position from 1 to %" PRIu32, quoted_bytes(last.at, last.size),
		    CSV_POSITION_MAX);
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
		usage_refuse("--delimiter, --quote, --no-quotes and --escape exclude --input tsv");
	if (tsv)
		csv_dialect_tsv(d);
	if (d->quoting && d->quote == d->delimiter)
		usage_refuse("delimiter and quote are the same");
	if (d->escapes != CSV_ESCAPES_NONE && (d->escape == d->delimiter || (d->quoting && d->escape == d->quote)))
		usage_refuse("escape and delimiter or quote are the same");
}

static void
options_check(struct job *job, bool complement, bool delimited)
{
	enum csv_format format = job->writer.format;

	if (complement && job->select.items == NULL)
		usage_refuse("--complement requires --fields");
	if (job->writer.replace && format != CSV_JSON)
		usage_refuse("--replace requires --format json");
	if (delimited && format != CSV_CSV)
		usage_refuse("--output-delimiter requires --format csv");
	if (job->writer.delimiter == '"')
		usage_refuse("output delimiter and quote are the same");
	job->select.complement = complement || job->select.items == NULL;
	job->header |= job->named;
	job->writer.keyed = job->header && format == CSV_JSON;
	if (job->headerless && (!job->header || (format != CSV_CSV && format != CSV_TSV)))
		usage_refuse("--headerless requires --format csv or tsv, and --header or a name in --fields");
}

static void
options_read(struct job *job, int argc, char **argv)
{
	static const char *const inputs[] = {"csv", "tsv", NULL};
	static const char *const formats[] = {"lines", "nul", "tsv", "csv", "json", NULL};
	struct csv_dialect *dialect = &job->dialect;
	bool complement = false, given = false, delimited = false, tsv = false;
	int key;

	while ((key = option_next(&usage, argc, argv)) != -1) {
		given |= key == 'Q' || key == 'd' || key == 'e' || key == 'q';
		switch (key) {
		case 'B': dialect->skip_blank = true; break;
		case 'D': job->writer.delimiter = char_option(optarg), delimited = true; break;
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
	options_check(job, complement, delimited);
}

/* A closed stdout is an error also if there is nothing to write. */
static void
stdout_need(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		die(STATUS_FAILED, "stdout: %s", strerror(EBADF));
	stream_widen(STDOUT_FILENO);
	/* At RLIMIT_FSIZE write() must fail with EFBIG, which can be reported. */
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* An operand that looks like an option and is no file was probably meant as one. */
static void
files_check(char **files)
{
	for (; *files != NULL; files++)
		if ((*files)[0] == '-' && (*files)[1] != '\0' && access(*files, F_OK) != 0)
			die(STATUS_USAGE, "%s: no such file (options come before files)", quoted(*files));
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
	if (files != no_files && strcmp(argv[optind - 1], "--") != 0)
		files_check(files + 1);
	if (job.progress)
		meter_start(&job.meter, files);
	for (; *files != NULL; files++)
		file_run(&job, *files);
	out_flush(&job, true);
	progress_report(&job, true);
	if (close(STDOUT_FILENO) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	return job.status;
}
