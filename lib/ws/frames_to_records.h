/*
 * What comes in: the peer's frames, in one buffer, to the program's records, in
 * another (the reader and the joiner at work together).
 */
#ifndef FITTINGS_FRAMES_TO_RECORDS_H
#define FITTINGS_FRAMES_TO_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/reader.h"
#include "ws/record.h"
#include "base/buffer.h"

struct frames_to_records {
	struct reader reader;
	struct record_encoder records;
	bool discard;      /* payload goes nowhere (it is checked all the same) */
	uint64_t messages; /* received whole */
	uint64_t taken;    /* bytes of `from` used up */
};

/*
 * Moves payload from one buffer to the other until something is to be told:
 * READER_MORE  `from` is used up but for less than it takes to get on;
 * READER_FULL  `to` lacks room;
 * READER_PING, READER_PONG, READER_CLOSE, READER_FAIL  as reader_step() gave it
 * (what was held of a message that a Close or a failure cuts off is dropped).
 */
enum reader_kind frames_to_records_step(struct frames_to_records *flow, struct buffer *from, struct buffer *to,
    struct reader_event *event);

/* Whether the peer is inside a message or a frame. */
bool frames_to_records_inside(const struct frames_to_records *flow, const struct buffer *from);

/* Whether one message that must be whole first takes all of `to`: only a larger buffer helps. */
bool frames_to_records_needs_more(const struct frames_to_records *flow, const struct buffer *to);

#endif
