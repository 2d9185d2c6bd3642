/*
 * What passes between a WebSocket connection and a program: four buffers, the
 * two codecs between them, and the masking keys of a client.
 */
#ifndef FITTINGS_FLOWS_H
#define FITTINGS_FLOWS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "serve/compression.h"
#include "ws/frames_to_records.h"
#include "ws/records_to_frames.h"

enum {
	FLOWS_FIRST_SIZE = 512, /* of a buffer; most that wait have had nothing larger */
	FLOWS_SIZE = 128 << 10,
	FLOWS_KEYS = 64,
};

/* The first storage of each buffer: of FLOWS_FIRST_SIZE for the only connection of a process, which needs no more while
 * it is idle; or of FLOWS_SIZE for many connections that use it in turn (flows_lend). */
struct flows_storage {
	unsigned char *rx, *tx, *to_child, *from_child;
	size_t size;
};

enum { FLOWS_BUFFERS = 4 };

/* bytes: FLOWS_BUFFERS times size. */
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

/* max: of a message from the peer, 0 for any. */
void flows_begin(struct flows *f, struct flows_storage *storage, enum record_mode mode, enum reader_peer peer,
    bool masked, uint64_t max);

/* After flows_begin(): use permessage-deflate. */
void flows_compress(struct flows *f, struct compression *compression);

/* A masking key that nobody can foresee, the same one until flows_key_used(); NULL if frames are not masked.
 * If the kernel gives no random bytes *fault becomes its errno, and the key is not to be used. */
const unsigned char *flows_key(struct flows *f, int *fault);
void flows_key_used(struct flows *f);

enum flows_growth { FLOWS_GROWN, FLOWS_ENOUGH, FLOWS_NO_MEMORY };

/* A buffer at its first size gets the full one. */
enum flows_growth flows_tx_grow(struct flows *f);

/* No room for what came. A netstring is held whole, so its message may need more than a full buffer: memory that
 * grows with what has come. */
enum flows_growth flows_to_child_grow(struct flows *f);

/* A full small buffer of what is read means that more data is pending: it gets the full size. False without memory. */
bool flows_sources_grow(struct flows *f);

/* The options that help against what the peer sent, in brackets, or nothing: for a code of our Close. */
const char *flows_hint(unsigned code);

/* Gives back what a burst needed. */
void flows_shrink(struct flows *f);

/*
 * For connections that share a storage of FLOWS_SIZE: between flows_return() and the next flows_lend() an empty buffer
 * has no storage, and one that holds bytes has its own. flows_return() returns false without memory for those: the
 * storage stays lent then.
 */
void flows_lend(struct flows *f);
bool flows_return(struct flows *f);

/* Releases all memory, for good. */
void flows_end(struct flows *f);

#endif
