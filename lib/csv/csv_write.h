/*
 * Write records in one of the output formats, piece by piece: for each field csv_write_field(), its data,
 * csv_write_field_end(); then csv_write_record_end(). The caller flushes the buffer. Before each call it must have
 * CSV_WRITE_SPACE bytes of space, and for n bytes of data csv_write_fit() must be at least n.
 */
#ifndef FITTINGS_CSV_WRITE_H
#define FITTINGS_CSV_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/copy.h"

enum csv_format {
	CSV_LINES, /* each field and a newline */
	CSV_NUL,   /* each field and a NUL */
	CSV_TSV,   /* one record per line, tabs between fields; tab, newline, CR, backslash as \t \n \r \\ */
	CSV_CSV,   /* RFC 4180 with LF and any delimiter, quoted if needed */
	CSV_JSON,  /* one record per line: an array of strings, or an object if it has keys */
};

enum {
	CSV_WRITE_SPACE = 64,
	CSV_WRITE_GROWTH = 6, /* most bytes of output for one byte of data */
	/* In CSV a field is held back until it is known whether it needs quotes (a longer
	 * one is always quoted), in NUL until it is complete. */
	CSV_HOLD_MAX = 32 * 1024,
};

struct csv_writer {
	enum csv_format format;
	unsigned char delimiter; /* CSV */
	bool replace;    /* JSON: write U+FFFD for invalid UTF-8; otherwise all data must be valid */
	bool keyed;      /* JSON: objects; csv_write_key() comes before each field */
	bool quoted;     /* CSV: the opening quote of this field is written */
	bool begun;      /* CSV: the first field of the output is written */
	uint64_t fields; /* begun in this record */
	uint64_t length; /* CSV: data bytes of this field */
	size_t held;     /* CSV, NUL: bytes of this field at the end of the buffer, not to be flushed yet */
};

/* CSV_NUL: the last n bytes of the buffer are of an incomplete field. Hold them, unless they are too many. */
static inline void
csv_write_hold(struct csv_writer *writer, size_t n)
{
	writer->held = n > CSV_HOLD_MAX ? 0 : n;
}

/* CSV_NUL: n bytes of fields were added to the buffer. Hold the bytes after the last terminator. */
void csv_write_hold_tail(struct csv_writer *writer, const struct buffer *out, size_t n);

/* Return how many bytes of data fit in any case. */
static inline size_t
csv_write_fit(const struct buffer *out)
{
	size_t space = buffer_space(out);

	return space < CSV_WRITE_SPACE ? 0 : (space - CSV_WRITE_SPACE) / CSV_WRITE_GROWTH;
}

/* For the formats other than CSV_LINES. */
void csv_write_field_formatted(struct csv_writer *writer, struct buffer *out);
size_t csv_write_data_formatted(struct csv_writer *writer, struct buffer *out,
                                const unsigned char *data, size_t n, size_t readable);
void csv_write_field_end_formatted(struct csv_writer *writer, struct buffer *out);
void csv_write_record_end_formatted(struct csv_writer *writer, struct buffer *out);

static inline void
csv_write_field(struct csv_writer *writer, struct buffer *out)
{
	if (writer->format != CSV_LINES)
		csv_write_field_formatted(writer, out);
}

/*
 * Write n bytes of data. `readable` bytes (at least n) can be read, which makes it
 * faster. Return n, or the index of the first byte that the format cannot write
 * (a NUL in CSV_NUL). With `replace` a piece must not end within a character.
 */
static inline size_t
csv_write_data(struct csv_writer *writer, struct buffer *out, const unsigned char *data, size_t n,
               size_t readable)
{
	if (writer->format != CSV_LINES)
		return csv_write_data_formatted(writer, out, data, n, readable);
	if (readable >= 32)
		copy_bytes_32(buffer_tail(out), data, n);
	else
		copy_bytes(buffer_tail(out), data, n);
	buffer_grow(out, n);
	return n;
}

static inline void
csv_write_field_end(struct csv_writer *writer, struct buffer *out)
{
	if (writer->format != CSV_LINES)
		csv_write_field_end_formatted(writer, out);
	else
		out->bytes[out->end++] = '\n';
}

size_t csv_write_whole_formatted(struct csv_writer *writer, struct buffer *out,
                                 const unsigned char *data, size_t n, size_t readable);

/* Write a whole field: csv_write_field(), csv_write_data() and csv_write_field_end() in one. */
static inline size_t
csv_write_whole(struct csv_writer *writer, struct buffer *out, const unsigned char *data, size_t n,
                size_t readable)
{
	if (writer->format != CSV_LINES)
		return csv_write_whole_formatted(writer, out, data, n, readable);
	(void)csv_write_data(writer, out, data, n, readable);
	csv_write_field_end(writer, out);
	return n;
}

static inline void
csv_write_record_end(struct csv_writer *writer, struct buffer *out)
{
	if (writer->format != CSV_LINES)
		csv_write_record_end_formatted(writer, out);
}

/* JSON objects: begin the key of the next field. Its text follows as data, then csv_write_key_end(). */
void csv_write_key(struct csv_writer *writer, struct buffer *out);
void csv_write_key_end(struct csv_writer *writer, struct buffer *out);

/* Return the largest size up to n that does not end within a UTF-8 character. */
size_t csv_write_cut(const unsigned char *data, size_t size, size_t n);

#endif
