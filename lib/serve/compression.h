/* Memory and state of permessage-deflate (RFC 7692) for one connection. */
#ifndef FITTINGS_COMPRESSION_H
#define FITTINGS_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "ws/deflate.h"
#include "ws/extension.h"
#include "ws/inflate.h"
#include "ws/reader.h"
#include "ws/records_to_frames.h"

/* Working memory of one step. It holds no data between two steps, so connections can share it. Initially zero. */
struct compression_scratch {
	struct inflate_tables tables;
	struct deflate_scratch deflate;
};

struct compression {
	struct reader_inflate in;
	struct frames_deflate out;
	size_t scratch_size, in_size, out_size; /* of the areas after this struct, multiples of PAGE */
};

/* Map the memory of a connection; its pages are allocated on first use. client: this side is the
 * client. scratch: shared, or NULL for its own. Return NULL without memory. */
struct compression *compression_begin(const struct extension *agreed, bool client, struct compression_scratch *scratch);

/* Release memory that is not needed: without context takeover, unless a message is in progress. */
void compression_shrink(struct compression *c, bool in_message, bool out_message);

void compression_end(struct compression *c);

#endif
