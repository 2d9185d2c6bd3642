/* A chunk of a message payload: a slice of a buffer, not owned. */
#ifndef FITTINGS_CHUNK_H
#define FITTINGS_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

struct chunk {
	unsigned char *at;
	size_t size;
	bool binary; /* a binary message, else text */
	bool first;  /* first chunk of the message */
	bool last;   /* last chunk */
};

#endif
