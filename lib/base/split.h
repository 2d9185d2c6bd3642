/*
 * Split bytes at a delimiter, without quoting: "a," is two fields, the second empty; "," is two
 * empty fields; an empty text has no fields.
 *
 *     struct split s = split_over(message, ',');
 *     struct span field;
 *
 *     while (split_next(&s, &field))
 *         ...
 */
#ifndef FITTINGS_SPLIT_H
#define FITTINGS_SPLIT_H

#include <stdbool.h>
#include <string.h>

#include "base/span.h"

struct split {
	struct span rest;
	char delimiter;
	bool more;
};

static inline struct split
split_over(struct span text, char delimiter)
{
	return (struct split){.rest = text, .delimiter = delimiter, .more = text.size != 0};
}

/* Set field to the next field, a slice of the text. Return false after the last one. */
static inline bool
split_next(struct split *s, struct span *field)
{
	const char *stop;

	if (!s->more)
		return false;
	stop = s->rest.size == 0 ? NULL : memchr(s->rest.at, s->delimiter, s->rest.size);
	s->more = stop != NULL;
	*field = (struct span){s->rest.at, stop == NULL ? s->rest.size : (size_t)(stop - s->rest.at)};
	if (stop != NULL)
		s->rest = (struct span){stop + 1, s->rest.size - field->size - 1};
	return true;
}

#endif
