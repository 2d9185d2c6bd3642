/*
 * CSV (RFC 4180), scanned as it streams by. The scanner says where the fields
 * and records of a piece of input end and which of its bytes are no data; who
 * asks takes the data in between. Results never depend on how the input was cut.
 *
 *     field = quoted or bare; record = fields with delimiters between; LF or CRLF ends a record
 *
 * Lenient, as spreadsheets are:
 *   - a field is quoted when the quote is its first byte (blanks are data);
 *   - in a quoted field all is data, two quotes are one, one quote closes;
 *   - what follows a closing quote is data, and the field goes on unquoted;
 *   - a quote in an unquoted field is data;
 *   - a CR before anything but LF is data;
 *   - a UTF-8 byte order mark at the very beginning is skipped, except in TSV.
 * An empty line is a record of one empty field; no input is no record; a
 * newline at the very end begins none.
 */
#ifndef FITTINGS_CSV_H
#define FITTINGS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Escapes, in quotes and outside: the escape is dropped and the byte after it is
 * data, which neither begins nor ends anything. No window ends between the two.
 */
enum csv_escapes {
	CSV_ESCAPES_NONE,
	CSV_ESCAPES_ANY, /* any byte is escaped; strict: no letter or digit, which would mean another byte */
	CSV_ESCAPES_TSV, /* t, n, r and the escape itself, for csv_unescape(); before others the escape is data */
};

struct csv_dialect {
	unsigned char delimiter;
	unsigned char quote;
	unsigned char escape;
	enum csv_escapes escapes;
	bool quoting; /* false: the quote is data too */
	bool strict;  /* what only leniency allows is a problem */
	/* csv_index_make() alone: */
	bool even;       /* a record with more or fewer fields than the first one is a problem */
	bool skip_blank; /* a record of an empty line is none */
};

/* What `-O tsv` writes: tabs between the fields, no quotes, and what would break a record escaped. */
static inline void
csv_dialect_tsv(struct csv_dialect *dialect)
{
	dialect->delimiter = '\t';
	dialect->quoting = false;
	dialect->escape = '\\';
	dialect->escapes = CSV_ESCAPES_TSV;
}

/* The ways to scan, all with the same results; tests and benchmarks name one. */
enum csv_path {
	CSV_PORTABLE,
#ifdef __x86_64__
	CSV_SSE2, CSV_AVX2, CSV_AVX512,
#elif defined(__AARCH64EL__)
	CSV_NEON,
#endif
	CSV_PATHS,
};

/* Why a scan stopped. The first four only come where the dialect is strict. */
enum csv_problem {
	CSV_FINE,
	CSV_QUOTE_IN_FIELD,
	CSV_TEXT_AFTER_QUOTE,
	CSV_BARE_CR,
	CSV_BAD_ESCAPE,
	CSV_NUL_IN_FIELD, /* csv_flatten() with NUL as the terminator */
	CSV_UNEVEN,       /* the dialect is even: it is the end of a record of csv->fields fields */
};

/* A scan between two pieces of input. Made by csv_start(); read freely. */
struct csv {
	struct csv_dialect dialect;
	enum csv_path path;
	enum csv_problem problem; /* it is the next byte's; nothing more is scanned */
	bool begun;               /* the byte order mark is behind us */
	bool open;                /* a record has begun and not ended */
	bool starting;            /* the next byte is a field's first */
	bool quoted;              /* the next byte is within quotes */
	bool closed;              /* the last byte was a quote within quotes */
	bool ended;               /* a record has ended */
	bool alone;               /* nothing has followed it */
	bool fresh;               /* skip_blank: the next byte begins a record, */
	bool fresh_cr;            /* or the last byte did, a CR before an LF */
	bool bare_cr;             /* while alone: a CR outside quotes that no LF follows */
	bool watching;            /* for such a CR, for escapes, and for what is not strict */
	uint64_t line;            /* the next byte's, from 1: LFs are counted, in quotes too */
	uint64_t column;          /* the next byte's, from 1, in bytes */
	uint64_t quote_line;      /* while quoted or closed: where the opening quote stood */
	/* if the dialect is even: */
	uint64_t field_line, field_column; /* where the field of the next byte begins */
	uint64_t record_line; /* the line in which the record begins, 0: it has not begun */
	uint64_t fields;      /* ended in this record */
	uint64_t width;       /* of the first record, 0: not known */
};

void csv_start(struct csv *csv, const struct csv_dialect *dialect, enum csv_path path);

/* The best path that this CPU has, or the one under it. */
enum csv_path csv_best_path(void);

/* What is wrong with a byte, of the problems of strict dialects. */
const char *csv_problem_text(const struct csv *csv);

/* Whether input that ends here ends in a quoted field (it began in quote_line). */
static inline bool
csv_unclosed(const struct csv *csv)
{
	return csv->quoted;
}

/* Whether input that ends here ends a record that is not even; then csv->fields counts its last field too. */
static inline bool
csv_end_is_uneven(struct csv *csv)
{
	if (!csv->dialect.even || !csv->open)
		return false;
	csv->fields++;
	return csv->width != 0 && csv->fields != csv->width;
}

/* What csv_flatten() may write past the bytes that count. */
enum { CSV_SLACK = 64 };

/*
 * Not for TSV. Writes every field of the input followed by the terminator, but for the last
 * one where no delimiter or newline ends it (at the end of the input:
 * csv->open tells). out has room for n + CSV_SLACK bytes.
 *
 * Returns how many bytes are used, *written says how many came out; call again
 * while it uses some. Unless `last` says that no input follows, up to two bytes
 * at the end stay unused; they must come again with the next input.
 */
size_t csv_flatten(struct csv *csv, const unsigned char *in, size_t n, bool last, unsigned char terminator,
                   unsigned char *out, size_t *written);

/* The marks of 64 bytes, the first byte's in the lowest bit. */
struct csv_marks {
	uint64_t stop;    /* all that is no data: delimiters that end a field, and: */
	uint64_t record;  /* LFs that end a record */
	uint64_t drop;    /* quotes that are no data, CRs of CRLF */
	uint64_t newline; /* every LF */
};

enum { CSV_WINDOW = 16384 };

/* The marks of one window of input. Bytes of it without a mark are data. */
struct csv_index {
	const struct csv *csv; /* that made them */
	size_t end;
	uint64_t line; /* the first byte's */
	struct csv_marks marks[CSV_WINDOW / 64 + 1]; /* behind the last block one without marks */
};

/* Marks up to CSV_WINDOW bytes. Returns how many, index->end; call again as csv_flatten(). */
size_t csv_index_make(struct csv *csv, const unsigned char *in, size_t n, bool last,
                      struct csv_index *index);

/*
 * Fields of the window, from where a record begins at `at`, as CSV by RFC 4180
 * with LF and the same delimiter: quoted where needed, otherwise not. Returns where it stopped: behind
 * a delimiter or a newline, which is written too. That is as soon as a field is
 * longer than is seen at once, or needs more than to lose its quotes, or the
 * dialect is no such CSV; and before the window or the room ends.
 */
size_t csv_copy(const struct csv_index *index, const unsigned char *in, size_t at, unsigned char *out,
                size_t room, size_t *written);

/* Undoes the escapes of a window of TSV in place: t, n, r become tab, LF and CR. */
void csv_unescape(const struct csv_index *index, unsigned char *in);

/* The line of a byte of the window. */
uint64_t csv_index_line(const struct csv_index *index, size_t at);

enum csv_stop {
	CSV_STOP_RECORD, /* an LF that ends a record */
	CSV_STOP_FIELD,  /* or a delimiter */
	CSV_STOP_ANY,    /* or a byte to drop */
};

/*
 * Walks over the marks of a window. It sees 64 bytes from anywhere, not from a
 * block's beginning: then few steps must go on to the next ones, which is a
 * branch that no CPU can foretell.
 */
struct csv_cursor {
	const struct csv_index *index;
	size_t base;     /* the first byte in sight; the marks are shifted by it */
	uint64_t stop;   /* not walked over yet */
	uint64_t record;
	uint64_t drop;
	uint64_t found;  /* the last one */
};

static inline void
csv_cursor_move(struct csv_cursor *cursor, size_t to)
{
	const struct csv_marks *m = &cursor->index->marks[to / 64];
	unsigned shift = to % 64, back = 63 - shift;

	cursor->base = to;
	cursor->stop = m[0].stop >> shift | m[1].stop << 1 << back;
	cursor->record = m[0].record >> shift | m[1].record << 1 << back;
	cursor->drop = m[0].drop >> shift | m[1].drop << 1 << back;
}

/* `at` is before index->end. */
static inline struct csv_cursor
csv_cursor_at(const struct csv_index *index, size_t at)
{
	struct csv_cursor cursor = {.index = index};

	csv_cursor_move(&cursor, at);
	return cursor;
}

/* The next byte with such a mark, or index->end. */
static inline size_t
csv_cursor_next(struct csv_cursor *cursor, enum csv_stop stop)
{
	for (;;) {
		uint64_t found = cursor->stop;

		if (stop == CSV_STOP_RECORD)
			found &= cursor->record;
		else if (stop == CSV_STOP_FIELD)
			found &= ~cursor->drop;
		if (found != 0) {
			cursor->found = found & (0 - found);
			cursor->stop &= ~(found ^ (found - 1)); /* up to that one */
			return cursor->base + (size_t)__builtin_ctzll(found);
		}
		if (cursor->base + 64 >= cursor->index->end)
			return cursor->index->end;
		csv_cursor_move(cursor, cursor->base + 64);
	}
}

/* Of the byte that csv_cursor_next() gave last. */
static inline bool
csv_cursor_at_record(const struct csv_cursor *cursor)
{
	return (cursor->record & cursor->found) != 0;
}

static inline bool
csv_cursor_at_drop(const struct csv_cursor *cursor)
{
	return (cursor->drop & cursor->found) != 0;
}

/* Whether the byte behind it, if that is in sight, ends the field. */
static inline bool
csv_cursor_end_follows(const struct csv_cursor *cursor)
{
	return (cursor->found << 1 & cursor->stop & ~cursor->drop) != 0;
}

#endif
