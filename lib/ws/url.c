#include "ws/url.h"

#include "ws/base64.h"
#include "ws/handshake.h"
#include "base/number.h"
#include "base/strbuf.h"

static const struct span nothing = {"", 0};

static const char *
url_rest_fault(struct span rest)
{
	for (size_t i = 0; i < rest.size; i++) {
		if (rest.at[i] == '#')
			return "a WebSocket URL has no fragment";
		if (rest.at[i] <= ' ' || rest.at[i] > '~')
			return "byte is not allowed in a URL (escape it as %HH)";
	}
	return NULL;
}

const char *
client_url_parse(const char *text, struct client_url *url)
{
	struct span rest = span_of(text), scheme = span_of("ws://");

	if (span_begins_case(rest, span_of("wss://")))
		return "TLS needs a program before wsupgrade (s6-tlsclient, socat): use ws://";
	if (!span_begins_case(rest, scheme))
		return "not a ws:// URL";
	rest = span_skip(rest, scheme.size);
	url->path_query = rest;
	while (url->path_query.size != 0 && memchr("/?#", *url->path_query.at, 3) == NULL)
		url->path_query = span_skip(url->path_query, 1);
	url->authority = (struct span){rest.at, rest.size - url->path_query.size};
	if (url->authority.size != 0 && memchr(url->authority.at, '@', url->authority.size) != NULL)
		return "the user in the URL is not sent (use -H 'Authorization: ...')";
	if (!http_authority_parse(url->authority, &url->host))
		return "not ws://host[:port]/path";
	return url_rest_fault(url->path_query);
}

static void
put_protocols(struct strbuf *t, const struct policy *p)
{
	const char *between = "Sec-WebSocket-Protocol: ";

	for (size_t i = 0; i < p->count; i++) {
		if (p->rules[i].kind != POLICY_PROTOCOL)
			continue;
		strbuf_put_string(t, between);
		strbuf_put(t, p->rules[i].text);
		between = ", ";
	}
	if (policy_count(p, POLICY_PROTOCOL) != 0)
		strbuf_put_string(t, "\r\n");
}

size_t
client_request(const struct policy *policy, const struct client_url *url,
    const unsigned char nonce[CLIENT_NONCE_SIZE], char out[CLIENT_REQUEST_SIZE])
{
	struct strbuf t = {.at = out, .capacity = CLIENT_REQUEST_SIZE};
	char key[HANDSHAKE_KEY_SIZE];

	base64_encode(nonce, CLIENT_NONCE_SIZE, key);
	strbuf_put_string(&t, "GET ");
	if (url->path_query.size == 0 || *url->path_query.at != '/')
		strbuf_put_string(&t, "/");
	strbuf_put(&t, url->path_query);
	strbuf_put_string(&t, " HTTP/1.1\r\n");
	/* The default port of the scheme is omitted (RFC 6455, section 4.1). */
	strbuf_put_string(&t, "Host: ");
	strbuf_put(&t, url->host.host);
	if (url->host.port >= 0 && url->host.port != 80) {
		strbuf_put_string(&t, ":");
		strbuf_put_number(&t, (unsigned)url->host.port);
	}
	strbuf_put_string(&t, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
	http_put_field(&t, span_of("Sec-WebSocket-Key"), (struct span){key, sizeof key});
	strbuf_put_string(&t, "Sec-WebSocket-Version: 13\r\n");
	for (size_t i = 0; i < policy->count; i++)
		if (policy->rules[i].kind == POLICY_ORIGIN)
			http_put_field(&t, span_of("Origin"), policy->rules[i].text);
	put_protocols(&t, policy);
	if (policy->deflate)
		extension_put_field(&t, &policy->extension);
	policy_put_fields(policy, &t);
	strbuf_put_string(&t, "\r\n");
	return t.cut ? 0 : t.size;
}

static const char *
response_accept_fault(const struct http_response *r, const unsigned char nonce[CLIENT_NONCE_SIZE],
    struct span *culprit)
{
	char key[HANDSHAKE_KEY_SIZE], accept[HANDSHAKE_ACCEPT_SIZE];
	size_t count = http_field_find(&r->fields, "Sec-WebSocket-Accept", culprit);

	if (count == 0)
		return "no Sec-WebSocket-Accept";
	if (count > 1)
		return "more than one Sec-WebSocket-Accept";
	base64_encode(nonce, CLIENT_NONCE_SIZE, key);
	handshake_accept(key, accept);
	if (!span_equal(*culprit, (struct span){accept, sizeof accept}))
		return "Sec-WebSocket-Accept does not match the key";
	return NULL;
}

static const char *
response_protocol_fault(const struct policy *p, const struct http_response *r,
    struct span *protocol, struct span *culprit)
{
	size_t count = http_field_find(&r->fields, "Sec-WebSocket-Protocol", culprit);

	*protocol = nothing;
	if (count == 0)
		return NULL;
	if (count > 1)
		return "more than one Sec-WebSocket-Protocol";
	*protocol = policy_find(p, POLICY_PROTOCOL, *culprit);
	return protocol->size != 0 ? NULL : "subprotocol was not requested";
}

const char *
client_response_fault(const struct policy *policy, const struct http_response *response,
    const unsigned char nonce[CLIENT_NONCE_SIZE], struct client_agreement *agreed, struct span *culprit)
{
	const char *why;

	*culprit = response->line;
	*agreed = (struct client_agreement){.protocol = nothing};
	if (response->major != 1 || response->minor < 1)
		return "not HTTP/1.1";
	if (response->status != HTTP_SWITCHING_PROTOCOLS)
		return "the server did not upgrade";
	*culprit = nothing;
	if (http_field_find(&response->fields, "Upgrade", culprit) != 1
	    || !span_equal_case(*culprit, span_of("websocket")))
		return "response without Upgrade: websocket";
	*culprit = nothing;
	if (!http_list_has(&response->fields, "Connection", "upgrade"))
		return "response without Connection: upgrade";
	why = response_accept_fault(response, nonce, culprit);
	if (why != NULL)
		return why;
	why = response_protocol_fault(policy, response, &agreed->protocol, culprit);
	if (why != NULL)
		return why;
	*culprit = nothing;
	(void)http_field_find(&response->fields, "Sec-WebSocket-Extensions", culprit);
	agreed->deflate = extension_check(&response->fields, policy->deflate ? &policy->extension : NULL,
	    &agreed->extension, &why) == EXTENSION_AGREED;
	return why;
}

void
client_refusal(const struct http_response *response, struct client_refusal *refusal)
{
	const struct http_fields *fields = &response->fields;
	struct span value = nothing;
	uint64_t length = CLIENT_BODY_MAX;

	*refusal = (struct client_refusal){.location = nothing};
	(void)http_field_find(fields, "Location", &refusal->location);
	if (http_field_find(fields, "Content-Type", &value) != 1 || !span_begins_case(value, span_of("text/plain"))
	    || http_field_find(fields, "Content-Encoding", &value) != 0)
		return;
	refusal->chunked = http_list_has(fields, "Transfer-Encoding", "chunked");
	if (!refusal->chunked && http_field_find(fields, "Content-Length", &value) != 0)
		(void)number_parse(value, 0, CLIENT_BODY_MAX, &length);
	refusal->most = (size_t)length;
}

bool
client_refusal_line(const struct client_refusal *refusal, const char *body, size_t n, struct span *line)
{
	const char *end;

	*line = (struct span){body, n < refusal->most ? n : refusal->most};
	if (refusal->chunked) {
		/* After the size of the first chunk. The line ends at the end of that chunk at the latest. */
		end = line->size == 0 ? NULL : memchr(body, '\n', line->size);
		*line = span_skip(*line, end == NULL ? line->size : (size_t)(end - body) + 1);
	}
	end = line->size == 0 ? NULL : memchr(line->at, '\n', line->size);
	if (end != NULL)
		line->size = (size_t)(end - line->at);
	if (line->size != 0 && line->at[line->size - 1] == '\r')
		line->size--;
	return end != NULL || n >= refusal->most;
}

bool
client_host_loopback(struct span host)
{
	const struct span name = span_of("localhost"), below = span_of(".localhost");

	if (host.size > below.size && span_equal_case(span_skip(host, host.size - below.size), below))
		return true;
	if (span_equal_case(host, name) || http_host_equal(host, span_of("::1")))
		return true;
	for (size_t i = 0; i < host.size; i++)
		if ((host.at[i] < '0' || host.at[i] > '9') && host.at[i] != '.')
			return false;
	return span_begins_case(host, span_of("127."));
}
