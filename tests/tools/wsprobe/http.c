/* The handshake with a server. */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "wsprobe.h"

/* Replace one {NAME}. Return the number of bytes used. */
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

void
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

/* Return the end of the head including the empty line, or 0 if it is incomplete. */
size_t
head_size(const struct bytes *in)
{
	const unsigned char *end = in->size == 0 ? NULL : memmem(in->at, in->size, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - in->at) + 4;
}

/* Return how many times the head has a field, and copy the trimmed value of the last one. */
unsigned
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

/* Return whether a list contains a token, in any case. */
bool
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

bool
field_is(const struct bytes *in, const char *name, const char *wanted)
{
	char value[512] = "";
	unsigned count = head_field(in, name, value, sizeof value);

	if (count != 1 || strcmp(value, wanted) != 0)
		return wrong("wanted one %s: %s, got %u, `%s'", name, wanted, count, quoted(value));
	return true;
}

bool
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

/* Check the response (RFC 6455, section 4.2.2) to the key of the RFC. */
static bool
check_switch(const struct bytes *in)
{
	return field_has(in, "Upgrade", "websocket") && field_has(in, "Connection", "upgrade")
	       && field_is(in, "Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	       && (settings.agreed == NULL ? field_absent(in, "Sec-WebSocket-Extensions")
	                                   : field_is(in, "Sec-WebSocket-Extensions", settings.agreed)) && field_absent(in, "Sec-WebSocket-Protocol")
	       && field_absent(in, "Content-Length") && field_absent(in, "Transfer-Encoding");
}

/* A refusal is complete, has a length, and ends the connection. */
bool
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

/* Wait for a head. Return false at an error. *status is 0 at EOF without a byte. */
bool
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

/* Connect to the tested server. */
bool
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

bool
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

/* Perform a valid handshake before a script. The script's first data is sent in the same segment. */
bool
shake_hands(struct link *l)
{
	struct names names = {.host = settings.host};
	unsigned status;

	expand(&l->out, GET FIELDS, &names);
	if (settings.offer != NULL) {
		bytes_say(&l->out, "Sec-WebSocket-Extensions: ");
		bytes_say(&l->out, settings.offer);
		bytes_say(&l->out, END);
	}
	bytes_say(&l->out, END);
	if (!link_flush(l) || !take_head(l, &status))
		return false;
	if (status != 101)
		return wrong("the handshake was refused with %u", status);
	l->taken = head_size(&l->in);
	return check_switch(&l->in);
}
