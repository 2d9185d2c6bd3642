/*
 * usage: csv_data plain|crlf|mixed|quoted MIB [COLUMNS] Writes CSV as exported by a database: ten
 * fields per record, six texts and four numbers, or COLUMNS fields; without quotes, with one field
 * in 20 quoted, or with every text quoted.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 10, FIELDS_MAX = 1000, FIELD_MAX_SIZE = 32 };

static uint64_t seed = 88172645463325252;

static unsigned
roll(unsigned sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % sides;
}

static char *
put_word(char *to, unsigned size)
{
	while (size-- > 0)
		*to++ = (char)('a' + roll(26));
	return to;
}

static char *
put_quoted(char *to)
{
	*to++ = '"';
	to = put_word(to, 1 + roll(8));
	if (roll(4) == 0)
		*to++ = ',';
	if (roll(10) == 0) {
		*to++ = '"';
		*to++ = '"';
	}
	to = put_word(to, 1 + roll(8));
	*to++ = '"';
	return to;
}

static char *
put_field(char *to, unsigned i, const char *kind)
{
	if (i % 5 >= 3)
		return to + sprintf(to, "%u", roll(1000000));
	if (strcmp(kind, "quoted") == 0 || (strcmp(kind, "mixed") == 0 && roll(12) == 0))
		return put_quoted(to);
	return put_word(to, 2 + roll(14));
}

int
main(int argc, char **argv)
{
	static char line[FIELDS_MAX * FIELD_MAX_SIZE];
	uint64_t left = argc >= 3 ? strtoull(argv[2], NULL, 10) << 20 : 0;
	unsigned long fields = argc == 4 ? strtoul(argv[3], NULL, 10) : FIELDS;

	if (left == 0 || fields == 0 || fields > FIELDS_MAX) {
		fputs("usage: csv_data plain|crlf|mixed|quoted MIB [COLUMNS]\n", stderr);
		return 2;
	}
	for (;;) {
		char *to = line;

		for (unsigned i = 0; i < fields; i++) {
			to = put_field(to, i, argv[1]);
			*to++ = ',';
		}
		to--;
		if (strcmp(argv[1], "crlf") == 0)
			*to++ = '\r';
		*to++ = '\n';
		if ((uint64_t)(to - line) > left)
			return ferror(stdout) || fflush(stdout) != 0;
		left -= (uint64_t)(to - line);
		fwrite(line, 1, (size_t)(to - line), stdout);
	}
}
