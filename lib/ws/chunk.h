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

/* The time for a frame or record, for a compressed byte (at most), for a byte to compress, and for this number of
 * uncompressed bytes, compared with a byte of decompressed payload: the units of a share of a turn. */
enum { FRAME_COST = 32, INFLATE_COST = 4, DEFLATE_COST = 4, PLAIN_SIZE = 4 };

#endif
