/*
 * The commands that the program of wshub writes, one per record, and the escapes that keep a
 * payload on one line in both directions.
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
	uint64_t id;         /* COMMAND_ID: one client, only for text */
	struct span ids;     /* COMMAND_IDS: for command_id_next() */
	struct span room;    /* COMMAND_ROOM, and the room of join and part: raw bytes */
	uint64_t except;     /* the excluded client, 0 for none */
	struct span payload; /* of text and binary; the reason of close */
	unsigned code;       /* of close */
	bool not_text;       /* the payload is not UTF-8 */
};

/*
 * Parse a record into slices of it and decode the escapes of its payload in place. exact: the
 * payload has no escapes (a line has escapes, and cannot be binary). Return NULL or the error. If
 * not_text is set, the payload is the only error and the rest of the command is valid.
 */
const char *command_read(char *record, size_t n, bool exact, struct command *command);

/* Remove the next number from the list. Return false at its end. */
bool command_id_next(struct span *ids, uint64_t *id);

/* Write newline, CR, NUL and backslash as \n \r \0 \\. out has space for 2n bytes. Return the size. */
size_t command_escape(char *out, const void *bytes, size_t n);

/* Decode these escapes. out has space for n bytes and may be text. Return the size, or -1 for a
 * backslash before any other character. */
ptrdiff_t command_unescape(char *out, const char *text, size_t n);

#endif
