/*
 * Converts the program's records in one buffer to frames in another. A large payload is not copied: its header is
 * written to `to`, and the payload stays at the head of `from`, to be sent directly after the contents of `to`.
 * With permessage-deflate each payload is written to `to`, compressed if that makes it smaller.
 */
#ifndef FITTINGS_RECORDS_TO_FRAMES_H
#define FITTINGS_RECORDS_TO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/record.h"
#include "base/utf8.h"
#include "base/buffer.h"

enum {
	ENCODE_COPY_MAX = 16 << 10,
	ENCODE_RESERVE = 2 * FRAME_CONTROL_MAX, /* space in `to` for control frames */
};

/* State for compressed messages (RFC 7692). */
struct frames_deflate {
	struct deflate z;
	bool takeover;
	bool in_message; /* the current message is compressed */
};

struct records_to_frames {
	struct record_decoder records;
	struct frames_deflate *deflate; /* NULL without permessage-deflate */
	struct utf8 text; /* of the current record */
	bool masked;      /* frames of a client */
	bool replace;     /* replace invalid UTF-8 by U+FFFD */
	uint64_t limit;   /* of a record's payload, 0: no limit */
	uint64_t size;    /* of the current record so far */
	size_t zero_copy_left;    /* bytes at the head of `from` to be sent after `to` */
	size_t after;     /* bytes after them to drop */
	size_t share;     /* as in struct frames_to_records; payload is compressed in parts of 4 KiB or more */
	size_t spent;     /* in this turn; the owner sets it to 0 at the beginning of each turn */
};

enum records_to_frames_kind {
	ENCODE_MORE,     /* no (further) record in `from` */
	ENCODE_FULL,     /* send `to`, or the zero-copy bytes, first */
	ENCODE_FRAMED,   /* a frame was made with the key */
	ENCODE_BAD_TEXT, /* text message is not UTF-8 */
	ENCODE_BAD_RECORD,
	ENCODE_TOO_BIG,
};

/* Make at most one frame. If a record is invalid, why describes the error; its number is records.number + 1. */
enum records_to_frames_kind records_to_frames_step(struct records_to_frames *flow, struct buffer *from, enum record_decoder_want want,
    struct buffer *to, const unsigned char *key, const char **why);

/* n of the zero-copy bytes were sent. */
void records_to_frames_sent(struct records_to_frames *flow, struct buffer *from, size_t n);

#endif
