/* A recursive descent parser of CSV to compare the scanner with: two bytes for each byte of data,
 * field and record. */
#ifndef FITTINGS_NAIVE_CSV_H
#define FITTINGS_NAIVE_CSV_H

#include "csv/csv.h"
#include "fuzz.h"

enum { END_FIELD = 256, END_RECORD };

static inline void
tell(struct account *a, unsigned event)
{
	unsigned char bytes[] = {(unsigned char)(event >> 8), (unsigned char)event};

	account_put(a, bytes, 2);
}

struct naive_csv {
	struct csv_dialect d;
	const unsigned char *in;
	size_t n, at, line_at, first_end; /* first_end: after the first record */
	uint64_t line, quote_line;
	bool unclosed, open; /* the input ended in a quoted field; in a record */
	size_t records;      /* started */
	bool bare_cr;        /* in any record */
	enum csv_problem problem;
	size_t fields, width;
	uint64_t field_line, field_column, record_line;
	struct account *a;
};

static inline bool
is(const struct naive_csv *v, unsigned char c)
{
	return v->at < v->n && v->in[v->at] == c;
}

static inline void
naive_data(struct naive_csv *v)
{
	tell(v->a, v->in[v->at++]);
	if (v->in[v->at - 1] == '\n') {
		v->line++;
		v->line_at = v->at;
	}
}

/* Parse an escape with its byte. Return false if there is none here. */
static inline bool
naive_escape(struct naive_csv *v, bool after_quote)
{
	bool tsv = v->d.escapes == CSV_ESCAPES_TSV, there = v->at + 1 < v->n;
	unsigned char next = there ? v->in[v->at + 1] : 0;
	const char *names = "tnr\\", *values = "\t\n\r\\", *name = next == 0 ? NULL : strchr(names, next);
	bool letter = (next >= '0' && next <= '9') || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');

	if (v->d.escapes == CSV_ESCAPES_NONE || !is(v, v->d.escape))
		return false;
	if (v->d.strict && (after_quote || !there || (tsv ? name == NULL : letter))) {
		v->problem = after_quote ? CSV_TEXT_AFTER_QUOTE : CSV_BAD_ESCAPE;
		return true;
	}
	if (!there || (tsv && name == NULL))
		return false;
	v->at++;
	if (tsv) {
		tell(v->a, (unsigned char)values[name - names]);
		v->at++;
	} else {
		naive_data(v);
	}
	return true;
}

static inline void
naive_quoted(struct naive_csv *v)
{
	v->quote_line = v->line;
	for (v->at++; v->at < v->n;) {
		if (naive_escape(v, false)) {
			if (v->problem != CSV_FINE)
				break;
			continue;
		}
		if (is(v, v->d.quote)) {
			v->at++;
			if (!is(v, v->d.quote))
				return;
		}
		naive_data(v);
	}
	v->unclosed = true;
}

static inline void
naive_bare(struct naive_csv *v, bool after_quote)
{
	for (; v->at < v->n && !is(v, v->d.delimiter) && !is(v, '\n'); after_quote = false) {
		bool quote = v->d.quoting && is(v, v->d.quote);

		if (naive_escape(v, after_quote)) {
			if (v->problem != CSV_FINE)
				return;
			continue;
		}
		if (is(v, '\r') && v->at + 1 < v->n && v->in[v->at + 1] == '\n') {
			v->at++;
			return;
		}
		if (v->d.strict && (is(v, '\r') || quote || after_quote)) {
			v->problem = is(v, '\r') ? CSV_BARE_CR : quote ? CSV_QUOTE_IN_FIELD : CSV_TEXT_AFTER_QUOTE;
			return;
		}
		v->bare_cr |= is(v, '\r');
		naive_data(v);
	}
}

/* Skip an empty line. Return false if there is none here. */
static inline bool
naive_blank(struct naive_csv *v)
{
	size_t cr = is(v, '\r');

	if (!v->d.skip_blank || v->at + cr >= v->n || v->in[v->at + cr] != '\n')
		return false;
	v->line_at = v->at += cr + 1;
	v->line++;
	return true;
}

static inline void
naive_record(struct naive_csv *v)
{
	if (naive_blank(v))
		return;
	v->open = true;
	v->records++;
	v->record_line = v->line;
	v->fields = 0;
	for (;;) {
		bool quoted = v->d.quoting && is(v, v->d.quote);

		v->fields++;
		v->field_line = v->line;
		v->field_column = v->at - v->line_at + 1;
		if (quoted)
			naive_quoted(v);
		if (!v->unclosed)
			naive_bare(v, quoted);
		if (v->problem != CSV_FINE || v->at == v->n)
			return;
		if (is(v, '\n'))
			break;
		tell(v->a, END_FIELD);
		v->at++;
	}
	v->width = v->width == 0 ? v->fields : v->width;
	if (v->d.even && v->fields != v->width) {
		v->problem = CSV_UNEVEN;
		return;
	}
	tell(v->a, END_RECORD);
	v->open = false;
	v->line_at = ++v->at;
	v->line++;
	if (v->records == 1)
		v->first_end = v->at;
}

/* Return whether the text is one record, and whether it contains CRs. */
static inline bool
naive_csv_mac(const struct naive_csv *v)
{
	return v->bare_cr && v->records <= 1 && (v->open || v->first_end == v->n);
}

static inline void
naive_csv_read(struct naive_csv *v)
{
	v->line = 1;
	if (v->d.escapes != CSV_ESCAPES_TSV && v->n >= 3 && memcmp(v->in, "\xef\xbb\xbf", 3) == 0)
		v->at = v->line_at = 3;
	while (v->at < v->n && v->problem == CSV_FINE)
		naive_record(v);
}

#endif
