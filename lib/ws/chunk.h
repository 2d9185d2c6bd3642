/* A piece of a message's payload, on its way in or out: in place, not owned. */
#ifndef FITTINGS_CHUNK_H
#define FITTINGS_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

struct chunk {
	unsigned char *at;
	size_t size;
	bool binary; /* of a binary message, else of a text */
	bool first;  /* the message begins with it */
	bool last;   /* and ends with it */
};

#endif
