/* Random CSV for the tests of the scanner and of the output. */
#ifndef FITTINGS_CSV_TEXT_H
#define FITTINGS_CSV_TEXT_H

#include "base/span.h"
#include "unit.h"

enum { CSV_TEXT_SLACK = 400 }; /* written beyond the text */

/*
 * Write n bytes: mostly short fields, some long ones, `quotes` of a hundred quoted. One of `noise` bytes is a random one of
 * `special`; with 0 the fields are well-formed.
 */
static size_t
csv_text(unsigned char *out, size_t n, unsigned noise, unsigned quotes, struct span special)
{
	size_t i = 0;

	while (i < n) {
		bool quoted = unit_roll(100) < quotes;

		if (quoted)
			out[i++] = '"';
		for (unsigned size = unit_roll(unit_roll(30) == 0 ? 150 : 20); size > 0; size--) {
			char byte = (char)('a' + unit_roll(26));

			if (quoted && unit_roll(8) == 0) {
				byte = ",\"\r\n\"x"[unit_roll(6)];
				if (byte == '"')
					out[i++] = '"';
			}
			out[i++] = (unsigned char)(noise != 0 && unit_roll(noise) == 0 ? special.at[unit_roll((unsigned)special.size)] : byte);
		}
		if (quoted)
			out[i++] = '"';
		if (unit_roll(6) != 0)
			out[i++] = ',';
		else if (unit_roll(2) == 0)
			out[i++] = '\n';
		else
			out[i++] = '\r', out[i++] = '\n';
	}
	return n;
}

#endif
