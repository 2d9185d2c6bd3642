/*
 * Scanner of CSV (RFC 4180) in a stream. It finds where the fields and records of
 * a piece of input end, and which bytes are not data; the caller takes the data
 * in between. Results do not depend on how the input is cut into pieces.
 *
 *     field = quoted or bare; record = fields with delimiters between; LF or CRLF ends a record
 *
 * The scanner is lenient, like spreadsheets:
 *   - a field is quoted if the quote is its first byte (blanks are data);
 *   - in a quoted field all bytes are data, two quotes are one, one quote closes;
 *   - text after a closing quote is data, and the field continues unquoted;
 *   - a quote in an unquoted field is data;
 *   - a CR without LF is data;
 *   - a UTF-8 byte order mark at the very beginning is skipped, except in TSV.
 * An empty line is a record of one empty field. Empty input has no record. A
 * newline at the very end begins no record.
 */
#ifndef FITTINGS_CSV_H
#define FITTINGS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Escapes, in quoted fields and outside: the escape is dropped, and the byte after it is data. No window ends
 * between the two. */
enum csv_escapes {
	CSV_ESCAPES_NONE,
	CSV_ESCAPES_ANY, /* before any byte; strict: not before a letter or digit, which would mean another byte */
	CSV_ESCAPES_TSV, /* before t, n, r and the escape itself, for csv_unescape(); elsewhere the escape is data */
};

struct csv_dialect {
	unsigned char delimiter;
	unsigned char quote;
	unsigned char escape;
	enum csv_escapes escapes;
	bool quoting; /* false: the quote is data */
	bool strict;  /* leniency is replaced by problems */
	/* for csv_index_make() only: */
	bool even;       /* a record with more or fewer fields than the first one is a problem */
	bool skip_blank; /* an empty line is no record */
};

/* Set the dialect that `-O tsv` writes: tabs between fields, no quotes, escapes for tab, LF, CR and backslash. */
static inline void
csv_dialect_tsv(struct csv_dialect *dialect)
{
	dialect->delimiter = '\t';
	dialect->quoting = false;
	dialect->escape = '\\';
	dialect->escapes = CSV_ESCAPES_TSV;
}

/* Implementations of the scan, with the same results; tests and benchmarks choose one. */
enum csv_path {
	CSV_PORTABLE,
#ifdef __x86_64__
	CSV_SSE2, CSV_AVX2, CSV_AVX512,
#elif defined(__AARCH64EL__)
	CSV_NEON,
#endif
	CSV_PATHS,
};

/* Why a scan stopped. The first four occur only if the dialect is strict. */
enum csv_problem {
	CSV_FINE,
	CSV_QUOTE_IN_FIELD,
	CSV_TEXT_AFTER_QUOTE,
	CSV_BARE_CR,
	CSV_BAD_ESCAPE,
	CSV_NUL_IN_FIELD, /* csv_flatten() with NUL as the terminator */
	CSV_UNEVEN,       /* the dialect is even: a record of csv->fields fields ends */
};

/* The state of a scan between two pieces of input. csv_start() makes it. Callers may read it. */
struct csv {
	struct csv_dialect dialect;
	enum csv_path path;
	enum csv_problem problem; /* of the next byte; nothing more is scanned */
	bool begun;               /* a byte order mark can no longer follow */
	bool open;                /* a record has begun and not ended */
	bool starting;            /* the next byte is the first of a field */
	bool quoted;              /* the next byte is within quotes */
	bool closed;              /* the last byte was a quote within quotes */
	bool ended;               /* a record has ended */
	bool alone;               /* nothing has followed the first record */
	bool fresh;               /* skip_blank: the next byte begins a record */
	bool fresh_cr;            /* skip_blank: the last byte began a record, a CR before an LF */
	bool bare_cr;             /* while alone: there was a CR without LF outside quotes */
	bool watching;            /* look for CR without LF, escapes and problems */
	uint64_t line;            /* of the next byte, from 1; LFs in quotes count */
	uint64_t column;          /* of the next byte, from 1, in bytes */
	uint64_t quote_line;      /* while quoted or closed: line of the opening quote */
	/* if the dialect is even: */
	uint64_t field_line, field_column; /* where the field of the next byte begins */
	uint64_t record_line; /* where the record begins, 0: it has not begun */
	uint64_t fields;      /* that have ended in this record */
	uint64_t width;       /* fields of the first record, 0: not known yet */
};

void csv_start(struct csv *csv, const struct csv_dialect *dialect, enum csv_path path);

/* Return the best path of this CPU. All lower paths work, too. */
enum csv_path csv_best_path(void);

/* Return the text of a problem that only a strict dialect has. */
const char *csv_problem_text(const struct csv *csv);

/* Return whether input that ends here ends in a quoted field, which began in quote_line. */
static inline bool
csv_unclosed(const struct csv *csv)
{
	return csv->quoted;
}

/* Return whether input that ends here ends an uneven record. csv->fields then includes its last field. */
static inline bool
csv_end_is_uneven(struct csv *csv)
{
	if (!csv->dialect.even || !csv->open)
		return false;
	csv->fields++;
	return csv->width != 0 && csv->fields != csv->width;
}

/* Bytes that csv_flatten() may write after its result. */
enum { CSV_SLACK = 64 };

/*
 * Write every field of the input, each followed by the terminator. A last field that no delimiter or newline ends
 * has no terminator (at the end of the input: see csv->open). out has space for n + CSV_SLACK bytes. Not for TSV.
 *
 * Return the number of bytes used, and the size of the output in *written. Call again while bytes are used. Unless
 * `last` says that no input follows, up to two bytes at the end stay unused; pass them again with the next input.
 */
size_t csv_flatten(struct csv *csv, const unsigned char *in, size_t n, bool last, unsigned char terminator,
                   unsigned char *out, size_t *written);

/* The marks of 64 bytes, the first byte in the lowest bit. */
struct csv_marks {
	uint64_t stop;    /* all bytes that are not data: delimiters, and the bytes of record and drop */
	uint64_t record;  /* LFs that end a record */
	uint64_t drop;    /* quotes and escapes that are not data, CRs of CRLF */
	uint64_t newline; /* every LF */
};

enum { CSV_WINDOW = 16384 };

/* The marks of one window of input. Bytes without a mark are data. */
struct csv_index {
	const struct csv *csv; /* the scan that made them */
	size_t end;
	uint64_t line; /* of the first byte */
	struct csv_marks marks[CSV_WINDOW / 64 + 1]; /* one block without marks follows the last one */
};

/* Mark up to CSV_WINDOW bytes. Return their number, index->end. Call again as for csv_flatten(). */
size_t csv_index_make(struct csv *csv, const unsigned char *in, size_t n, bool last,
                      struct csv_index *index);

/*
 * Copy fields of the window, from a record that begins at `at`, as CSV of RFC 4180 with LF and the same delimiter,
 * quoted only if needed. Return where it stopped: after a delimiter or a newline, which is written. It stops before
 * a field that is longer than 64 bytes or that needs more than the removal of its quotes, before the window or the
 * space ends, and at once if the dialect is not such CSV.
 */
size_t csv_copy(const struct csv_index *index, const unsigned char *in, size_t at, unsigned char *out,
                size_t space, size_t *written);

/* Undo the escapes of a window of TSV in place: t, n, r become tab, LF and CR. */
void csv_unescape(const struct csv_index *index, unsigned char *in);

/* Return the line of a byte of the window. */
uint64_t csv_index_line(const struct csv_index *index, size_t at);

enum csv_stop {
	CSV_STOP_RECORD, /* an LF that ends a record */
	CSV_STOP_FIELD,  /* or a delimiter */
	CSV_STOP_ANY,    /* or a byte to drop */
};

/* A walk over the marks of a window. It sees 64 bytes from any byte, not from the beginning of a block: few steps
 * then need the next 64 bytes, a branch that the CPU cannot predict. */
struct csv_cursor {
	const struct csv_index *index;
	size_t base;     /* the first byte in sight: bit 0 of the marks */
	uint64_t stop;   /* marks that are still ahead */
	uint64_t record;
	uint64_t drop;
	uint64_t found;  /* the last mark that was found */
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

/* Return the next byte with such a mark, or index->end. */
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
			cursor->stop &= ~(found ^ (found - 1)); /* clear the marks up to that one */
			return cursor->base + (size_t)__builtin_ctzll(found);
		}
		if (cursor->base + 64 >= cursor->index->end)
			return cursor->index->end;
		csv_cursor_move(cursor, cursor->base + 64);
	}
}

/* The next three are about the byte that csv_cursor_next() returned last. */
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

/* Return whether the byte after it is in sight and ends the field. */
static inline bool
csv_cursor_end_follows(const struct csv_cursor *cursor)
{
	return (cursor->found << 1 & cursor->stop & ~cursor->drop) != 0;
}

#endif
