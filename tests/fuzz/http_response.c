/* A response of a server as the client reads it: the head, and whether it answers the request. */
#include "ws/url.h"
#include "ws/handshake.h"
#include "fuzz.h"
#include "naive_http.h"

static const unsigned char nonce[CLIENT_NONCE_SIZE] = "the sample nonce";
static const char accept_of_it[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* RFC 6455 section 1.3 */

static bool
naive_line(const char *head, size_t n, unsigned *status)
{
	const char *end = memchr(head, '\r', n);

	*status = 0;
	if (end - head < 13 || memcmp(head, "HTTP/", 5) != 0 || head[6] != '.' || head[8] != ' ' || head[12] != ' '
	    || head[5] < '0' || head[5] > '9' || head[7] < '0' || head[7] > '9')
		return false;
	for (int i = 9; i < 12; i++) {
		if (head[i] < '0' || head[i] > '9')
			return false;
		*status = *status * 10 + (unsigned)(head[i] - '0');
	}
	return *status >= 100;
}

static bool
naive_good(const struct http_response *r, bool asked)
{
	struct span upgrade, accept, protocol = {"", 0}, extension = {"", 0};
	size_t protocols = naive_count(&r->fields, "Sec-WebSocket-Protocol", &protocol);
	size_t extensions = naive_count(&r->fields, "Sec-WebSocket-Extensions", &extension);

	/* A list without an item. */
	while (extensions == 1 && extension.size != 0 && memchr(" \t,", *extension.at, 3) != NULL)
		extension = span_skip(extension, 1);

	return r->major == 1 && r->minor >= 1 && r->status == 101 && naive_count(&r->fields, "Upgrade", &upgrade) == 1
	    && naive_equal(upgrade, "websocket")
	    && naive_list_has(&r->fields, "Connection", "upgrade")
	    && naive_count(&r->fields, "Sec-WebSocket-Accept", &accept) == 1 && span_equal(accept, span_of(accept_of_it))
	    && (extensions == 0 || (extensions == 1 && extension.size == 0))
	    && (protocols == 0 || (protocols == 1 && asked && span_equal(protocol, span_of("chat"))));
}

static void
answer_check(const struct http_response *r, bool asked)
{
	struct policy_rule rules[1];
	struct policy policy = {.rules = rules};
	struct client_agreement agreed;
	struct span culprit;
	const char *why;

	if (asked)
		FUZZ_CHECK(policy_add(&policy, POLICY_PROTOCOL, "chat") == NULL);
	why = client_response_fault(&policy, r, nonce, &agreed, &culprit);
	FUZZ_CHECK((why == NULL) == naive_good(r, asked));
	FUZZ_CHECK(why != NULL || agreed.protocol.size == 0 || (asked && span_equal(agreed.protocol, span_of("chat"))));
}

/* The body follows the head: the text shown is one line of it. */
static void
refusal_check(const struct http_response *r, const uint8_t *bytes, size_t size)
{
	struct client_refusal refusal;
	struct span line;
	const char *body;
	bool ended;

	client_refusal(r, &refusal);
	FUZZ_CHECK(refusal.most <= CLIENT_BODY_MAX);
	size = size < refusal.most ? size : refusal.most;
	body = (char *)fuzz_edge(1, bytes, size);
	ended = client_refusal_line(&refusal, body, size, &line);
	FUZZ_CHECK(line.size <= size && (line.size == 0 || (line.at >= body && line.at + line.size <= body + size)));
	FUZZ_CHECK(line.size == 0 || memchr(line.at, '\n', line.size) == NULL);
	FUZZ_CHECK(ended || memchr(body, '\n', size) == NULL || refusal.chunked);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct http_response r;
	struct fuzz f = fuzz_over(bytes, size);
	bool asked = fuzz_byte(&f) % 2 != 0;
	int want = naive_scan((const char *)f.at, f.size);
	const char *head, *why;
	unsigned status;
	bool good;

	FUZZ_CHECK(scan_cut(f, want) == want);
	if (want <= 0 || f.at[0] == '\r')
		return 0;
	head = (char *)fuzz_edge(0, f.at, (size_t)want);
	why = http_response_parse(head, (size_t)want, &r);
	good = naive_line(head, (size_t)want, &status);
	FUZZ_CHECK((why == NULL) == (naive_fields(head, (size_t)want, &r.fields, why == NULL) && good));
	if (why != NULL)
		return 0;
	FUZZ_CHECK(r.status == status && r.major == (unsigned)(head[5] - '0') && r.minor == (unsigned)(head[7] - '0'));
	answer_check(&r, asked);
	refusal_check(&r, f.at + want, f.size - (size_t)want);
	return 0;
}
