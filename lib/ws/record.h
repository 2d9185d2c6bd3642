/*
 * Records, as programs read and write them, and messages: a line, a text that
 * ends with NUL, a netstring, a netstring whose payload begins with its type,
 * or plain bytes.
 */
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
	RECORD_BYTES, /* none: pieces pass as they are */
};

enum {
	RECORD_HELD_MAX = 64 << 10, /* a message up to this size is held until it is whole */
	RECORD_HEAD_MAX = 19 + 1 + 1, /* digits of a length below 2^63, colon, type */
	RECORD_OVERHEAD_MAX = RECORD_HEAD_MAX + 1,
};

/*
 * Messages to records, into the buffer `to`. The last `held` bytes of what the
 * buffer holds belong to a message that may still turn out broken, so nobody
 * takes them yet: a netstring until it is whole, other records until they are
 * whole or over RECORD_HELD_MAX, plain bytes never.
 */
struct record_encoder {
	enum record_mode mode;
	bool open; /* nothing of this message is held (any more) */
	bool gap;  /* its netstring's head is to be written when its size is known */
	size_t held;
};

/* How many bytes of payload record_encoder_put() has room for; 0 where not even an empty piece. */
size_t record_encoder_room(const struct record_encoder *encoder, const struct buffer *to);

/* Appends a piece within that room. sized: the message will be size bytes in all. */
void record_encoder_put(struct record_encoder *encoder, struct buffer *to, const struct chunk *chunk, bool sized,
    uint64_t size);

/* The message under way broke: takes back what was held of it. */
void record_encoder_drop(struct record_encoder *encoder, struct buffer *to);

/*
 * Records to messages. record_decoder_look() finds the next piece in the n bytes that
 * are there and changes nothing that matters; record_decoder_take() says how much of
 * that piece was taken.
 */
struct record_decoder {
	enum record_mode mode;
	bool inside;      /* a piece of this record was taken and not its last */
	bool headed;      /* its netstring's head was taken */
	bool binary;      /* by its type */
	uint64_t left;    /* netstring: payload not taken yet */
	uint64_t number;  /* records taken whole */
	size_t scanned;   /* bytes known to hold no terminator */
};

enum record_decoder_want {
	RECORD_WHOLE, /* whole records, or as much of the rest as makes a record whole */
	RECORD_ALL,   /* whatever is there: no more fits */
	RECORD_END,   /* whatever is there: no more will come */
};

enum record_decoder_kind {
	RECORD_MORE,
	RECORD_CHUNK,
	RECORD_BAD, /* a malformed netstring, an unknown type; why, in words */
};

struct record_decoder_find {
	enum record_decoder_kind kind;
	struct chunk chunk;
	size_t before; /* bytes to drop before the piece */
	size_t after;  /* and behind it */
	uint64_t left; /* netstring: its payload from here on */
	const char *why;
};

void record_decoder_look(struct record_decoder *decoder, unsigned char *bytes, size_t n, enum record_decoder_want want,
    struct record_decoder_find *find);

/* The piece was taken, or its first bytes (then it has been made smaller and is not the last):
 * before + size + after bytes are gone or will be (after only where it is the last). */
void record_decoder_take(struct record_decoder *decoder, const struct record_decoder_find *find);

#endif
