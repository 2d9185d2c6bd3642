/* Conversion between messages and the records of programs: lines, NUL-terminated texts, netstrings, netstrings
 * whose payload begins with the type, or plain bytes. */
#ifndef FITTINGS_RECORD_H
#define FITTINGS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/chunk.h"
#include "base/buffer.h"

enum record_mode {
	RECORD_LINE,
	RECORD_NUL,
	RECORD_NETSTRING,
	RECORD_TYPED, /* netstrings whose payload begins with t (text) or b (binary) */
	RECORD_BYTES, /* no records: chunks pass unchanged */
};

enum {
	RECORD_HELD_MAX = 64 << 10, /* messages up to this size are held until they are complete */
	RECORD_HEAD_MAX = 19 + 1 + 1, /* digits of a length below 2^63, colon, type */
	RECORD_OVERHEAD_MAX = RECORD_HEAD_MAX + 1,
};

/*
 * Converts messages to records in the buffer `to`. The last `held` bytes of the buffer belong to a
 * message that may still turn out invalid, so they must not be consumed yet: a netstring until it
 * is complete, other records until they are complete or exceed RECORD_HELD_MAX, plain bytes never.
 */
struct record_encoder {
	enum record_mode mode;
	bool open; /* no bytes of this message are held (any more) */
	bool gap;  /* space for the head of a netstring whose size is not known yet */
	size_t held;
};

/* Return how many bytes of payload record_encoder_put() can append, or 0 if not even an empty chunk. */
size_t record_encoder_space(const struct record_encoder *encoder, const struct buffer *to);

/* Return the address for that payload. A chunk that is already at this address is not copied. */
unsigned char *record_encoder_tail(const struct record_encoder *encoder, const struct buffer *to);

/* Append a chunk of at most that size. sized: the message has size bytes in total. */
void record_encoder_put(struct record_encoder *encoder, struct buffer *to, const struct chunk *chunk, bool sized,
    uint64_t size);

/* The current message is invalid: remove its held bytes. */
void record_encoder_drop(struct record_encoder *encoder, struct buffer *to);

/* Converts records to messages. record_decoder_peek() finds the next chunk in n bytes without consuming it;
 * record_decoder_take() reports how much of that chunk was consumed. */
struct record_decoder {
	enum record_mode mode;
	bool inside;      /* a chunk of this record was consumed, but not the last */
	bool headed;      /* the head of the netstring was consumed */
	bool binary;      /* type of the netstring */
	uint64_t left;    /* netstring: payload not consumed yet */
	uint64_t number;  /* complete records consumed */
	size_t scanned;   /* bytes known to contain no terminator */
};

enum record_decoder_want {
	RECORD_WHOLE, /* complete records, or data that completes one */
	RECORD_ALL,   /* all bytes, because the buffer is full */
	RECORD_END,   /* all bytes, because the input has ended */
};

enum record_decoder_kind {
	RECORD_MORE,
	RECORD_CHUNK,
	RECORD_BAD, /* invalid netstring or type; why describes it */
};

struct record_decoder_find {
	enum record_decoder_kind kind;
	struct chunk chunk;
	size_t before; /* bytes to drop before the chunk */
	size_t after;  /* and after it */
	uint64_t left; /* netstring: payload that is left */
	const char *why;
};

void record_decoder_peek(struct record_decoder *decoder, unsigned char *bytes, size_t n, enum record_decoder_want want,
    struct record_decoder_find *find);

/* The chunk was consumed. If only its first bytes were, the caller has reduced its size and cleared
 * last. The caller drops before + size + after bytes (after only for a last chunk). */
void record_decoder_take(struct record_decoder *decoder, const struct record_decoder_find *find);

#endif
