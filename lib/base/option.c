#include "base/option.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/log.h"
#include "base/status.h"

enum { ROWS_MAX = 27, KEY_HELP = 1, KEY_VERSION = 2 };

static const struct usage *current;
static const struct option_row *last;

/* A text for stdout, written at once. printf() would need stdout's buffer: with musl one kilobyte
 * of variables, also in programs that never print. */
struct page {
	char text[4096];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void
page_put(struct page *p, const char *format, ...)
{
	size_t space = sizeof p->text - p->size;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(p->text + p->size, space, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= space)
		abort();
	p->size += (size_t)n;
}

static _Noreturn void
page_print(const struct page *p)
{
	for (size_t done = 0; done < p->size;) {
		ssize_t n = write(STDOUT_FILENO, p->text + done, p->size - done);

		if (n < 0 && errno != EINTR)
			die(STATUS_FAILED, "stdout: %s", strerror(errno));
		done += n < 0 ? 0 : (size_t)n;
	}
	exit(STATUS_OK);
}

static void
page_put_row(struct page *p, int key, const char *name, const char *argument, const char *help)
{
	char left[64];
	int n = snprintf(left, sizeof left, "%s%s%s", name, argument == NULL ? "" : " ",
	    argument == NULL ? "" : argument);

	if (key < OPTION_LONG && key > ' ')
		page_put(p, "  -%c, --%-*s  %s\n", key, n < 22 ? 22 : n, left, help);
	else
		page_put(p, "      --%-*s  %s\n", n < 22 ? 22 : n, left, help);
}

/* Not inlined: the page would enlarge the stack frame of every caller. */
__attribute__((noinline)) static _Noreturn void
print_help(const struct usage *u)
{
	const char *form = u->synopsis, *end;
	struct page page = {.size = 0};

	for (const char *lead = "usage:"; form != NULL; lead = "      ", form = end == NULL ? NULL : end + 1) {
		end = strchr(form, '\n');
		page_put(&page, "%s %s %.*s\n", lead, u->program,
		    (int)(end == NULL ? strlen(form) : (size_t)(end - form)), form);
	}
	page_put(&page, "%s\n\n", u->summary);
	for (size_t i = 0; i < u->count; i++)
		page_put_row(&page, u->rows[i].key, u->rows[i].name, u->rows[i].argument, u->rows[i].help);
	page_put_row(&page, KEY_HELP, "help", NULL, "this summary");
	page_put_row(&page, KEY_VERSION, "version", NULL, "version number");
	page_print(&page);
}

__attribute__((noinline)) static _Noreturn void
print_version(const struct usage *u)
{
	struct page page = {.size = 0};

	page_put(&page, "%s (fittings) %s\n", u->program, FITTINGS_VERSION);
	page_print(&page);
}

/* `+`: stop at the first operand, because the options after it belong to the next program. `:`:
 * report a missing value separately. */
static void
tables_make(const struct usage *u, char *letters, struct option *longs)
{
	*letters++ = '+';
	*letters++ = ':';
	for (size_t i = 0; i < u->count; i++) {
		const struct option_row *row = &u->rows[i];
		int has = row->argument == NULL ? no_argument : required_argument;

		if (row->key < OPTION_LONG) {
			*letters++ = (char)row->key;
			if (has == required_argument)
				*letters++ = ':';
		}
		*longs++ = (struct option){.name = row->name, .has_arg = has, .val = row->key};
	}
	*letters = '\0';
	*longs++ = (struct option){.name = "help", .val = KEY_HELP};
	*longs++ = (struct option){.name = "version", .val = KEY_VERSION};
	*longs = (struct option){0};
}

static const struct option_row *
row_of(const struct usage *u, int key)
{
	for (size_t i = 0; i < u->count; i++)
		if (u->rows[i].key == key)
			return &u->rows[i];
	return NULL;
}

/* optopt is the key of an option whose value is missing or not allowed; otherwise it is the unknown
 * letter, or 0 for an unknown long option. */
static void
refuse_option(const struct usage *u, int what, char **argv)
{
	const struct option_row *row = row_of(u, optopt);
	char letter[] = {'-', (char)optopt, '\0'};

	if (row != NULL && what == ':')
		usage_refuse("--%s: requires a value", row->name);
	if (optopt > 0 && optopt < OPTION_LONG && optopt > KEY_VERSION && row == NULL)
		usage_refuse("%s: no such option", quoted(letter));
	if (row != NULL || optopt == KEY_HELP || optopt == KEY_VERSION)
		usage_refuse("%s: takes no value", quoted(argv[optind - 1]));
	usage_refuse("%s: no such option", quoted(argv[optind - 1]));
}

int
option_next(const struct usage *usage, int argc, char **argv)
{
	/* Rebuilt on the stack for each call, as small as possible: each touched page costs more. */
	char letters[2 + 2 * ROWS_MAX + 1];
	struct option longs[ROWS_MAX + 3];
	int key;

	if (usage->count > ROWS_MAX)
		abort();
	current = usage;
	log_name(usage->program);
	tables_make(usage, letters, longs);
	opterr = 0;
	if (argc == 0)
		return -1;
	key = getopt_long(argc, argv, letters, longs, NULL);
	if (key == KEY_HELP || key == KEY_VERSION)
		(void)signal(SIGXFSZ, SIG_IGN); /* at RLIMIT_FSIZE write() must fail with EFBIG */
	if (key == KEY_HELP)
		print_help(usage);
	if (key == KEY_VERSION)
		print_version(usage);
	if (key == '?' || key == ':')
		refuse_option(usage, key, argv);
	last = row_of(usage, key);
	return key;
}

void
option_refuse(const char *why)
{
	die(STATUS_USAGE, "--%s: %s: %s", last->name, quoted(optarg), why);
}

void
usage_refuse(const char *format, ...)
{
	char what[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	die(STATUS_USAGE, "%s (see %s --help)", what, current->program);
}

/* Values of one kind, with their units, the smallest first. */
struct measure {
	const char *kind;
	bool (*parse)(struct span text, uint64_t min, uint64_t max, uint64_t *value);
	char units[5][3];
	uint64_t factors[4];
};

/* Use the largest unit that divides the value, as a user would write it. */
static void
measure_text(const struct measure *m, uint64_t value, char text[32])
{
	size_t i = 0;

	while (m->units[i + 1][0] != '\0' && value != 0 && value % m->factors[i + 1] == 0)
		i++;
	(void)snprintf(text, 32, "%" PRIu64 "%s", value / m->factors[i], m->units[i]);
}

static uint64_t
option_value(const struct measure *m, uint64_t min, uint64_t max)
{
	char low[32], high[32], why[128];
	uint64_t value = 0;

	if (!m->parse(span_of(optarg), min, max, &value)) {
		measure_text(m, min, low);
		measure_text(m, max, high);
		(void)snprintf(why, sizeof why, "not a %s from %s to %s", m->kind, low, high);
		option_refuse(why);
	}
	return value;
}

uint64_t
option_number(uint64_t min, uint64_t max)
{
	static const struct measure number = {"number", number_parse, {""}, {1}};

	return option_value(&number, min, max);
}

uint64_t
option_size(uint64_t min, uint64_t max)
{
	static const struct measure size = {"size", size_parse, {"", "k", "M", "G"}, {1, 1 << 10, 1 << 20, 1 << 30}};

	return option_value(&size, min, max);
}

int64_t
option_duration(unsigned min_ms, unsigned max_ms)
{
	static const struct measure duration = {
		"duration", duration_parse, {"ms", "s", "m", "h"}, {1, 1000, 60 * 1000, 60 * 60 * 1000},
	};

	return (int64_t)option_value(&duration, min_ms, max_ms);
}
