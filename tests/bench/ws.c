/* The load of load.c as WebSocket messages of text. */
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/inflate.h"
#include "ws/mask.h"

enum { PACKED_MAX = 4096 };

const enum phase phase_first = PHASE_OPEN;

static unsigned char packed[PACKED_MAX]; /* with -z */

/* Compress the payload. Return its size in `packed`. */
static size_t
payload_deflate(const char *payload)
{
	static struct deflate_scratch scratch;
	static void *memory;
	struct deflate z;
	enum deflate_result result;
	size_t made;

	if (memory == NULL)
		memory = allocate(deflate_memory(15));
	if (deflate_bound(options.size) > sizeof packed)
		fail("memory");
	deflate_begin(&z, 15, memory, &scratch);
	(void)deflate_step(&z, (const unsigned char *)payload, options.size, true, packed, sizeof packed, &made, &result);
	return made;
}

void
protocol_make(struct connection *c, size_t number)
{
	static char request[512];
	struct frame frame = {.length = options.size, .opcode = OPCODE_TEXT, .fin = true, .masked = true,
		.key = {0x11, 0x22, 0x33, 0x44}, .compressed = options.deflate};
	char *payload = allocate(options.size + 1), *window, *end;

	for (size_t i = 0; i < options.size; i++)
		payload[i] = options.wide ? "\xc3\xa9"[i % 2] : (char)('a' + (i * 7 + number) % 26);
	if (options.wide && options.size % 2 != 0)
		payload[options.size - 1] = 'x';
	if (options.deflate)
		frame.length = payload_deflate(payload);
	end = window = allocate(options.depth * (FRAME_HEAD_MAX + (size_t)frame.length));
	for (size_t i = 0; i < options.depth; i++) {
		end += frame_encode(&frame, (unsigned char *)end);
		memcpy(end, options.deflate ? (char *)packed : payload, (size_t)frame.length);
		(void)mask_apply(end, (size_t)frame.length, frame.key, 0);
		end += frame.length;
	}
	(void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
	    options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n" : "");
	c->payload = payload;
	c->out[PHASE_OPEN] = span_of(request);
	c->out[PHASE_MESSAGES] = (struct span){window, (size_t)(end - window)};
	c->out[PHASE_CLOSE] = (struct span){"\x88\x82\x11\x22\x33\x44\x12\xca", 8};
}

/* The server sends nothing after the response. */
static void
response_take(struct connection *c, const char *bytes, size_t n)
{
	if (n > sizeof c->head - c->head_size)
		wrong("handshake");
	memcpy(c->head + c->head_size, bytes, n);
	c->head_size += n;
	if (c->head_size < 4 || memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4) != 0)
		return;
	if (memcmp(c->head, "HTTP/1.1 101", 12) != 0
	    || memmem(c->head, c->head_size, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == NULL)
		wrong("handshake");
	c->head_size = 0;
	c->received = 1;
}

/* Return false while the header is incomplete. */
static bool
head_take(struct connection *c, const char **at, size_t *n)
{
	struct frame frame;
	int size = 0;

	for (; *n > 0 && size == 0; (*n)--) {
		c->head[c->head_size++] = (unsigned char)*(*at)++;
		size = frame_decode(&frame, c->head, c->head_size, options.deflate);
	}
	if (size == 0)
		return false;
	if (size < 0 || frame.masked || frame.opcode != (c->at != 0 ? OPCODE_CONTINUATION : OPCODE_TEXT)
	    || frame.compressed != (options.deflate && c->at == 0))
		wrong("frame");
	c->head_size = 0;
	c->left = frame.length;
	c->fin = frame.fin;
	return true;
}

/* With -z the messages of one receiver alone are checked: decompression would be most of the load. */
static bool
is_checked(const struct connection *c)
{
	static const struct connection *checked;

	checked = checked == NULL ? c : checked;
	return !options.deflate || c == checked;
}

static void
payload_take(struct connection *c, const char *at, size_t n)
{
	if (options.deflate ? c->at + n > sizeof packed : c->at + n > options.size)
		wrong("size of a message");
	if (options.deflate && is_checked(c))
		memcpy(packed + c->at, at, n);
	else if (!options.deflate && memcmp(at, c->from->payload + c->at, n) != 0)
		wrong("message");
	c->at += n;
	c->left -= n;
}

static void
message_end(struct connection *c)
{
	static struct inflate_tables tables;
	static unsigned char window[1 << 15], text[PACKED_MAX];
	struct inflate z;
	size_t made = c->at;
	enum inflate_result result;

	if (options.deflate && is_checked(c)) {
		inflate_begin(&z, 15, window, &tables);
		if (inflate_step(&z, packed, c->at, text, sizeof text, &made, &result) != c->at || result != INFLATE_MORE
		    || !inflate_finish(&z) || memcmp(text, c->from->payload, options.size) != 0)
			wrong("compressed message");
	}
	if (is_checked(c) && made != options.size)
		wrong("message");
	c->at = 0;
	c->received++;
}

static void
messages_take(struct connection *c, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t part;

		if (c->left == 0 && !head_take(c, &bytes, &n))
			return;
		part = n < c->left ? n : (size_t)c->left;
		payload_take(c, bytes, part);
		bytes += part;
		n -= part;
		if (c->left == 0 && c->fin)
			message_end(c);
	}
}

void
protocol_take(struct connection *c, const char *bytes, size_t n)
{
	if (c->phase == PHASE_OPEN) {
		response_take(c, bytes, n);
	} else if (c->phase == PHASE_MESSAGES) {
		messages_take(c, bytes, n);
	} else {
		if (c->at == 0 && *bytes != '\x88')
			wrong("Close");
		c->at += n;
		c->received = c->at >= 2;
	}
}
