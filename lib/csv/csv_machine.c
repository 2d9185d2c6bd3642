/* The scan byte by byte, for the blocks that the kernels do not handle by masks. */
#include "csv/csv_blocks.h"

static bool
is_letter_or_digit(int byte)
{
	int lower = byte | 0x20;

	return (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'z');
}

/* Return whether the escape character escapes this byte. */
static bool
escapes(const struct csv_dialect *dialect, int next)
{
	if (dialect->escapes != CSV_ESCAPES_TSV)
		return next != CSV_NEXT_NONE;
	return next == CSV_NEXT_UNKNOWN || next == 't' || next == 'n' || next == 'r' || next == dialect->escape;
}

static enum csv_problem
escape_problem(const struct csv_dialect *dialect, bool closed, int next)
{
	bool good = escapes(dialect, next) && (dialect->escapes == CSV_ESCAPES_TSV || !is_letter_or_digit(next));

	if (!dialect->strict)
		return CSV_FINE;
	return closed ? CSV_TEXT_AFTER_QUOTE : good ? CSV_FINE : CSV_BAD_ESCAPE;
}

bool
csv_has_escape(const struct csv *csv, uint64_t escaped, const unsigned char *p, size_t n)
{
	if (csv->dialect.escapes == CSV_ESCAPES_NONE)
		return false;
	return escaped != 0 || memchr(p, csv->dialect.escape, n) != NULL;
}

/* Take a byte outside quotes that is neither delimiter nor newline. *opens: it is a quote that opens a field. */
static enum csv_problem
take_bare(struct csv *csv, struct csv_carry *carry, unsigned char byte, bool *opens)
{
	bool starting = carry->starting != 0, closed = carry->closed != 0;

	carry->starting = carry->closed = 0;
	*opens = csv->dialect.quoting && byte == csv->dialect.quote && (starting || closed);
	if (*opens) {
		carry->quoted = ~(uint64_t)0;
		return CSV_FINE;
	}
	if (byte == '\r')
		return CSV_BARE_CR;
	if (csv->dialect.quoting && byte == csv->dialect.quote)
		return CSV_QUOTE_IN_FIELD;
	return closed ? CSV_TEXT_AFTER_QUOTE : CSV_FINE;
}

size_t
/* One loop, so that the state stays in registers. NOLINTNEXTLINE(readability-function-cognitive-complexity) */
csv_machine(struct csv *csv, struct csv_carry *carry, const unsigned char *p, size_t n, int next,
            struct csv_marks *m, uint64_t *opened)
{
	*m = (struct csv_marks){0};
	*opened = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t bit = (uint64_t)1 << i;
		bool closed = carry->closed != 0, opens;
		int follows = i + 1 < n ? p[i + 1] : next;
		enum csv_problem problem;

		if (p[i] == '\n')
			m->newline |= bit;
		if (carry->escaped != 0) {
			carry->starting = carry->closed = carry->escaped = 0;
			continue;
		}
		if (csv->dialect.escapes != CSV_ESCAPES_NONE && p[i] == csv->dialect.escape) {
			csv->problem = escape_problem(&csv->dialect, closed, follows);
			if (csv->problem != CSV_FINE) {
				n = i;
				break;
			}
			if (escapes(&csv->dialect, follows)) {
				m->drop |= bit;
				carry->escaped = 1;
				continue;
			}
		}
		if (carry->quoted != 0) {
			carry->starting = 0;
			if (p[i] == csv->dialect.quote) {
				m->drop |= bit;
				csv_carry_set(carry, 0, 0, 1);
			}
		} else if (p[i] == csv->dialect.delimiter || p[i] == '\n') {
			m->record |= p[i] == '\n' ? bit : 0;
			m->stop |= bit;
			csv_carry_set(carry, 0, 1, 0);
		} else if (p[i] == '\r' && follows == '\n') {
			m->drop |= bit;
			csv_carry_set(carry, 0, 0, 0);
		} else {
			problem = take_bare(csv, carry, p[i], &opens);
			csv->bare_cr |= problem == CSV_BARE_CR;
			if (opens && !closed) {
				m->drop |= bit;
				*opened |= bit;
			}
			if (problem != CSV_FINE && csv->dialect.strict) {
				csv->problem = problem;
				n = i;
			}
		}
	}
	m->stop |= m->drop;
	return n;
}
