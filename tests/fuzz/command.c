/*
 * The output of a program of wshub, in lines and in netstrings, divided anywhere: the commands are
 * those of a naive parser of the whole, up to the first invalid netstring. Escaped client messages
 * stay on one line and are decoded to the same bytes.
 */
#include "ws/command.h"
#include "ws/record.h"
#include "fuzz.h"
#include "base/buffer.h"
#include "naive.h"

static void
account_bytes(struct account *a, const char *before, struct span bytes)
{
	account_text(a, before);
	account_put(a, bytes.at, bytes.size);
}

/* The account of the codec. */
static void
command_account(char *record, size_t n, bool exact, struct account *a)
{
	struct command order;
	const char *why = command_read(record, n, exact, &order);
	uint64_t id;

	if (why != NULL && !order.not_text) {
		account_text(a, "\nwrong");
		return;
	}
	account_number(a, "\n", order.verb);
	if (order.to == COMMAND_ALL)
		account_text(a, " all");
	if (order.to == COMMAND_ROOM)
		account_bytes(a, " room ", order.room);
	if (order.to == COMMAND_ID)
		account_number(a, " ", order.id);
	while (order.to == COMMAND_IDS && command_id_next(&order.ids, &id))
		account_number(a, " ", id);
	account_number(a, " but ", order.except);
	if (order.verb >= COMMAND_JOIN)
		account_bytes(a, " into ", order.room);
	if (order.verb == COMMAND_CLOSE)
		account_number(a, " code ", order.code);
	if (order.verb < COMMAND_JOIN)
		account_bytes(a, order.not_text ? " bad " : " says ", order.payload);
}

/* Process the complete records. Return false if the netstrings are invalid. */
static bool
take(struct record_decoder *s, struct buffer *from, enum record_decoder_want want, bool exact, struct account *a)
{
	struct record_decoder_find find;

	for (;;) {
		record_decoder_peek(s, buffer_head(from), buffer_held(from), want, &find);
		if (find.kind != RECORD_CHUNK)
			break;
		/* A copy, so that reading beyond it is detected. */
		command_account((char *)fuzz_edge(0, find.chunk.at, find.chunk.size), find.chunk.size, exact, a);
		record_decoder_take(s, &find);
		buffer_take(from, find.before + find.chunk.size + find.after);
	}
	if (find.kind == RECORD_BAD)
		account_text(a, "\nbad");
	return find.kind != RECORD_BAD;
}

static void
read_cut(struct fuzz f, bool exact, struct account *a)
{
	static unsigned char storage[FUZZ_MAX];
	struct buffer from = buffer_over(storage, sizeof storage);
	struct record_decoder s = {.mode = exact ? RECORD_NETSTRING : RECORD_LINE};
	bool good = true;

	while (good && f.size > 0) {
		fuzz_feed(&f, &from);
		good = take(&s, &from, RECORD_WHOLE, exact, a);
	}
	if (good)
		(void)take(&s, &from, RECORD_END, exact, a);
}

/* The naive parser. */
static struct span
before_blank(struct span *rest)
{
	struct span word = {rest->at, 0};

	while (word.size < rest->size && word.at[word.size] != ' ')
		word.size++;
	*rest = span_skip(*rest, word.size + (word.size < rest->size));
	return word;
}

static bool
naive_id(struct span digits, uint64_t *id)
{
	return naive_digits(digits.at, digits.size, id) && *id != 0;
}

/* Find `-ID` at the end of text; *before is the text before it. */
static bool
naive_but(struct span text, struct span *before, uint64_t *id)
{
	size_t dash = text.size;

	while (dash > 0 && text.at[dash - 1] != '-')
		dash--;
	*before = (struct span){text.at, dash == 0 ? 0 : dash - 1};
	return dash != 0 && naive_id(span_skip(text, dash), id);
}

static bool
naive_room(struct span room)
{
	struct span before;
	uint64_t id;

	return room.size > 0 && room.size < 256 && memchr(room.at, ' ', room.size) == NULL && !naive_but(room, &before, &id);
}

/* Add the destination to the account. */
static bool
naive_to(struct span to, struct account *a, bool *ids)
{
	uint64_t but = 0, id;
	struct span name = to;

	*ids = false;
	if (to.size > 0 && (to.at[0] == '*' || to.at[0] == '#')) {
		name = span_skip(to, 1);
		if (!naive_but(name, &name, &but)) {
			name = span_skip(to, 1);
			but = 0;
		}
		if (to.at[0] == '*' ? name.size != 0 : !naive_room(name))
			return false;
		if (to.at[0] == '*')
			account_text(a, " all");
		else
			account_bytes(a, " room ", name);
	} else {
		*ids = true;
		for (size_t i = 0, from = 0; i <= to.size; i++) {
			if (i < to.size && to.at[i] != ',')
				continue;
			if (!naive_id((struct span){to.at + from, i - from}, &id))
				return false;
			account_number(a, " ", id);
			from = i + 1;
		}
	}
	account_number(a, " but ", but);
	return true;
}

static bool
naive_code(struct span text, uint64_t *code)
{
	return naive_id(text, code) && *code <= 4999 && *code >= 1000 && (*code < 1004 || *code > 1006)
	    && (*code <= 1014 || *code >= 3000);
}

/* Decode the payload. Return false for an invalid escape. */
static bool
naive_says(struct span payload, bool exact, bool binary, struct account *a)
{
	static char plain[FUZZ_MAX];
	size_t n = 0, good;
	bool whole;

	for (size_t i = 0; i < payload.size; i++) {
		char c = payload.at[i];

		if (c == '\\' && !exact) {
			if (++i == payload.size)
				return false;
			switch (payload.at[i]) {
			case 'n': c = '\n'; break;
			case 'r': c = '\r'; break;
			case '0': c = '\0'; break;
			case '\\': c = '\\'; break;
			default: return false;
			}
		}
		plain[n++] = c;
	}
	good = naive_utf8((const unsigned char *)plain, n, &whole);
	account_bytes(a, binary || (good == n && whole) ? " says " : " bad ", (struct span){plain, n});
	return true;
}

static bool
naive_command(struct span record, bool exact, struct account *a)
{
	static const char *const verbs[] = {"text", "binary", "close", "join", "part"};
	struct span to = before_blank(&record), word = before_blank(&record);
	uint64_t code = 0;
	unsigned verb = 0;
	bool ids;

	while (verb < 5 && !span_equal(word, span_of(verbs[verb])))
		verb++;
	account_number(a, "\n", verb);
	if (!naive_to(to, a, &ids) || verb == 5 || (verb == COMMAND_BINARY && !exact))
		return false;
	if (verb >= COMMAND_JOIN) {
		account_bytes(a, " into ", record);
		return ids && naive_room(record);
	}
	if (verb == COMMAND_CLOSE) {
		if (!naive_code(before_blank(&record), &code))
			return false;
		account_number(a, " code ", code);
	}
	return naive_says(record, exact, verb == COMMAND_BINARY, a);
}

static void
naive_record(struct span record, bool exact, struct account *a)
{
	size_t before = a->size;

	if (naive_command(record, exact, a))
		return;
	a->size = before;
	account_text(a, "\nwrong");
}

static void
naive_records(struct span text, bool exact, struct account *a)
{
	struct span record;

	while (text.size > 0) {
		if (!naive_record_take(&text, exact ? ':' : '\n', &record)) {
			account_text(a, "\nbad");
			return;
		}
		naive_record(record, exact, a);
	}
}

/* Encode and decode. */
static void
escapes(const uint8_t *bytes, size_t n)
{
	static char back[FUZZ_MAX];
	char *line = (char *)fuzz_space(0, 2 * n);
	size_t size = command_escape(line, fuzz_edge(1, bytes, n), n), want = 0;

	for (size_t i = 0; i < n; i++)
		want += bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\0' || bytes[i] == '\\' ? 2 : 1;
	FUZZ_CHECK(size == want);
	FUZZ_CHECK(memchr(line, '\n', size) == NULL && memchr(line, '\r', size) == NULL && memchr(line, '\0', size) == NULL);
	FUZZ_CHECK(command_unescape(back, line, size) == (ptrdiff_t)n && memcmp(back, bytes, n) == 0);
	FUZZ_CHECK(command_unescape(line, line, size) == (ptrdiff_t)n && memcmp(line, bytes, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct account got, want;
	struct fuzz f = fuzz_over(bytes, size);
	bool exact = fuzz_byte(&f) % 2 != 0;
	struct span all = {(const char *)f.at, f.size};

	got.size = want.size = 0;
	read_cut(f, exact, &got);
	naive_records(all, exact, &want);
	accounts_equal(&got, &want);
	escapes(f.at, f.size);
	return 0;
}
