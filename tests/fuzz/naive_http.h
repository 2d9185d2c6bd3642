/* A naive parser of a complete HTTP head to compare the codec with. */
#ifndef FITTINGS_NAIVE_HTTP_H
#define FITTINGS_NAIVE_HTTP_H

#include "http/head.h"
#include "fuzz.h"

/* http_scan() of the whole input: every rule checks the previous bytes. */
static inline int
naive_scan(const char *in, size_t n)
{
	bool empty_first = n >= 2 && memcmp(in, "\r\n", 2) == 0;
	size_t start = empty_first ? 2 : 0;
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++) {
		char c = in[i], before = i == 0 ? 'x' : in[i - 1];
		bool line_begins = i > start && before == '\n';

		if (i == HTTP_HEAD_MAX)
			break;
		if ((c == '\n') != (before == '\r') || (c == '\r' && i == 2 && empty_first)
		    || ((c == ' ' || c == '\t') && line_begins)
		    || (((unsigned char)c < 32 || c == 127) && c != '\r' && c != '\n' && c != '\t'))
			return -HTTP_BAD_REQUEST;
		if (i >= start + 3 && memcmp(in + i - 3, "\r\n\r\n", 4) == 0)
			return (int)i + 1;
		if (lines == HTTP_FIELDS_MAX + 1 && line_begins && c != '\r')
			return -HTTP_FIELDS_TOO_LARGE;
		lines += c == '\n' && i > start;
	}
	if (n < HTTP_HEAD_MAX)
		return 0;
	return lines == 0 ? -HTTP_URI_TOO_LONG : -HTTP_FIELDS_TOO_LARGE;
}

static inline bool
naive_token(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i] == '\0'
		    || strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", at[i]) == NULL)
			return false;
	return n > 0;
}

struct naive_field {
	char name[HTTP_HEAD_MAX], value[HTTP_HEAD_MAX];
};

/* Find the number-th line after the first one, `Name: value`. Return false if it is invalid. */
static inline bool
naive_field(const char *head, size_t n, size_t number, struct naive_field *field)
{
	const char *line = head + (n > 2 && memcmp(head, "\r\n", 2) == 0 ? 2 : 0), *end, *colon;
	size_t size;

	for (; number > 0; number--)
		line = (const char *)memchr(line, '\n', n - (size_t)(line - head)) + 1;
	end = (const char *)memchr(line, '\n', n - (size_t)(line - head)) - 1;
	colon = (const char *)memchr(line, ':', (size_t)(end - line));
	if (colon == NULL || !naive_token(line, (size_t)(colon - line)))
		return false;
	size = (size_t)(colon - line);
	memcpy(field->name, line, size);
	field->name[size] = '\0';
	for (colon++; colon < end && strchr(" \t", *colon) != NULL;)
		colon++;
	while (end > colon && strchr(" \t", end[-1]) != NULL)
		end--;
	size = (size_t)(end - colon);
	memcpy(field->value, colon, size);
	field->value[size] = '\0';
	return true;
}

/* Return whether the lines after the first one are the fields that the codec found. */
static inline bool
naive_fields(const char *head, size_t n, const struct http_fields *fields, bool parsed)
{
	static struct naive_field field;
	size_t lines = 0;

	for (size_t i = n > 2 && memcmp(head, "\r\n", 2) == 0 ? 2 : 0; i < n; i++)
		lines += head[i] == '\n';
	lines -= 2; /* the first and the empty one */
	for (size_t i = 0; i < lines; i++) {
		if (!naive_field(head, n, i + 1, &field))
			return false;
		if (!parsed)
			continue;
		FUZZ_CHECK(i < fields->count);
		FUZZ_CHECK(span_equal(fields->all[i].name, span_of(field.name)));
		FUZZ_CHECK(span_equal(fields->all[i].value, span_of(field.value)));
	}
	FUZZ_CHECK(!parsed || fields->count == lines);
	return true;
}

/* For any cuts the scan has the same result, and requests no more bytes than certainly belong to
 * the head. */
static inline int
scan_cut(struct fuzz f, int want)
{
	struct http_scan scan = {0};
	size_t held = 0, missing;
	int got = 0;

	while (held < f.size && got == 0) {
		held += fuzz_cut(&f, f.size - held);
		/* Byte by byte only for short ones. */
		if (held > 2048 && f.size - held > 512)
			held += 512;
		got = http_scan(&scan, (char *)fuzz_edge(0, f.at, held), held);
		missing = http_scan_missing(&scan);
		FUZZ_CHECK(got != 0 || (missing >= 1 && missing <= 4));
		FUZZ_CHECK(got != 0 || want <= 0 || held + missing <= (size_t)want);
	}
	FUZZ_CHECK(got <= 0 || ((size_t)got <= held && scan.seen == (size_t)got));
	FUZZ_CHECK(got >= 0 || scan.why != NULL);
	return got;
}

/* Return whether an item of the list in the fields of that name is the token, in any case. */
static inline bool
naive_list_has(const struct http_fields *fields, const char *name, const char *token)
{
	size_t size = strlen(token);

	for (size_t i = 0; i < fields->count; i++) {
		const struct http_field *f = &fields->all[i];

		if (f->name.size != strlen(name) || strncasecmp(f->name.at, name, f->name.size) != 0)
			continue;
		for (size_t at = 0; at + size <= f->value.size; at++) {
			size_t before = at, behind = at + size;

			while (before > 0 && strchr(" \t", f->value.at[before - 1]) != NULL)
				before--;
			while (behind < f->value.size && strchr(" \t", f->value.at[behind]) != NULL)
				behind++;
			if (strncasecmp(f->value.at + at, token, size) == 0 && (before == 0 || f->value.at[before - 1] == ',')
			    && (behind == f->value.size || f->value.at[behind] == ','))
				return true;
		}
	}
	return false;
}

/* Return the number of fields of that name; *value is that of the first one. */
static inline size_t
naive_count(const struct http_fields *fields, const char *name, struct span *value)
{
	size_t count = 0;

	for (size_t i = fields->count; i-- > 0;)
		if (fields->all[i].name.size == strlen(name)
		    && strncasecmp(fields->all[i].name.at, name, strlen(name)) == 0) {
			*value = fields->all[i].value;
			count++;
		}
	return count;
}

#endif
