/* Plays a script of frames and expected responses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/status.h"
#include "wsprobe.h"

struct play {
	struct link *link;
	struct frame_reader reader;
	struct next_frame next;
	enum blocks blocks; /* of the current message */
	bool over;    /* the connection has ended as expected */
	bool closing; /* a Close was sent first */
	struct event early; /* a Close received instead of an echo */
	int answer;   /* code of the peer's Close, ANY_CODE before it */
};

static const struct next_frame plain_frame = {.times = 1, .op = OP_OF_WORD, .declared = NOT_DECLARED};

/* Return whether the code of a Close is one of those in word: `1002|1009`, `-`, `any`. */
static bool
code_wanted(const struct bytes *payload, const char *word)
{
	unsigned code = payload->size < 2 ? NO_CODE : (unsigned)payload->at[0] << 8 | payload->at[1];
	char *rest = NULL;

	if (strcmp(word, "any") == 0)
		return true;
	if (strcmp(word, "-") == 0)
		return payload->size == 0;
	for (; *word != '\0'; word = *rest == '|' ? rest + 1 : rest)
		if (strtoul(word, &rest, 10) == code)
			return true;
	return false;
}

/* After the Close the server closes the connection, and a client waits for it. */
static bool
finish(struct play *p)
{
	p->over = true;
	if (!p->link->client || !p->closing)
		shutdown(p->link->fd, SHUT_WR);
	return link_end(p->link);
}

static bool
compare(const struct event *event, unsigned op, const char *word)
{
	struct bytes wanted = {0};
	size_t n = event->payload.size, i = 0;
	bool same;

	if (op == OP_CLOSE && event->op == OP_CLOSE && code_wanted(&event->payload, word))
		return true;
	if (op != OP_CLOSE)
		put_payload(&wanted, word);
	same = op == event->op && op != OP_CLOSE && n == wanted.size && (n == 0 || memcmp(wanted.at, event->payload.at, n) == 0);
	while (!same && i < n && i < wanted.size && wanted.at[i] == event->payload.at[i])
		i++;
	bytes_free(&wanted);
	if (same)
		return true;
	if (event->op == OP_CLOSE && n >= 2)
		return wrong("wanted %s %s, got close %u `%s'", op_name(op), word,
		             (unsigned)event->payload.at[0] << 8 | event->payload.at[1],
		             quoted_bytes(event->payload.at + 2, n - 2));
	return wrong("wanted %s %s, got %s of %zu bytes, different from byte %zu: %s", op_name(op), word,
	             op_name(event->op), n, i, quoted_bytes(event->payload.at + i, n - i < 40 ? n - i : 40));
}

static bool
expect(struct play *p, unsigned op, const char *word)
{
	struct event event = {0};
	char what[400];
	bool good;

	snprintf(what, sizeof what, "%s %s", op_name(op), word);
	if (!link_flush(p->link))
		return false;
	if ((settings.mute || p->early.op != 0) && (op == OP_TEXT || op == OP_BINARY))
		return true;
	if (p->early.op != 0) {
		event = p->early;
		p->early = (struct event){0};
	} else if (!next_event(&p->reader, what, &event)) {
		return false;
	}
	if (settings.early && event.op == OP_CLOSE && (op == OP_TEXT || op == OP_BINARY)) {
		p->early = event;
		return true;
	}
	good = compare(&event, op, word);
	if (event.op == OP_CLOSE)
		p->answer = event.payload.size < 2 ? NO_CODE : event.payload.at[0] << 8 | event.payload.at[1];
	bytes_free(&event.payload);
	if (good && op == OP_CLOSE)
		return finish(p);
	return good;
}

/* Apply a word that changes the next frame. Return false if it is another word. */
static bool
modify(struct next_frame *f, const char *word)
{
	static const struct {
		const char *name;
		size_t member;
		uint64_t value; /* of a word without = */
	} words[] = {
#define WORD(name, member, value) {name, offsetof(struct next_frame, member), value}
		WORD("unmasked", unmasked, true), WORD("zerokey", zero_key, true), WORD("plain", blocks, PLAIN),
		WORD("stored", blocks, STORED), WORD("deaf", deaf, true), WORD("rsv=", rsv, 0), WORD("op=", op, 0),
		WORD("length=", length_bits, 0), WORD("declare=", declared, 0), WORD("cut=", cut, 0), WORD("times=", times, 0),
		WORD("turns=", turns, 0), WORD("chunk=", chunk, 0),
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t n = strlen(words[i].name);
		bool has_value = words[i].name[n - 1] == '=';

		if (strncmp(word, words[i].name, n) != 0 || (!has_value && word[n] != '\0'))
			continue;
		memcpy((char *)f + words[i].member, &(uint64_t){has_value ? strtoull(word + n, NULL, 10) : words[i].value},
		    sizeof(uint64_t));
		return true;
	}
	return false;
}

static int
op_of(const char *word, size_t n)
{
	for (unsigned op = 0; op < 16; op++)
		if (strlen(op_name(op)) == n && strncmp(op_name(op), word, n) == 0)
			return (int)op;
	return -1;
}

/* Compress the payload of a data frame if the extension is agreed on and the script does not
 * corrupt the frame. */
static void
pack(struct play *p, unsigned op, bool last, struct bytes *payload)
{
	struct next_frame *f = &p->next;

	if (op == OP_TEXT || op == OP_BINARY)
		p->blocks = settings.agreed == NULL || f->rsv != 0 ? PLAIN : (enum blocks)f->blocks;
	if (p->blocks == PLAIN || op >= OP_CLOSE || f->op != OP_OF_WORD || f->declared != NOT_DECLARED || f->rsv != 0)
		return;
	pack_message(p->link, p->blocks, last, payload);
	f->compressed = true;
}

static void
send_frame(struct play *p, const char *word, const char *payload_word)
{
	size_t n = strcspn(word, "+");
	int op = op_of(word, n);
	struct bytes payload = {0};
	struct link *l = p->link;

	l->deaf |= p->next.deaf;
	l->chunk = p->next.chunk != 0 ? p->next.chunk : l->chunk;
	if (op < 0 && strcmp(word, "raw") != 0)
		die(STATUS_USAGE, "a script says %s", word);
	if (op == OP_CLOSE)
		put_close(&payload, payload_word);
	else
		put_payload(&payload, payload_word);
	if (op == OP_CLOSE)
		p->closing = true;
	if (op >= 0)
		pack(p, (unsigned)op, word[n] != '+', &payload);
	for (uint64_t i = 0; i < p->next.times; i++) {
		if (op < 0)
			bytes_put(&l->out, payload.at, payload.size);
		else
			put_message(l, &p->next, (unsigned)op, word[n] != '+', &payload);
	}
	bytes_free(&payload);
	p->next = plain_frame;
}

/* Send a frame and receive its echo, repeatedly. */
static bool
take_turns(struct play *p, const char *word, const char *payload)
{
	int op = op_of(word, strlen(word));

	for (uint64_t turns = p->next.turns; turns > 0; turns--) {
		send_frame(p, word, payload);
		if (!expect(p, op == OP_PING ? OP_PONG : (unsigned)op, payload))
			return false;
	}
	return true;
}

static bool
play_word(struct play *p, const char *word, char **rest)
{
	if (strcmp(word, "flush") == 0)
		return link_flush(p->link);
	if (strcmp(word, "fin") == 0)
		return link_flush(p->link) && shutdown(p->link->fd, SHUT_WR) == 0;
	if (word[0] != '=' && modify(&p->next, word))
		return true;
	const char *payload = strtok_r(NULL, " ", rest);

	if (payload == NULL)
		die(STATUS_USAGE, "a script ends in %s", word);
	if (p->next.turns != 0)
		return take_turns(p, word, payload);
	if (word[0] != '=') {
		send_frame(p, word, payload);
		return true;
	}
	uint64_t times = p->next.times;

	for (p->next = plain_frame; times > 0; times--)
		if (!expect(p, (unsigned)op_of(word + 1, strlen(word + 1)), payload))
			return false;
	return true;
}

static bool
play_words(struct play *p, const char *script)
{
	char *copy = strdup(script), *rest = NULL;
	bool good = true;

	for (char *word = strtok_r(copy, " ", &rest); good && word != NULL; word = strtok_r(NULL, " ", &rest))
		good = play_word(p, word, &rest);
	free(copy);
	return good;
}

/* Play a script to the end of the connection. */
bool
play_script(struct link *l, const char *script)
{
	struct play p = {.link = l, .reader = {.link = l}, .next = plain_frame, .blocks = PLAIN, .answer = ANY_CODE};
	bool good = play_words(&p, script) && (p.over || play_words(&p, "close 1000 =close 1000"));

	bytes_free(&p.reader.message);
	bytes_free(&p.early.payload);
	l->orderly = p.closing && (p.answer == NO_CODE || p.answer == 1000 || p.answer == 1001);
	return good;
}
