#include "ws/extension.h"

/* NAME or NAME=VALUE. Known values have at most two characters. */
struct param {
	struct span name;
	char value[3];
	size_t value_size; /* 0: no value */
};

static void
skip_blanks(struct span *s)
{
	while (s->size > 0 && (*s->at == ' ' || *s->at == '\t'))
		*s = span_skip(*s, 1);
}

/* Remove the character and the blanks around it. */
static bool
take_char(struct span *s, char c)
{
	skip_blanks(s);
	if (s->size == 0 || *s->at != c)
		return false;
	*s = span_skip(*s, 1);
	skip_blanks(s);
	return true;
}

static bool
token_char(const char *c)
{
	return http_token_valid((struct span){c, 1});
}

static bool
take_token(struct span *s, struct span *token)
{
	*token = (struct span){s->at, 0};
	while (s->size > 0 && token_char(s->at)) {
		*s = span_skip(*s, 1);
		token->size++;
	}
	return token->size > 0;
}

/* Remove a token, possibly quoted, with or without escapes (RFC 6455, section 9.1). */
static bool
take_value(struct span *s, struct param *p)
{
	bool quoted = s->size > 0 && *s->at == '"';

	if (quoted)
		*s = span_skip(*s, 1);
	while (s->size > 0 && (quoted ? *s->at != '"' : token_char(s->at))) {
		if (*s->at == '\\')
			*s = span_skip(*s, 1);
		if (s->size == 0 || !token_char(s->at))
			return false;
		if (p->value_size < sizeof p->value)
			p->value[p->value_size++] = *s->at;
		*s = span_skip(*s, 1);
	}
	if (quoted && s->size == 0)
		return false;
	if (quoted)
		*s = span_skip(*s, 1);
	return p->value_size > 0;
}

/* Remove the next `; NAME[=VALUE]`. Return false at the end of the extension; *bad if it is invalid. */
static bool
param_next(struct span *s, struct param *p, bool *bad)
{
	*p = (struct param){0};
	if (!take_char(s, ';'))
		return false;
	*bad = !take_token(s, &p->name);
	if (*bad || !take_char(s, '='))
		return !*bad;
	*bad = !take_value(s, p);
	return !*bad;
}

/* Return the value if it is a number from 8 to 15 without leading zeros, else 0. */
static unsigned char
bits_of(const struct param *p)
{
	char last = p->value[p->value_size == 2];

	if (p->value_size == 1 && (last == '8' || last == '9'))
		return (unsigned char)(last - '0');
	if (p->value_size == 2 && p->value[0] == '1' && last >= '0' && last <= '5')
		return (unsigned char)(10 + last - '0');
	return 0;
}

/* Return whether the parameter is known, valid and not repeated. */
static bool
param_apply(const struct param *p, struct extension *e)
{
	unsigned char bits = bits_of(p);
	bool flag = p->value_size == 0;

	if (span_equal(p->name, span_of("server_no_context_takeover")) && flag && !e->server_no_takeover)
		return e->server_no_takeover = true;
	if (span_equal(p->name, span_of("client_no_context_takeover")) && flag && !e->client_no_takeover)
		return e->client_no_takeover = true;
	if (span_equal(p->name, span_of("server_max_window_bits")) && bits != 0 && e->server_bits == 0) {
		e->server_bits = bits;
		return true;
	}
	if (!span_equal(p->name, span_of("client_max_window_bits")) || e->client_bits != 0 || e->client_bits_any)
		return false;
	e->client_bits = bits;
	e->client_bits_any = flag;
	return bits != 0 || flag;
}

enum item { ITEM_END, ITEM_OTHER, ITEM_DEFLATE, ITEM_INVALID, ITEM_MALFORMED };

/* Remove the next extension of a list. ITEM_INVALID: permessage-deflate with invalid parameters. */
static enum item
item_next(struct span *list, struct extension *e)
{
	bool bad = false, valid = true, deflate;
	struct span name;
	struct param p;

	*e = (struct extension){0};
	while (take_char(list, ','))
		;
	if (list->size == 0)
		return ITEM_END;
	if (!take_token(list, &name))
		return ITEM_MALFORMED;
	deflate = span_equal(name, span_of("permessage-deflate"));
	while (param_next(list, &p, &bad))
		valid = valid && deflate && param_apply(&p, e);
	skip_blanks(list);
	if (bad || (list->size > 0 && *list->at != ','))
		return ITEM_MALFORMED;
	return !deflate ? ITEM_OTHER : valid ? ITEM_DEFLATE : ITEM_INVALID;
}

static unsigned char
smaller(unsigned char a, unsigned char b)
{
	return a < b ? a : b;
}

/* Make the response to an offer. Return false if the offer requires a larger window than want. */
static bool
answer_to(const struct extension *offer, const struct extension *want, struct extension *answer)
{
	unsigned char server = offer->server_bits != 0 ? smaller(offer->server_bits, want->server_bits) : want->server_bits;
	unsigned char client = offer->client_bits != 0 ? smaller(offer->client_bits, want->client_bits) : want->client_bits;
	bool limits = offer->client_bits != 0 || offer->client_bits_any;

	*answer = (struct extension){
		.server_no_takeover = offer->server_no_takeover || want->server_no_takeover,
		.client_no_takeover = offer->client_no_takeover || want->client_no_takeover,
	};
	if (offer->server_bits != 0 || server < EXTENSION_BITS_MAX)
		answer->server_bits = server;
	/* A client that did not offer client_max_window_bits must not receive it (section 7.1.2.2). */
	if (offer->client_bits != 0 || (limits && client < EXTENSION_BITS_MAX))
		answer->client_bits = client;
	return limits || client == EXTENSION_BITS_MAX;
}

enum extension_result
extension_accept(const struct http_fields *fields, const struct extension *want, struct extension *agreed,
    const char **why)
{
	enum extension_result result = EXTENSION_NONE;
	const struct http_field *field;
	size_t from = 0;

	while ((field = http_field_next(fields, "Sec-WebSocket-Extensions", &from)) != NULL) {
		struct span list = field->value;
		struct extension offer;
		enum item item;

		while ((item = item_next(&list, &offer)) != ITEM_END) {
			if (item == ITEM_MALFORMED) {
				*why = "Sec-WebSocket-Extensions is malformed";
				return EXTENSION_BAD;
			}
			if (item == ITEM_DEFLATE && result == EXTENSION_NONE && answer_to(&offer, want, agreed))
				result = EXTENSION_AGREED;
		}
	}
	return result;
}

static unsigned char
or_default(unsigned char bits)
{
	return bits != 0 ? bits : EXTENSION_BITS_MAX;
}

/* Check what the response allows. The server must follow the server parameters of the offer. The client parameters
 * of the offer apply regardless of the response (sections 7.1.1.2 and 7.1.2.2). Return NULL or the error. */
static const char *
answer_check(const struct extension *answer, const struct extension *offer, struct extension *agreed)
{
	unsigned char server = or_default(answer->server_bits), client = or_default(answer->client_bits);

	if (answer->client_bits_any)
		return "the server's client_max_window_bits has no value";
	if (answer->client_bits != 0 && offer->client_bits == 0 && !offer->client_bits_any)
		return "the server's client_max_window_bits was not offered";
	if (server > or_default(offer->server_bits))
		return "the server's window is larger than the client allows";
	if (offer->server_no_takeover && !answer->server_no_takeover)
		return "the server ignores server_no_context_takeover";
	*agreed = (struct extension){
		.server_no_takeover = answer->server_no_takeover,
		.client_no_takeover = answer->client_no_takeover || offer->client_no_takeover,
		.server_bits = server,
		.client_bits = smaller(client, or_default(offer->client_bits)),
	};
	return NULL;
}

enum extension_result
extension_check(const struct http_fields *fields, const struct extension *offer, struct extension *agreed,
    const char **why)
{
	struct extension answer, rest;
	struct span list;
	size_t count = http_field_find(fields, "Sec-WebSocket-Extensions", &list);
	enum item item = count == 0 ? ITEM_END : item_next(&list, &answer);

	if (item == ITEM_END && count < 2)
		return EXTENSION_NONE;
	*why = "extension was not offered";
	if (offer == NULL || item == ITEM_OTHER)
		return EXTENSION_BAD;
	*why = "the server's Sec-WebSocket-Extensions is malformed";
	if (item == ITEM_MALFORMED || count > 1)
		return EXTENSION_BAD;
	*why = "the server's permessage-deflate has an invalid parameter";
	if (item == ITEM_INVALID)
		return EXTENSION_BAD;
	*why = "the server accepts more than one extension";
	if (item_next(&list, &rest) != ITEM_END)
		return EXTENSION_BAD;
	*why = answer_check(&answer, offer, agreed);
	return *why == NULL ? EXTENSION_AGREED : EXTENSION_BAD;
}

bool
extension_parse(struct span text, struct extension *extension)
{
	struct extension rest;

	if (item_next(&text, extension) != ITEM_DEFLATE || extension->client_bits_any
	    || item_next(&text, &rest) != ITEM_END)
		return false;
	extension->server_bits = or_default(extension->server_bits);
	extension->client_bits = or_default(extension->client_bits);
	return true;
}

void
extension_put(struct strbuf *out, const struct extension *e)
{
	strbuf_put_string(out, "permessage-deflate");
	if (e->server_no_takeover)
		strbuf_put_string(out, "; server_no_context_takeover");
	if (e->client_no_takeover)
		strbuf_put_string(out, "; client_no_context_takeover");
	if (e->server_bits != 0) {
		strbuf_put_string(out, "; server_max_window_bits=");
		strbuf_put_number(out, e->server_bits);
	}
	if (e->client_bits != 0 || e->client_bits_any)
		strbuf_put_string(out, "; client_max_window_bits");
	if (e->client_bits != 0) {
		strbuf_put_char(out, '=');
		strbuf_put_number(out, e->client_bits);
	}
}

void
extension_put_field(struct strbuf *out, const struct extension *e)
{
	strbuf_put_string(out, "Sec-WebSocket-Extensions: ");
	extension_put(out, e);
	strbuf_put_string(out, "\r\n");
}
