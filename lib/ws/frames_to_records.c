#include "ws/frames_to_records.h"

/* Move the held bytes to the beginning if they are few compared with the space gained. The bytes of an incomplete
 * message cannot be consumed meanwhile. For a compressed message any amount of space may be too little. */
static void
make_space(const struct frames_to_records *in, const struct buffer *from, struct buffer *to)
{
	bool little = record_encoder_space(&in->records, to) < buffer_held(from) || in->reader.more;

	if (little && to->begin >= buffer_held(to) - in->records.held)
		buffer_pack(to);
}

static void
data_put(struct frames_to_records *in, struct buffer *to, const struct reader_event *e)
{
	in->messages += e->chunk.last;
	if (!in->discard)
		record_encoder_put(&in->records, to, &e->chunk, e->sized, e->size);
}

/* Return the part of the share that is left in this turn. */
static size_t
share_left(const struct frames_to_records *in)
{
	if (in->share == 0)
		return SIZE_MAX;
	return in->share > in->spent ? in->share - in->spent : 0;
}

static size_t
step(struct frames_to_records *in, struct buffer *from, struct buffer *to, struct reader_event *e)
{
	bool waits = in->queue_max != 0 && in->records.held == 0 && buffer_held(to) > in->queue_max;
	size_t fits = waits ? 0 : record_encoder_space(&in->records, to), space = in->discard ? SIZE_MAX : fits;
	size_t left = share_left(in), most = READER_NEEDS + left / INFLATE_COST, n = buffer_held(from);
	struct reader_inflate *z = in->inflate;

	if (z == NULL)
		return reader_step(&in->reader, buffer_head(from), n, space, e);
	z->out = record_encoder_tail(&in->records, to);
	z->capacity = fits < left ? fits : left;
	return reader_step_inflate(&in->reader, z, buffer_head(from), n < most ? n : most, space, e);
}

enum reader_kind
frames_to_records_step(struct frames_to_records *in, struct buffer *from, struct buffer *to, struct reader_event *e)
{
	e->kind = READER_DATA;
	while (share_left(in) > 0) {
		size_t used;

		make_space(in, from, to);
		if (!in->reader.in_frame && !in->reader.in_message)
			in->message_at = in->taken;
		used = step(in, from, to, e);
		buffer_take(from, used);
		in->taken += used;
		in->spent += FRAME_COST;
		if (in->reader.compressed)
			in->spent += INFLATE_COST * used + (e->kind == READER_DATA ? e->chunk.size : 0);
		else
			in->spent += used / PLAIN_SIZE;
		if (e->kind == READER_DATA)
			data_put(in, to, e);
		else if (e->kind == READER_MORE && used > 0 && buffer_held(from) > 0)
			e->kind = READER_DATA; /* only a part of the input was passed */
		else
			break;
	}
	if (e->kind == READER_FAIL && in->reader.in_frame && in->reader.compressed)
		in->taken = in->message_at;
	if ((e->kind == READER_FAIL || e->kind == READER_CLOSE) && !in->discard)
		record_encoder_drop(&in->records, to);
	return e->kind;
}

bool
frames_to_records_inside(const struct frames_to_records *in, const struct buffer *from)
{
	return in->reader.in_frame || in->reader.in_message || buffer_held(from) > 0;
}

bool
frames_to_records_needs_more(const struct frames_to_records *in, const struct buffer *to)
{
	return in->records.held > 0 && to->begin == 0 && in->records.held == buffer_held(to);
}
