#include "ws/command.h"

#include <string.h>

#include "ws/frame.h"
#include "base/utf8.h"
#include "base/copy.h"
#include "base/find.h"
#include "base/number.h"

enum { ID_DIGITS = 19 }; /* decimal digits that always fit into 64 bits */

/* Remove the text before the next blank, and the blank. Return false if that text is empty. */
static bool
word_next(struct span *text, struct span *word)
{
	const char *blank = memchr(text->at, ' ', text->size);

	word->at = text->at;
	word->size = blank == NULL ? text->size : (size_t)(blank - text->at);
	text->at += word->size + (blank != NULL);
	text->size -= word->size + (blank != NULL);
	return word->size != 0;
}

static bool
id_parse(struct span text, uint64_t *id)
{
	return number_parse(text, 1, UINT64_MAX, id);
}

bool
command_id_next(struct span *ids, uint64_t *id)
{
	const char *comma = memchr(ids->at, ',', ids->size);
	struct span first = {ids->at, comma == NULL ? ids->size : (size_t)(comma - ids->at)};

	if (!id_parse(first, id))
		return false;
	ids->at += first.size + (comma != NULL);
	ids->size -= first.size + (comma != NULL);
	return true;
}

static bool
ids_valid(struct span ids)
{
	uint64_t id;

	while (ids.size != 0 && command_id_next(&ids, &id))
		if (ids.size == 0)
			return ids.at[-1] != ',';
	return false;
}

/* Split `NAME-ID` at the last dash if only digits follow it. */
static bool
except_split(struct span text, struct span *name, uint64_t *except)
{
	const char *dash = memrchr(text.at, '-', text.size);
	size_t before = dash == NULL ? 0 : (size_t)(dash - text.at);

	if (dash == NULL || !id_parse((struct span){dash + 1, text.size - before - 1}, except))
		return false;
	*name = (struct span){text.at, before};
	return true;
}

/* Return whether a room name is valid: 1 to 255 bytes, no blank, and no suffix like `-12`. */
static bool
room_valid(struct span room)
{
	struct span name;
	uint64_t except;

	return room.size != 0 && room.size <= COMMAND_ROOM_MAX && memchr(room.at, ' ', room.size) == NULL
	    && !except_split(room, &name, &except);
}

static const char *
to_parse(struct span to, struct command *command)
{
	struct span name = {to.at + 1, to.size - 1};

	if (to.at[0] == '*') {
		command->to = COMMAND_ALL;
		if (name.size == 0 || (except_split(name, &name, &command->except) && name.size == 0))
			return NULL;
		return "destination is not * or *-ID";
	}
	if (to.at[0] == '#') {
		command->to = COMMAND_ROOM;
		(void)except_split(name, &name, &command->except);
		command->room = name;
		return room_valid(name) ? NULL : "invalid room name";
	}
	command->to = COMMAND_IDS;
	command->ids = to;
	return ids_valid(to) ? NULL : "destination is not ID, ID,ID, *, *-ID, #ROOM or #ROOM-ID";
}

static const char *
close_parse(struct command *command)
{
	struct span code;
	uint64_t value;

	(void)word_next(&command->payload, &code);
	if (!number_parse(code, 1000, 4999, &value) || !close_code_valid((unsigned)value))
		return "close without a valid code";
	command->code = (unsigned)value;
	return NULL;
}

static const char *
room_parse(struct command *command)
{
	if (command->to != COMMAND_IDS)
		return "join and part need one ID";
	command->room = command->payload;
	return room_valid(command->room) ? NULL : "invalid room name";
}

/* Parse the most frequent record, `ID text PAYLOAD`. Return false for any other. */
static bool
parse_text(struct span record, struct command *command)
{
	static const char word[] = " text ";
	uint64_t id = 0;
	size_t n = 0;

	while (n < record.size && n < ID_DIGITS && record.at[n] >= '0' && record.at[n] <= '9')
		id = id * 10 + (uint64_t)(record.at[n++] - '0');
	if (id == 0 || record.size - n < sizeof word - 1 || memcmp(record.at + n, word, sizeof word - 1) != 0)
		return false;
	*command = (struct command){
		.verb = COMMAND_TEXT, .to = COMMAND_ID, .id = id,
		.payload = {record.at + n + sizeof word - 1, record.size - n - (sizeof word - 1)},
	};
	return true;
}

static const char *
parse(struct span record, bool exact, struct command *command)
{
	static const struct {
		const char *name;
		enum command_verb verb;
	} verbs[] = {
		{"text", COMMAND_TEXT}, {"binary", COMMAND_BINARY}, {"close", COMMAND_CLOSE},
		{"join", COMMAND_JOIN}, {"part", COMMAND_PART},
	};
	struct span to, word;
	const char *why;

	if (parse_text(record, command))
		return NULL;
	*command = (struct command){0};
	if (!word_next(&record, &to))
		return "record begins with a blank";
	why = to_parse(to, command);
	if (why != NULL)
		return why;
	(void)word_next(&record, &word);
	command->payload = record;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!span_equal(word, span_of(verbs[i].name)))
			continue;
		command->verb = verbs[i].verb;
		if (command->verb == COMMAND_BINARY && !exact)
			return "binary requires --netstring";
		if (command->verb == COMMAND_CLOSE)
			return close_parse(command);
		return command->verb >= COMMAND_JOIN ? room_parse(command) : NULL;
	}
	return "command is not text, binary, close, join or part";
}

static inline bool
is_special(unsigned char byte, bool written)
{
	return byte == '\\' || (!written && (byte == '\n' || byte == '\r' || byte == '\0'));
}

static inline vector16
specials(vector16 v, unsigned written)
{
	vector16 hits = (vector16)(v == '\\');

	return written ? hits : hits | (vector16)((v == '\n') | (v == '\r') | (v == '\0'));
}

/* Return the number of bytes before the next one that needs an escape, or (written) before the next backslash. */
static inline size_t
plain_size(const char *p, size_t n, bool written)
{
	size_t i = find_block(p, n, specials, written);

	while (i < n && !is_special((unsigned char)p[i], written))
		i++;
	return i;
}

size_t
command_escape(char *out, const void *bytes, size_t n)
{
	const char *in = bytes;
	size_t size = 0;

	for (;;) {
		size_t plain = plain_size(in, n, false);

		copy_bytes((unsigned char *)out + size, (const unsigned char *)in, plain);
		size += plain;
		if (plain == n)
			return size;
		out[size++] = '\\';
		out[size++] = in[plain] == '\n' ? 'n' : in[plain] == '\r' ? 'r' : in[plain] == '\0' ? '0' : '\\';
		in += plain + 1;
		n -= plain + 1;
	}
}

ptrdiff_t
command_unescape(char *out, const char *text, size_t n)
{
	static const char names[] = "nr0\\", bytes[] = "\n\r\0\\";
	ptrdiff_t size = 0;

	for (;;) {
		size_t plain = plain_size(text, n, true);
		const char *name;

		if (out + size != text)
			memmove(out + size, text, plain);
		size += (ptrdiff_t)plain;
		if (plain == n)
			return size;
		name = n - plain > 1 ? memchr(names, text[plain + 1], 4) : NULL;
		if (name == NULL)
			return -1;
		out[size++] = bytes[name - names];
		text += plain + 2;
		n -= plain + 2;
	}
}

static bool
is_text(struct span payload)
{
	struct utf8 state = {0};

	return utf8_check(&state, payload.at, payload.size) == payload.size && utf8_whole(&state);
}

const char *
command_read(char *record, size_t n, bool exact, struct command *command)
{
	const char *why = parse((struct span){record, n}, exact, command);
	char *payload;
	ptrdiff_t size;

	if (why != NULL || command->verb >= COMMAND_JOIN)
		return why;
	payload = record + (command->payload.at - record);
	size = exact ? (ptrdiff_t)command->payload.size : command_unescape(payload, payload, command->payload.size);
	if (size < 0)
		return "invalid backslash escape";
	command->payload.size = (size_t)size;
	command->not_text = command->verb != COMMAND_BINARY && !is_text(command->payload);
	return command->not_text ? "not UTF-8" : NULL;
}
