#include "ws/frame.h"

#include <string.h>

#include "ws/mask.h"

enum {
	BIT_FIN = 0x80,
	BIT_RSV1 = 0x40,
	BITS_RESERVED = 0x70,
	BITS_OPCODE = 0x0f,
	BIT_MASKED = 0x80,
	BITS_LENGTH = 0x7f,
	LENGTH_IN_2 = 126,
	LENGTH_IN_8 = 127,
};

static uint64_t
big_endian(const unsigned char *bytes, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void
put_big_endian(unsigned char *out, uint64_t value, size_t n)
{
	for (; n > 0; value >>= 8)
		out[--n] = (unsigned char)value;
}

/* Check the first two bytes, as far as present. */
static int
start_fault(const unsigned char *bytes, size_t n, bool deflate)
{
	unsigned opcode, reserved = BITS_RESERVED;

	if (n == 0)
		return 0;
	opcode = bytes[0] & BITS_OPCODE;
	if (deflate && (opcode == OPCODE_TEXT || opcode == OPCODE_BINARY))
		reserved &= ~(unsigned)BIT_RSV1;
	if ((bytes[0] & reserved) != 0)
		return FRAME_RESERVED_BITS;
	if ((opcode > OPCODE_BINARY && opcode < OPCODE_CLOSE) || opcode > OPCODE_PONG)
		return FRAME_RESERVED_OPCODE;
	if (opcode < OPCODE_CLOSE)
		return 0;
	if ((bytes[0] & BIT_FIN) == 0)
		return FRAME_CONTROL_FRAGMENTED;
	if (n > 1 && (bytes[1] & BITS_LENGTH) > FRAME_CONTROL_PAYLOAD_MAX)
		return FRAME_CONTROL_LONG;
	return 0;
}

static size_t
length_size(unsigned char second)
{
	switch (second & BITS_LENGTH) {
	case LENGTH_IN_2: return 2;
	case LENGTH_IN_8: return 8;
	default: return 0;
	}
}

int
frame_decode(struct frame *frame, const unsigned char *bytes, size_t n, bool deflate)
{
	int wrong = start_fault(bytes, n, deflate);
	size_t extended, size;
	uint64_t length;
	bool masked;

	if (wrong != 0 || n < 2)
		return wrong;
	extended = length_size(bytes[1]);
	masked = (bytes[1] & BIT_MASKED) != 0;
	size = 2 + extended + (masked ? FRAME_KEY_SIZE : 0);
	if (extended == 8 && n > 2 && bytes[2] >= 0x80)
		return FRAME_LENGTH_TOO_LARGE;
	if (n < 2 + extended)
		return 0;
	length = extended == 0 ? bytes[1] & BITS_LENGTH : big_endian(bytes + 2, extended);
	if ((extended == 2 && length < LENGTH_IN_2) || (extended == 8 && length <= UINT16_MAX))
		return FRAME_LENGTH_NOT_MINIMAL;
	if (n < size)
		return 0;
	*frame = (struct frame){
		.length = length,
		.opcode = bytes[0] & BITS_OPCODE,
		.fin = (bytes[0] & BIT_FIN) != 0,
		.masked = masked,
		.compressed = (bytes[0] & BIT_RSV1) != 0,
	};
	if (masked)
		memcpy(frame->key, bytes + 2 + extended, FRAME_KEY_SIZE);
	return (int)size;
}

const char *
frame_error_text(int error)
{
	switch (error) {
	case FRAME_RESERVED_BITS: return "reserved bit is set";
	case FRAME_RESERVED_OPCODE: return "reserved opcode";
	case FRAME_CONTROL_FRAGMENTED: return "fragmented control frame";
	case FRAME_CONTROL_LONG: return "control frame over 125 bytes";
	case FRAME_LENGTH_NOT_MINIMAL: return "length is not in the shortest form";
	default: return "length over 63 bits";
	}
}

size_t
frame_encode(const struct frame *frame, unsigned char *out)
{
	size_t extended = frame->length < LENGTH_IN_2 ? 0 : frame->length <= UINT16_MAX ? 2 : 8;
	unsigned length = extended == 0 ? (unsigned)frame->length : extended == 2 ? LENGTH_IN_2 : LENGTH_IN_8;

	out[0] = (unsigned char)((frame->fin ? BIT_FIN : 0) | (frame->compressed ? BIT_RSV1 : 0) | frame->opcode);
	out[1] = (unsigned char)((frame->masked ? BIT_MASKED : 0) | length);
	put_big_endian(out + 2, frame->length, extended);
	if (!frame->masked)
		return 2 + extended;
	memcpy(out + 2 + extended, frame->key, FRAME_KEY_SIZE);
	return 2 + extended + FRAME_KEY_SIZE;
}

size_t
frame_control(enum opcode opcode, const void *payload, size_t n, const unsigned char *key, unsigned char *out)
{
	struct frame frame = {.length = n, .opcode = opcode, .fin = true, .masked = key != NULL};
	size_t head;

	if (key != NULL)
		memcpy(frame.key, key, FRAME_KEY_SIZE);
	head = frame_encode(&frame, out);
	if (n != 0)
		memcpy(out + head, payload, n);
	if (key != NULL)
		(void)mask_apply(out + head, n, key, 0);
	return head + n;
}

bool
close_code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

size_t
frame_close(unsigned code, const char *reason, const unsigned char *key, unsigned char *out)
{
	unsigned char payload[FRAME_CONTROL_PAYLOAD_MAX];
	size_t n = strlen(reason);

	if (code == CLOSE_NO_CODE)
		return frame_control(OPCODE_CLOSE, NULL, 0, key, out);
	if (n > sizeof payload - 2)
		for (n = sizeof payload - 2; n > 0 && ((unsigned char)reason[n] & 0xc0) == 0x80;)
			n--;
	put_big_endian(payload, code, 2);
	memcpy(payload + 2, reason, n);
	return frame_control(OPCODE_CLOSE, payload, 2 + n, key, out);
}
