/* Text assembled in storage of a fixed size. A piece that does not fit is left out and sets cut, so that the caller
 * checks once, after the whole text. */
#ifndef FITTINGS_STRBUF_H
#define FITTINGS_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct strbuf {
	char *at;
	size_t capacity;
	size_t size;
	bool cut; /* a piece did not fit */
};

static inline void
strbuf_put(struct strbuf *t, struct span piece)
{
	if (t->cut || piece.size > t->capacity - t->size) {
		t->cut = true;
		return;
	}
	if (piece.size != 0)
		memcpy(t->at + t->size, piece.at, piece.size);
	t->size += piece.size;
}

static inline void
strbuf_put_string(struct strbuf *t, const char *piece)
{
	strbuf_put(t, span_of(piece));
}

static inline void
strbuf_put_char(struct strbuf *t, char c)
{
	strbuf_put(t, (struct span){&c, 1});
}

static inline void
strbuf_put_number(struct strbuf *t, uint64_t number)
{
	char digits[20];
	size_t first = sizeof digits;

	do
		digits[--first] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	strbuf_put(t, (struct span){digits + first, sizeof digits - first});
}

/* Put an environment variable with its NUL. name ends with `=`. */
static inline void
strbuf_put_entry(struct strbuf *t, const char *name, const char *value)
{
	strbuf_put_string(t, name);
	strbuf_put_string(t, value);
	strbuf_put_char(t, '\0');
}

#endif
