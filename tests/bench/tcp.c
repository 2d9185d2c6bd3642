/* The load of load.c as bytes over TCP, without a protocol. */
#include <string.h>

#include "load.h"

enum { PERIOD = 4093 }; /* period of the sent bytes: a prime, so that no buffer size is a multiple */

const enum phase phase_first = PHASE_MESSAGES;

void
protocol_make(struct connection *c, size_t number)
{
	static char *pattern;
	size_t size = options.size * options.depth;

	if (pattern == NULL) {
		pattern = allocate(PERIOD + size);
		for (size_t i = 0; i < PERIOD + size; i++)
			pattern[i] = (char)((i % PERIOD) * 2654435761U >> 13);
	}
	c->out[PHASE_MESSAGES] = (struct span){pattern + 97 * number % PERIOD, size};
}

void
protocol_take(struct connection *c, const char *bytes, size_t n)
{
	struct span want = c->from->out[PHASE_MESSAGES];

	while (n > 0) {
		size_t part = n < want.size - c->at ? n : want.size - c->at;

		if (part == 0 || memcmp(bytes, want.at + c->at, part) != 0)
			wrong("echo");
		bytes += part;
		n -= part;
		c->at = (c->at + part) % want.size;
		c->received += c->at == 0 ? options.depth : 0;
	}
}
