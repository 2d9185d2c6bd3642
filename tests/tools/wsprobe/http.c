/* The handshake, in both roles. */
#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ws/base64.h"
#include "wsprobe.h"

/* Replace one {NAME}. Return the number of bytes used. */
static size_t
put_name(struct link *l, const char *at, size_t *pad)
{
	size_t n = strcspn(at, "}");
	const char *star = memchr(at, '*', n);

	if (star != NULL) {
		for (unsigned long times = strtoul(star + 1, NULL, 10); times > 0; times--)
			bytes_put(&l->out, at + 1, (size_t)(star - at - 1));
	} else if (strncmp(at, "{HOST", 5) == 0) {
		bytes_say(&l->out, settings.host);
	} else if (strncmp(at, "{ACCEPT", 7) == 0) {
		bytes_say(&l->out, l->accept);
	} else if (strncmp(at, "{TPECCA", 7) == 0) {
		for (const char *c = l->accept; *c != '\0'; c++)
			bytes_byte(&l->out, (unsigned char)(isalpha((unsigned char)*c) ? *c ^ 0x20 : *c));
	} else if (strncmp(at, "{NUL", 4) == 0) {
		bytes_byte(&l->out, 0);
	} else {
		*pad = strtoul(at + 5, NULL, 10);
	}
	return n + 1;
}

static void
put_head(struct link *l, const char *text)
{
	struct bytes *out = &l->out;
	size_t pad = 0, pad_at = 0;

	while (*text != '\0') {
		if (*text != '{') {
			bytes_byte(out, (unsigned char)*text++);
			continue;
		}
		size_t before = pad;

		text += put_name(l, text, &pad);
		if (pad != before)
			pad_at = out->size;
	}
	if (pad > out->size) {
		size_t more = pad - out->size, after = out->size - pad_at;

		bytes_more(out, more);
		memmove(out->at + pad_at + more, out->at + pad_at, after);
		memset(out->at + pad_at, 'x', more);
	}
}

/* Write a head with the extension, if there is one. */
static void
put_head_with(struct link *l, const char *text, const char *extension)
{
	put_head(l, text);
	if (extension != NULL) {
		bytes_say(&l->out, EXTENSIONS);
		bytes_say(&l->out, extension);
		bytes_say(&l->out, END);
	}
	bytes_say(&l->out, END);
}

/* Return the end of the head including the empty line, or 0 if it is incomplete. */
static size_t
head_size(const struct bytes *in)
{
	const unsigned char *end = in->size == 0 ? NULL : memmem(in->at, in->size, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - in->at) + 4;
}

/* Return whether the head has the field once with one of these values: `Name: a|b`. An empty value: without the field. */
static bool
field_is(const struct http_fields *fields, const char *wanted)
{
	size_t n = strcspn(wanted, ":"), count;
	struct span value = {"", 0};
	char name[64];

	snprintf(name, sizeof name, "%.*s", (int)n, wanted);
	count = http_field_find(fields, name, &value);
	for (const char *at = wanted + n + 2;; at += n + 1) {
		n = strcspn(at, "|");
		if (count == (n != 0) && span_equal(value, (struct span){at, n}))
			return true;
		if (at[n] == '\0')
			return wrong("wanted %s, got %zu, `%s'", wanted, count, quoted_bytes(value.at, value.size));
	}
}

static bool
extension_is(const struct http_fields *fields, const char *wanted)
{
	char field[256];

	snprintf(field, sizeof field, EXTENSIONS "%s", wanted == NULL ? "" : wanted);
	return field_is(fields, field);
}

static bool
field_lists(const struct http_fields *fields, const char *name, const char *token)
{
	return http_list_has(fields, name, token) ? true : wrong("wanted %s: %s", name, token);
}

static bool
upgrades(const struct http_fields *fields)
{
	return field_lists(fields, "Upgrade", "websocket") && field_lists(fields, "Connection", "upgrade");
}

/* Check the response (RFC 6455, section 4.2.2) to the key of the RFC, except its extension. */
static bool
check_switch(const struct http_fields *fields)
{
	return upgrades(fields) && field_is(fields, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	       && field_is(fields, "Sec-WebSocket-Protocol: ") && field_is(fields, "Content-Length: ")
	       && field_is(fields, "Transfer-Encoding: ");
}

static bool
wait_for_end(struct link *l)
{
	while (!l->ended)
		if (!link_wait(l, "the end of the connection"))
			return false;
	return true;
}

/* Receive a response's head. Return false at an error. At EOF without a byte the status is 0. */
static bool
take_response(struct link *l, struct http_response *r)
{
	const char *fault;

	r->status = 0;
	while (head_size(&l->in) == 0) {
		if (l->ended && l->in.size == 0 && !l->reset)
			return true;
		if (!link_wait(l, "an answer"))
			return false;
	}
	l->taken = head_size(&l->in);
	fault = http_response_parse((const char *)l->in.at, l->taken, r);
	if (fault != NULL || r->major != 1 || r->minor != 1)
		return wrong("the head is `%s' (%s)", quoted_bytes(l->in.at, l->taken), fault);
	return true;
}

/* A refusal is complete, has a length, and ends the connection. */
static bool
check_refusal(struct link *l, bool head_only)
{
	struct http_response r;
	struct span length;

	shutdown(l->fd, SHUT_WR);
	if (!wait_for_end(l) || !take_response(l, &r) || !field_lists(&r.fields, "Connection", "close"))
		return false;
	if (r.status == 426 && !upgrades(&r.fields))
		return false;
	if (r.status == 204)
		return field_is(&r.fields, "Content-Length: ") && (l->in.size == l->taken || wrong("a body in a 204"));
	if (http_field_find(&r.fields, "Content-Length", &length) != 1)
		return wrong("wanted one Content-Length");
	size_t body = l->in.size - l->taken;

	if (body != (head_only ? 0 : strtoul(length.at, NULL, 10)))
		return wrong("Content-Length is %.*s, %zu bytes came after the head", (int)length.size, length.at, body);
	return true;
}

/* Send byte by byte until something arrives. */
static void
dribble(struct link *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	for (size_t sent = 0; sent < l->out.size && (int)sent * DRIBBLE_MS < settings.timeout_ms; sent++)
		if (send(l->fd, l->out.at + sent, 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, DRIBBLE_MS) != 0)
			break;
	l->out.size = 0;
}

bool
play_request(struct link *l, const void *http_case)
{
	const struct http_case *c = http_case;
	bool slow = strncmp(c->want, "slow ", 5) == 0, whole, head_only;
	const char *want = c->want + (slow ? 5 : 0), *field = strchr(want, ' ');
	char statuses[16], status[12];
	struct http_response r;

	snprintf(statuses, sizeof statuses, "%.*s", (int)strcspn(want, " "), want);
	put_head(l, c->send);
	whole = head_size(&l->out) != 0;
	head_only = whole && memcmp(l->out.at, "HEAD", 4) == 0;
	if (slow)
		dribble(l);
	else if (!link_flush(l))
		return false;
	else if (!whole && strpbrk(statuses, "-*") != NULL)
		shutdown(l->fd, SHUT_WR);
	if (!take_response(l, &r))
		return false;
	snprintf(status, sizeof status, "%u", r.status);
	if (*statuses != '*' && strstr(statuses, r.status == 0 ? "-" : status) == NULL)
		return wrong("wanted status %s, got %s", statuses, status);
	if (r.status == 0)
		return link_end(l);
	if (field != NULL && !field_is(&r.fields, field + 1))
		return false;
	if (r.status != 101)
		return check_refusal(l, head_only);
	return check_switch(&r.fields) && (field != NULL || extension_is(&r.fields, NULL))
	       && play_script(l, "text Hello =text Hello");
}

/* The requirements for a client's request (RFC 6455, section 4.1). Computes the response to its key. */
static bool
check_request(struct link *l)
{
	static char last_key[HANDSHAKE_KEY_SIZE];
	struct http_request r;
	struct span value;
	unsigned char nonce[HANDSHAKE_KEY_SIZE];

	if (http_request_parse((const char *)l->in.at, l->in.size, &r) != NULL || !span_equal(r.method, span_of("GET"))
	    || r.target.at[0] != '/' || r.major != 1 || r.minor != 1)
		return wrong("the request is `%s'", quoted_bytes(l->in.at, l->in.size));
	if (http_field_find(&r.fields, "Host", &value) != 1 || value.size == 0)
		return wrong("wanted one Host");
	if (!upgrades(&r.fields) || !field_is(&r.fields, "Sec-WebSocket-Version: 13"))
		return false;
	if (settings.offer != NULL && !extension_is(&r.fields, settings.offer))
		return false;
	if (http_field_find(&r.fields, "Sec-WebSocket-Key", &value) != 1 || value.size != HANDSHAKE_KEY_SIZE
	    || base64_decode(value, nonce) != 16 || strchr("AQgw", value.at[21]) == NULL)
		return wrong("the key is `%s'", quoted_bytes(value.at, value.size));
	if (memcmp(value.at, last_key, sizeof last_key) == 0)
		return wrong("the key is the same as before");
	memcpy(last_key, value.at, sizeof last_key);
	handshake_accept(last_key, l->accept);
	return true;
}

static bool
take_request(struct link *l)
{
	while (head_size(&l->in) == 0)
		if (!link_wait(l, "a request"))
			return false;
	if (head_size(&l->in) != l->in.size)
		return wrong("data after the request was sent before the answer");
	if (!check_request(l))
		return false;
	l->in.size = 0;
	return true;
}

/* Send a response to the client's request, then a Hello if the response is valid. */
bool
play_answer(struct link *l, const void *http_case)
{
	const struct http_case *c = http_case;

	if (!take_request(l))
		return false;
	put_head(l, c->send);
	if (strcmp(c->want, "taken") == 0)
		return play_script(l, "text Hello =text Hello");
	if (!link_flush(l))
		return false;
	/* A head without an end must be refused too. */
	if (strstr(c->send, "{x*") == NULL)
		shutdown(l->fd, SHUT_WR);
	if (!wait_for_end(l))
		return false;
	return l->in.size == 0 ? true : wrong("the client went on: %s", quoted_bytes(l->in.at, l->in.size));
}

/* Perform a valid handshake before a script. A server's response is sent in the same segment as the first data. */
bool
play_frames(struct link *l, const void *script)
{
	struct http_response r;

	if (!l->client) {
		if (!take_request(l))
			return false;
		put_head_with(l, SWITCHED, settings.agreed);
		return play_script(l, script);
	}
	put_head_with(l, GET FIELDS, settings.offer);
	if (!link_flush(l) || !take_response(l, &r))
		return false;
	if (r.status != 101)
		return wrong("the handshake was refused with %u", r.status);
	return check_switch(&r.fields) && extension_is(&r.fields, settings.agreed) && play_script(l, script);
}
