/*
 * Records written in one of the output formats, piece by piece: for each field
 * csv_write_field(), its data, csv_write_field_end(); then csv_write_record_end().
 * Nothing here grows or flushes the buffer: before each call it must have
 * CSV_WRITE_ROOM bytes of room, and for n bytes of data csv_write_fit() of n.
 */
#ifndef FITTINGS_CSV_WRITE_H
#define FITTINGS_CSV_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/copy.h"
#include "base/span.h"

enum csv_format {
	CSV_LINES, /* each field and a newline */
	CSV_NUL,   /* each field and a NUL */
	CSV_TSV,   /* a record a line, tabs between; tab, newline, CR, backslash as \t \n \r \\ */
	CSV_CSV,   /* RFC 4180 with LF and any delimiter, quoted where needed */
	CSV_JSON,  /* a record a line, an array of strings, or an object where it has keys */
};

enum {
	CSV_WRITE_ROOM = 64,
	CSV_WRITE_GROWTH = 6, /* bytes that one byte of data becomes at most */
	/* A field is held back in CSV until it is known whether it needs quotes (one
	 * longer than this gets them in any case), in NUL until it is whole. */
	CSV_HOLD_MAX = 32 * 1024,
};

struct csv_writer {
	enum csv_format format;
	unsigned char delimiter; /* CSV */
	bool replace;    /* JSON: U+FFFD for what is no UTF-8; else all data must be valid */
	bool keyed;      /* JSON: objects; each field has csv_write_key() first */
	bool quoted;     /* CSV: this field has its opening quote */
	bool begun;      /* CSV: a field was written, ever */
	uint64_t fields; /* begun in this record */
	uint64_t length; /* CSV: data bytes of this field */
	size_t held;     /* CSV, NUL: bytes of this field at the buffer's end, better not flushed yet */
};

/* CSV_NUL: so many bytes of a field are at the buffer's end; too many are let go. */
static inline void
csv_write_hold(struct csv_writer *writer, size_t n)
{
	writer->held = n > CSV_HOLD_MAX ? 0 : n;
}

/* CSV_NUL: n bytes of fields were written at the buffer's end. What is behind the last terminator is held. */
void csv_write_hold_tail(struct csv_writer *writer, const struct buffer *out, size_t n);

/* How many bytes of data fit for sure. */
static inline size_t
csv_write_fit(const struct buffer *out)
{
	size_t room = buffer_room(out);

	return room < CSV_WRITE_ROOM ? 0 : (room - CSV_WRITE_ROOM) / CSV_WRITE_GROWTH;
}

/* The formats that do more than put bytes down. */
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
 * n bytes of data. Where `readable` bytes are there (n or more), that is used
 * to be faster. Returns n; less where the format cannot have the byte there (a
 * NUL in CSV_NUL). With `replace` a piece must not end within a character.
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

/* A field, its data and its end in one: csv_write_field(), csv_write_data(), csv_write_field_end(). */
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

/* JSON objects: the next field's key. Its text follows as data, then csv_write_key_end(). */
void csv_write_key(struct csv_writer *writer, struct buffer *out);
void csv_write_key_end(struct csv_writer *writer, struct buffer *out);

/* At most n bytes, and no more than that do not end within a UTF-8 character. */
size_t csv_write_cut(const unsigned char *data, size_t size, size_t n);

#endif
