/*
 * Frames to events, for either role (RFC 6455 section 5): masking undone in
 * place, UTF-8 checked as it streams in, fragments, control frames between
 * them, Close codes, a limit on the size of a message.
 *
 * It keeps no bytes: who reads the connection keeps what a step did not use,
 * and hands it in again with more behind it. A buffer of READER_NEEDS bytes is
 * enough to get on; payload of any size passes through it.
 */
#ifndef FITTINGS_READER_H
#define FITTINGS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/frame.h"
#include "ws/chunk.h"
#include "base/utf8.h"

enum { READER_NEEDS = FRAME_CONTROL_MAX };

enum reader_peer {
	READER_OF_CLIENT, /* reads a client's frames: all are masked */
	READER_OF_SERVER, /* a server's: none is */
	READER_OF_EITHER,
};

struct reader {
	uint64_t limit;  /* of a message's payload, inclusive; 0 for none */
	uint64_t size;   /* of this message as announced by its frames so far */
	uint64_t left;   /* of this frame's payload */
	unsigned char key[FRAME_KEY_SIZE]; /* turned so that key[0] is for the next byte */
	struct utf8 text;
	unsigned char peer;  /* enum reader_peer */
	bool text_only;      /* a binary message is given as text; 1003 at its first byte that is not UTF-8 */
	bool masked, fin;    /* this frame */
	bool in_frame;       /* some of its payload, or of what it means, is still to come */
	bool in_message;     /* a frame without FIN came before */
	bool begun;          /* some piece of this message was given */
	bool binary;
	bool broken;         /* what must be UTF-8 is not from here on */
	bool over;           /* a Close or a failure was given */
};

enum reader_kind {
	READER_MORE,  /* nothing can be done with what is there */
	READER_FULL,  /* payload is there, and no room for it */
	READER_DATA,  /* piece: unmasked, checked; it may be empty */
	READER_PING,  /* piece is its payload */
	READER_PONG,
	READER_CLOSE, /* code, CLOSE_NO_CODE where there is none; piece is its reason, UTF-8 */
	READER_FAIL,  /* the peer is wrong: fail the connection with this code; why, in words */
};

struct reader_event {
	enum reader_kind kind;
	struct chunk chunk;
	bool sized;    /* READER_DATA: the message is this one frame, */
	uint64_t size; /* and this its whole payload's size */
	unsigned code;
	const char *why;
};

/*
 * Takes one step over n bytes, of which it may change those that it uses (it
 * unmasks). Gives at most room bytes of payload; with no room no READER_DATA,
 * not even an empty one. Returns how many bytes it used; the event's piece
 * points into them. The events do not depend on how the input is cut, but for
 * the cuts of pieces.
 *
 * READER_FAIL uses no byte from the frame (or the byte of text) that is wrong
 * on, so that bytes used so far are its offset. After READER_CLOSE and
 * READER_FAIL everything is used up and gives READER_MORE.
 */
size_t reader_step(struct reader *reader, unsigned char *bytes, size_t n, size_t room,
    struct reader_event *event);

#endif
