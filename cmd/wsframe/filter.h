/* wsframe's filters, between stdin and stdout: the exit status. deflate: with permessage-deflate, without takeover. */
#ifndef FITTINGS_FILTER_H
#define FITTINGS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "ws/record.h"

/* Frames to records, messages of at most max bytes (0: any). */
int filter_decode(enum record_mode mode, uint64_t max, bool deflate);

/* Records, of at most max bytes (0: any), to frames. */
int filter_encode(enum record_mode mode, uint64_t max, bool masked, bool replace, bool deflate);

#endif
