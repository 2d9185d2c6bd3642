#include "ws/reader.h"

#include <string.h>

#include "ws/mask.h"

/* Compressed messages may be larger than the limit by limit / 64 + 1 KiB. */
enum { COMPRESSED_SLACK = 64, COMPRESSED_SLACK_MIN = 1 << 10 };

static const char too_big[] = "message exceeds the size limit";

static size_t
fail(struct reader *r, struct reader_event *e, unsigned code, const char *why)
{
	*e = (struct reader_event){.kind = READER_FAIL, .code = code, .why = why};
	r->over = true;
	return 0;
}

static const char *
masking_fault(const struct reader *r, unsigned char second)
{
	bool masked = (second & 0x80) != 0;

	if (r->peer == READER_OF_CLIENT && !masked)
		return "frame from the client is not masked";
	if (r->peer == READER_OF_SERVER && masked)
		return "frame from the server is masked";
	return NULL;
}

/* Check the first bytes of a header, as far as present, against the rules for sequences of frames. */
static const char *
order_fault(const struct reader *r, const unsigned char *bytes, size_t n)
{
	unsigned opcode;

	if (n == 0)
		return NULL;
	opcode = bytes[0] & 0x0f;
	if (opcode == OPCODE_CONTINUATION && !r->in_message)
		return "continuation without a message";
	if ((opcode == OPCODE_TEXT || opcode == OPCODE_BINARY) && r->in_message)
		return "new message inside a fragmented message";
	return n < 2 ? NULL : masking_fault(r, bytes[1]);
}

/* chunk is the whole payload. */
static size_t
close_event(struct reader *r, struct reader_event *e, size_t used)
{
	struct chunk *p = &e->chunk;
	struct utf8 reason = {0};

	e->kind = READER_CLOSE;
	e->code = CLOSE_NO_CODE;
	if (p->size == 1)
		return fail(r, e, CLOSE_PROTOCOL_ERROR, "Close with an incomplete code");
	if (p->size != 0) {
		e->code = (unsigned)p->at[0] << 8 | p->at[1];
		p->at += 2;
		p->size -= 2;
		if (!close_code_valid(e->code))
			return fail(r, e, CLOSE_PROTOCOL_ERROR, "Close with an invalid code");
	}
	if (utf8_check(&reason, p->at, p->size) != p->size || !utf8_whole(&reason))
		return fail(r, e, CLOSE_BAD_TEXT, "Close reason is not UTF-8");
	r->over = true;
	return used;
}

/* A control frame is used only when it is complete. */
static size_t
control_event(struct reader *r, struct frame *f, size_t head, unsigned char *bytes, size_t n,
    struct reader_event *e)
{
	size_t size = (size_t)f->length;

	if (n - head < size) {
		e->kind = READER_MORE;
		return 0;
	}
	if (f->masked)
		(void)mask_apply(bytes + head, size, f->key, 0);
	e->chunk = (struct chunk){.at = bytes + head, .size = size, .first = true, .last = true};
	e->kind = f->opcode == OPCODE_PING ? READER_PING : READER_PONG;
	if (f->opcode == OPCODE_CLOSE)
		return close_event(r, e, head + size);
	return head + size;
}

static void
message_begin(struct reader *r, struct reader_inflate *z, const struct frame *f)
{
	r->text = (struct utf8){0};
	r->begun = false;
	r->size = 0;
	r->compressed = f->compressed && z != NULL;
	r->binary = f->opcode == OPCODE_BINARY || (f->compressed && z == NULL);
	if (!r->compressed)
		return;
	z->size = 0;
	if (!z->takeover)
		inflate_reset(&z->z);
}

/* Return false if the frame fails the connection. */
static bool
data_begin(struct reader *r, struct reader_inflate *z, const struct frame *f, struct reader_event *e)
{
	uint64_t limit = r->limit, before;

	if (!r->in_message)
		message_begin(r, z, f);
	before = r->size;
	if (r->compressed)
		limit += limit / COMPRESSED_SLACK + COMPRESSED_SLACK_MIN;
	/* before is at most the limit: no overflow. */
	if (r->limit != 0 && f->length > limit - before) {
		(void)fail(r, e, CLOSE_TOO_BIG, too_big);
		return false;
	}
	r->size = f->length > UINT64_MAX - before ? UINT64_MAX : before + f->length;
	r->left = f->length;
	r->fin = f->fin;
	r->masked = f->masked;
	memcpy(r->key, f->key, sizeof r->key);
	r->in_frame = true;
	return true;
}

/* Rotate the key by the number of bytes that were masked with it. */
static void
key_turn(struct reader *r, size_t by)
{
	unsigned char turned[FRAME_KEY_SIZE] = {0};

	for (size_t i = 0; i < sizeof turned; i++)
		turned[i] = r->key[(i + by) % FRAME_KEY_SIZE];
	memcpy(r->key, turned, sizeof turned);
}

/* Return whether this message must be UTF-8. */
static bool
is_text(const struct reader *r)
{
	return !r->binary || r->text_only;
}

static size_t
fail_broken(struct reader *r, struct reader_event *e)
{
	if (r->broken == READER_NOT_DEFLATE)
		return fail(r, e, CLOSE_BAD_TEXT, "compressed message is invalid");
	if (r->broken == READER_TOO_BIG)
		return fail(r, e, CLOSE_TOO_BIG, too_big);
	if (r->binary)
		return fail(r, e, CLOSE_UNSUPPORTED, "binary message is not UTF-8");
	return fail(r, e, CLOSE_BAD_TEXT, "text message is not UTF-8");
}

/* Unmask and validate n bytes. Return the number of valid bytes. */
static size_t
payload_check(struct reader *r, unsigned char *bytes, size_t n)
{
	bool ascii = false;

	if (r->masked) {
		ascii = mask_apply(bytes, n, r->key, 0) < 0x80;
		key_turn(r, n);
	}
	if (!is_text(r) || (ascii && utf8_whole(&r->text)))
		return n;
	return utf8_check(&r->text, bytes, n);
}

static void
frame_end(struct reader *r)
{
	r->in_frame = false;
	r->in_message = !r->fin;
}

static size_t
data_event(struct reader *r, unsigned char *bytes, size_t n, size_t space, struct reader_event *e)
{
	bool first = !r->begun, sized = first && r->fin && !r->in_message;
	size_t take = n < space ? n : space, good;

	if (take > r->left)
		take = (size_t)r->left;
	if (r->broken != READER_INTACT)
		return fail_broken(r, e);
	e->kind = space == 0 && (n > 0 || r->left == 0) ? READER_FULL : READER_MORE;
	if (space == 0 || (take == 0 && r->left > 0))
		return 0;
	good = payload_check(r, bytes, take);
	r->left -= good;
	if (good < take || (r->left == 0 && r->fin && is_text(r) && !utf8_whole(&r->text)))
		r->broken = READER_NOT_UTF8;
	if (r->broken != READER_INTACT && good == 0)
		return fail_broken(r, e);
	e->kind = READER_DATA;
	e->chunk = (struct chunk){.at = bytes, .size = good, .binary = !is_text(r), .first = first};
	e->chunk.last = r->left == 0 && r->fin && !r->broken;
	e->sized = sized;
	e->size = r->size;
	r->begun = true;
	if (r->left == 0 && r->broken == READER_INTACT)
		frame_end(r);
	return good;
}

/* Decompress payload within the output space and the limit. Return how many of the n bytes were used; the rest is
 * unchanged. */
static size_t
payload_inflate(struct reader *r, struct reader_inflate *z, unsigned char *bytes, size_t n, size_t *made,
    enum inflate_result *result)
{
	uint64_t left = r->limit == 0 ? UINT64_MAX : r->limit - z->size;
	size_t space = left < z->capacity ? (size_t)left : z->capacity, used;

	if (r->masked)
		(void)mask_apply(bytes, n, r->key, 0);
	used = inflate_step(&z->z, bytes, n, z->out, space, made, result);
	if (r->masked) {
		(void)mask_apply(bytes + used, n - used, r->key, used);
		key_turn(r, used);
	}
	r->left -= used;
	z->size += *made;
	r->more = *result == INFLATE_FULL;
	return used;
}

/* Return the error of the message after the first `good` of the `made` bytes that a step has decompressed. */
static enum reader_broken
inflated_fault(struct reader *r, struct reader_inflate *z, size_t good, size_t made, enum inflate_result result)
{
	bool end = result == INFLATE_MORE && r->left == 0 && r->fin;

	if (good < made)
		return READER_NOT_UTF8;
	if (result == INFLATE_BAD || (end && !inflate_finish(&z->z)))
		return READER_NOT_DEFLATE;
	if (result == INFLATE_FULL && made == 0)
		return READER_TOO_BIG;
	return end && is_text(r) && !utf8_whole(&r->text) ? READER_NOT_UTF8 : READER_INTACT;
}

/* Like data_event(), for a compressed message. */
static size_t
inflated_event(struct reader *r, struct reader_inflate *z, unsigned char *bytes, size_t n, struct reader_event *e)
{
	size_t take = n < r->left ? n : (size_t)r->left, used, made, good;
	enum inflate_result result;
	bool first = !r->begun, end;

	if (r->broken != READER_INTACT)
		return fail_broken(r, e);
	e->kind = z->capacity == 0 && (n > 0 || r->left == 0 || r->more) ? READER_FULL : READER_MORE;
	if (z->capacity == 0 || (take == 0 && r->left > 0 && !r->more))
		return 0;
	used = payload_inflate(r, z, bytes, take, &made, &result);
	good = is_text(r) ? utf8_check(&r->text, z->out, made) : made;
	r->broken = (unsigned char)inflated_fault(r, z, good, made, result);
	if (r->broken != READER_INTACT && good == 0)
		return fail_broken(r, e);
	end = r->broken == READER_INTACT && r->left == 0 && !r->more;
	if (good == 0 && !end)
		return used;
	e->kind = READER_DATA;
	e->chunk = (struct chunk){.at = z->out, .size = good, .binary = !is_text(r), .first = first, .last = end && r->fin};
	r->begun = true;
	if (end)
		frame_end(r);
	return used;
}

size_t
reader_step(struct reader *r, unsigned char *bytes, size_t n, size_t space, struct reader_event *e)
{
	return reader_step_inflate(r, NULL, bytes, n, space, e);
}

static size_t
payload_event(struct reader *r, struct reader_inflate *z, unsigned char *bytes, size_t n, size_t space,
    struct reader_event *e)
{
	return r->compressed && z != NULL ? inflated_event(r, z, bytes, n, e) : data_event(r, bytes, n, space, e);
}

size_t
reader_step_inflate(struct reader *r, struct reader_inflate *z, unsigned char *bytes, size_t n, size_t space,
    struct reader_event *e)
{
	struct frame frame;
	const char *why;
	int head;

	*e = (struct reader_event){.kind = READER_MORE};
	if (r->over)
		return n;
	if (r->in_frame)
		return payload_event(r, z, bytes, n, space, e);
	head = frame_decode(&frame, bytes, n, r->deflate);
	why = head < 0 ? frame_error_text(head) : order_fault(r, bytes, n);
	if (why != NULL)
		return fail(r, e, CLOSE_PROTOCOL_ERROR, why);
	if (head == 0)
		return 0;
	if (frame.opcode >= OPCODE_CLOSE)
		return control_event(r, &frame, (size_t)head, bytes, n, e);
	if (!data_begin(r, z, &frame, e))
		return 0;
	return (size_t)head + payload_event(r, z, bytes + head, n - (size_t)head, space, e);
}
