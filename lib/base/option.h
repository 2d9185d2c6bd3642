/* Options from one table for each program: the getopt string, the long options and --help are made from it, so that
 * they always agree. Wrong usage, --help and --version end the program here, with status 2, 0 and 0. */
#ifndef FITTINGS_OPTION_H
#define FITTINGS_OPTION_H

#include <stddef.h>
#include <stdint.h>

struct option_row {
	int key;              /* the short letter, or from OPTION_LONG up without one */
	const char *name;
	const char *argument; /* the name of its value in --help, NULL without a value */
	const char *help;
};

enum { OPTION_LONG = 256, OPTION_DAY_MS = 24 * 60 * 60 * 1000 /* longest duration of most options */ };

struct usage {
	const char *program;
	const char *synopsis; /* what follows the program's name; each line is one form */
	const char *summary;  /* one line */
	const struct option_row *rows;
	size_t count;
};

/* Start the usage table of a program that runs once for each connection at the start of a page. The
 * variables that such a program touches then lie on few pages. */
#define USAGE_FIRST _Alignas(4096)

/* Parse the next option. Return its key and set optarg to its value, or return -1 at the first operand,
 * argv[optind]. The first call also sets the program's name for diagnostics. */
int option_next(const struct usage *usage, int argc, char **argv);

/* Return the value of the option that option_next() returned last. A value out of range is wrong usage. */
uint64_t option_number(uint64_t min, uint64_t max);
uint64_t option_size(uint64_t min, uint64_t max);
int64_t option_duration(unsigned min_ms, unsigned max_ms);

/* Report `program: --option: value: why` for the last option and exit with 2. */
void option_refuse(const char *why) __attribute__((noreturn));

/* Report an error in the command line as a whole with a hint at --help, and exit with 2. */
void usage_refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
