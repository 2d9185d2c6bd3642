#include "csv/csv_write.h"

#include "base/utf8.h"
#include "base/copy.h"
#include "csv/csv_vector.h"

/* The bytes that each format escapes or quotes. CSV quotes its delimiter, too. */
enum { IN_TSV = 1 << 0, IN_CSV = 1 << 1, IN_QUOTES = 1 << 2, IN_JSON = 1 << 3 };

static const unsigned char special[256] = {
	[0] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	['\t'] = IN_TSV | IN_JSON,
	['\n'] = IN_TSV | IN_CSV | IN_JSON,
	[0x0b] = IN_JSON, IN_JSON,
	['\r'] = IN_TSV | IN_CSV | IN_JSON,
	[0x0e] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	[0x17] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	['"'] = IN_CSV | IN_QUOTES | IN_JSON,
	['\\'] = IN_TSV | IN_JSON,
};

/* The set of bytes to find is a constant in each use. */
#define ALWAYS __attribute__((always_inline))

ALWAYS static inline bool
is_special(unsigned char byte, unsigned in, unsigned char delimiter)
{
	return (special[byte] & in) != 0 || (in == IN_CSV && byte == delimiter);
}

#ifdef CSV_HAS_VECTOR

ALWAYS static inline csv_vector
special_16(csv_vector v, unsigned in, unsigned char delimiter)
{
	csv_vector quote = csv_equal(v, csv_splat('"')), backslash = csv_equal(v, csv_splat('\\'));
	csv_vector breaks = csv_equal(v, csv_splat('\n')) | csv_equal(v, csv_splat('\r'));

	switch (in) {
	case IN_TSV: return breaks | csv_equal(v, csv_splat('\t')) | backslash;
	case IN_CSV: return breaks | csv_equal(v, csv_splat(delimiter)) | quote;
	case IN_JSON: return (csv_vector)(v < csv_splat(' ')) | backslash | quote;
	default: return quote;
	}
}

/* Return which of 32 bytes are special. */
ALWAYS static inline uint32_t
special_32(const unsigned char *p, unsigned in, unsigned char delimiter)
{
	return csv_gather_2(special_16(csv_load(p), in, delimiter), special_16(csv_load(p + 16), in, delimiter));
}

#else

ALWAYS static inline uint32_t
special_32(const unsigned char *p, unsigned in, unsigned char delimiter)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < 32; i++)
		found |= (uint32_t)is_special(p[i], in, delimiter) << i;
	return found;
}

#endif

/* Return how many of n bytes precede the first special one. */
ALWAYS static inline size_t
plain_run(const unsigned char *data, size_t n, size_t readable, unsigned in, unsigned char delimiter)
{
	size_t i = 0;

	for (; i < n && readable - i >= 32; i += 32) {
		uint32_t found = special_32(data + i, in, delimiter);

		if (n - i < 32)
			found &= ((uint32_t)1 << (n - i)) - 1;
		if (found != 0)
			return i + (size_t)__builtin_ctz(found);
	}
	while (i < n && !is_special(data[i], in, delimiter))
		i++;
	return i < n ? i : n;
}

static inline void
put_byte(struct buffer *out, unsigned char byte)
{
	out->bytes[out->end++] = byte;
}

static inline void
put_bytes(struct buffer *out, const unsigned char *from, size_t n, size_t readable)
{
	if (readable >= 32)
		copy_bytes_32(buffer_tail(out), from, n);
	else
		copy_bytes(buffer_tail(out), from, n);
	buffer_grow(out, n);
}

static void
put_text(struct buffer *out, const char *text)
{
	buffer_put(out, text, strlen(text));
}

void
csv_write_field_formatted(struct csv_writer *w, struct buffer *out)
{
	bool first = w->fields++ == 0;

	switch (w->format) {
	case CSV_TSV:
		if (!first)
			put_byte(out, '\t');
		break;
	case CSV_CSV:
		if (!first)
			put_byte(out, w->delimiter);
		w->quoted = false;
		w->length = 0;
		break;
	case CSV_JSON:
		if (!w->keyed)
			put_byte(out, first ? '[' : ',');
		put_byte(out, '"');
		break;
	default:
		break;
	}
}

ALWAYS static inline void
put_escaped(struct buffer *out, const unsigned char *data, size_t n, size_t readable, unsigned in,
            void (*put_escape)(struct buffer *, unsigned char))
{
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(data + i, n - i, readable - i, in, 0);

		put_bytes(out, data + i, run, readable - i);
		i += run;
		if (i < n)
			put_escape(out, data[i++]);
	}
}

static inline void
put_tsv_escape(struct buffer *out, unsigned char byte)
{
	put_byte(out, '\\');
	put_byte(out, byte == '\t' ? 't' : byte == '\n' ? 'n' : byte == '\r' ? 'r' : '\\');
}

static inline void
put_quotes(struct buffer *out, unsigned char quote)
{
	put_byte(out, '"');
	put_byte(out, quote);
}

/* Insert the opening quote before the part of the field that is in the buffer. */
static void
open_quote(struct csv_writer *w, struct buffer *out)
{
	unsigned char *from = buffer_tail(out) - w->held;

	if (w->held > 0)
		memmove(from + 1, from, w->held);
	*from = '"';
	buffer_grow(out, 1);
	w->held = 0;
	w->quoted = true;
}

static void
put_csv(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n, size_t readable)
{
	w->length += n;
	if (!w->quoted && (w->length > CSV_HOLD_MAX || plain_run(data, n, readable, IN_CSV, w->delimiter) < n))
		open_quote(w, out);
	if (w->quoted) {
		put_escaped(out, data, n, readable, IN_QUOTES, put_quotes);
	} else {
		put_bytes(out, data, n, readable);
		w->held += n;
	}
}

static void
put_json_escape(struct buffer *out, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	put_byte(out, '\\');
	for (size_t i = 0; i < sizeof letters - 1; i += 2)
		if ((unsigned char)letters[i] == byte) {
			put_byte(out, (unsigned char)letters[i + 1]);
			return;
		}
	put_text(out, "u00");
	put_byte(out, (unsigned char)hex[byte >> 4]);
	put_byte(out, (unsigned char)hex[byte & 15]);
}

static void
put_json(struct buffer *out, const unsigned char *data, size_t n, size_t readable)
{
	put_escaped(out, data, n, readable, IN_JSON, put_json_escape);
}

/* Return how many bytes before data[n] are the beginning of a character. */
static size_t
half_character(const unsigned char *data, size_t n)
{
	size_t size = 1;

	while (size < n && (data[n - size] & 0xc0) == 0x80)
		size++;
	return size;
}

/* Write U+FFFD for each byte that cannot begin a character and for each incomplete character. */
static void
put_json_replaced(struct buffer *out, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		struct utf8 text = {0};
		size_t good = utf8_check(&text, data + i, n - i);
		size_t half = utf8_whole(&text) ? 0 : half_character(data + i, good);

		put_json(out, data + i, good - half, n - i);
		i += good;
		if (half == 0 && i == n)
			break;
		put_text(out, "\xef\xbf\xbd");
		if (half == 0)
			i++;
	}
}

size_t
csv_write_data_formatted(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n,
               size_t readable)
{
	const unsigned char *nul;

	switch (w->format) {
	case CSV_NUL:
		nul = n == 0 ? NULL : memchr(data, '\0', n);
		if (nul != NULL)
			return (size_t)(nul - data);
		put_bytes(out, data, n, readable);
		csv_write_hold(w, w->held + n);
		break;
	case CSV_TSV:
		put_escaped(out, data, n, readable, IN_TSV, put_tsv_escape);
		break;
	case CSV_CSV:
		put_csv(w, out, data, n, readable);
		break;
	case CSV_JSON:
		if (w->replace)
			put_json_replaced(out, data, n);
		else
			put_json(out, data, n, readable);
		break;
	default:
		put_bytes(out, data, n, readable);
	}
	return n;
}

void
csv_write_hold_tail(struct csv_writer *w, const struct buffer *out, size_t n)
{
	const unsigned char *end = buffer_tail(out);
	size_t tail = 0;

	while (tail < n && end[-1 - (ptrdiff_t)tail] != '\0')
		tail++;
	csv_write_hold(w, tail < n ? tail : w->held + tail);
}

/* A reader skips a byte order mark at the beginning of the output. In quotes it is data. */
static bool
begins_with_mark(const struct csv_writer *w, const struct buffer *out)
{
	return !w->begun && w->held >= 3 && memcmp(buffer_tail(out) - w->held, "\xef\xbb\xbf", 3) == 0;
}

void
csv_write_field_end_formatted(struct csv_writer *w, struct buffer *out)
{
	switch (w->format) {
	case CSV_NUL:
		put_byte(out, '\0');
		w->held = 0;
		break;
	case CSV_CSV:
		if (!w->quoted && begins_with_mark(w, out))
			open_quote(w, out);
		if (w->quoted)
			put_byte(out, '"');
		w->held = 0;
		w->begun = true;
		break;
	case CSV_JSON:
		put_byte(out, '"');
		break;
	default:
		break;
	}
}

/* Write a short field of TSV or CSV. Return false if it needs escapes or quotes. */
ALWAYS static inline bool
put_simple(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n,
           unsigned char separator, unsigned in)
{
	unsigned char *to = buffer_tail(out);

	if ((special_32(data, in, separator) & (((uint64_t)1 << n) - 1)) != 0)
		return false;
	*to = separator;
	to += w->fields++ != 0;
	memcpy(to, data, 16);
	memcpy(to + 16, data + 16, 16);
	out->end = (size_t)(to + n - out->bytes);
	w->length = n;
	return true;
}

/* The same for a JSON string. */
static inline bool
put_simple_json(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n)
{
	unsigned char *to = buffer_tail(out);

	if ((special_32(data, IN_JSON, 0) & (((uint64_t)1 << n) - 1)) != 0)
		return false;
	*to = w->fields++ == 0 ? '[' : ',';
	to += !w->keyed;
	*to++ = '"';
	memcpy(to, data, 16);
	memcpy(to + 16, data + 16, 16);
	to[n] = '"';
	out->end = (size_t)(to + n + 1 - out->bytes);
	return true;
}

size_t
csv_write_whole_formatted(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n,
                          size_t readable)
{
	size_t taken;

	if (n <= 32 && readable >= 32) {
		if (w->format == CSV_TSV && put_simple(w, out, data, n, '\t', IN_TSV))
			return n;
		/* A constant delimiter is faster. */
		if (w->format == CSV_CSV && w->begun
		    && (w->delimiter == ',' ? put_simple(w, out, data, n, ',', IN_CSV)
		                            : put_simple(w, out, data, n, w->delimiter, IN_CSV)))
			return n;
		if (w->format == CSV_JSON && !w->replace && put_simple_json(w, out, data, n))
			return n;
	}
	csv_write_field_formatted(w, out);
	taken = csv_write_data_formatted(w, out, data, n, readable);
	if (taken == n)
		csv_write_field_end_formatted(w, out);
	return taken;
}

void
csv_write_record_end_formatted(struct csv_writer *w, struct buffer *out)
{
	switch (w->format) {
	case CSV_TSV:
		put_byte(out, '\n');
		break;
	case CSV_CSV:
		/* Many readers skip an empty line. */
		put_text(out, w->fields == 0 || (w->fields == 1 && w->length == 0) ? "\"\"\n" : "\n");
		break;
	case CSV_JSON:
		if (w->fields == 0)
			put_byte(out, w->keyed ? '{' : '[');
		put_text(out, w->keyed ? "}\n" : "]\n");
		break;
	default:
		break;
	}
	w->fields = 0;
}

void
csv_write_key(struct csv_writer *w, struct buffer *out)
{
	put_byte(out, w->fields == 0 ? '{' : ',');
	put_byte(out, '"');
}

void
csv_write_key_end(struct csv_writer *w, struct buffer *out)
{
	(void)w;
	put_text(out, "\":");
}

size_t
csv_write_cut(const unsigned char *data, size_t size, size_t n)
{
	size_t cut = n;

	if (n >= size)
		return size;
	/* Four continuation bytes in a row are not UTF-8: cut anywhere. */
	while (cut > 0 && n - cut < 3 && (data[cut] & 0xc0) == 0x80)
		cut--;
	return (data[cut] & 0xc0) == 0x80 || cut == 0 ? n : cut;
}
