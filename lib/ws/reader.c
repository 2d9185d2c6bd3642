#include "ws/reader.h"

#include <string.h>

#include "ws/mask.h"

static size_t
fail(struct reader *r, struct reader_event *e, unsigned code, const char *why)
{
	*e = (struct reader_event){.kind = READER_FAIL, .code = code, .why = why};
	r->over = true;
	return 0;
}

static const char *
masking_wrong(const struct reader *r, unsigned char second)
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
order_wrong(const struct reader *r, const unsigned char *bytes, size_t n)
{
	unsigned opcode;

	if (n == 0)
		return NULL;
	opcode = bytes[0] & 0x0f;
	if (opcode == OPCODE_CONTINUATION && !r->in_message)
		return "continuation without a message";
	if ((opcode == OPCODE_TEXT || opcode == OPCODE_BINARY) && r->in_message)
		return "new message inside a fragmented message";
	return n < 2 ? NULL : masking_wrong(r, bytes[1]);
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

/* Return false if the frame fails the connection. */
static bool
data_begin(struct reader *r, const struct frame *f, struct reader_event *e)
{
	bool binary = r->in_message ? r->binary : f->opcode == OPCODE_BINARY;
	uint64_t before = r->in_message ? r->size : 0;

	/* before is at most the limit: no overflow. */
	if (r->limit != 0 && f->length > r->limit - before) {
		(void)fail(r, e, CLOSE_TOO_BIG, "message exceeds the size limit");
		return false;
	}
	if (!r->in_message) {
		r->text = (struct utf8){0};
		r->begun = false;
	}
	r->binary = binary;
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
fail_text(struct reader *r, struct reader_event *e)
{
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

static size_t
data_event(struct reader *r, unsigned char *bytes, size_t n, size_t room, struct reader_event *e)
{
	bool first = !r->begun, sized = first && r->fin && !r->in_message;
	size_t take = n < room ? n : room, good;

	if (take > r->left)
		take = (size_t)r->left;
	if (r->broken)
		return fail_text(r, e);
	e->kind = room == 0 && (n > 0 || r->left == 0) ? READER_FULL : READER_MORE;
	if (room == 0 || (take == 0 && r->left > 0))
		return 0;
	good = payload_check(r, bytes, take);
	r->left -= good;
	r->broken = good < take || (r->left == 0 && r->fin && is_text(r) && !utf8_whole(&r->text));
	if (r->broken && good == 0)
		return fail_text(r, e);
	e->kind = READER_DATA;
	e->chunk = (struct chunk){.at = bytes, .size = good, .binary = !is_text(r), .first = first};
	e->chunk.last = r->left == 0 && r->fin && !r->broken;
	e->sized = sized;
	e->size = r->size;
	r->begun = true;
	if (r->left == 0 && !r->broken) {
		r->in_frame = false;
		r->in_message = !r->fin;
	}
	return good;
}

size_t
reader_step(struct reader *r, unsigned char *bytes, size_t n, size_t room, struct reader_event *e)
{
	struct frame frame;
	const char *why;
	int head;

	*e = (struct reader_event){.kind = READER_MORE};
	if (r->over)
		return n;
	if (r->in_frame)
		return data_event(r, bytes, n, room, e);
	head = frame_decode(&frame, bytes, n);
	why = head < 0 ? frame_error_text(head) : order_wrong(r, bytes, n);
	if (why != NULL)
		return fail(r, e, CLOSE_PROTOCOL_ERROR, why);
	if (head == 0)
		return 0;
	if (frame.opcode >= OPCODE_CLOSE)
		return control_event(r, &frame, (size_t)head, bytes, n, e);
	if (!data_begin(r, &frame, e))
		return 0;
	return (size_t)head + data_event(r, bytes + head, n - (size_t)head, room, e);
}
