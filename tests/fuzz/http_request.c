/*
 * A request as the server reads it. The head is parsed. It is accepted exactly if a naive parser
 * of RFC 6455, section 4.2.1, accepts it. The response and the environment are valid for any
 * request.
 */
#include "ws/base64.h"
#include "ws/cgi.h"
#include "ws/handshake.h"
#include "http/origin.h"
#include "fuzz.h"
#include "naive_http.h"

static bool
naive_line(const char *head, size_t n, const struct http_request *r, bool parsed)
{
	const char *line = head + (memcmp(head, "\r\n", 2) == 0 ? 2 : 0), *end, *method_end, *target_end;
	bool good;

	end = memchr(line, '\r', n - (size_t)(line - head));
	method_end = memchr(line, ' ', (size_t)(end - line));
	target_end = method_end == NULL ? NULL : memchr(method_end + 1, ' ', (size_t)(end - method_end - 1));
	if (target_end == NULL || !naive_token(line, (size_t)(method_end - line)))
		return false;
	good = end - target_end == 9 && memcmp(target_end + 1, "HTTP/", 5) == 0 && target_end[7] == '.'
	    && target_end[6] >= '0' && target_end[6] <= '9' && target_end[8] >= '0' && target_end[8] <= '9'
	    && target_end > method_end + 1;
	for (const char *c = method_end + 1; c < target_end; c++)
		good &= *c > ' ' && *c <= '~' && *c != '#';
	if (!parsed)
		return good;
	FUZZ_CHECK(span_equal(r->method, (struct span){line, (size_t)(method_end - line)}));
	FUZZ_CHECK(span_equal(r->target, (struct span){method_end + 1, (size_t)(target_end - method_end - 1)}));
	FUZZ_CHECK(r->major == (unsigned)(target_end[6] - '0') && r->minor == (unsigned)(target_end[8] - '0'));
	return good;
}

/* The target is the concatenation of its parts. */
static void
target_check(const struct http_request *r)
{
	const char *question = memchr(r->target.at, '?', r->target.size);
	size_t behind = question == NULL ? 0 : r->target.size - (size_t)(question + 1 - r->target.at);
	bool connect = span_equal(r->method, span_of("CONNECT"));

	FUZZ_CHECK(connect || r->query.size == behind);
	FUZZ_CHECK(behind == 0 || connect || r->query.at == question + 1);
	if (*r->target.at == '/' && !connect)
		FUZZ_CHECK(r->path.at == r->target.at && r->authority.size == 0
		    && r->path.size == r->target.size - behind - (question != NULL));
	else
		FUZZ_CHECK(connect || r->authority.size != 0 || span_equal(r->target, span_of("*")));
}

/* The Host example.org with any port is listed, and so are two origins. */
static void
policy_choose(struct policy *p, unsigned choice)
{
	if ((choice & 1) != 0)
		FUZZ_CHECK(policy_add(p, POLICY_HOST, "example.org") == NULL);
	if ((choice & 2) != 0)
		FUZZ_CHECK(policy_add(p, POLICY_ORIGIN, "https://app.example") == NULL);
	if ((choice & 4) != 0)
		FUZZ_CHECK(policy_add(p, POLICY_PROTOCOL, "chat") == NULL && policy_add(p, POLICY_PROTOCOL, "mqtt") == NULL);
	if ((choice & 8) != 0)
		FUZZ_CHECK(policy_add(p, POLICY_PATH, "/a b") == NULL);
	if ((choice & 16) != 0)
		FUZZ_CHECK(policy_add(p, POLICY_FIELD, "X-Own: yes") == NULL);
	if ((choice & 32) != 0)
		p->page = POLICY_CONSOLE;
}

static bool
naive_origin(const struct http_request *r, const struct handshake *d, unsigned choice)
{
	struct span text;
	size_t count = naive_count(&r->fields, "Origin", &text);
	struct origin o, listed;

	if (count != 1)
		return count == 0;
	if ((choice & 2) != 0 && origin_parse(span_of("https://app.example"), &listed) && origin_parse(text, &o)
	    && origins_equal(&o, &listed))
		return true;
	return origin_parse(text, &o) && origin_is_own(&o, &d->host);
}

static bool
naive_no_body(const struct http_request *r)
{
	const struct http_field *f;
	struct span unused;

	for (size_t i = 0; (f = naive_find(&r->fields, "Content-Length", &i)) != NULL;)
		if (!span_equal(f->value, span_of("0")))
			return false;
	return naive_count(&r->fields, "Transfer-Encoding", &unused) == 0;
}

/* The target origin compares http_path_next(). */
static bool
naive_path(struct span path, bool a_b_only)
{
	char decoded[HTTP_HEAD_MAX];
	size_t n = 0;
	int c;

	while ((c = http_path_next(&path)) >= 0)
		decoded[n++] = (char)c;
	return c == HTTP_PATH_END && (!a_b_only || (n == 4 && memcmp(decoded, "/a b", 4) == 0));
}

static bool
naive_protocols(const struct http_request *r)
{
	const struct http_field *f;

	for (size_t i = 0; (f = naive_find(&r->fields, "Sec-WebSocket-Protocol", &i)) != NULL;)
		for (struct span list = f->value; list.size > 0;) {
			struct span item = naive_item(&list, ',');

			if (item.size > 0 && !naive_token(item.at, item.size))
				return false;
		}
	return true;
}

static bool
naive_host(const struct http_request *r)
{
	struct span host;
	size_t count = naive_count(&r->fields, "Host", &host);
	struct http_authority a;

	return count == 0 ? r->minor == 0 : count == 1 && http_authority_parse(host, &a);
}

/* Return whether no rule refuses the request. before is the parsed request. */
static bool
naive_good(const struct http_request *r, const struct handshake *d, unsigned choice)
{
	struct span version, key;
	unsigned char nonce[24];

	return r->major == 1 && r->minor >= 1 && span_equal(r->method, span_of("GET"))
	    && naive_host(r) && naive_no_body(r)
	    && naive_path(r->path, (choice & 8) != 0)
	    && ((choice & 1) == 0 || naive_equal(d->host.host, "example.org"))
	    && naive_list_has(&r->fields, "Upgrade", "websocket") && naive_list_has(&r->fields, "Connection", "upgrade")
	    && naive_count(&r->fields, "Sec-WebSocket-Version", &version) == 1 && span_equal(version, span_of("13"))
	    && naive_count(&r->fields, "Sec-WebSocket-Key", &key) == 1 && key.size == 24
	    && base64_decode(key, nonce) == 16 && naive_origin(r, d, choice) && naive_protocols(r);
}

static void
answer_check(const struct policy *p, const struct http_request *r, const struct handshake *d)
{
	char *out = (char *)fuzz_space(1, HANDSHAKE_ANSWER_SIZE), line[64], *end;
	size_t n = handshake_answer(p, r, d, 1234, out), body;
	struct http_response answer;
	struct span length;

	(void)snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", (int)d->status, http_reason(d->status));
	FUZZ_CHECK(n < HANDSHAKE_ANSWER_SIZE && strncmp(out, line, strlen(line)) == 0 && strlen(http_reason(d->status)) > 0);
	end = memmem(out, n, "\r\n\r\n", 4);
	FUZZ_CHECK(end != NULL && http_response_parse(out, (size_t)(end + 4 - out), &answer) == NULL);
	body = (size_t)(out + n - end - 4);
	if (d->status == HTTP_SWITCHING_PROTOCOLS)
		FUZZ_CHECK(body == 0 && naive_list_has(&answer.fields, "Connection", "Upgrade"));
	else if (d->status == HTTP_OK)
		FUZZ_CHECK(body == 0 && naive_count(&answer.fields, "Content-Length", &length) == 1);
	else if (d->status == HTTP_NO_CONTENT)
		FUZZ_CHECK(body == 0 && naive_count(&answer.fields, "Content-Length", &length) == 0);
	else
		FUZZ_CHECK(naive_count(&answer.fields, "Content-Length", &length) == 1 && length.size < 4
		    && (body == 0) == span_equal(r->method, span_of("HEAD"))
		    && (body == 0 || (size_t)strtoul(length.at, NULL, 10) == body));
}

/* The user's name encodes to the credentials again, and is printable. */
static void
user_check(const struct http_request *r)
{
	static char user[CGI_USER_SIZE], encoded[HTTP_HEAD_MAX + 4];
	struct span value = {"", 0};
	bool basic = naive_count(&r->fields, "Authorization", &value) == 1 && value.size > 6
	    && strncasecmp(value.at, "Basic ", 6) == 0;
	size_t n, begin = 6;

	if (!cgi_user(r, user))
		return;
	FUZZ_CHECK(basic);
	while (value.at[begin] == ' ')
		begin++;
	n = strlen(user);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK((unsigned char)user[i] >= 32 && user[i] != 127 && user[i] != ':');
	user[n++] = ':';
	base64_encode(user, n / 3 * 3, encoded);
	FUZZ_CHECK(value.size - begin >= base64_size(n) && memcmp(encoded, value.at + begin, n / 3 * 4) == 0);
}

/* Each variable is NAME=value, none is repeated, each is a known one or HTTP_*, and never
 * HTTP_PROXY. */
static void
environment_check(const struct http_request *r, const struct handshake *d)
{
	static char room[CGI_SIZE];
	struct strbuf t = {.at = room, .capacity = sizeof room};
	struct cgi_connection connection = {{"127.0.0.1", 9}, {"50000", 5}, {"9000", 4}};
	size_t count = cgi_environment(r, d, &connection, &t), seen = 0;

	FUZZ_CHECK(!t.cut && count <= CGI_OWN_MAX + r->fields.count);
	for (const char *entry = room; entry < room + t.size; entry += strlen(entry) + 1, seen++) {
		size_t name = strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

		FUZZ_CHECK(name > 0 && entry[name] == '=' && cgi_owns(entry));
		FUZZ_CHECK(strncmp(entry, "HTTP_PROXY=", 11) != 0);
		for (const char *other = room; other < entry; other += strlen(other) + 1)
			FUZZ_CHECK(strncmp(other, entry, name + 1) != 0);
	}
	FUZZ_CHECK(seen == count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct http_request r, before;
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f);
	int want = naive_scan((const char *)f.at, f.size);
	struct policy_rule rules[8];
	struct policy policy = {.rules = rules};
	struct handshake d;
	const char *head, *why;
	bool line, fields;

	FUZZ_CHECK(scan_cut(f, want) == want);
	if (want <= 0)
		return 0;
	head = (char *)fuzz_edge(0, f.at, (size_t)want);
	why = http_request_parse(head, (size_t)want, &r);
	line = naive_line(head, (size_t)want, &r, why == NULL);
	fields = naive_fields(head, (size_t)want, &r.fields, why == NULL);
	FUZZ_CHECK(why != NULL || (line && fields));
	/* For targets with another beginning, more than the bytes must be valid. */
	if (why != NULL) {
		FUZZ_CHECK(!line || !fields || *r.target.at != '/' || span_equal(r.method, span_of("CONNECT")));
		return 0;
	}
	target_check(&r);
	before = r;
	policy_choose(&policy, choice);
	handshake_check(&policy, &r, &d);
	FUZZ_CHECK((d.status == HTTP_SWITCHING_PROTOCOLS) == naive_good(&before, &d, choice));
	FUZZ_CHECK((d.status == HTTP_NO_CONTENT) == (before.major == 1 && span_equal(before.method, span_of("OPTIONS"))
	    && naive_host(&before)));
	FUZZ_CHECK(d.status < HTTP_BAD_REQUEST || d.why[0] != '\0');
	FUZZ_CHECK(d.protocol.size == 0
	    || ((choice & 4) != 0 && naive_list_has(&r.fields, "Sec-WebSocket-Protocol", d.protocol.at)));
	answer_check(&policy, &r, &d);
	user_check(&r);
	if (d.status == HTTP_SWITCHING_PROTOCOLS || d.status == HTTP_OK)
		environment_check(&r, &d);
	return 0;
}
