#include "ws/frames_to_records.h"

/* Move the held bytes to the beginning if they are few compared with the space gained. The bytes of
 * an incomplete message cannot be consumed meanwhile. For a compressed message any amount of space
 * may be too little. */
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

static size_t
step(struct frames_to_records *in, struct buffer *from, struct buffer *to, struct reader_event *e)
{
	size_t fits = record_encoder_space(&in->records, to), space = in->discard ? SIZE_MAX : fits;
	struct reader_inflate *z = in->inflate;

	if (z == NULL)
		return reader_step(&in->reader, buffer_head(from), buffer_held(from), space, e);
	z->out = record_encoder_tail(&in->records, to);
	z->capacity = fits;
	return reader_step_inflate(&in->reader, z, buffer_head(from), buffer_held(from), space, e);
}

enum reader_kind
frames_to_records_step(struct frames_to_records *in, struct buffer *from, struct buffer *to, struct reader_event *e)
{
	do {
		size_t used;

		make_space(in, from, to);
		used = step(in, from, to, e);
		buffer_take(from, used);
		in->taken += used;
		if (e->kind == READER_DATA)
			data_put(in, to, e);
	} while (e->kind == READER_DATA && !in->discard);
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
