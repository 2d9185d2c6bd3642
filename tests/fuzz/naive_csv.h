/* CSV read by recursive descent, to compare the scanner with: two bytes for each byte of data, field and record. */
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
	size_t n, at, line_at;
	uint64_t line, quote_line;
	bool unclosed, open; /* the input ended in a quoted field; in a record */
	size_t records;      /* begun */
	bool bare_cr;        /* in any of them */
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

static inline void
naive_quoted(struct naive_csv *v)
{
	v->quote_line = v->line;
	for (v->at++; v->at < v->n; naive_data(v)) {
		if (!is(v, v->d.quote))
			continue;
		v->at++;
		if (!is(v, v->d.quote))
			return;
	}
	v->unclosed = true;
}

static inline void
naive_bare(struct naive_csv *v, bool after_quote)
{
	for (; v->at < v->n && !is(v, v->d.delimiter) && !is(v, '\n'); after_quote = false) {
		bool quote = v->d.quoting && is(v, v->d.quote);

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

static inline void
naive_record(struct naive_csv *v)
{
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
}

static inline void
naive_csv_read(struct naive_csv *v)
{
	v->line = 1;
	if (v->n >= 3 && memcmp(v->in, "\xef\xbb\xbf", 3) == 0)
		v->at = v->line_at = 3;
	while (v->at < v->n && v->problem == CSV_FINE)
		naive_record(v);
}

#endif
