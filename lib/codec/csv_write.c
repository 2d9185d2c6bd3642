#include "codec/csv_write.h"

#include "codec/utf8.h"
#include "ground/copy.h"

/* The bytes that each format cannot have as they are. */
enum { PLAIN = 0, IN_TSV = 1 << 0, IN_CSV = 1 << 1, IN_JSON = 1 << 2 };

static const unsigned char special[256] = {
	[0] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	['\t'] = IN_TSV | IN_JSON,
	['\n'] = IN_TSV | IN_CSV | IN_JSON,
	[0x0b] = IN_JSON, IN_JSON,
	['\r'] = IN_TSV | IN_CSV | IN_JSON,
	[0x0e] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	[0x17] = IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON, IN_JSON,
	['"'] = IN_CSV | IN_JSON,
	[','] = IN_CSV,
	['\\'] = IN_TSV | IN_JSON,
};

static inline void
put_byte(struct buffer *out, unsigned char byte)
{
	out->bytes[out->end++] = byte;
}

static inline void
put_bytes(struct buffer *out, const unsigned char *from, size_t n)
{
	copy_bytes(buffer_tail(out), from, n);
	buffer_grow(out, n);
}

static void
put_text(struct buffer *out, const char *text)
{
	put_bytes(out, (const unsigned char *)text, strlen(text));
}

/* How many bytes come before the first special one. */
static inline size_t
plain_run(const unsigned char *data, size_t n, unsigned in)
{
	size_t i = 0;

	while (i < n && (special[data[i]] & in) == 0)
		i++;
	return i;
}

void
csv_write_field(struct csv_writer *w, struct buffer *out)
{
	bool first = w->fields++ == 0;

	switch (w->format) {
	case CSV_TSV:
		if (!first)
			put_byte(out, '\t');
		break;
	case CSV_CSV:
		if (!first)
			put_byte(out, ',');
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

static void
put_tsv(struct buffer *out, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(data + i, n - i, IN_TSV);

		put_bytes(out, data + i, run);
		i += run;
		if (i < n) {
			unsigned char byte = data[i++];

			put_byte(out, '\\');
			put_byte(out, byte == '\t' ? 't' : byte == '\n' ? 'n' : byte == '\r' ? 'r' : '\\');
		}
	}
}

/* The opening quote goes before what the field has so far. */
static void
open_quote(struct csv_writer *w, struct buffer *out)
{
	unsigned char *from = buffer_tail(out) - w->held;

	memmove(from + 1, from, w->held);
	*from = '"';
	buffer_grow(out, 1);
	w->held = 0;
	w->quoted = true;
}

static void
put_csv(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n)
{
	w->length += n;
	if (!w->quoted && (w->length > CSV_HOLD_MAX || plain_run(data, n, IN_CSV) < n))
		open_quote(w, out);
	if (!w->quoted) {
		put_bytes(out, data, n);
		w->held += n;
		return;
	}
	for (size_t i = 0; i < n;) {
		const unsigned char *quote = memchr(data + i, '"', n - i);
		size_t run = quote == NULL ? n - i : (size_t)(quote - data) + 1 - i;

		put_bytes(out, data + i, run);
		i += run;
		if (quote != NULL)
			put_byte(out, '"');
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
put_json(struct buffer *out, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t run = plain_run(data + i, n - i, IN_JSON);

		put_bytes(out, data + i, run);
		i += run;
		if (i < n)
			put_json_escape(out, data[i++]);
	}
}

/* How many of the bytes before data[n] are the beginning of a character. */
static size_t
half_character(const unsigned char *data, size_t n)
{
	size_t size = 1;

	while (size < n && (data[n - size] & 0xc0) == 0x80)
		size++;
	return size;
}

/* One U+FFFD for each byte that begins no character and each character that breaks off. */
static void
put_json_replaced(struct buffer *out, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		struct utf8 text = {0};
		size_t good = utf8_check(&text, data + i, n - i);
		size_t half = utf8_whole(&text) ? 0 : half_character(data + i, good);

		put_json(out, data + i, good - half);
		i += good;
		if (half == 0 && i == n)
			break;
		put_text(out, "\xef\xbf\xbd");
		if (half == 0)
			i++;
	}
}

size_t
csv_write_data(struct csv_writer *w, struct buffer *out, const unsigned char *data, size_t n)
{
	const unsigned char *nul;

	switch (w->format) {
	case CSV_NUL:
		nul = n == 0 ? NULL : memchr(data, '\0', n);
		if (nul != NULL)
			return (size_t)(nul - data);
		put_bytes(out, data, n);
		csv_write_hold(w, w->held + n);
		break;
	case CSV_TSV:
		put_tsv(out, data, n);
		break;
	case CSV_CSV:
		put_csv(w, out, data, n);
		break;
	case CSV_JSON:
		if (w->replace)
			put_json_replaced(out, data, n);
		else
			put_json(out, data, n);
		break;
	default:
		put_bytes(out, data, n);
	}
	return n;
}

/* A byte order mark at the output's beginning would be skipped by whoever reads it. */
static bool
begins_with_mark(const struct csv_writer *w, const struct buffer *out)
{
	return !w->begun && w->held >= 3 && memcmp(buffer_tail(out) - w->held, "\xef\xbb\xbf", 3) == 0;
}

void
csv_write_field_end(struct csv_writer *w, struct buffer *out)
{
	switch (w->format) {
	case CSV_LINES:
		put_byte(out, '\n');
		break;
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

void
csv_write_record_end(struct csv_writer *w, struct buffer *out)
{
	switch (w->format) {
	case CSV_TSV:
		put_byte(out, '\n');
		break;
	case CSV_CSV:
		/* Many readers skip an empty line. */
		put_text(out, w->fields == 1 && w->length == 0 ? "\"\"\n" : "\n");
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
	/* Four tails in a row are in no character, so any cut will do there. */
	while (cut > 0 && n - cut < 3 && (data[cut] & 0xc0) == 0x80)
		cut--;
	return (data[cut] & 0xc0) == 0x80 || cut == 0 ? n : cut;
}
