#include "ws/handshake.h"

#include "ws/base64.h"
#include "http/origin.h"
#include "ws/sha1.h"
#include "base/strbuf.h"

enum { NONCE_SIZE = 16 };

static const struct span nothing = {"", 0};

void
handshake_accept(const char key[HANDSHAKE_KEY_SIZE], char accept[HANDSHAKE_ACCEPT_SIZE])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char joined[HANDSHAKE_KEY_SIZE + sizeof guid - 1];
	unsigned char digest[SHA1_SIZE];

	memcpy(joined, key, HANDSHAKE_KEY_SIZE);
	memcpy(joined + HANDSHAKE_KEY_SIZE, guid, sizeof guid - 1);
	sha1(joined, sizeof joined, digest);
	base64_encode(digest, sizeof digest, accept);
}

static bool
refuse(struct handshake *d, enum http_status status, const char *why, struct span culprit)
{
	d->status = status;
	d->why = why;
	d->culprit = culprit;
	return false;
}

void
handshake_refuse(struct handshake *decision, enum http_status status, const char *why)
{
	decision->against = nothing;
	(void)refuse(decision, status, why, nothing);
}

/* Each check examines one property. It refuses the request and returns false if that property is invalid. */

static bool
check_version(const struct http_request *r, struct handshake *d)
{
	if (r->major != 1)
		return refuse(d, HTTP_VERSION_NOT_SUPPORTED, "not HTTP/1", nothing);
	return true;
}

static bool
check_host(struct http_request *r, struct handshake *d)
{
	struct span value = nothing;
	size_t count = http_field_find(&r->fields, "Host", &value), next = 0;

	if (count == 0 && r->minor > 0)
		return refuse(d, HTTP_BAD_REQUEST, "no Host", nothing);
	if (count > 1)
		return refuse(d, HTTP_BAD_REQUEST, "more than one Host", nothing);
	if (count == 1 && !http_authority_parse(value, &d->host))
		return refuse(d, HTTP_BAD_REQUEST, "Host is not host[:port]", value);
	if (r->authority.size != 0) {
		if (http_field_next(&r->fields, "Host", &next) != NULL)
			r->fields.all[next - 1].value = r->authority;
		(void)http_authority_parse(r->authority, &d->host);
	}
	return true;
}

/* OPTIONS is the health check of a proxy. It requests neither a page nor the service, so no rule applies. */
static bool
check_options(const struct http_request *r, struct handshake *d)
{
	if (!span_equal(r->method, span_of("OPTIONS")))
		return true;
	d->status = HTTP_NO_CONTENT;
	return false;
}

static bool
check_method(const struct policy *p, const struct http_request *r, struct handshake *d)
{
	if (span_equal(r->method, span_of("GET")))
		return true;
	if (p->page != POLICY_NO_PAGE && span_equal(r->method, span_of("HEAD")))
		return true;
	return refuse(d, HTTP_METHOD_NOT_ALLOWED, "method is not GET", r->method);
}

/* A body before an upgrade is used for request smuggling. */
static bool
check_no_body(const struct http_request *r, struct handshake *d)
{
	const struct http_field *field;
	struct span value;

	for (size_t from = 0;;) {
		field = http_field_next(&r->fields, "Content-Length", &from);
		if (field == NULL)
			break;
		if (!span_equal(field->value, span_of("0")))
			return refuse(d, HTTP_BAD_REQUEST, "request with a body (Content-Length)", field->value);
	}
	if (http_field_find(&r->fields, "Transfer-Encoding", &value) != 0)
		return refuse(d, HTTP_BAD_REQUEST, "request with a body (Transfer-Encoding)", value);
	return true;
}

static bool
path_equal(struct span path, struct span decoded)
{
	for (size_t i = 0; i < decoded.size; i++)
		if (http_path_next(&path) != (unsigned char)decoded.at[i])
			return false;
	return path.size == 0;
}

static bool
path_is_listed(const struct policy *p, struct span path)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->rules[i].kind == POLICY_PATH && path_equal(path, p->rules[i].text))
			return true;
	return false;
}

static bool
check_path_decodes(const struct http_request *r, struct handshake *d)
{
	struct span rest = r->path;
	int c;

	while ((c = http_path_next(&rest)) >= 0)
		;
	if (c == HTTP_PATH_BAD)
		return refuse(d, HTTP_BAD_REQUEST, "invalid escape in the path", r->path);
	return true;
}

static bool
check_host_listed(const struct policy *p, struct handshake *d)
{
	if (policy_count(p, POLICY_HOST) == 0)
		return true;
	if (d->host.host.size == 0)
		return refuse(d, HTTP_BAD_REQUEST, "no Host", nothing);
	for (size_t i = 0; i < p->count; i++)
		if (p->rules[i].kind == POLICY_HOST
		    && http_host_equal(p->rules[i].text, d->host.host))
			return true;
	return refuse(d, HTTP_FORBIDDEN, "Host is not served", d->host.host);
}

/* Without `Upgrade: websocket` the response is the page or a refusal. Return true for an upgrade. */
static bool
check_upgrade(const struct policy *p, const struct http_request *r, struct handshake *d)
{
	bool listed = path_is_listed(p, r->path), at_root = path_equal(r->path, span_of("/"));
	bool upgrade = r->minor > 0 && http_list_has(&r->fields, "Upgrade", "websocket");

	if (!upgrade && p->page != POLICY_NO_PAGE && (listed || at_root)) {
		d->status = HTTP_OK;
		return false;
	}
	if (!listed && policy_count(p, POLICY_PATH) != 0)
		return refuse(d, HTTP_NOT_FOUND, "no such path", r->path);
	if (!span_equal(r->method, span_of("GET")))
		return refuse(d, HTTP_METHOD_NOT_ALLOWED, "method is not GET", r->method);
	if (r->minor == 0)
		return refuse(d, HTTP_UPGRADE_REQUIRED, "HTTP/1.0 cannot upgrade (nginx: proxy_http_version 1.1)",
		    nothing);
	if (!upgrade)
		return refuse(d, HTTP_UPGRADE_REQUIRED, "no Upgrade: websocket", nothing);
	if (!http_list_has(&r->fields, "Connection", "upgrade"))
		return refuse(d, HTTP_BAD_REQUEST, "no Connection: upgrade", nothing);
	return true;
}

static bool
check_websocket_version(const struct http_request *r, struct handshake *d)
{
	struct span version = nothing;
	size_t count = http_field_find(&r->fields, "Sec-WebSocket-Version", &version);

	if (count > 1)
		return refuse(d, HTTP_BAD_REQUEST, "more than one Sec-WebSocket-Version", nothing);
	if (count == 0 || !span_equal(version, span_of("13")))
		return refuse(d, HTTP_UPGRADE_REQUIRED, "not WebSocket version 13", version);
	return true;
}

static bool
key_valid(struct span key)
{
	unsigned char bytes[HANDSHAKE_KEY_SIZE / 4 * 3];

	return key.size == HANDSHAKE_KEY_SIZE && base64_decode(key, bytes) == NONCE_SIZE;
}

static bool
check_key(const struct http_request *r, struct handshake *d)
{
	struct span key = nothing;
	size_t count = http_field_find(&r->fields, "Sec-WebSocket-Key", &key);

	if (count == 0)
		return refuse(d, HTTP_BAD_REQUEST, "no Sec-WebSocket-Key", nothing);
	if (count > 1)
		return refuse(d, HTTP_BAD_REQUEST, "more than one Sec-WebSocket-Key", nothing);
	if (!key_valid(key))
		return refuse(d, HTTP_BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes", key);
	return true;
}

static bool
origin_is_listed(const struct policy *p, struct span text, const struct origin *origin)
{
	for (size_t i = 0; i < p->count; i++) {
		struct span rule = p->rules[i].text;
		struct origin listed;

		if (p->rules[i].kind != POLICY_ORIGIN)
			continue;
		if (span_equal(rule, span_of("*")))
			return true;
		if (origin == NULL && span_equal(rule, text)) /* null, file:// */
			return true;
		if (origin == NULL)
			continue;
		if (origin_pattern_parse(rule, &listed) ? origin_pattern_matches(&listed, origin)
		    : origin_parse(rule, &listed) && origins_equal(&listed, origin))
			return true;
	}
	return false;
}

/* A client without Origin is not a browser, so no user's cookies or credentials are at risk. */
static bool
check_origin(const struct policy *p, const struct http_request *r, struct handshake *d)
{
	size_t count = http_field_find(&r->fields, "Origin", &d->origin);
	struct origin origin;
	bool parsed;

	if (count == 0)
		return true;
	if (count > 1)
		return refuse(d, HTTP_FORBIDDEN, "more than one Origin", nothing);
	parsed = origin_parse(d->origin, &origin);
	if (parsed && origin_is_own(&origin, &d->host))
		return true;
	if (origin_is_listed(p, d->origin, parsed ? &origin : NULL))
		return true;
	(void)http_field_find(&r->fields, "Host", &d->against);
	return refuse(d, HTTP_FORBIDDEN, "Origin is not allowed", d->origin);
}

/* Choose the client's first subprotocol that the policy offers. */
static bool
choose_protocol(const struct policy *p, const struct http_request *r, struct handshake *d)
{
	const struct http_field *field;

	for (size_t from = 0;;) {
		struct span list, item;

		field = http_field_next(&r->fields, "Sec-WebSocket-Protocol", &from);
		if (field == NULL)
			return true;
		list = field->value;
		while (http_list_next(&list, &item)) {
			if (!http_token_valid(item))
				return refuse(d, HTTP_BAD_REQUEST,
				    "Sec-WebSocket-Protocol is not a list of tokens", item);
			if (d->protocol.size == 0)
				d->protocol = policy_find(p, POLICY_PROTOCOL, item);
		}
	}
}

static bool
choose_extension(const struct policy *p, const struct http_request *r, struct handshake *d)
{
	enum extension_result result = EXTENSION_NONE;
	const char *why = NULL;

	if (p->deflate)
		result = extension_accept(&r->fields, &p->extension, &d->extension, &why);
	d->deflate = result == EXTENSION_AGREED;
	return result != EXTENSION_BAD || refuse(d, HTTP_BAD_REQUEST, why, nothing);
}

void
handshake_check(const struct policy *policy, struct http_request *request,
    struct handshake *decision)
{
	*decision = (struct handshake){
		.why = "",
		.culprit = nothing,
		.against = nothing,
		.host = {nothing, -1},
		.origin = nothing,
		.protocol = nothing,
	};
	if (check_version(request, decision) && check_host(request, decision)
	    && check_options(request, decision)
	    && check_method(policy, request, decision) && check_no_body(request, decision)
	    && check_path_decodes(request, decision) && check_host_listed(policy, decision)
	    && check_upgrade(policy, request, decision)
	    && check_websocket_version(request, decision) && check_key(request, decision)
	    && check_origin(policy, request, decision)
	    && choose_protocol(policy, request, decision)
	    && choose_extension(policy, request, decision))
		decision->status = HTTP_SWITCHING_PROTOCOLS;
}

static void
put_status_line(struct strbuf *t, enum http_status status)
{
	strbuf_put_string(t, "HTTP/1.1 ");
	strbuf_put_number(t, status);
	strbuf_put_string(t, " ");
	strbuf_put_string(t, http_reason(status));
	strbuf_put_string(t, "\r\n");
}

static void
put_length(struct strbuf *t, size_t n)
{
	strbuf_put_string(t, "Content-Length: ");
	strbuf_put_number(t, n);
	strbuf_put_string(t, "\r\n");
}

static void
put_acceptance(struct strbuf *t, const struct policy *p, const struct http_request *r,
    const struct handshake *d)
{
	char accept[HANDSHAKE_ACCEPT_SIZE];
	struct span key = nothing;

	strbuf_put_string(t, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
	if (http_field_find(&r->fields, "Sec-WebSocket-Key", &key) == 1
	    && key.size == HANDSHAKE_KEY_SIZE) {
		handshake_accept(key.at, accept);
		http_put_field(t, span_of("Sec-WebSocket-Accept"),
		    (struct span){accept, sizeof accept});
	}
	if (d->protocol.size != 0)
		http_put_field(t, span_of("Sec-WebSocket-Protocol"), d->protocol);
	if (d->deflate)
		extension_put_field(t, &d->extension);
	policy_put_fields(p, t);
	strbuf_put_string(t, "\r\n");
}

/* The script and style of the console are inline, and no data of a request is ever inserted. The
 * console may connect to any server, because that is its purpose. */
static void
put_page_head(struct strbuf *t, const struct policy *p, size_t size)
{
	strbuf_put_string(t, "Content-Type: text/html; charset=utf-8\r\n");
	put_length(t, size);
	strbuf_put_string(t, "Connection: close\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: ");
	if (p->page == POLICY_CONSOLE)
		strbuf_put_string(t, "default-src 'none'; script-src 'unsafe-inline'; "
		    "style-src 'unsafe-inline'; img-src data:; connect-src 'self' ws: wss:; "
		    "base-uri 'none'; form-action 'none'; ");
	strbuf_put_string(t, "frame-ancestors 'none'\r\n");
	policy_put_fields(p, t);
	strbuf_put_string(t, "\r\n");
}

static void
put_allow(struct strbuf *t, const struct policy *p)
{
	strbuf_put_string(t, p->page == POLICY_NO_PAGE ? "Allow: GET, OPTIONS\r\n" : "Allow: GET, HEAD, OPTIONS\r\n");
}

/* A 204 has no body and therefore no length (RFC 9110, section 8.6). */
static void
put_options(struct strbuf *t, const struct policy *p)
{
	put_allow(t, p);
	strbuf_put_string(t, "Connection: close\r\n\r\n");
}

/* RFC 7617, section 2, with the realm as a quoted-string. */
static void
put_challenge(struct strbuf *t, const char *realm)
{
	strbuf_put_string(t, "WWW-Authenticate: Basic realm=\"");
	for (; *realm != '\0'; realm++) {
		if (*realm == '"' || *realm == '\\')
			strbuf_put_char(t, '\\');
		strbuf_put_char(t, *realm);
	}
	strbuf_put_string(t, "\", charset=\"UTF-8\"\r\n");
}

static void
put_refusal(struct strbuf *t, const struct policy *p, const struct http_request *r,
    const struct handshake *d)
{
	bool upgrade = d->status == HTTP_UPGRADE_REQUIRED;
	const char *reason = http_reason(d->status);

	strbuf_put_string(t, "Content-Type: text/plain; charset=utf-8\r\n");
	put_length(t, strlen(reason) + strlen(": ") + strlen(d->why) + strlen("\n"));
	strbuf_put_string(t, upgrade ? "Connection: close, Upgrade\r\n" : "Connection: close\r\n");
	if (upgrade)
		strbuf_put_string(t, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	if (d->status == HTTP_METHOD_NOT_ALLOWED)
		put_allow(t, p);
	if (d->status == HTTP_UNAUTHORIZED)
		put_challenge(t, p->realm == NULL ? "" : p->realm);
	strbuf_put_string(t, "X-Content-Type-Options: nosniff\r\n\r\n");
	if (r != NULL && span_equal(r->method, span_of("HEAD")))
		return;
	strbuf_put_string(t, reason);
	strbuf_put_string(t, ": ");
	strbuf_put_string(t, d->why);
	strbuf_put_char(t, '\n');
}

size_t
handshake_answer(const struct policy *policy, const struct http_request *request,
    const struct handshake *decision, size_t page_size, char out[HANDSHAKE_ANSWER_SIZE])
{
	struct strbuf t = {.at = out, .capacity = HANDSHAKE_ANSWER_SIZE};

	put_status_line(&t, decision->status);
	if (decision->status == HTTP_SWITCHING_PROTOCOLS)
		put_acceptance(&t, policy, request, decision);
	else if (decision->status == HTTP_OK)
		put_page_head(&t, policy, page_size);
	else if (decision->status == HTTP_NO_CONTENT)
		put_options(&t, policy);
	else
		put_refusal(&t, policy, request, decision);
	return t.size;
}
