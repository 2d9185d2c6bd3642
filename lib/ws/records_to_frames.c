#include "ws/records_to_frames.h"

#include <string.h>

#include "ws/mask.h"

enum {
	REPLACED_MIN = 1 << 10,
	/* Compression of shorter messages gains nothing. */
	DEFLATE_MIN = 128,
	DEFLATE_TAKEOVER_MIN = 32,
	PART_MIN = 4 << 10, /* of a message that is compressed in parts */
};

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
	o->spent += FRAME_COST + (o->deflate != NULL ? DEFLATE_COST * find->chunk.size : find->chunk.size / PLAIN_SIZE);
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
	if (p->size <= ENCODE_COPY_MAX && p->size + ENCODE_RESERVE <= buffer_space(to)) {
		payload = buffer_tail(to);
		if (p->size != 0)
			buffer_put(to, p->at, p->size);
		records_to_frames_sent(o, from, p->size);
	}
	if (o->masked)
		(void)mask_apply(payload, p->size, key, 0);
	taken(o, find);
}

/* Compress n bytes of chunk p. Return the number of bytes in out; 0 if the message is sent uncompressed. */
static size_t
deflated(struct frames_deflate *d, const struct chunk *p, const unsigned char *bytes, size_t n, unsigned char *out)
{
	enum deflate_result result;
	size_t made;

	if (p->first)
		d->in_message = !p->last || n >= (d->takeover ? DEFLATE_TAKEOVER_MIN : DEFLATE_MIN);
	if (!d->in_message)
		return 0;
	(void)deflate_step(&d->z, bytes, n, p->last, out, deflate_bound(n), &made, &result);
	if (p->first && made >= n) {
		deflate_undo(&d->z);
		d->in_message = false;
		return 0;
	}
	if (p->last && !d->takeover)
		deflate_reset(&d->z);
	return made;
}

/* Write a frame with n bytes of payload, which may be in the space of `to` after FRAME_HEAD_MAX bytes. */
static void
payload_put(struct records_to_frames *o, const struct chunk *p, const unsigned char *bytes, size_t n, struct buffer *to,
    const unsigned char *key)
{
	unsigned char *out = buffer_tail(to) + FRAME_HEAD_MAX;
	size_t made = o->deflate == NULL ? 0 : deflated(o->deflate, p, bytes, n, out), head;
	struct frame frame = frame_of(o, p, made != 0 ? made : n, key);

	frame.compressed = made != 0 && p->first;
	head = frame_encode(&frame, buffer_tail(to));
	if (frame.length != 0)
		memmove(buffer_tail(to) + head, made != 0 ? out : bytes, (size_t)frame.length);
	if (o->masked)
		(void)mask_apply(buffer_tail(to) + head, (size_t)frame.length, key, 0);
	buffer_grow(to, head + (size_t)frame.length);
}

/* Return the space of `to` for a payload. */
static size_t
payload_space(const struct buffer *to)
{
	return buffer_space(to) - ENCODE_RESERVE - FRAME_HEAD_MAX;
}

/* Find how many of n bytes can be compressed now: the rest of the share, and what certainly fits. Return false if those
 * would be too few. */
static bool
deflate_fits(const struct records_to_frames *o, size_t n, const struct buffer *to, size_t *most)
{
	size_t space = payload_space(to), left = o->share > o->spent ? (o->share - o->spent) / DEFLATE_COST : 0;

	left = o->share == 0 ? SIZE_MAX : left < PART_MIN ? PART_MIN : left;
	*most = n < left ? n : left;
	if (deflate_bound(*most) <= space)
		return true;
	if (n <= ENCODE_COPY_MAX || space <= ENCODE_COPY_MAX)
		return false;
	*most = space - (deflate_bound(space) - space);
	return true;
}

/* Shorten the chunk, which is valid, before an incomplete character. */
static void
chunk_cut(struct records_to_frames *o, struct chunk *p, size_t most)
{
	if (p->size <= most)
		return;
	p->size = most - (p->binary ? 0 : utf8_tail(p->at, most));
	p->last = false;
	o->text = (struct utf8){0};
}

static void
chunk_consume(struct records_to_frames *o, struct buffer *from, const struct record_decoder_find *find)
{
	const struct chunk *p = &find->chunk;

	buffer_take(from, find->before + p->size + (p->last ? find->after : 0));
	taken(o, find);
}

/* Like frame_put(), with utf8_replace(), for as much of the chunk as certainly fits. */
static enum records_to_frames_kind
replaced_put(struct records_to_frames *o, struct buffer *from, struct record_decoder_find *find, struct buffer *to,
    const unsigned char *key)
{
	struct chunk *p = &find->chunk;
	size_t fits = payload_space(to) / UTF8_REPLACED_MAX;
	unsigned char *out = buffer_tail(to) + FRAME_HEAD_MAX;

	/* Compression reads the text while it writes its output. */
	if (o->deflate != NULL)
		fits = fits > deflate_bound(fits) - fits ? (fits - (deflate_bound(fits) - fits)) / 2 : 0;
	if (fits < p->size && fits < REPLACED_MIN)
		return ENCODE_FULL;
	if (fits < p->size) {
		p->size = fits - utf8_tail(p->at, fits);
		p->last = false;
	}
	if (o->deflate != NULL)
		out += deflate_bound(UTF8_REPLACED_MAX * p->size);
	payload_put(o, p, out, utf8_replace(p->at, p->size, out), to, key);
	chunk_consume(o, from, find);
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
	size_t most = SIZE_MAX;

	if (o->zero_copy_left > 0 || buffer_space(to) < ENCODE_RESERVE + FRAME_HEAD_MAX)
		return ENCODE_FULL;
	record_decoder_peek(&o->records, buffer_head(from), buffer_held(from), want, &find);
	*why = find.why;
	if (find.kind != RECORD_CHUNK)
		return find.kind == RECORD_MORE ? ENCODE_MORE : ENCODE_BAD_RECORD;
	if (o->limit != 0 && p->size > o->limit - o->size)
		return ENCODE_TOO_BIG;
	/* A short record is copied. Return before validating it, because it would be validated
	 * again each time until `to` has space. */
	if (p->size <= ENCODE_COPY_MAX && p->size + ENCODE_RESERVE + FRAME_HEAD_MAX > buffer_space(to))
		return ENCODE_FULL;
	if (o->deflate != NULL && !deflate_fits(o, p->size, to, &most))
		return ENCODE_FULL;
	if (!p->binary)
		text = text_check(o, p);
	if (text == TEXT_GOOD || o->replace)
		chunk_cut(o, p, most);
	if (text == TEXT_BAD && o->replace)
		return replaced_put(o, from, &find, to, key);
	if (text == TEXT_BAD)
		return ENCODE_BAD_TEXT;
	if (text == TEXT_SHORT)
		return ENCODE_MORE;
	if (o->deflate == NULL) {
		frame_put(o, from, &find, to, key);
	} else {
		payload_put(o, p, p->at, p->size, to, key);
		chunk_consume(o, from, &find);
	}
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
