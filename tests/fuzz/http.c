/*
 * HTTP heads: the end found at any cuts is where a reading by rules over the
 * bytes says, what is parsed lies in the head and makes it up again, and every
 * policy's answer and environment come out whole.
 */
#include "ws/cgi.h"
#include "ws/url.h"
#include "ws/handshake.h"
#include "http/head.h"
#include "ws/policy.h"
#include "fuzz.h"

/* What may not stand at i, by the rules of RFC 9112 section 2.2 and 5, looking back only. */
static bool
naive_forbidden(const uint8_t *b, size_t i)
{
	uint8_t c = b[i];
	bool behind_cr = i > 0 && b[i - 1] == '\r';
	bool behind_line = i > 1 && behind_cr == false && b[i - 1] == '\n';

	if (behind_cr != (c == '\n'))
		return true;
	if (i == 2 && behind_line)
		return c == '\r' || (c < 32 && c != '\t') || c == 127;
	if (behind_line && (c == ' ' || c == '\t'))
		return true;
	return c == 127 || (c < 32 && c != '\t' && c != '\r' && c != '\n');
}

static int
naive_scan(const uint8_t *b, size_t n)
{
	unsigned lines = 0;

	for (size_t i = 0; i < n; i++) {
		if (i == HTTP_HEAD_MAX)
			break;
		if (naive_forbidden(b, i))
			return -400;
		if (i >= 3 && memcmp(b + i - 3, "\r\n\r\n", 4) == 0)
			return (int)i + 1;
		lines += b[i] == '\n' && i != 1;
		if (lines == 101 && b[i] != '\n' && b[i] != '\r')
			return -431;
	}
	return n < HTTP_HEAD_MAX ? 0 : lines == 0 ? -414 : -431;
}

static int
scan_in_cuts(struct fuzz *f)
{
	struct http_scan scan = {0};
	size_t have = 0, missing;
	int found = 0;

	while (have < f->size && found == 0) {
		missing = http_scan_missing(&scan);
		FUZZ_CHECK(missing >= 1 && missing <= 4);
		have += fuzz_cut(f, f->size - have);
		found = http_scan(&scan, (char *)fuzz_edge(0, f->at, have), have);
		/* What was called missing was not too much. */
		FUZZ_CHECK(found <= 0 || (size_t)found >= missing);
		FUZZ_CHECK((found < 0) == (scan.why != NULL));
	}
	return found;
}

/* Blanks from *at to end. */
static bool
only_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at == end;
}

/* The fields and what is between them are the head from `at` on, byte by byte. */
static void
fields_make_up(const struct http_fields *fields, const char *at, const char *end)
{
	for (size_t i = 0; i < fields->count; i++) {
		struct span name = fields->all[i].name, value = fields->all[i].value;
		const char *line = memchr(at, '\n', (size_t)(end - at));

		FUZZ_CHECK(name.at == at && http_token_valid(name) && name.at[name.size] == ':');
		FUZZ_CHECK(value.at > name.at + name.size && only_blanks(name.at + name.size + 1, value.at));
		FUZZ_CHECK(line != NULL && line[-1] == '\r' && only_blanks(value.at + value.size, line - 1));
		FUZZ_CHECK(value.size == 0 || !only_blanks(value.at, value.at + 1));
		FUZZ_CHECK(value.size == 0 || !only_blanks(value.at + value.size - 1, value.at + value.size));
		at = line + 1;
	}
	FUZZ_CHECK(end - at == 2 && memcmp(at, "\r\n", 2) == 0);
}

static void
environment_is_whole(const struct http_request *r, const struct handshake *d)
{
	static char out[CGI_SIZE];
	static const struct cgi_connection nobody;
	struct strbuf text = {.at = out, .room = sizeof out};
	size_t count = cgi_environment(r, d, &nobody, &text);
	const char *entry = out;

	FUZZ_CHECK(!text.cut && count <= CGI_OWN_MAX + r->fields.count);
	for (; count > 0; count--, entry += strlen(entry) + 1) {
		FUZZ_CHECK(cgi_owns(entry) && strchr(entry, '=') != NULL);
		FUZZ_CHECK(strncmp(entry, "HTTP_PROXY=", 11) != 0);
	}
	FUZZ_CHECK(entry == out + text.size);
}

static void
answer_is_whole(const struct policy *policy, const struct http_request *r, const struct handshake *d)
{
	char answer[HANDSHAKE_ANSWER_SIZE + 1];
	size_t n = handshake_answer(policy, r, d, 5, answer);
	struct http_response response;
	struct http_scan scan = {0};
	int size = http_scan(&scan, answer, n);

	FUZZ_CHECK(size > 0 && http_response_parse(answer, (size_t)size, &response) == NULL);
	FUZZ_CHECK(response.status == d->status);
	FUZZ_CHECK(http_list_has(&response.fields, "Connection", d->status == 101 ? "upgrade" : "close"));
	FUZZ_CHECK((d->status < 300) == (size == (int)n && !http_list_has(&response.fields,
	    "Content-Type", "text/plain; charset=utf-8")));
}

static void
request_is_judged(struct http_request *r, unsigned choice)
{
	static const char *const rules[][2] = {{"https://a.example", "*"}, {"h", "::1"}, {"x", "y"}, {"/", "/a b"}};
	static const enum policy_kind kinds[] = {POLICY_ORIGIN, POLICY_HOST, POLICY_PROTOCOL, POLICY_PATH};
	static struct policy policy;
	struct handshake d;

	policy.count = policy.own = 0;
	policy.page = choice & 1 ? POLICY_CONSOLE : POLICY_NO_PAGE;
	for (unsigned i = 0; i < 4; i++)
		if (choice >> (2 * i + 1) & 1)
			FUZZ_CHECK(policy_add(&policy, kinds[i], rules[i][choice >> 7 & 1]) == NULL);
	handshake_check(&policy, r, &d);
	FUZZ_CHECK(d.status == 101 || d.status == 200 || d.status == 204 || (d.status >= 400 && d.status < 600 && d.why[0] != '\0'));
	answer_is_whole(&policy, r, &d);
	if (d.status == 101 || d.status == 200)
		environment_is_whole(r, &d);
}

static void
head_is_parsed(const uint8_t *bytes, size_t n, unsigned choice)
{
	static struct http_request r;
	static struct http_response a;
	static const unsigned char nonce[CLIENT_NONCE_SIZE];
	const char *head = (char *)fuzz_edge(1, bytes, n), *first;
	struct client_agreement agreed;
	struct span culprit;

	if (http_response_parse(head, n, &a) == NULL) {
		static struct policy policy;

		fields_make_up(&a.fields, a.line.at + a.line.size + 2, head + n);
		(void)client_response_fault(&policy, &a, nonce, &agreed, &culprit);
	}
	if (http_request_parse(head, n, &r) != NULL)
		return;
	first = r.method.at;
	FUZZ_CHECK(first == head || first == head + 2);
	FUZZ_CHECK(r.target.at == first + r.method.size + 1 && r.target.size != 0);
	fields_make_up(&r.fields, r.target.at + r.target.size + strlen(" HTTP/1.1\r\n"), head + n);
	request_is_judged(&r, choice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f);
	int found = scan_in_cuts(&f);

	FUZZ_CHECK(found == naive_scan(f.at, f.size));
	if (found > 0)
		head_is_parsed(f.at, (size_t)found, choice);
	else
		/* Never asked for, but nothing may break. */
		head_is_parsed(f.at, f.size, choice);
	return 0;
}
