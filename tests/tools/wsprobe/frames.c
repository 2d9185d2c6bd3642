/* Frames to send, as requested by a script, and received frames, parsed strictly. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../fuzz/naive.h"
#include "../../fuzz/naive_inflate.h"
#include "base/log.h"
#include "base/status.h"
#include "ws/deflate.h"
#include "wsprobe.h"

static unsigned
hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* One part: letters and %HH, optionally followed by *N. */
static void
put_part(struct bytes *out, const char *part, size_t n)
{
	size_t from = out->size, i = 0;

	for (; i < n && part[i] != '*'; i++) {
		if (part[i] == '%') {
			bytes_byte(out, hex_value(part[i + 1]) << 4 | hex_value(part[i + 2]));
			i += 2;
		} else {
			bytes_byte(out, (unsigned char)part[i]);
		}
	}
	if (i == n)
		return;
	size_t each = out->size - from, times = strtoul(part + i + 1, NULL, 10);

	bytes_more(out, each * (times - 1));
	for (size_t k = each; k < each * times; k++)
		out->at[from + k] = out->at[from + k - each];
}

void
put_payload(struct bytes *out, const char *word)
{
	if (strcmp(word, "-") == 0)
		return;
	for (;;) {
		size_t n = strcspn(word, "/");

		put_part(out, word, n);
		if (word[n] == '\0')
			return;
		word += n + 1;
	}
}

/* The payload of a Close: code and reason. */
void
put_close(struct bytes *out, const char *word)
{
	char *rest;

	if (strcmp(word, "-") == 0)
		return;
	unsigned long code = strtoul(word, &rest, 10);

	bytes_byte(out, (unsigned)(code >> 8));
	bytes_byte(out, code & 0xff);
	if (*rest == '/')
		put_payload(out, rest + 1);
}

static void
put_length(struct bytes *out, uint64_t length, unsigned bits, unsigned mask_bit)
{
	if (bits == 0)
		bits = length < 126 ? 7 : length < 65536 ? 16 : 64;
	if (bits == 7) {
		bytes_byte(out, mask_bit | (unsigned)length);
		return;
	}
	bytes_byte(out, mask_bit | (bits == 16 ? 126 : 127));
	for (int shift = (int)bits - 8; shift >= 0; shift -= 8)
		bytes_byte(out, (unsigned)(length >> shift) & 0xff);
}

static void
put_frame(struct link *l, const struct next_frame *f, unsigned op, bool fin, const void *payload, size_t n)
{
	bool masked = l->client != f->unmasked;
	unsigned char key[4] = {0}, *to;
	unsigned first = (fin ? 0x80 : 0) | (unsigned)f->rsv << 4 | (f->compressed && op != OP_CONT ? 0x40 : 0);

	bytes_byte(&l->out, first | (f->op != OP_OF_WORD ? (unsigned)f->op : op));
	put_length(&l->out, f->declared != NOT_DECLARED ? f->declared : n, (unsigned)f->length_bits, masked ? 0x80 : 0);
	if (masked) {
		if (!f->zero_key && getrandom(key, sizeof key, 0) != sizeof key)
			die(STATUS_FAILED, "getrandom: %s", strerror(errno));
		bytes_put(&l->out, key, sizeof key);
	}
	to = bytes_more(&l->out, n);
	if (n != 0)
		memcpy(to, payload, n);
	for (size_t i = 0; masked && i < n; i++)
		to[i] ^= key[i % 4];
}

void
put_message(struct link *l, const struct next_frame *f, unsigned op, bool fin, const struct bytes *payload)
{
	size_t done = 0;

	while (f->cut != 0 && payload->size - done > f->cut) {
		put_frame(l, f, done == 0 ? op : OP_CONT, false, payload->at + done, f->cut);
		done += f->cut;
	}
	put_frame(l, f, done == 0 ? op : OP_CONT, fin, payload->at == NULL ? NULL : payload->at + done,
	          payload->size - done);
}

const char *
op_name(unsigned op)
{
	static const char *const names[16] = {[OP_CONT] = "cont", [OP_TEXT] = "text", [OP_BINARY] = "binary",
		[OP_CLOSE] = "close", [OP_PING] = "ping", [OP_PONG] = "pong"};

	return names[op] != NULL ? names[op] : "?";
}

static bool
need(struct link *l, size_t n, const char *what)
{
	while (l->in.size - l->taken < n)
		if (!link_wait(l, what))
			return false;
	return true;
}

/* Read the length of the payload, only the shortest form. Return false at an error or EOF. */
static bool
take_length(struct link *l, unsigned short_form, const char *what, uint64_t *length)
{
	size_t more = short_form < 126 ? 0 : short_form == 126 ? 2 : 8;
	uint64_t value = 0;

	if (!need(l, more, what))
		return false;
	for (size_t i = 0; i < more; i++)
		value = value << 8 | l->in.at[l->taken++];
	*length = more == 0 ? short_form : value;
	if ((more == 2 && value < 126) || (more == 8 && (value < 65536 || value >> 63 != 0)))
		return wrong("a length of %llu was sent in %zu bytes", (unsigned long long)value, more);
	return true;
}

static bool
frame_allowed(const struct frame_reader *r, unsigned first, unsigned second, uint64_t length)
{
	unsigned op = first & 15;
	bool fin = (first & 0x80) != 0, control = op >= 8;
	bool may_compress = settings.agreed != NULL && (op == OP_TEXT || op == OP_BINARY);

	if ((first & (may_compress ? 0x30 : 0x70)) != 0)
		return wrong("a frame came with reserved bits: %02x", first);
	if (op_name(op)[0] == '?')
		return wrong("a frame came with opcode %u", op);
	if (((second & 0x80) != 0) == r->link->client)
		return wrong("a frame came %smasked", r->link->client ? "" : "un");
	if (control && (!fin || length > 125))
		return wrong("a control frame came with FIN %d and %llu bytes", fin, (unsigned long long)length);
	if (op == OP_CONT && r->op == 0)
		return wrong("a continuation without a message came");
	if (!control && op != OP_CONT && r->op != 0)
		return wrong("a data frame came inside a message");
	return true;
}

static bool
take_payload(struct link *l, bool masked, size_t length, const char *what, struct bytes *to)
{
	unsigned char key[4] = {0};

	if (masked) {
		if (!need(l, sizeof key, what))
			return false;
		memcpy(key, l->in.at + l->taken, sizeof key);
		l->taken += sizeof key;
	}
	if (!need(l, length, what))
		return false;
	unsigned char *p = bytes_more(to, length);

	for (size_t i = 0; i < length; i++)
		p[i] = l->in.at[l->taken + i] ^ key[i % 4];
	l->taken += length;
	if (l->taken == l->in.size)
		l->taken = l->in.size = 0;
	return true;
}

static bool
is_utf8(const unsigned char *p, size_t n)
{
	bool whole;

	return naive_utf8(p, n, &whole) == n && whole;
}

static bool
close_allowed(const struct bytes *payload)
{
	if (payload->size == 0)
		return true;
	if (payload->size == 1)
		return wrong("a Close of one byte came");
	unsigned code = (unsigned)payload->at[0] << 8 | payload->at[1];

	if (code < 1000 || code >= 5000 || code == 1004 || code == 1005 || code == 1006 || (code > 1014 && code < 3000))
		return wrong("a Close with code %u came", code);
	return is_utf8(payload->at + 2, payload->size - 2) ? true : wrong("a Close's reason is no UTF-8");
}

/* Return whether the agreement has this parameter for a side; *value is the text after it. */
static bool
agreed_on(bool client, const char *parameter, const char **value)
{
	char name[64];
	const char *at;

	snprintf(name, sizeof name, "%s_%s", client ? "client" : "server", parameter);
	at = strstr(settings.agreed, name);
	*value = at == NULL ? "" : at + strlen(name);
	return at != NULL;
}

static unsigned
window_bits(bool client)
{
	const char *value;

	return agreed_on(client, "max_window_bits", &value) ? (unsigned)strtoul(value + 1, NULL, 10) : 15;
}

/* Compress a message, or a fragment, which keeps the 00 00 FF FF that the last fragment omits. */
void
pack_message(const struct link *l, enum blocks blocks, bool last, struct bytes *payload)
{
	static struct deflate_scratch scratch;
	static uint16_t memory[128 << 10];
	struct bytes packed = {0};
	enum deflate_result result;
	struct deflate z;

	if (blocks == STORED) {
		for (size_t i = 0, n; i < payload->size; i += n) {
			n = payload->size - i < UINT16_MAX ? payload->size - i : UINT16_MAX;
			bytes_byte(&packed, 0);
			bytes_put(&packed, (const uint16_t[]){htole16((uint16_t)n), htole16((uint16_t)~n)}, 4);
			bytes_put(&packed, payload->at + i, n);
		}
		bytes_byte(&packed, 0);
	} else {
		deflate_begin(&z, window_bits(l->client), memory, &scratch);
		bytes_more(&packed, deflate_bound(payload->size));
		deflate_step(&z, payload->at, payload->size, true, packed.at, packed.size, &packed.size, &result);
	}
	if (!last)
		bytes_put(&packed, "\0\0\xff\xff", 4);
	bytes_free(payload);
	*payload = packed;
}

/* Decompress the received message; without context takeover it must be independent. */
static bool
unpack(struct frame_reader *r)
{
	struct bytes *all = &r->link->inflated;
	const char *value;
	size_t n = r->message.size, from;
	struct naive_inflate z;

	from = agreed_on(!r->link->client, "no_context_takeover", &value) ? 0 : all->size;
	all->size = from;
	bytes_more(all, INFLATED_MAX);
	bytes_more(&r->message, 4);
	z = (struct naive_inflate){.out = all->at, .size = from, .capacity = all->size,
		.window = (size_t)1 << window_bits(!r->link->client)};
	if (naive_message(&z, r->message.at, n) != NAIVE_BETWEEN_BLOCKS)
		return wrong("the compressed message is invalid after %zu of %zu bytes", z.at / 8, n);
	all->size = z.size;
	r->message.size = 0;
	bytes_put(&r->message, all->at + from, all->size - from);
	return true;
}

/* Receive the next complete message or control frame. */
bool
next_event(struct frame_reader *r, const char *what, struct event *event)
{
	struct link *l = r->link;
	uint64_t length;

	for (;;) {
		if (!need(l, 2, what))
			return false;
		unsigned first = l->in.at[l->taken], second = l->in.at[l->taken + 1], op = first & 15;

		l->taken += 2;
		if (!take_length(l, second & 0x7f, what, &length) || !frame_allowed(r, first, second, length))
			return false;
		if (op >= 8) {
			event->op = op;
			return take_payload(l, (second & 0x80) != 0, (size_t)length, what, &event->payload)
			       && (op != OP_CLOSE || close_allowed(&event->payload));
		}
		if (op != OP_CONT) {
			r->op = op;
			r->compressed = (first & 0x40) != 0;
		}
		if (!take_payload(l, (second & 0x80) != 0, (size_t)length, what, &r->message))
			return false;
		if ((first & 0x80) != 0)
			break;
	}
	if (r->compressed && !unpack(r))
		return false;
	*event = (struct event){r->op, r->message};
	r->op = 0;
	r->message = (struct bytes){0};
	if (event->op == OP_TEXT && !is_utf8(event->payload.at, event->payload.size))
		return wrong("a text that is no UTF-8 came");
	return true;
}
