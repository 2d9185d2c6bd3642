/*
 * Compression to DEFLATE (RFC 1951) as permessage-deflate uses it (RFC 7692). Without heap,
 * resumable at every byte of input and output.
 *
 *     struct deflate z;
 *     deflate_begin(&z, 15, memory, &scratch);      memory: deflate_memory(15) bytes
 *     used = deflate_step(&z, in, n, last, out, space, &made, &result);
 *
 * Input: the payload of a message in any number of steps; `last` in the step that ends it (its
 * input may be empty). The output is a payload of RFC 7692: it lacks the bytes 00 00 ff ff at its
 * end, and never has BFINAL. Each frame of a fragmented message contains the output of one or more
 * steps.
 *
 * Output: `space` is the space at `out`. With deflate_bound(n) bytes a step uses all n bytes. After
 * DEFLATE_FULL call again with the rest of the input (it may be empty), the same `last` and more
 * space. Each step makes a separate block, so large steps compress better: pass a message as a
 * whole if it is in memory.
 *
 * If a message becomes larger: before any of its output is sent, deflate_undo() restores the state
 * before the message; then send it uncompressed. O(1).
 *
 * Context takeover: matches refer to earlier messages. With no_context_takeover call
 * deflate_reset() after each message. Then the output of any state decodes for
 * every receiver whose window is not smaller. O(1).
 *
 * Memory: deflate_memory() is 146 KiB for a window of 15 bits and 26 KiB for 12 bits, touched only
 * as far as it is used. A scratch (68 KiB, touched as far as a message needs it) holds no data
 * between two steps: any number of states may share one.
 */
#ifndef FITTINGS_DEFLATE_H
#define FITTINGS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/huffman.h"

enum {
	DEFLATE_TOKENS = 16 << 10, /* of a block */
	DEFLATE_PENDING = 64,
};

/* Both codes of a block. */
struct deflate_codes {
	uint8_t litlen_lengths[HUFFMAN_SYMBOLS_MAX], dist_lengths[32];
	uint16_t litlen[HUFFMAN_SYMBOLS_MAX], dist[32];
};

/* Working memory of a step. All zero at first. */
struct deflate_scratch {
	struct deflate_codes dynamic, fixed;
	uint16_t litlen_count[HUFFMAN_SYMBOLS_MAX], dist_count[32]; /* occurrences of the symbols */
	uint32_t extra_bits;
	uint32_t tokens[DEFLATE_TOKENS];
};

enum deflate_result {
	DEFLATE_MORE, /* all input is used, and its output is made (without `last`, up to 7 bits of it are kept) */
	DEFLATE_FULL, /* more output space is needed */
};

struct deflate {
	struct deflate_scratch *scratch;
	unsigned char *buffer;  /* twice the window: the history and the input */
	uint16_t *head, *prev, *near; /* positions in the buffer: hash chains of 4 bytes, last position of 3 bytes */
	uint32_t window;
	uint32_t end;           /* of the buffer's content */
	uint32_t floor;         /* positions before it are not referred to */
	uint32_t hashed;        /* positions before it are in the tables */
	uint32_t mark;          /* position where the message began, 0 if it is no longer in the buffer */
	uint64_t bits;          /* output that is not a whole byte yet */
	uint8_t bit_count;
	uint8_t state;
	uint8_t hash_bits, near_bits;
	uint8_t pending_begin, pending_end;
	unsigned char pending[DEFLATE_PENDING]; /* output that did not fit */
};

/* Return the bytes of memory for a window of 1 << window_bits (8 to 15). */
size_t deflate_memory(unsigned window_bits);

/* memory: deflate_memory() bytes of the caller, aligned for uint16_t. Their content does not matter. */
void deflate_begin(struct deflate *z, unsigned window_bits, void *memory, struct deflate_scratch *scratch);

/* Return the output space that n bytes of input may need in one step. */
size_t deflate_bound(size_t n);

/* Compress. Return the number of input bytes used; *made is the number of output bytes. */
size_t deflate_step(struct deflate *z, const unsigned char *in, size_t n, bool last, unsigned char *out, size_t space,
    size_t *made, enum deflate_result *result);

/* Take back the current message, or the last one if it has ended. */
void deflate_undo(struct deflate *z);

/* Discard the history. Called between two messages. */
void deflate_reset(struct deflate *z);

#endif
