/*
 * Converts frames to events, for both roles (RFC 6455, section 5). It removes the mask in place and validates UTF-8
 * incrementally. It handles fragments, control frames between them, Close codes and a size limit for messages.
 *
 * It stores no bytes: the caller keeps the bytes that a step did not use and passes them again with more data
 * appended. A buffer of READER_NEEDS bytes is sufficient for progress; payload of any size passes through it.
 */
#ifndef FITTINGS_READER_H
#define FITTINGS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/frame.h"
#include "ws/chunk.h"
#include "ws/inflate.h"
#include "base/utf8.h"

enum { READER_NEEDS = FRAME_CONTROL_MAX };

enum reader_peer {
	READER_OF_CLIENT, /* the peer is a client: all frames are masked */
	READER_OF_SERVER, /* the peer is a server: no frame is masked */
	READER_OF_EITHER,
};

struct reader {
	uint64_t limit;  /* of a message's payload, inclusive; 0: no limit */
	uint64_t size;   /* of this message in the headers of its frames so far */
	uint64_t left;   /* remaining payload of this frame */
	unsigned char key[FRAME_KEY_SIZE]; /* rotated so that key[0] is for the next byte */
	struct utf8 text;
	unsigned char peer;  /* enum reader_peer */
	bool text_only;      /* deliver binary messages as text; 1003 at the first byte that is not UTF-8 */
	bool masked, fin;    /* of this frame */
	bool in_frame;       /* its payload, or an event of it, is incomplete */
	bool in_message;     /* after a frame without FIN */
	bool begun;          /* a chunk of this message was delivered */
	bool binary;
	unsigned char broken; /* enum reader_broken: error of the current message */
	bool deflate : 1;    /* permessage-deflate is negotiated */
	bool compressed : 1; /* this message */
	bool more : 1;       /* decompression continues without further input */
	bool over;           /* a Close or a failure was delivered */
};

enum reader_broken { READER_INTACT, READER_NOT_UTF8, READER_NOT_DEFLATE, READER_TOO_BIG };

/* State for compressed messages (RFC 7692). */
struct reader_inflate {
	struct inflate z;
	bool takeover;
	uint64_t size;      /* of this message so far, decompressed */
	unsigned char *out; /* destination of the next step */
	size_t capacity;    /* its size */
};

enum reader_kind {
	READER_MORE,  /* more input is needed */
	READER_FULL,  /* there is payload, but space is 0 */
	READER_DATA,  /* chunk: unmasked and validated, possibly empty */
	READER_PING,  /* chunk is its payload */
	READER_PONG,
	READER_CLOSE, /* code, or CLOSE_NO_CODE; chunk is its reason, UTF-8 */
	READER_FAIL,  /* an error of the peer: fail the connection with code; why describes it */
};

struct reader_event {
	enum reader_kind kind;
	struct chunk chunk;
	bool sized;    /* READER_DATA: the message is a single frame, */
	uint64_t size; /* and size is the size of its payload */
	unsigned code;
	const char *why;
};

/*
 * Process n bytes up to the next event, modifying the bytes that it uses (unmasking). Deliver at
 * most `space` bytes of payload; with 0 there is no READER_DATA, not even an empty one. Return
 * the number of bytes used; the event's chunk points into them. The events do not depend on how the
 * input is divided, except for the boundaries of chunks.
 *
 * READER_FAIL uses no byte of the invalid frame (or no byte of text from the invalid one on), so
 * the total of used bytes is its offset. After READER_CLOSE and READER_FAIL all input is discarded
 * with READER_MORE.
 */
size_t reader_step(struct reader *reader, unsigned char *bytes, size_t n, size_t space,
    struct reader_event *event);

/*
 * Like reader_step(), with permessage-deflate (reader->deflate). The payload of a compressed message is written to
 * inflate->out, at most inflate->capacity bytes. The limit applies to its decompressed size; the size in the headers
 * of its frames may be larger by a 64th and 1 KiB. The offset of a READER_FAIL in such a message is not exact. If
 * inflate is NULL, a compressed message is delivered without decompression, as a binary message.
 */
size_t reader_step_inflate(struct reader *reader, struct reader_inflate *inflate, unsigned char *bytes, size_t n,
    size_t space, struct reader_event *event);

#endif
