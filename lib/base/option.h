/*
 * Options from one table a program: it makes the getopt string, the long
 * options and --help, so that they cannot drift apart. Wrong usage, --help and
 * --version end the program here (2, 0, 0).
 */
#ifndef FITTINGS_OPTION_H
#define FITTINGS_OPTION_H

#include <stddef.h>
#include <stdint.h>

struct option_row {
	int key;              /* the short letter, or from OPTION_LONG up for a long one alone */
	const char *name;     /* the long name */
	const char *argument; /* what to call its value in --help, NULL where it has none */
	const char *help;
};

enum { OPTION_LONG = 256 };

struct usage {
	const char *program;
	const char *synopsis; /* what follows the name; several lines are several forms */
	const char *summary;  /* one line */
	const struct option_row *rows;
	size_t count;
};

/* For the usage of what may be started for each connection: the variables begin with it,
 * at a page's start, and so those that are touched stand on few pages. */
#define USAGE_FIRST _Alignas(4096)

/*
 * The next option's key, its value in optarg; -1 at the first argument that is
 * none, argv[optind]. The first call also names the program for diagnostics.
 */
int option_next(const struct usage *usage, int argc, char **argv);

/* The value of the option that option_next() gave last; out of range is wrong usage. */
uint64_t option_number(uint64_t min, uint64_t max);
uint64_t option_size(uint64_t min, uint64_t max);
uint64_t option_duration(uint64_t min_ms, uint64_t max_ms);

/* Says `program: --option: value: why` of the last option, and exits with 2. */
void option_refuse(const char *why) __attribute__((noreturn));

/* Says what is wrong with the command line as a whole and how to get help, and exits with 2. */
void usage_refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
