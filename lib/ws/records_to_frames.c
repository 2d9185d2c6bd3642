#include "ws/records_to_frames.h"

#include <string.h>

#include "ws/mask.h"

enum { REPLACED_MIN = 1 << 10 };

static struct frame
frame_of(const struct records_to_frames *o, const struct chunk *p, size_t size, const unsigned char *key)
{
	struct frame frame = {.length = size, .fin = p->last, .masked = o->masked};

	frame.opcode = !p->first ? OPCODE_CONTINUATION : p->binary ? OPCODE_BINARY : OPCODE_TEXT;
	if (o->masked)
		memcpy(frame.key, key, sizeof frame.key);
	return frame;
}

static void
taken(struct records_to_frames *o, const struct record_decoder_find *find)
{
	o->size = find->chunk.last ? 0 : o->size + find->chunk.size;
	record_decoder_take(&o->records, find);
}

static void
frame_put(struct records_to_frames *o, struct buffer *from, const struct record_decoder_find *find, struct buffer *to,
    const unsigned char *key)
{
	const struct chunk *p = &find->chunk;
	struct frame frame = frame_of(o, p, p->size, key);
	unsigned char *payload = p->at;

	buffer_grow(to, frame_encode(&frame, buffer_tail(to)));
	buffer_take(from, find->before);
	o->zero_copy_left = p->size;
	o->after = p->last ? find->after : 0;
	if (p->size <= ENCODE_COPY_MAX && p->size + ENCODE_RESERVE <= buffer_room(to)) {
		payload = buffer_tail(to);
		if (p->size != 0)
			buffer_put(to, p->at, p->size);
		records_to_frames_sent(o, from, p->size);
	}
	if (o->masked)
		(void)mask_apply(payload, p->size, key, 0);
	taken(o, find);
}

/* Like frame_put(), with utf8_replace(), for as much of the chunk as certainly fits. */
static enum records_to_frames_kind
replaced_put(struct records_to_frames *o, struct buffer *from, struct record_decoder_find *find, struct buffer *to,
    const unsigned char *key)
{
	struct chunk *p = &find->chunk;
	size_t room = buffer_room(to) - ENCODE_RESERVE - FRAME_HEAD_MAX, fits = room / UTF8_REPLACED_MAX, n;
	unsigned char *out = buffer_tail(to) + FRAME_HEAD_MAX;
	struct frame frame;
	size_t head;

	if (fits < p->size && fits < REPLACED_MIN)
		return ENCODE_FULL;
	if (fits < p->size) {
		p->size = fits - utf8_tail(p->at, fits);
		p->last = false;
	}
	n = utf8_replace(p->at, p->size, out);
	frame = frame_of(o, p, n, key);
	head = frame_encode(&frame, buffer_tail(to));
	memmove(buffer_tail(to) + head, out, n);
	if (o->masked)
		(void)mask_apply(buffer_tail(to) + head, n, key, 0);
	buffer_grow(to, head + n);
	buffer_take(from, find->before + p->size + (p->last ? find->after : 0));
	taken(o, find);
	return ENCODE_FRAMED;
}

enum text { TEXT_GOOD, TEXT_BAD, TEXT_SHORT };

/* Validate the chunk and advance the state. With replacement, a chunk ends at a character boundary,
 * so that the next one begins with a character. */
static enum text
text_check(struct records_to_frames *o, struct chunk *p)
{
	struct utf8 text = {0};
	bool good;

	if (!p->first && !o->replace)
		text = o->text;
	if (o->replace && !p->last)
		p->size -= utf8_tail(p->at, p->size);
	if (p->size == 0 && !p->last)
		return TEXT_SHORT;
	good = utf8_check(&text, p->at, p->size) == p->size
	    && (utf8_whole(&text) || (!p->last && !o->replace));
	if (good)
		o->text = text;
	return good ? TEXT_GOOD : TEXT_BAD;
}

enum records_to_frames_kind
records_to_frames_step(struct records_to_frames *o, struct buffer *from, enum record_decoder_want want, struct buffer *to,
    const unsigned char *key, const char **why)
{
	struct record_decoder_find find;
	struct chunk *p = &find.chunk;
	enum text text = TEXT_GOOD;

	if (o->zero_copy_left > 0 || buffer_room(to) < ENCODE_RESERVE + FRAME_HEAD_MAX)
		return ENCODE_FULL;
	record_decoder_look(&o->records, buffer_head(from), buffer_held(from), want, &find);
	*why = find.why;
	if (find.kind != RECORD_CHUNK)
		return find.kind == RECORD_MORE ? ENCODE_MORE : ENCODE_BAD_RECORD;
	if (o->limit != 0 && p->size > o->limit - o->size)
		return ENCODE_TOO_BIG;
	/* A short record is copied. Return before validating it, because it would be validated
	 * again each time until `to` has space. */
	if (p->size <= ENCODE_COPY_MAX && p->size + ENCODE_RESERVE + FRAME_HEAD_MAX > buffer_room(to))
		return ENCODE_FULL;
	if (!p->binary)
		text = text_check(o, p);
	if (text == TEXT_BAD && o->replace)
		return replaced_put(o, from, &find, to, key);
	if (text == TEXT_BAD)
		return ENCODE_BAD_TEXT;
	if (text == TEXT_SHORT)
		return ENCODE_MORE;
	frame_put(o, from, &find, to, key);
	return ENCODE_FRAMED;
}

void
records_to_frames_sent(struct records_to_frames *o, struct buffer *from, size_t n)
{
	buffer_take(from, n);
	o->zero_copy_left -= n;
	if (o->zero_copy_left == 0) {
		buffer_take(from, o->after);
		o->after = 0;
	}
}
