/* Converts the peer's frames in one buffer to the program's records in another, with the reader and the record
 * encoder. */
#ifndef FITTINGS_FRAMES_TO_RECORDS_H
#define FITTINGS_FRAMES_TO_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/reader.h"
#include "ws/record.h"
#include "base/buffer.h"

struct frames_to_records {
	struct reader reader;
	struct reader_inflate *inflate; /* NULL without permessage-deflate */
	struct record_encoder records;
	bool discard;      /* drop the payload after validating it */
	uint64_t messages; /* complete messages received */
	uint64_t taken;    /* bytes of `from` consumed; after READER_FAIL the offset of the error, in a compressed
	                      message that of the message */
	uint64_t message_at; /* offset of the current message */
	size_t queue_max;  /* no message begins while `to` holds more than this; 0: no limit */
	size_t share;      /* of a turn: the work that may be spent, in the units of ws/chunk.h; 0: no limit */
	size_t spent;      /* in this turn; the owner sets it to 0 at the beginning of each turn */
};

/*
 * Move payload from one buffer to the other until there is an event:
 * READER_MORE  `from` contains too little for further progress
 * READER_FULL  `to` has too little space
 * READER_DATA  the share of this turn is spent
 * READER_PING, READER_PONG, READER_CLOSE, READER_FAIL  as in reader_step();
 *              the held part of a message that a Close or a failure interrupts is dropped
 */
enum reader_kind frames_to_records_step(struct frames_to_records *flow, struct buffer *from, struct buffer *to,
    struct reader_event *event);

/* Return whether the peer is inside a message or a frame. */
bool frames_to_records_inside(const struct frames_to_records *flow, const struct buffer *from);

/* Return whether one message that must be complete fills all of `to`, so that only a larger buffer helps. */
bool frames_to_records_needs_more(const struct frames_to_records *flow, const struct buffer *to);

#endif
