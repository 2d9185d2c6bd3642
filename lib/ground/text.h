/*
 * Text put together in a fixed room. What does not fit is left out and noted,
 * so that a whole text is built first and asked about once.
 */
#ifndef FITTINGS_TEXT_H
#define FITTINGS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ground/span.h"

struct text {
	char *at;
	size_t room;
	size_t size;
	bool cut; /* something did not fit */
};

static inline void
text_put(struct text *t, struct span piece)
{
	if (t->cut || piece.size > t->room - t->size) {
		t->cut = true;
		return;
	}
	if (piece.size != 0)
		memcpy(t->at + t->size, piece.at, piece.size);
	t->size += piece.size;
}

static inline void
text_put_string(struct text *t, const char *piece)
{
	text_put(t, span_of(piece));
}

static inline void
text_put_char(struct text *t, char c)
{
	text_put(t, (struct span){&c, 1});
}

static inline void
text_put_number(struct text *t, uint64_t number)
{
	char digits[20];
	size_t first = sizeof digits;

	do
		digits[--first] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	text_put(t, (struct span){digits + first, sizeof digits - first});
}

#endif
