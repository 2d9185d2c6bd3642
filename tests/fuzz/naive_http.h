/* A naive parser of a complete HTTP head to compare the codec with. */
#ifndef FITTINGS_NAIVE_HTTP_H
#define FITTINGS_NAIVE_HTTP_H

#include <strings.h>

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

static inline bool
naive_equal(struct span s, const char *text)
{
	return s.size == strlen(text) && strncasecmp(s.at, text, s.size) == 0;
}

/* Take the next item of a list, without blanks around it. */
static inline struct span
naive_item(struct span *list, char separator)
{
	const char *end = memchr(list->at, separator, list->size);
	struct span item = {list->at, end == NULL ? list->size : (size_t)(end - list->at)};

	*list = span_skip(*list, item.size + (end != NULL));
	while (item.size > 0 && strchr(" \t", *item.at) != NULL)
		item = span_skip(item, 1);
	while (item.size > 0 && strchr(" \t", item.at[item.size - 1]) != NULL)
		item.size--;
	return item;
}

/* Return whether the lines after the first one are the fields that the codec found: `Name: value`. */
static inline bool
naive_fields(const char *head, size_t n, const struct http_fields *fields, bool parsed)
{
	const char *line = (const char *)memchr(head + 2, '\n', n - 2) + 1, *end;
	size_t count = 0;

	for (; *line != '\r'; line = end + 1, count++) {
		const char *colon;
		struct span value;

		end = memchr(line, '\n', n - (size_t)(line - head));
		colon = memchr(line, ':', (size_t)(end - line));
		if (colon == NULL || !naive_token(line, (size_t)(colon - line)))
			return false;
		if (!parsed)
			continue;
		value = (struct span){colon + 1, (size_t)(end - colon) - 2};
		FUZZ_CHECK(count < fields->count);
		FUZZ_CHECK(span_equal(fields->all[count].name, (struct span){line, (size_t)(colon - line)}));
		FUZZ_CHECK(span_equal(fields->all[count].value, naive_item(&value, '\n')));
	}
	FUZZ_CHECK(!parsed || fields->count == count);
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
	FUZZ_CHECK(got <= 0 || ((size_t)got <= held && scan.examined == (size_t)got));
	FUZZ_CHECK(got >= 0 || scan.why != NULL);
	return got;
}

/* Return the next field of that name from *i on, or NULL. */
static inline const struct http_field *
naive_find(const struct http_fields *fields, const char *name, size_t *i)
{
	while (*i < fields->count)
		if (naive_equal(fields->all[(*i)++].name, name))
			return &fields->all[*i - 1];
	return NULL;
}

/* Return whether an item of the list in the fields of that name is the token, in any case. */
static inline bool
naive_list_has(const struct http_fields *fields, const char *name, const char *token)
{
	const struct http_field *f;

	for (size_t i = 0; (f = naive_find(fields, name, &i)) != NULL;)
		for (struct span list = f->value; list.size > 0;)
			if (naive_equal(naive_item(&list, ','), token))
				return true;
	return false;
}

/* Return the number of fields of that name; *value is that of the first one. */
static inline size_t
naive_count(const struct http_fields *fields, const char *name, struct span *value)
{
	const struct http_field *f;
	size_t count = 0;

	for (size_t i = 0; (f = naive_find(fields, name, &i)) != NULL; count++)
		*value = count == 0 ? f->value : *value;
	return count;
}

#endif
