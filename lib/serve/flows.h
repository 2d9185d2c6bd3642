/* The data flow between a WebSocket connection and a program: four buffers, the two codecs between them, and a
 * client's masking keys. */
#ifndef FITTINGS_FLOWS_H
#define FITTINGS_FLOWS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "serve/compression.h"
#include "ws/frames_to_records.h"
#include "ws/records_to_frames.h"

enum {
	FLOWS_FIRST_SIZE = 512, /* of a buffer; most idle connections never need more */
	FLOWS_SIZE = 128 << 10,
	FLOWS_KEPT = 2 << 20, /* of the memory for a long message, which is kept for the next one */
	FLOWS_KEYS = 64,
};

/* The first storage of each buffer. A process with one connection uses FLOWS_FIRST_SIZE, which suffices while it is
 * idle. Connections that take turns share a storage of FLOWS_SIZE (flows_lend()). */
struct flows_storage {
	unsigned char *rx, *tx, *to_child, *from_child;
	size_t size;
};

enum { FLOWS_BUFFERS = 4 };

/* Divide bytes, FLOWS_BUFFERS times size, into the storage of the buffers. */
static inline struct flows_storage
flows_storage_over(unsigned char *bytes, size_t size)
{
	return (struct flows_storage){bytes, bytes + size, bytes + 2 * size, bytes + 3 * size, size};
}

struct flows {
	struct buffer rx, tx;                 /* from and to the peer */
	struct buffer to_child, from_child;   /* to and from the program */
	struct frames_to_records in;
	struct records_to_frames out;
	struct flows_storage *storage;
	struct compression *compression; /* NULL without permessage-deflate */
	unsigned char keys[FLOWS_KEYS][FRAME_KEY_SIZE];
	unsigned keys_left;
};

/* Set up the flows. max is the largest message from the peer, 0: no limit. */
void flows_begin(struct flows *f, struct flows_storage *storage, enum record_mode mode, enum reader_peer peer,
    bool masked, uint64_t max);

/* Use permessage-deflate. Called after flows_begin(). */
void flows_compress(struct flows *f, struct compression *compression);

/* Return an unpredictable masking key, the same one until flows_key_used(), or NULL if frames are not masked. If
 * the kernel returns no random bytes, *fault is the errno and the key must not be used. */
const unsigned char *flows_key(struct flows *f, int *fault);
void flows_key_used(struct flows *f);

enum flows_growth { FLOWS_GROWN, FLOWS_ENOUGH, FLOWS_NO_MEMORY };

/* Enlarge a buffer from its first size to FLOWS_SIZE. */
enum flows_growth flows_tx_grow(struct flows *f);

/* Enlarge to_child if it has too little space. A netstring must be complete, so a message may need
 * more than FLOWS_SIZE; the memory then grows with the data received. */
enum flows_growth flows_to_child_grow(struct flows *f);

/* Release the memory of a long message that the program has read. */
void flows_settle(struct flows *f);

/* Enlarge an input buffer that is full at its first size, because more data is pending. Return
 * false without memory. */
bool flows_sources_grow(struct flows *f);

/* After CLOSE_UNSUPPORTED: the options that avoid it. */
#define FLOWS_BINARY_HINT "use -b or -n -T"

/* Release the memory that a burst of data needed. */
void flows_shrink(struct flows *f);

/*
 * For connections that share a storage of FLOWS_SIZE. Between flows_return() and the next
 * flows_lend() an empty buffer has no storage, and a buffer with data has memory of its own.
 * flows_return() returns false without memory for the latter; the storage then stays lent.
 */
void flows_lend(struct flows *f);
bool flows_return(struct flows *f);

void flows_end(struct flows *f);

#endif
