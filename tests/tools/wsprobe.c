/*
 * wsprobe: what a WebSocket server or client does on the wire, case by case.
 *
 *     wsprobe HOST:PORT | /SOCKET            plays a client against an echo server
 *     wsprobe --fake [prog [arg...]]         plays a server for a client that echoes
 *
 * The fake server announces its port (`Listening on 9000`) and plays the next
 * case with whoever connects; with prog it runs it for each case, the port in
 * $PORT, and looks at its exit status and stderr too. TAP on stdout; exit 1
 * where a case failed.
 *
 * This is a second pair of eyes: it is written from the RFCs (6455, 9112, 3629)
 * and shares no code with what it looks at.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "wsprobe_frames.h"
#include "wsprobe_http.h"

enum { CHUNKS_MAX = 1 << 14, READ_SIZE = 1 << 18, DEAF_MS = 100, ANY_CODE = -1, NO_CODE = 0 };
enum opcode { OP_CONT, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

/* ---- bytes that grow ---- */

struct bytes {
	unsigned char *at;
	size_t size, room;
};

static unsigned char *
bytes_more(struct bytes *b, size_t n)
{
	if (b->room - b->size < n) {
		b->room = (b->size + n) * 2;
		b->at = realloc(b->at, b->room);
		if (b->at == NULL)
			die(STATUS_FAILED, "no memory");
	}
	b->size += n;
	return b->at + b->size - n;
}

static void
bytes_put(struct bytes *b, const void *from, size_t n)
{
	if (n != 0)
		memcpy(bytes_more(b, n), from, n);
}

static void
bytes_say(struct bytes *b, const char *text)
{
	bytes_put(b, text, strlen(text));
}

static void
bytes_byte(struct bytes *b, unsigned byte)
{
	*bytes_more(b, 1) = (unsigned char)byte;
}

static void
bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){0};
}

/* ---- what went wrong, for the line under `not ok` ---- */

static char why[1024];

__attribute__((format(printf, 1, 2))) static bool
wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	return false;
}

/* ---- SHA-1 and base64, for the fake server's answer (FIPS 180-4, RFC 4648) ---- */

static uint32_t
turn_left(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void
sha1_block(uint32_t h[5], const unsigned char *p)
{
	static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int t = 0; t < 80; t++) {
		if (t < 16)
			w[t] = (uint32_t)p[t * 4] << 24 | (uint32_t)p[t * 4 + 1] << 16
			       | (uint32_t)p[t * 4 + 2] << 8 | p[t * 4 + 3];
		else
			w[t] = turn_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
		uint32_t f = t < 20 ? (b & c) | (~b & d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
		uint32_t next = turn_left(a, 5) + f + e + constants[t / 20] + w[t];

		e = d;
		d = c;
		c = turn_left(b, 30);
		b = a;
		a = next;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Of at most 119 bytes, two blocks. */
static void
sha1(const void *bytes, size_t n, unsigned char digest[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char block[128] = {0};
	size_t size = n < 56 ? 64 : 128;

	memcpy(block, bytes, n);
	block[n] = 0x80;
	block[size - 2] = (unsigned char)(n * 8 >> 8);
	block[size - 1] = (unsigned char)(n * 8);
	for (size_t i = 0; i < size; i += 64)
		sha1_block(h, block + i);
	for (int i = 0; i < 20; i++)
		digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
accept_for(const char *key, char accept[29])
{
	unsigned char text[64], digest[21] = {0};

	memcpy(text, key, 24);
	memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	sha1(text, 60, digest);
	for (int i = 0; i < 28; i++) {
		int bit = i * 6;
		unsigned two = (unsigned)digest[bit / 8] << 8 | (bit / 8 + 1 < 21 ? digest[bit / 8 + 1] : 0);

		accept[i] = base64_letters[two >> (10 - bit % 8) & 63];
	}
	accept[27] = '=';
	accept[28] = '\0';
}

/* ---- UTF-8 of what is received, by the definition (RFC 3629 section 3) ---- */

static bool
is_utf8(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t size = p[i] < 0x80 ? 1 : p[i] >> 5 == 6 ? 2 : p[i] >> 4 == 14 ? 3 : p[i] >> 3 == 30 ? 4 : 0;
		unsigned long c = p[i];

		if (size == 0 || size > n - i)
			return false;
		if (size > 1)
			c &= 0x7fu >> size;
		for (size_t k = 1; k < size; k++) {
			if (p[i + k] >> 6 != 2)
				return false;
			c = c << 6 | (p[i + k] & 63u);
		}
		static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};

		if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
		i += size;
	}
	return true;
}

/* ---- the connection: what is to be sent, what was received ---- */

struct link {
	int fd;
	bool client; /* the role we play */
	bool deaf;
	bool ended; /* the peer's end of the stream was seen */
	bool reset;
	size_t chunk; /* at most so much a send, 0 for no limit */
	struct bytes out, in;
	size_t taken; /* of in */
};

static struct {
	const char *where;
	struct sockaddr_storage address;
	socklen_t address_size;
	char host[300];
	const char *groups;
	const char *names;
	size_t chunk;
	int timeout_ms;
	bool list;
	bool mute;  /* the peer takes messages and sends none */
	bool early; /* the peer's Close need not wait for echoes */
	char **prog; /* what the fake server runs for each case */
	int listener;
} settings = {.timeout_ms = 10000, .listener = -1};

static void
link_read(struct link *l)
{
	unsigned char *to = bytes_more(&l->in, READ_SIZE);
	ssize_t n = recv(l->fd, to, READ_SIZE, MSG_DONTWAIT);

	l->in.size -= (size_t)READ_SIZE - (n > 0 ? (size_t)n : 0);
	if (n == 0)
		l->ended = true;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		l->ended = l->reset = true;
}

/* Sends what is in out, reading all the while. That the peer takes no more is no
 * failure here: what it has answered tells. */
static bool
link_flush(struct link *l)
{
	size_t sent = 0, chunk = l->chunk != 0 ? l->chunk : settings.chunk;

	if (chunk != 0 && l->out.size / chunk > CHUNKS_MAX)
		chunk = l->out.size / CHUNKS_MAX;
	while (sent < l->out.size && !l->reset) {
		struct pollfd p = {.fd = l->fd, .events = POLLOUT};

		if (!l->deaf && !l->ended)
			p.events |= POLLIN;
		if (poll(&p, 1, l->deaf ? DEAF_MS : settings.timeout_ms) == 0) {
			if (!l->deaf)
				return wrong("the peer takes no more, after %zu of %zu bytes", sent, l->out.size);
			l->deaf = false;
			continue;
		}
		if ((p.revents & POLLIN) != 0)
			link_read(l);
		if ((p.revents & (POLLOUT | POLLERR | POLLHUP)) == 0)
			continue;
		size_t most = l->out.size - sent;
		ssize_t n = send(l->fd, l->out.at + sent, chunk != 0 && chunk < most ? chunk : most,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	l->deaf = false;
	l->out.size = 0;
	return true;
}

/* Waits for more to come in; false where nothing comes any more. */
static bool
link_wait(struct link *l, const char *what)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	if (l->ended)
		return wrong("wanted %s, the connection %s", what, l->reset ? "was reset" : "ended");
	if (poll(&p, 1, settings.timeout_ms) <= 0)
		return wrong("wanted %s, nothing came", what);
	link_read(l);
	return true;
}

/* The peer's end of the stream, with nothing before it. */
static bool
link_end(struct link *l)
{
	while (!l->ended) {
		if (l->in.size > l->taken)
			break;
		if (!link_wait(l, "the end of the connection"))
			return false;
	}
	if (l->in.size > l->taken)
		return wrong("wanted the end, got %zu bytes more: %s", l->in.size - l->taken,
		             quoted_bytes(l->in.at + l->taken, l->in.size - l->taken));
	return l->reset ? wrong("wanted the end of the connection, it was reset") : true;
}

static void
link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	bytes_free(&l->in);
	bytes_free(&l->out);
}

/* ---- payloads as the scripts write them ---- */

static unsigned
hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* One part: letters and %HH, perhaps *N behind them. */
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

static void
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

/* A Close's payload: the code and the reason. */
static void
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

/* ---- frames out ---- */

struct next_frame {
	unsigned rsv, op;
	int length_bits; /* 0 for the least */
	uint64_t declared;
	bool has_op, has_declared, unmasked, zero_key;
	size_t cut, times;
};

static void
put_length(struct bytes *out, uint64_t length, int bits, unsigned mask_bit)
{
	if (bits == 0)
		bits = length < 126 ? 7 : length < 65536 ? 16 : 64;
	if (bits == 7) {
		bytes_byte(out, mask_bit | (unsigned)length);
		return;
	}
	bytes_byte(out, mask_bit | (bits == 16 ? 126 : 127));
	for (int shift = bits - 8; shift >= 0; shift -= 8)
		bytes_byte(out, (unsigned)(length >> shift) & 0xff);
}

static void
put_frame(struct link *l, const struct next_frame *f, unsigned op, bool fin, const void *payload, size_t n)
{
	bool masked = l->client != f->unmasked;
	unsigned char key[4] = {0}, *to;

	bytes_byte(&l->out, (fin ? 0x80 : 0) | f->rsv << 4 | (f->has_op ? f->op : op));
	put_length(&l->out, f->has_declared ? f->declared : n, f->length_bits, masked ? 0x80 : 0);
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

static void
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

/* ---- frames in: strict, messages put together ---- */

struct event {
	unsigned op;
	struct bytes payload; /* of a Close, the code too */
};

struct reader {
	struct link *link;
	unsigned op; /* of the message under way, 0 for none */
	struct bytes message;
};

static const char *
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

/* The payload's length, least form only; false is wrong() or the end. */
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
frame_allowed(const struct reader *r, unsigned first, unsigned second, uint64_t length)
{
	unsigned op = first & 15;
	bool fin = (first & 0x80) != 0, control = op >= 8;

	if ((first & 0x70) != 0)
		return wrong("a frame came with reserved bits: %02x", first);
	if (op_name(op)[0] == '?')
		return wrong("a frame came with opcode %u", op);
	if (((second & 0x80) != 0) == r->link->client)
		return wrong("a frame came %smasked", r->link->client ? "" : "un");
	if (control && (!fin || length > 125))
		return wrong("a control frame came with FIN %d and %llu bytes", fin, (unsigned long long)length);
	if (op == OP_CONT && r->op == 0)
		return wrong("a continuation of nothing came");
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

/* The next whole message or control frame. */
static bool
next_event(struct reader *r, const char *what, struct event *event)
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
		if (op != OP_CONT)
			r->op = op;
		if (!take_payload(l, (second & 0x80) != 0, (size_t)length, what, &r->message))
			return false;
		if ((first & 0x80) != 0)
			break;
	}
	*event = (struct event){r->op, r->message};
	r->op = 0;
	r->message = (struct bytes){0};
	if (event->op == OP_TEXT && !is_utf8(event->payload.at, event->payload.size))
		return wrong("a text that is no UTF-8 came");
	return true;
}

/* ---- a script ---- */

struct play {
	struct link *link;
	struct reader reader;
	struct next_frame next;
	size_t turns; /* of turns=N */
	bool over;    /* the connection has ended as it should */
	bool closing; /* we sent a Close first */
	struct event early; /* a Close that came instead of an echo */
	int answer;   /* the code of the peer's Close, ANY_CODE before there is one */
};

static const struct next_frame plain_frame = {.times = 1};

/* Whether a Close's code is one of those in word: `1002|1009`, `-`, `any`. */
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

/* Behind the Close: the server ends the connection, a client waits for it. */
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

/* A word that changes the next frame; false where it is none. */
static bool
modify(struct next_frame *f, const char *word)
{
	const char *value = strchr(word, '=');
	unsigned long long n = value == NULL ? 0 : strtoull(value + 1, NULL, 10);

	if (strcmp(word, "unmasked") == 0)
		f->unmasked = true;
	else if (strcmp(word, "zerokey") == 0)
		f->zero_key = true;
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

/* Words that stand alone: 1 done, 0 not one of them, -1 failed. */
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
	for (size_t i = 0; i < p->next.times; i++) {
		if (op < 0)
			bytes_put(&p->link->out, payload.at, payload.size);
		else
			put_message(p->link, &p->next, (unsigned)op, word[n] != '+', &payload);
	}
	bytes_free(&payload);
	p->next = plain_frame;
}

/* A frame sent and its echo taken, so many times one after the other. */
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

/* Plays a script to the connection's end, which *orderly says it was: we sent a
 * Close and the peer found nothing wrong with it or before it. */
static bool
play_script(struct link *l, const char *script, bool *orderly)
{
	struct play p = {.link = l, .reader = {.link = l}, .next = plain_frame, .answer = ANY_CODE};
	bool good = play_words(&p, script) && (p.over || play_words(&p, "close 1000 =close 1000"));

	bytes_free(&p.reader.message);
	bytes_free(&p.early.payload);
	*orderly = p.closing && (p.answer == NO_CODE || p.answer == 1000 || p.answer == 1001);
	return good;
}

/* ---- HTTP ---- */

struct names {
	const char *host;
	char accept[29];
};

/* One {NAME}; how many bytes of the text it took. */
static size_t
put_name(struct bytes *out, const char *at, const struct names *names, size_t *pad)
{
	size_t n = strcspn(at, "}");
	const char *star = memchr(at, '*', n);

	if (star != NULL) {
		size_t each = (size_t)(star - at - 1);

		for (unsigned long times = strtoul(star + 1, NULL, 10); times > 0; times--)
			bytes_put(out, at + 1, each);
	} else if (strncmp(at, "{HOST", 5) == 0) {
		bytes_say(out, names->host);
	} else if (strncmp(at, "{ACCEPT", 7) == 0) {
		bytes_say(out, names->accept);
	} else if (strncmp(at, "{TPECCA", 7) == 0) {
		for (const char *c = names->accept; *c != '\0'; c++)
			bytes_byte(out, (unsigned)(islower((unsigned char)*c) ? toupper((unsigned char)*c) : tolower((unsigned char)*c)));
	} else if (strncmp(at, "{NUL", 4) == 0) {
		bytes_byte(out, 0);
	} else {
		*pad = strtoul(at + 5, NULL, 10);
	}
	return n + 1;
}

static void
expand(struct bytes *out, const char *text, const struct names *names)
{
	size_t pad = 0, pad_at = 0;

	while (*text != '\0') {
		if (*text != '{') {
			bytes_byte(out, (unsigned char)*text++);
			continue;
		}
		size_t before = pad;

		text += put_name(out, text, names, &pad);
		if (pad != before)
			pad_at = out->size;
	}
	if (pad > out->size) {
		size_t more = pad - out->size, behind = out->size - pad_at;

		bytes_more(out, more);
		memmove(out->at + pad_at + more, out->at + pad_at, behind);
		memset(out->at + pad_at, 'x', more);
	}
}

/* The head's end, past the empty line; 0 where it is not there yet. */
static size_t
head_size(const struct bytes *in)
{
	const unsigned char *end = in->size == 0 ? NULL : memmem(in->at, in->size, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - in->at) + 4;
}

/* How often the head has a field; its value's copy without blanks, of the last one. */
static unsigned
head_field(const struct bytes *in, const char *name, char *value, size_t size)
{
	const char *at = (const char *)in->at, *end = at + head_size(in) - 2;
	size_t n = strlen(name);
	unsigned count = 0;

	for (at = memmem(at, (size_t)(end - at), "\r\n", 2); at != NULL && at < end;) {
		at += 2;
		const char *next = memmem(at, (size_t)(end + 2 - at), "\r\n", 2);

		if (next != NULL && (size_t)(next - at) > n && strncasecmp(at, name, n) == 0 && at[n] == ':') {
			at += n + 1;
			at += strspn(at, " \t");
			snprintf(value, size, "%.*s", (int)(next - at), at);
			for (size_t k = strlen(value); k > 0 && strchr(" \t", value[k - 1]) != NULL; k--)
				value[k - 1] = '\0';
			count++;
		}
		at = next;
	}
	return count;
}

/* Whether a list has a token, in any case. */
static bool
has_token(const char *list, const char *token)
{
	size_t n = strlen(token);

	for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
		at += strspn(at, " \t");
		size_t k = strcspn(at, ", \t");

		if (k == n && strncasecmp(at, token, n) == 0)
			return true;
	}
	return false;
}

static bool
field_is(const struct bytes *in, const char *name, const char *wanted)
{
	char value[512] = "";
	unsigned count = head_field(in, name, value, sizeof value);

	if (count != 1 || strcmp(value, wanted) != 0)
		return wrong("wanted one %s: %s, got %u, `%s'", name, wanted, count, quoted(value));
	return true;
}

static bool
field_has(const struct bytes *in, const char *name, const char *token)
{
	char value[512] = "";

	if (head_field(in, name, value, sizeof value) != 1 || !has_token(value, token))
		return wrong("wanted %s: %s, got `%s'", name, token, quoted(value));
	return true;
}

static bool
field_absent(const struct bytes *in, const char *name)
{
	char value[512] = "";

	return head_field(in, name, value, sizeof value) == 0 ? true : wrong("got %s: %s", name, quoted(value));
}

/* RFC 6455 section 4.2.2, for the sample's key. */
static bool
check_switch(const struct bytes *in)
{
	return field_has(in, "Upgrade", "websocket") && field_has(in, "Connection", "upgrade")
	       && field_is(in, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	       && field_absent(in, "Sec-WebSocket-Extensions") && field_absent(in, "Sec-WebSocket-Protocol")
	       && field_absent(in, "Content-Length") && field_absent(in, "Transfer-Encoding");
}

/* A refusal is whole, says its length, and ends the connection. */
static bool
check_refusal(struct link *l, unsigned status, bool head_only)
{
	char length[32] = "";

	shutdown(l->fd, SHUT_WR);
	while (!l->ended)
		if (!link_wait(l, "the end of the answer"))
			return false;
	if (!field_has(&l->in, "Connection", "close"))
		return false;
	if (status == 426 && !(field_has(&l->in, "Upgrade", "websocket") && field_has(&l->in, "Connection", "upgrade")))
		return false;
	if (status == 204)
		return field_absent(&l->in, "Content-Length") && (l->in.size == head_size(&l->in) || wrong("a body in a 204"));
	if (head_field(&l->in, "Content-Length", length, sizeof length) != 1)
		return wrong("wanted one Content-Length");
	size_t body = l->in.size - head_size(&l->in);

	if (body != (head_only ? 0 : strtoul(length, NULL, 10)))
		return wrong("Content-Length is %s, %zu bytes came behind the head", length, body);
	return true;
}

/* Waits for a head; false is wrong(). *status 0 is an end without a byte. */
static bool
take_head(struct link *l, unsigned *status)
{
	*status = 0;
	while (head_size(&l->in) == 0) {
		if (l->ended && l->in.size == 0 && !l->reset)
			return true;
		if (!link_wait(l, "an answer"))
			return false;
	}
	if (l->in.size < 13 || memcmp(l->in.at, "HTTP/1.1 ", 9) != 0 || l->in.at[12] != ' ')
		return wrong("the status line is `%s'", quoted_bytes(l->in.at, strcspn((char *)l->in.at, "\r")));
	for (int i = 9; i < 12; i++) {
		if (!isdigit(l->in.at[i]))
			return wrong("the status is `%s'", quoted_bytes(l->in.at + 9, 3));
		*status = *status * 10 + (unsigned)(l->in.at[i] - '0');
	}
	return true;
}

static bool
status_wanted(const char *wanted, unsigned status)
{
	char text[12];

	snprintf(text, sizeof text, "%u", status);
	return strcmp(wanted, "*") == 0 || (status == 0 ? strcmp(wanted, "-") == 0 : strstr(wanted, text) != NULL);
}

/* Connects to the server under test. */
static bool
link_open(struct link *l)
{
	int on = 1;

	*l = (struct link){.client = true, .fd = socket(settings.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&settings.address, settings.address_size) != 0)
		return wrong("connect to %s: %s", settings.where, strerror(errno));
	if (settings.address.ss_family != AF_UNIX)
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return true;
}

static bool
check_field(const struct bytes *in, const char *field)
{
	char name[64];
	size_t n = strcspn(field, ":");

	snprintf(name, sizeof name, "%.*s", (int)n, field);
	return field_is(in, name, field + n + 2);
}

static bool
play_request(struct link *l, const struct request_case *c)
{
	struct names names = {.host = settings.host};
	unsigned status;
	bool orderly;

	expand(&l->out, c->send, &names);
	bool whole = head_size(&l->out) != 0, head_only = l->out.size > 4 && memcmp(l->out.at, "HEAD", 4) == 0;

	if (!link_flush(l))
		return false;
	if (!whole && strpbrk(c->status, "-*") != NULL)
		shutdown(l->fd, SHUT_WR);
	if (!take_head(l, &status))
		return false;
	if (!status_wanted(c->status, status))
		return wrong("wanted status %s, got %u", c->status, status);
	if (status == 0)
		return link_end(l);
	if (c->field != NULL && !check_field(&l->in, c->field))
		return false;
	if (status != 101)
		return check_refusal(l, status, head_only);
	if (!check_switch(&l->in))
		return false;
	l->taken = head_size(&l->in);
	return play_script(l, "text Hello =text Hello", &orderly);
}

/* A good handshake before a script. What the script sends first leaves with it, in one piece. */
static bool
shake_hands(struct link *l)
{
	struct names names = {.host = settings.host};
	unsigned status;

	expand(&l->out, GET FIELDS END, &names);
	if (!link_flush(l) || !take_head(l, &status))
		return false;
	if (status != 101)
		return wrong("the handshake was refused with %u", status);
	l->taken = head_size(&l->in);
	return check_switch(&l->in);
}

/* ---- the fake server ---- */

/* RFC 6455 section 4.1: what a client's request must be. The key goes to names. */
static bool
check_request(const struct link *l, struct names *names)
{
	static char last_key[32];
	char key[32] = "", host[300] = "";

	if (strncmp((const char *)l->in.at, "GET /", 5) != 0 || memmem(l->in.at, l->in.size, " HTTP/1.1\r\n", 11) == NULL)
		return wrong("the request line is `%s'", quoted_bytes(l->in.at, strcspn((char *)l->in.at, "\r")));
	if (head_size(&l->in) != l->in.size)
		return wrong("something was sent behind the request, before the answer");
	if (head_field(&l->in, "Host", host, sizeof host) != 1 || host[0] == '\0')
		return wrong("wanted one Host");
	if (!field_has(&l->in, "Upgrade", "websocket") || !field_has(&l->in, "Connection", "upgrade")
	    || !field_is(&l->in, "Sec-WebSocket-Version", "13"))
		return false;
	if (head_field(&l->in, "Sec-WebSocket-Key", key, sizeof key) != 1 || strlen(key) != 24
	    || strspn(key, base64_letters) != 22 || strcmp(key + 22, "==") != 0 || strchr("AQgw", key[21]) == NULL)
		return wrong("the key is `%s'", quoted(key));
	if (strcmp(key, last_key) == 0)
		return wrong("the key is the same as before");
	memcpy(last_key, key, sizeof key);
	accept_for(key, names->accept);
	return true;
}

static bool
take_request(struct link *l, struct names *names)
{
	while (head_size(&l->in) == 0)
		if (!link_wait(l, "a request"))
			return false;
	if (!check_request(l, names))
		return false;
	l->in.size = 0;
	return true;
}

static pid_t
run_prog(const int errors[2])
{
	pid_t pid = fork();

	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(null, 1);
	dup2(errors[1], 2);
	execvp(settings.prog[0], settings.prog);
	fprintf(stderr, "%s: %s\n", settings.prog[0], strerror(errno));
	_exit(STATUS_NOT_FOUND);
}

/* The client's end: its status, and that it said one line where it failed. */
static bool
reap_prog(pid_t pid, const int errors[2], int wanted)
{
	char text[4096];
	size_t n = 0;
	int status, lines = 0;
	ssize_t got;

	close(errors[1]);
	while (n < sizeof text && (got = read(errors[0], text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	close(errors[0]);
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		return wrong("wanted exit status %d, got %d, and: %s", wanted,
		             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), quoted_bytes(text, n));
	if (lines != (wanted == 0 ? 0 : 1))
		return wrong("wanted %s, got %d lines: %s", wanted == 0 ? "no line on stderr" : "one line on stderr", lines,
		             quoted_bytes(text, n));
	return true;
}

static bool
accept_client(struct link *l)
{
	struct pollfd p = {.fd = settings.listener, .events = POLLIN};
	int on = 1;

	*l = (struct link){.fd = -1};
	if (poll(&p, 1, settings.prog != NULL ? settings.timeout_ms : -1) <= 0)
		die(STATUS_FAILED, "no client connected");
	l->fd = accept4(settings.listener, NULL, NULL, SOCK_CLOEXEC);
	if (l->fd < 0)
		return wrong("accept: %s", strerror(errno));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return true;
}

/* An answer to the client's request, then a Hello where it is a good one. */
static bool
play_answer(struct link *l, const struct answer_case *c, bool *orderly)
{
	struct names names = {.host = settings.host};

	if (!take_request(l, &names))
		return false;
	expand(&l->out, c->send, &names);
	if (c->good)
		return play_script(l, "text Hello =text Hello", orderly);
	*orderly = false;
	if (!link_flush(l))
		return false;
	/* A head that does not end is refused all the same. */
	if (strstr(c->send, "{x*") == NULL)
		shutdown(l->fd, SHUT_WR);
	while (!l->ended)
		if (!link_wait(l, "the end of the connection"))
			return false;
	return l->in.size == 0 ? true : wrong("the client went on: %s", quoted_bytes(l->in.at, l->in.size));
}

/* What the first frames of a script are sent behind: the 101, in the same segment. */
static bool
play_frames_as_server(struct link *l, const char *script, bool *orderly)
{
	struct names names = {.host = settings.host};

	if (!take_request(l, &names))
		return false;
	expand(&l->out, SWITCHING UPGRADE CONNECTION ACCEPT END, &names);
	return play_script(l, script, orderly);
}

/* One case with the next client; either an answer or a script. */
static bool
play_as_server(const struct answer_case *answer, const char *script)
{
	int errors[2];
	bool orderly = false;
	pid_t pid = -1;
	struct link l;
	bool good;

	if (settings.prog != NULL) {
		if (pipe2(errors, O_CLOEXEC) != 0)
			die(STATUS_FAILED, "pipe: %s", strerror(errno));
		pid = run_prog(errors);
	}
	good = accept_client(&l) && (answer != NULL ? play_answer(&l, answer, &orderly)
	                                             : play_frames_as_server(&l, script, &orderly));
	link_close(&l);
	if (pid < 0)
		return good;
	if (good)
		return reap_prog(pid, errors, orderly ? 0 : 1);
	char first[sizeof why];

	memcpy(first, why, sizeof first);
	kill(pid, SIGTERM);
	reap_prog(pid, errors, -1);
	return wrong("%.600s; then %.400s", first, why);
}

/* ---- the cases, TAP ---- */

static unsigned count, failures;

/* Whether the case is to be played: by its group and its name. */
static bool
chosen(const char *group, const char *name)
{
	bool extra = strcmp(group, "hosts") == 0 || strcmp(group, "slow") == 0 || strcmp(group, "text-only") == 0;

	if (settings.groups == NULL ? extra : !has_token(settings.groups, group))
		return false;
	if (settings.names != NULL && fnmatch(settings.names, name, 0) != 0)
		return false;
	if (settings.list)
		printf("%s: %s\n", group, name);
	return !settings.list;
}

static void
report(const char *group, const char *name, bool good)
{
	count++;
	failures += !good;
	printf("%s %u - %s: %s\n", good ? "ok" : "not ok", count, group, name);
	if (!good)
		printf("# %s\n", why);
	fflush(stdout);
}

static void
run_script(const char *group, const char *name, const char *script, int roles)
{
	struct link l = {.fd = -1};
	bool good, orderly;

	if ((roles & (settings.listener < 0 ? TO_SERVER : TO_CLIENT)) == 0 || !chosen(group, name))
		return;
	if (settings.listener >= 0) {
		good = play_as_server(NULL, script);
	} else {
		good = link_open(&l) && shake_hands(&l) && play_script(&l, script, &orderly);
		link_close(&l);
	}
	report(group, name, good);
}

/* A case whose name and script are made in a loop: `name | script`. */
__attribute__((format(printf, 2, 3))) static void
run_made(const char *group, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die(STATUS_FAILED, "no memory");
	va_end(args);
	char *bar = strstr(text, " | ");

	*bar = '\0';
	run_script(group, text, bar + 3, TO_BOTH);
	free(text);
}

static void
run_sizes(void)
{
	static const unsigned sizes[] = {0, 1, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 1048576};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		unsigned n = sizes[i];

		if (n == 0) {
			run_made("framing", "An empty text is echoed | text - =text -");
			run_made("framing", "An empty binary message is echoed | binary - =binary -");
			continue;
		}
		run_made("framing", "A text of %u bytes is echoed | text x*%u =text x*%u", n, n, n);
		run_made("framing", "A binary message of %u bytes is echoed | binary %%fe*%u =binary %%fe*%u", n, n, n);
		run_made("framing", "A text of %u bytes in pieces of 997 is echoed | chunk=997 text x*%u =text x*%u", n, n, n);
	}
}

static void
run_reserved(void)
{
	static const char *const kinds[] = {"text", "binary", "ping", "pong", "close"};

	for (unsigned rsv = 1; rsv <= 7; rsv++)
		for (size_t i = 0; i < 5; i++)
			run_made("reserved", "Reserved bits %u in a %s frame fail | rsv=%u %s %s =close 1002", rsv, kinds[i], rsv,
			         kinds[i], i == 4 ? "1000" : "Hello");
	for (unsigned rsv = 1; rsv <= 4; rsv *= 2) {
		run_made("reserved", "Reserved bits %u fail, the message before them is echoed | "
		         "text Hello rsv=%u text x ping y =text Hello =close 1002", rsv, rsv);
		run_made("reserved", "Reserved bits %u in a continuation fail | text+ Hel rsv=%u cont lo =close 1002", rsv, rsv);
	}
	for (unsigned op = 3; op <= 15; op = op == 7 ? 11 : op + 1) {
		run_made("reserved", "Opcode %u fails | op=%u text - =close 1002", op, op);
		run_made("reserved", "Opcode %u with a payload fails | op=%u text Hello =close 1002", op, op);
		run_made("reserved", "Opcode %u fails, the message before it is echoed | "
		         "text Hello op=%u text x ping y =text Hello =close 1002", op, op);
		run_made("reserved", "Opcode %u inside a message fails | text+ Hel op=%u text x =close 1002", op, op);
	}
}

/* The letters of a text script up to so many of its bytes: texts with a bad byte are one part then. */
static void
cut_script(char *to, size_t size, const char *text, long bytes)
{
	const char *at = text;

	for (; bytes > 0 && *at != '\0'; bytes--)
		at += *at == '%' ? 3 : 1;
	snprintf(to, size, "%.*s", (int)(at - text), text);
}

static void
run_bad_text(const struct text_case *t)
{
	char head[200];

	run_made("utf8", "Bad UTF-8 fails: %s | text %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 in pieces fails: %s | chunk=1000 text+ %s cont - =close 1007", t->name, t->text);
	if (strpbrk(t->text, "*/") != NULL)
		return;
	run_made("utf8", "Bad UTF-8 in one-byte fragments fails: %s | cut=1 text %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 behind another fragment fails: %s | text+ abc cont %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 fails after an echo: %s | text Hello text %s =text Hello =close 1007", t->name, t->text);
	cut_script(head, sizeof head, t->text, t->bad + 1);
	if (strstr(t->name, "at the end") != NULL)
		return;
	run_made("utf8", "Bad UTF-8 fails before the frame is whole: %s | declare=1000 text %s =close 1007", t->name, head);
	run_made("utf8", "Bad UTF-8 fails before the message is whole: %s | text+ %s =close 1007", t->name, head);
	run_made("utf8", "Bad UTF-8 in one-byte fragments fails before the message is whole: %s | cut=1 text+ %s =close 1007",
	         t->name, head);
}

static void
run_texts(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const struct text_case *t = &texts[i];

		if (t->bad != GOOD_TEXT) {
			run_bad_text(t);
			run_made("utf8", "As binary it is echoed: %s | binary %s =binary %s", t->name, t->text, t->text);
			run_made("text-only", "As binary it fails: %s | binary %s =close 1003", t->name, t->text);
			continue;
		}
		run_made("utf8", "UTF-8 is echoed: %s | text %s =text %s", t->name, t->text, t->text);
		run_made("text-only", "As binary it is echoed as text: %s | binary %s =text %s", t->name, t->text, t->text);
		run_made("utf8", "UTF-8 in one-byte fragments is echoed: %s | cut=1 text %s =text %s", t->name, t->text, t->text);
	}
}

static void
run_codes(void)
{
	for (size_t i = 0; i < sizeof good_codes / sizeof good_codes[0]; i++) {
		unsigned code = good_codes[i];

		run_made("close", "Close code %u is answered with itself | close %u =close %u", code, code, code);
		run_made("close", "Close code %u with a reason is answered with itself | close %u/bye =close %u", code, code, code);
	}
	for (size_t i = 0; i < sizeof bad_codes / sizeof bad_codes[0]; i++) {
		unsigned code = bad_codes[i];

		run_made("close", "Close code %u fails | close %u =close 1002", code, code);
		run_made("close", "Close code %u with a reason fails | close %u/bye =close 1002", code, code);
	}
}

/* Large messages in frames and pieces of all sizes; many messages. */
static void
run_bulk(void)
{
	static const char *const kinds[] = {"text", "binary"};

	for (int k = 0; k < 2; k++) {
		for (unsigned n = 1 << 18; n <= 1 << 23; n *= 2)
			run_made("bulk", "A %s message of %u bytes is echoed | %s x*%u =%s x*%u", kinds[k], n, kinds[k], n, kinds[k], n);
		for (unsigned cut = 64; cut <= 1 << 20; cut *= 4)
			run_made("bulk", "A %s message of 4 MiB in fragments of %u is echoed | cut=%u %s x*4194304 =%s x*4194304",
			         kinds[k], cut, cut, kinds[k], kinds[k]);
		for (unsigned chunk = 64; chunk <= 1024; chunk *= 2)
			run_made("bulk", "A %s message of 1 MiB in pieces of %u is echoed | chunk=%u %s x*1048576 =%s x*1048576",
			         kinds[k], chunk, chunk, kinds[k], kinds[k]);
		for (unsigned n = 16; n <= 1 << 14; n *= 4) {
			run_made("bulk", "A thousand %s messages of %u bytes are echoed | times=1000 %s x*%u times=1000 =%s x*%u",
			         kinds[k], n, kinds[k], n, kinds[k], n);
			run_made("bulk", "A thousand %s messages of %u bytes, one at a time, are echoed | turns=1000 %s x*%u",
			         kinds[k], n, kinds[k], n);
		}
		run_made("bulk", "A thousand empty %s messages are echoed | times=1000 %s - times=1000 =%s -", kinds[k], kinds[k], kinds[k]);
		run_made("bulk", "A message of 70000 one-byte %s fragments is echoed | cut=1 %s x*70000 =%s x*70000", kinds[k],
		         kinds[k], kinds[k]);
	}
}

static void
run_frames(void)
{
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		run_script(frames[i].group, frames[i].name, frames[i].script, frames[i].roles);
	run_sizes();
	run_reserved();
	run_texts();
	run_codes();
	run_bulk();
}

static void
run_requests(void)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct link l = {.fd = -1};

		if (!chosen(requests[i].group, requests[i].name))
			continue;
		bool good = link_open(&l) && play_request(&l, &requests[i]);

		link_close(&l);
		report(requests[i].group, requests[i].name, good);
	}
}

/* A byte every 50 ms for as long as no answer comes; for a server with a short -t. */
static bool
play_dribble(struct link *l)
{
	struct names names = {.host = settings.host};
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	unsigned status;

	expand(&l->out, GET FIELDS "X: {x*10000}", &names);
	for (size_t sent = 0; sent < l->out.size && (int)sent * 50 < settings.timeout_ms; sent++) {
		if (send(l->fd, l->out.at + sent, 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, 50) != 0)
			break;
	}
	if (!take_head(l, &status))
		return false;
	return status == 408 ? check_refusal(l, status, false) : wrong("wanted status 408, got %u", status);
}

static bool
play_silence(struct link *l)
{
	return link_end(l);
}

static void
run_slow(void)
{
	static const struct {
		const char *name;
		bool (*play)(struct link *l);
	} cases[] = {
		{"A head that dribbles in is refused in time", play_dribble},
		{"A client that never says anything is left without an answer", play_silence},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct link l = {.fd = -1};

		if (!chosen("slow", cases[i].name))
			continue;
		bool good = link_open(&l) && cases[i].play(&l);

		link_close(&l);
		report("slow", cases[i].name, good);
	}
}

static void
run_answers(void)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (chosen("answers", answers[i].name))
			report("answers", answers[i].name, play_as_server(&answers[i], NULL));
}

/* ---- the start ---- */

static void
find_server(const char *where)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&settings.address;
	struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
	char host[256];
	const char *colon = strrchr(where, ':');
	int error;

	settings.where = where;
	if (strchr(where, '/') != NULL) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", where);
		settings.address_size = sizeof *un;
		snprintf(settings.host, sizeof settings.host, "localhost");
		return;
	}
	if (colon == NULL)
		usage_refuse("%s: wanted HOST:PORT or the path of a socket", where);
	snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error != 0)
		die(STATUS_FAILED, "%s: %s", where, gai_strerror(error));
	memcpy(&settings.address, found->ai_addr, found->ai_addrlen);
	settings.address_size = found->ai_addrlen;
	freeaddrinfo(found);
	snprintf(settings.host, sizeof settings.host, "%s", where);
}

static void
listen_as_server(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	char port[8];

	settings.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (settings.listener < 0 || bind(settings.listener, (struct sockaddr *)&at, size) != 0
	    || listen(settings.listener, 128) != 0 || getsockname(settings.listener, (struct sockaddr *)&at, &size) != 0)
		die(STATUS_FAILED, "listen: %s", strerror(errno));
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	setenv("PORT", port, 1);
	if (settings.prog == NULL)
		log_info("Listening on %s", port);
}

enum { FAKE = OPTION_LONG, LIST, MUTE, EARLY };

static const struct option_row rows[] = {
	{'c', "chunk", "BYTES", "send at most so many bytes at once"},
	{'g', "groups", "LIST", "only these groups of cases, with commas between"},
	{'k', "names", "PATTERN", "only cases whose name matches, * is anything"},
	{'t', "timeout", "TIME", "how long an answer may take (10s)"},
	{FAKE, "fake", NULL, "play the server"},
	{MUTE, "mute", NULL, "the peer does not echo messages"},
	{EARLY, "early-close", NULL, "the peer may close before it has echoed all"},
	{LIST, "list", NULL, "only say which cases there are"},
};

static const struct usage usage = {
	.program = "wsprobe",
	.synopsis = "[option...] HOST:PORT | /SOCKET\n[option...] --fake [prog [arg...]]",
	.summary = "Plays hostile and harmless WebSocket cases and checks the answers.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

int
main(int argc, char **argv)
{
	bool fake = false;

	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'c':
			settings.chunk = (size_t)option_size(1, 1 << 30);
			break;
		case 'g':
			settings.groups = optarg;
			break;
		case 'k':
			settings.names = optarg;
			break;
		case 't':
			settings.timeout_ms = (int)option_duration(1, 3600000);
			break;
		case FAKE:
			fake = true;
			break;
		case MUTE:
			settings.mute = true;
			break;
		case EARLY:
			settings.early = true;
			break;
		case LIST:
			settings.list = true;
			break;
		}
	}
	if (!fake && optind + 1 != argc)
		usage_refuse("wanted one server");
	signal(SIGPIPE, SIG_IGN);
	if (fake) {
		settings.prog = optind < argc ? argv + optind : NULL;
		listen_as_server();
		run_answers();
	} else {
		if (!settings.list)
			find_server(argv[optind]);
		run_requests();
		run_slow();
	}
	run_frames();
	printf("1..%u\n", count);
	return failures == 0 && count != 0 ? STATUS_OK : STATUS_FAILED;
}
