/* The filters of wsframe between stdin and stdout. They return the exit status. deflate: use
 * permessage-deflate without context takeover. */
#ifndef FITTINGS_FILTER_H
#define FITTINGS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/record.h"

/* Decode frames to records. A message has at most max bytes (0: no limit). */
int filter_decode(enum record_mode mode, uint64_t max, bool deflate);

/* Encode records to frames. A record has at most max bytes (0: no limit). */
int filter_encode(enum record_mode mode, uint64_t max, bool masked, bool replace, bool deflate);

#endif
