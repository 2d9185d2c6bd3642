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
	struct reader reader;
	struct next_frame next;
	size_t turns; /* of turns=N */
	enum blocks blocks; /* of the current message */
	bool over;    /* the connection has ended as expected */
	bool closing; /* a Close was sent first */
	struct event early; /* a Close received instead of an echo */
	int answer;   /* code of the peer's Close, ANY_CODE before it */
};

static const struct next_frame plain_frame = {.times = 1};

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
	const char *value = strchr(word, '=');
	unsigned long long n = value == NULL ? 0 : strtoull(value + 1, NULL, 10);

	if (strcmp(word, "unmasked") == 0)
		f->unmasked = true;
	else if (strcmp(word, "zerokey") == 0)
		f->zero_key = true;
	else if (strcmp(word, "plain") == 0)
		f->blocks = PLAIN;
	else if (strcmp(word, "stored") == 0)
		f->blocks = STORED;
	else if (strcmp(word, "final") == 0)
		f->blocks = FINAL;
	else if (strncmp(word, "rsv=", 4) == 0)
		f->rsv = (unsigned)n;
	else if (strncmp(word, "op=", 3) == 0)
		f->has_op = true, f->op = (unsigned)n;
	else if (strncmp(word, "length=", 7) == 0)
		f->length_bits = (int)n;
	else if (strncmp(word, "declare=", 8) == 0)
		f->has_declared = true, f->declared = n;
	else if (strncmp(word, "cut=", 4) == 0)
		f->cut = (size_t)n;
	else if (strncmp(word, "times=", 6) == 0)
		f->times = (size_t)n;
	else
		return false;
	return true;
}

/* Handle words without a frame. Return 1 after success, 0 for another word, -1 after a failure. */
static int
play_alone(struct play *p, const char *word)
{
	if (strcmp(word, "flush") == 0)
		return link_flush(p->link) ? 1 : -1;
	if (strcmp(word, "fin") == 0) {
		if (!link_flush(p->link))
			return -1;
		shutdown(p->link->fd, SHUT_WR);
		return 1;
	}
	if (strcmp(word, "deaf") == 0)
		p->link->deaf = true;
	else if (strncmp(word, "chunk=", 6) == 0)
		p->link->chunk = strtoul(word + 6, NULL, 10);
	else if (strncmp(word, "turns=", 6) == 0)
		p->turns = strtoul(word + 6, NULL, 10);
	else
		return 0;
	return 1;
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
	struct bytes packed = {0};

	if (op == OP_TEXT || op == OP_BINARY)
		p->blocks = settings.agreed == NULL || f->rsv != 0 ? PLAIN : f->blocks != BLOCKS_DEFAULT ? f->blocks : FIXED;
	if (p->blocks == PLAIN || op >= OP_CLOSE || f->has_op || f->has_declared || f->rsv != 0)
		return;
	deflate(&packed, payload, p->blocks, last);
	bytes_free(payload);
	*payload = packed;
	f->compressed = true;
}

static void
send_frame(struct play *p, const char *word, const char *payload_word)
{
	size_t n = strcspn(word, "+");
	int op = op_of(word, n);
	struct bytes payload = {0};

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
	for (size_t i = 0; i < p->next.times; i++) {
		if (op < 0)
			bytes_put(&p->link->out, payload.at, payload.size);
		else
			put_message(p->link, &p->next, (unsigned)op, word[n] != '+', &payload);
	}
	bytes_free(&payload);
	p->next = plain_frame;
}

/* Send a frame and receive its echo, repeatedly. */
static bool
take_turns(struct play *p, const char *word, const char *payload)
{
	int op = op_of(word, strlen(word));

	for (; p->turns > 0; p->turns--) {
		struct next_frame kept = p->next;

		send_frame(p, word, payload);
		p->next = kept;
		if (!expect(p, op == OP_PING ? OP_PONG : (unsigned)op, payload))
			return false;
	}
	p->next = plain_frame;
	return true;
}

static bool
play_word(struct play *p, const char *word, char **rest)
{
	int alone = play_alone(p, word);

	if (alone != 0)
		return alone > 0;
	if (word[0] != '=' && modify(&p->next, word))
		return true;
	const char *payload = strtok_r(NULL, " ", rest);

	if (payload == NULL)
		die(STATUS_USAGE, "a script ends in %s", word);
	if (p->turns != 0)
		return take_turns(p, word, payload);
	if (word[0] != '=') {
		send_frame(p, word, payload);
		return true;
	}
	size_t times = p->next.times;

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

/* Play a script to the end of the connection. *orderly: a Close was sent, and the peer reported no
 * error. */
bool
play_script(struct link *l, const char *script, bool *orderly)
{
	struct play p = {.link = l, .reader = {.link = l}, .next = plain_frame, .answer = ANY_CODE};
	bool good = play_words(&p, script) && (p.over || play_words(&p, "close 1000 =close 1000"));

	bytes_free(&p.reader.message);
	bytes_free(&p.early.payload);
	*orderly = p.closing && (p.answer == NO_CODE || p.answer == 1000 || p.answer == 1001);
	return good;
}
