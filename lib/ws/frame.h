/* The header of a WebSocket frame (RFC 6455, section 5.2), and complete control frames. */
#ifndef FITTINGS_FRAME_H
#define FITTINGS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode {
	OPCODE_CONTINUATION = 0x0,
	OPCODE_TEXT = 0x1,
	OPCODE_BINARY = 0x2,
	OPCODE_CLOSE = 0x8, /* this and larger opcodes are control frames */
	OPCODE_PING = 0x9,
	OPCODE_PONG = 0xa,
};

enum {
	FRAME_HEAD_MAX = 14,
	FRAME_CONTROL_PAYLOAD_MAX = 125,
	FRAME_CONTROL_MAX = 2 + 4 + FRAME_CONTROL_PAYLOAD_MAX,
	FRAME_KEY_SIZE = 4,
};

struct frame {
	uint64_t length; /* of the payload, below 2^63 */
	enum opcode opcode;
	bool fin;
	bool masked;
	unsigned char key[FRAME_KEY_SIZE];
	bool compressed; /* RSV1, of permessage-deflate (RFC 7692 section 6) */
};

/* Errors of frame_decode(). Each one is a protocol error (1002). */
enum frame_error {
	FRAME_RESERVED_BITS = -1,
	FRAME_RESERVED_OPCODE = -2,
	FRAME_CONTROL_FRAGMENTED = -3,
	FRAME_CONTROL_LONG = -4,
	FRAME_LENGTH_NOT_MINIMAL = -5,
	FRAME_LENGTH_TOO_LARGE = -6,
};

/*
 * Parse the header at the beginning of n bytes. Return its size; 0 if it is incomplete; or a frame_error as soon as
 * these bytes cannot begin a valid header. The frame is set only if a size is returned. deflate: permessage-deflate
 * is negotiated, so RSV1 may be set on the first frame of a message.
 */
int frame_decode(struct frame *frame, const unsigned char *bytes, size_t n, bool deflate);
const char *frame_error_text(int error);

/* Write a header with the shortest form of the length. out has space for FRAME_HEAD_MAX bytes. Return the size. */
size_t frame_encode(const struct frame *frame, unsigned char *out);

/* Write a complete control frame with a payload of at most FRAME_CONTROL_PAYLOAD_MAX bytes. out has space for
 * FRAME_CONTROL_MAX bytes. The frame is masked if a key is given (a client's frame). Return the size. */
size_t frame_control(enum opcode opcode, const void *payload, size_t n, const unsigned char *key,
    unsigned char *out);

/* Status codes of a Close (section 7.4.1). */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_PROTOCOL_ERROR = 1002,
	CLOSE_UNSUPPORTED = 1003,
	CLOSE_NO_CODE = 1005, /* never sent: the Close has no payload */
	CLOSE_ABNORMAL = 1006, /* never sent: there was no Close */
	CLOSE_BAD_TEXT = 1007,
	CLOSE_TOO_BIG = 1009,
	CLOSE_INTERNAL_ERROR = 1011,
	CLOSE_TRY_AGAIN = 1013,
};

/* Return whether the code may be sent. */
bool close_code_valid(unsigned code);

/* Write a complete Close: the code, unless it is CLOSE_NO_CODE, and as much of the reason as fits, cut at a
 * character boundary. Otherwise like frame_control(). */
size_t frame_close(unsigned code, const char *reason, const unsigned char *key, unsigned char *out);

#endif
