/*
 * What goes out: the program's records, in one buffer, to frames, in another.
 * A long payload is not copied: its header is put into `to`, and the payload
 * stays at the head of `from` to be sent right behind what `to` holds.
 */
#ifndef FITTINGS_RECORDS_TO_FRAMES_H
#define FITTINGS_RECORDS_TO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/frame.h"
#include "ws/record.h"
#include "base/utf8.h"
#include "base/buffer.h"

enum {
	ENCODE_COPY_MAX = 16 << 10,
	ENCODE_RESERVE = 2 * FRAME_CONTROL_MAX, /* of `to`, left for control frames */
};

struct records_to_frames {
	struct record_decoder records;
	struct utf8 text; /* of the record under way */
	bool masked;      /* frames of a client */
	bool replace;     /* what is not UTF-8 by U+FFFD */
	uint64_t limit;   /* of a record's payload, 0 for none */
	uint64_t size;    /* of the record under way, what left of it */
	size_t zero_copy_left;    /* bytes at the head of `from` that follow what `to` holds */
	size_t after;     /* bytes behind them to drop then */
};

enum records_to_frames_kind {
	ENCODE_MORE,     /* nothing (more) to frame in `from` */
	ENCODE_FULL,     /* `to`, or what waits directly, is to be sent first */
	ENCODE_FRAMED,   /* a frame was made, and the key used */
	ENCODE_BAD_TEXT, /* text message is not UTF-8 */
	ENCODE_BAD_RECORD,
	ENCODE_TOO_BIG,
};

/* Makes at most one frame; why tells what is wrong with a bad record. The bad
 * record is number records.number + 1. */
enum records_to_frames_kind records_to_frames_step(struct records_to_frames *flow, struct buffer *from, enum record_decoder_want want,
    struct buffer *to, const unsigned char *key, const char **why);

/* n of the direct bytes were sent. */
void records_to_frames_sent(struct records_to_frames *flow, struct buffer *from, size_t n);

#endif
