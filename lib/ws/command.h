/*
 * What the program behind wshub says, one record each, and the escapes that
 * keep a payload on one line, both ways.
 *
 *     TO text PAYLOAD      TO binary PAYLOAD      TO close CODE REASON
 *     ID join ROOM         ID part ROOM
 *
 * TO is `ID`, `ID,ID`, `*`, `*-ID`, `#ROOM` or `#ROOM-ID`.
 */
#ifndef FITTINGS_COMMAND_H
#define FITTINGS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum command_verb { COMMAND_TEXT, COMMAND_BINARY, COMMAND_CLOSE, COMMAND_JOIN, COMMAND_PART };
enum command_to { COMMAND_ID, COMMAND_IDS, COMMAND_ROOM, COMMAND_ALL };

enum { COMMAND_ROOM_MAX = 255 };

struct command {
	enum command_verb verb;
	enum command_to to;
	uint64_t id;         /* COMMAND_ID: one client, of a text */
	struct span ids;     /* COMMAND_IDS: for command_id_next() */
	struct span room;    /* COMMAND_ROOM, and the room of join and part: bytes, without escapes */
	uint64_t except;     /* the one that is left out, 0 for none */
	struct span payload; /* of text and binary; of close the reason */
	unsigned code;       /* close */
	bool not_text;       /* the payload is not UTF-8 */
};

/*
 * Takes a record apart into slices of it, the escapes of its payload undone in
 * place. exact: the payload is as it is (in lines it has escapes, and there is
 * no binary). Returns NULL, or what is wrong; where that is only not_text, all
 * the rest of the order holds.
 */
const char *command_read(char *record, size_t n, bool exact, struct command *order);

/* Takes the next of the list's numbers. False at its end. */
bool command_id_next(struct span *ids, uint64_t *id);

/* Whether a room may be called so: 1 to 255 bytes, no blank, and no end like `-12`. */
bool command_room_valid(struct span room);

/*
 * Newline, CR, NUL and backslash as \n \r \0 \\. out has room for twice n.
 * Returns the size.
 */
size_t command_escape(char *out, const void *bytes, size_t n);

/* The way back; out has room for n and may be the same. Returns the size, or -1
 * for a backslash with anything else behind it. */
ptrdiff_t command_unescape(char *out, const char *text, size_t n);

#endif
