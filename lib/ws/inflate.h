/*
 * Decompression of DEFLATE (RFC 1951) as permessage-deflate uses it (RFC 7692).
 * Strict, without heap, resumable at every byte of input and output.
 *
 *     struct inflate z;
 *     inflate_begin(&z, 15, window, &tables);
 *     used = inflate_step(&z, in, n, out, space, &made, &result);
 *     good = inflate_finish(&z);
 *
 * Input: the unmasked payload of a message, in any number of steps, across the
 * frames of a fragmented message. The bytes 00 00 ff ff that the sender removed are
 * not input: inflate_finish() acts as if they followed. It is called once, after
 * the last byte of the last frame, and leaves the state ready for the next message.
 *
 * Output: `space` is the space at `out`. After INFLATE_FULL call again with the rest of the input
 * (it may be empty) and more space. To limit the size of a message, pass at most the remaining
 * bytes of the limit as `space`. INFLATE_FULL then means that the message is longer (1009). A
 * message of exactly the limit returns INFLATE_MORE.
 *
 * INFLATE_BAD, and false from inflate_finish(): the data is invalid (1007).
 *
 * Context takeover: the window keeps the last output of earlier messages. If the
 * sender uses no_context_takeover, call inflate_reset() after each message.
 *
 * Memory: a struct inflate is about 400 bytes, a struct inflate_tables 7 KiB, a window 1 <<
 * window_bits bytes, touched only as far as it is filled. Without takeover all three are needed
 * only while a message is in progress, and the tables may be shared by any number of states.
 */
#ifndef FITTINGS_INFLATE_H
#define FITTINGS_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/huffman.h"

struct inflate;

/* The decoding tables of the current dynamic block. Their initial content does not matter. If several states share
 * them, each state builds its tables again after another state used them; such states must not be moved. */
struct inflate_tables {
	const struct inflate *owner;
	unsigned litlen_bits, dist_bits;
	uint32_t litlen[HUFFMAN_LITLEN_SIZE];
	uint32_t dist[HUFFMAN_DIST_SIZE];
};

enum inflate_result {
	INFLATE_MORE, /* all input is used */
	INFLATE_FULL, /* the output space is used, and there is more output */
	INFLATE_BAD,  /* invalid data; all later steps return this, too */
};

struct inflate {
	uint64_t bits;          /* input that is read but not consumed; the next bit is the lowest */
	unsigned char *window;  /* the last output, circular */
	struct inflate_tables *tables;
	uint32_t position;      /* in the window, of the next byte */
	uint32_t history;       /* bytes in the window that are valid */
	uint32_t size;          /* of the window, a power of two */
	uint32_t left;          /* bytes of a stored block or of a match */
	uint32_t distance;
	uint16_t litlens, dists, lengths_known;
	uint8_t bit_count;
	uint8_t state;
	bool final, fixed;
	uint8_t precode_lengths[19];
	uint8_t lengths[HUFFMAN_SYMBOLS_MAX + 32];
};

/* window: 1 << window_bits bytes (8 to 15) of the caller. NULL if each message is decompressed by a single step,
 * without takeover; after INFLATE_FULL such a message cannot be continued. */
void inflate_begin(struct inflate *z, unsigned window_bits, unsigned char *window, struct inflate_tables *tables);

/* Decompress. Return the number of input bytes used; *made is the number of output bytes. The rest of the output space
 * may be overwritten. */
size_t inflate_step(struct inflate *z, const unsigned char *in, size_t n, unsigned char *out, size_t space,
    size_t *made, enum inflate_result *result);

/* End a message as if the bytes 00 00 ff ff followed. Return false if its payload ends inside a block. */
bool inflate_finish(struct inflate *z);

/* Discard the history: later messages cannot refer to earlier output. O(1). */
void inflate_reset(struct inflate *z);

#endif
