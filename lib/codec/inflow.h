/*
 * What comes in: the peer's frames, in one buffer, to the program's records, in
 * another (the reader and the joiner at work together).
 */
#ifndef FITTINGS_INFLOW_H
#define FITTINGS_INFLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/reader.h"
#include "codec/record.h"
#include "ground/buffer.h"

struct inflow {
	struct reader reader;
	struct joiner records;
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
enum reader_kind inflow_step(struct inflow *inflow, struct buffer *from, struct buffer *to,
    struct reader_event *event);

/* Whether the peer is inside a message or a frame. */
bool inflow_inside(const struct inflow *inflow, const struct buffer *from);

/* Whether one message that must be whole first takes all of `to`: only a larger buffer helps. */
bool inflow_needs_more(const struct inflow *inflow, const struct buffer *to);

#endif
