/* One WebSocket frame's header (RFC 6455 section 5.2), and whole control frames. */
#ifndef FITTINGS_FRAME_H
#define FITTINGS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode {
	OPCODE_CONTINUATION = 0x0,
	OPCODE_TEXT = 0x1,
	OPCODE_BINARY = 0x2,
	OPCODE_CLOSE = 0x8, /* from here up they are control frames */
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
};

/* What frame_decode() finds wrong: each is a protocol error (1002). */
enum frame_error {
	FRAME_RESERVED_BITS = -1,
	FRAME_RESERVED_OPCODE = -2,
	FRAME_CONTROL_FRAGMENTED = -3,
	FRAME_CONTROL_LONG = -4,
	FRAME_LENGTH_NOT_MINIMAL = -5,
	FRAME_LENGTH_TOO_LARGE = -6,
};

/*
 * Reads the header at the beginning of n bytes. Returns its size; 0 while it is
 * incomplete; a frame_error as soon as the bytes that are there can begin no
 * valid header. Only a returned size fills the frame.
 */
int frame_decode(struct frame *frame, const unsigned char *bytes, size_t n);
const char *frame_error_text(int error);

/* Writes the header, its length in the fewest bytes; out has room for
 * FRAME_HEAD_MAX. Returns its size. */
size_t frame_encode(const struct frame *frame, unsigned char *out);

/*
 * Writes a whole control frame of at most FRAME_CONTROL_PAYLOAD_MAX bytes, out
 * with room for FRAME_CONTROL_MAX; masked where a key is given (a client's).
 * Returns its size.
 */
size_t frame_control(enum opcode opcode, const void *payload, size_t n, const unsigned char *key,
    unsigned char *out);

/* Status codes of a Close (section 7.4.1). */
enum close_code {
	CLOSE_NORMAL = 1000,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_PROTOCOL_ERROR = 1002,
	CLOSE_UNSUPPORTED = 1003,
	CLOSE_NO_CODE = 1005, /* never on the wire: the Close has no payload */
	CLOSE_ABNORMAL = 1006, /* never on the wire: there was no Close */
	CLOSE_BAD_TEXT = 1007,
	CLOSE_TOO_BIG = 1009,
	CLOSE_INTERNAL_ERROR = 1011,
	CLOSE_TRY_AGAIN = 1013,
};

/* Whether the code may be on the wire. */
bool close_code_valid(unsigned code);

/*
 * Writes a whole Close: the code, unless it is CLOSE_NO_CODE, and as much of
 * the reason as fits (cut at a whole character). As frame_control() else.
 */
size_t frame_close(unsigned code, const char *reason, const unsigned char *key, unsigned char *out);

#endif
