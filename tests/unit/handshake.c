/*
 * The opening handshake (RFC 6455, section 4): rules, responses and the environment. Refusals and
 * foreign origins are cases of wsprobe and of the fuzz targets http_request, http_response and
 * origin.
 */
#include "ws/handshake.h"

#include "ws/cgi.h"
#include "ws/url.h"
#include "http/origin.h"
#include "ws/policy.h"

#include "unit.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HOST "Host: h.example\r\n"
#define GOOD HOST UPGRADE KEY VERSION

static struct policy policy;
static struct http_request request;
static struct handshake decision;
static char answer[HANDSHAKE_ANSWER_SIZE + 1];

static void
rules_none(void)
{
	static struct policy_rule rules[POLICY_RULES_MAX];

	policy = (struct policy){.rules = rules};
}

BEFORE_EACH
{
	rules_none();
}

/* Return the decision about this head. */
static unsigned
judge(const char *line, const char *fields)
{
	static char head[8192];
	static unsigned char *edge;
	static size_t size;
	struct http_scan scan = {0};

	if (edge != NULL)
		unit_drop(edge, size);
	size = (size_t)snprintf(head, sizeof head, "%s\r\n%s\r\n", line, fields);
	edge = unit_at_edge(head, size);
	CHECK(http_scan(&scan, (char *)edge, size) == (int)size);
	CHECK(http_request_parse((char *)edge, size, &request) == NULL);
	handshake_check(&policy, &request, &decision);
	answer[handshake_answer(&policy, &request, &decision, 1234, answer)] = '\0';
	return decision.status;
}

static unsigned
get(const char *fields)
{
	return judge("GET / HTTP/1.1", fields);
}

static bool
is(struct span span, const char *text)
{
	return span_equal(span, span_of(text));
}

static bool
answer_has(const char *line)
{
	return strstr(answer, line) != NULL;
}

TEST(the_handshake_of_RFC_6455_section_1_3_is_answered)
{
	CHECK(policy_add(&policy, POLICY_PROTOCOL, "chat") == NULL);
	CHECK(judge("GET /chat HTTP/1.1", "Host: server.example.com\r\n" UPGRADE KEY
	    "Origin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n" VERSION) == 101);
	CHECK(strcmp(answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n") == 0);
}

/* A refusal is a complete HTTP response whose length is that of its body. */
TEST(a_refusal_is_a_complete_response)
{
	const char *body, *length;

	CHECK(get(HOST) == 426);
	CHECK(answer_has("HTTP/1.1 426 Upgrade Required\r\n") && answer_has("\r\nConnection: close"));
	CHECK(answer_has("\r\nUpgrade: websocket\r\n") && answer_has("\r\nSec-WebSocket-Version: 13\r\n"));
	body = strstr(answer, "\r\n\r\n") + 4;
	length = strstr(answer, "Content-Length: ") + 16;
	CHECK(strtoul(length, NULL, 10) == strlen(body) && strlen(body) > 10);
	CHECK(judge("POST / HTTP/1.1", GOOD) == 405 && answer_has("\r\nAllow: GET, OPTIONS\r\n"));
	policy.page = POLICY_CONSOLE;
	CHECK(judge("POST / HTTP/1.1", GOOD) == 405 && answer_has("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	CHECK(judge("HEAD /x HTTP/1.1", GOOD) == 405 && strcmp(strstr(answer, "\r\n\r\n"), "\r\n\r\n") == 0);
	memset(&decision, 0, sizeof decision);
	handshake_refuse(&decision, HTTP_REQUEST_TIMEOUT, "late");
	answer[handshake_answer(&policy, NULL, &decision, 0, answer)] = '\0';
	CHECK(strncmp(answer, "HTTP/1.1 408 Request Timeout\r\n", 30) == 0);
}

TEST(OPTIONS_is_answered_regardless_of_the_rules)
{
	static const char *const lines[] = {
		"OPTIONS / HTTP/1.0", "OPTIONS * HTTP/1.0", "OPTIONS * HTTP/1.1", "OPTIONS /%zz?x HTTP/1.1", "OPTIONS http://evil/ HTTP/1.1",
	};

	CHECK(policy_add(&policy, POLICY_HOST, "other") == NULL && policy_add(&policy, POLICY_PATH, "/chat") == NULL);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		CHECK(judge(lines[i], GOOD "Origin: http://evil\r\nContent-Length: 1\r\n") == 204);
		CHECK(strcmp(answer, "HTTP/1.1 204 No Content\r\nAllow: GET, OPTIONS\r\nConnection: close\r\n\r\n") == 0);
	}
	policy.page = POLICY_FILE;
	CHECK(judge("OPTIONS * HTTP/1.0", "") == 204 && answer_has("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
}

TEST(HTTP_1_0_gets_the_page_and_no_upgrade)
{
	CHECK(judge("GET / HTTP/1.0", GOOD) == 426 && strstr(decision.why, "proxy_http_version") != NULL);
	CHECK(judge("GET http://h:81/ HTTP/1.0", "") == 426 && is(decision.host.host, "h") && decision.host.port == 81);
	CHECK(policy_add(&policy, POLICY_PATH, "/chat") == NULL && judge("GET /x HTTP/1.0", GOOD) == 404);
	policy.page = POLICY_CONSOLE;
	CHECK(judge("GET / HTTP/1.0", GOOD) == 200 && judge("HEAD /chat HTTP/1.0", "") == 200);
	CHECK(judge("GET / HTTP/1.1", "") == 400);
	CHECK(policy_add(&policy, POLICY_HOST, "h.example") == NULL);
	CHECK(judge("GET / HTTP/1.0", "") == 400 && judge("GET / HTTP/1.0", HOST) == 200);
	CHECK(judge("GET http://h.example/ HTTP/1.0", "") == 200 && judge("GET http://evil/ HTTP/1.0", HOST) == 403);
}

TEST(nothing_of_the_request_is_in_a_refusal)
{
	CHECK(judge("GET /mark HTTP/1.1", HOST UPGRADE KEY "Sec-WebSocket-Version: mark\r\n") == 426);
	CHECK(!answer_has("mark"));
	CHECK(get(GOOD "Origin: http://mark\r\n") == 403 && !answer_has("mark"));
	CHECK(is(decision.culprit, "http://mark") && is(decision.against, "h.example"));
	CHECK(judge("GET http://x:1/ HTTP/1.1", GOOD "Origin: http://mark\r\n") == 403 && is(decision.against, "x:1"));
}

static unsigned
from(const char *host, const char *origin)
{
	char fields[512];

	(void)snprintf(fields, sizeof fields, "Host: %s\r\nOrigin: %s\r\n" UPGRADE KEY VERSION, host, origin);
	return get(fields);
}

TEST(listed_origins_are_accepted_besides_the_same_origin)
{
	CHECK(policy_add(&policy, POLICY_ORIGIN, "https://good.example") == NULL);
	CHECK(policy_add(&policy, POLICY_ORIGIN, "http://other.example:81") == NULL);
	CHECK(from("h", "https://good.example") == 101);
	CHECK(from("h", "HTTPS://GOOD.example:443") == 101);
	CHECK(from("h", "http://other.example:81") == 101);
	CHECK(from("h", "http://h") == 101);
	CHECK(from("h", "http://good.example") == 403);
	CHECK(from("h", "https://good.example:81") == 403);
	CHECK(from("h", "http://other.example") == 403);
	CHECK(from("h", "null") == 403);
	CHECK(policy_add(&policy, POLICY_ORIGIN, "null") == NULL);
	CHECK(from("h", "null") == 101 && from("h", "Null") == 403);
	CHECK(from("h", "file://") == 403 && policy_add(&policy, POLICY_ORIGIN, "file://") == NULL);
	CHECK(from("h", "file://") == 101 && from("h", "file:///") == 403 && from("h", "file://h") == 403);
	CHECK(policy_add(&policy, POLICY_ORIGIN, "*") == NULL);
	CHECK(from("h", "http://evil") == 101 && from("h", "what?") == 101);
}

TEST(only_listed_hosts_are_served)
{
	CHECK(policy_add(&policy, POLICY_HOST, "Good.example") == NULL);
	CHECK(policy_add(&policy, POLICY_HOST, "::1") == NULL);
	CHECK(from("good.EXAMPLE:9000", "http://good.example:9000") == 101);
	CHECK(from("[::1]:9000", "http://[::1]:9000") == 101);
	CHECK(from("evil", "http://evil") == 403);
	CHECK(from("good.example.", "http://good.example.") == 403);
	CHECK(judge("GET http://good.example/ HTTP/1.1", "Host: evil\r\n" UPGRADE KEY VERSION) == 101);
	CHECK(judge("GET http://evil/ HTTP/1.1", "Host: good.example\r\n" UPGRADE KEY VERSION) == 403);
	policy.page = POLICY_CONSOLE;
	CHECK(get("Host: evil\r\n") == 403);
}

TEST(the_page_is_for_those_without_upgrade)
{
	CHECK(policy_add(&policy, POLICY_PATH, "/chat") == NULL);
	CHECK(policy_add(&policy, POLICY_FIELD, "X-Mine: yes") == NULL);
	policy.page = POLICY_CONSOLE;
	CHECK(judge("GET / HTTP/1.1", HOST) == 200);
	CHECK(answer_has("HTTP/1.1 200 OK\r\n") && answer_has("\r\nContent-Length: 1234\r\n"));
	CHECK(answer_has("\r\nX-Content-Type-Options: nosniff\r\n") && answer_has("\r\nCache-Control: no-store\r\n"));
	CHECK(answer_has("frame-ancestors 'none'\r\n") && answer_has("default-src 'none'"));
	CHECK(answer_has("\r\nX-Mine: yes\r\n") && strcmp(strstr(answer, "\r\n\r\n"), "\r\n\r\n") == 0);
	CHECK(judge("HEAD /chat HTTP/1.1", HOST) == 200);
	CHECK(judge("GET /chat HTTP/1.1", HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n") == 200);
	CHECK(judge("GET /other HTTP/1.1", HOST) == 404);
	CHECK(judge("GET /chat HTTP/1.1", GOOD) == 101);
	CHECK(judge("GET / HTTP/1.1", GOOD) == 404);
	CHECK(judge("HEAD /chat HTTP/1.1", GOOD) == 405);
	CHECK(judge("GET / HTTP/1.1", HOST "Content-Length: 1\r\n") == 400);
	policy.page = POLICY_FILE;
	CHECK(judge("GET / HTTP/1.1", HOST) == 200 && !answer_has("default-src"));
	CHECK(answer_has("Content-Security-Policy: frame-ancestors 'none'\r\n"));
}

TEST(the_client_s_first_choice_wins)
{
	CHECK(policy_add(&policy, POLICY_PROTOCOL, "a") == NULL);
	CHECK(policy_add(&policy, POLICY_PROTOCOL, "b") == NULL);
	CHECK(get(GOOD "Sec-WebSocket-Protocol: x,,b , a\r\n") == 101 && is(decision.protocol, "b"));
	CHECK(get(GOOD "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: a, b\r\n") == 101
	    && is(decision.protocol, "a"));
	CHECK(answer_has("\r\nSec-WebSocket-Protocol: a\r\n"));
	CHECK(get(GOOD "Sec-WebSocket-Protocol: A, x\r\n") == 101 && decision.protocol.size == 0);
	CHECK(!answer_has("Protocol:"));
	CHECK(get(GOOD) == 101 && decision.protocol.size == 0);
}

TEST(invalid_rules_are_refused)
{
	static const struct {
		enum policy_kind kind;
		const char *text;
	} bad[] = {
		{POLICY_ORIGIN, ""}, {POLICY_ORIGIN, "h"}, {POLICY_ORIGIN, "http://h/"}, {POLICY_ORIGIN, "http://"},
		{POLICY_ORIGIN, "http://h\r\nX: y"}, {POLICY_ORIGIN, "https://*.example/"}, {POLICY_HOST, ""},
		{POLICY_HOST, "h:80"}, {POLICY_HOST, "[::1]:80"}, {POLICY_HOST, "a b"}, {POLICY_HOST, "http://h"},
		{POLICY_PROTOCOL, ""}, {POLICY_PROTOCOL, "a b"}, {POLICY_PROTOCOL, "a,b"}, {POLICY_PROTOCOL, "a\r\nb"},
		{POLICY_PATH, ""}, {POLICY_PATH, "a"}, {POLICY_FIELD, ""}, {POLICY_FIELD, "a"}, {POLICY_FIELD, ": b"},
		{POLICY_FIELD, "a : b"}, {POLICY_FIELD, "a: b\r\nc: d"}, {POLICY_FIELD, "a: b\n"}, {POLICY_FIELD, "a: \x1b"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(policy_add(&policy, bad[i].kind, bad[i].text) != NULL);
	CHECK(policy.count == 0);
	CHECK(policy_add(&policy, POLICY_PROTOCOL, "a") == NULL && policy_add(&policy, POLICY_PROTOCOL, "a") != NULL);
}

TEST(fields_that_the_handshake_writes_are_refused)
{
	static const char *const bad[] = {
		"upgrade: x", "Connection: x", "SEC-WEBSOCKET-ACCEPT: x", "Sec-WebSocket-Foo: x", "Content-Length: 0",
		"Transfer-Encoding: x", "Host: x", "Origin: x", "Content-Type: x", "Cache-Control: x",
		"Content-Security-Policy: x",
	};
	struct span culprit;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		rules_none();
		CHECK(policy_add(&policy, POLICY_FIELD, bad[i]) == NULL);
		CHECK(policy_fault(&policy, false, &culprit) != NULL && is(culprit, bad[i]));
	}
	rules_none();
	CHECK(policy_add(&policy, POLICY_FIELD, "Cache-Control: no-cache") == NULL);
	CHECK(policy_add(&policy, POLICY_FIELD, "Set-Cookie:a=b") == NULL);
	CHECK(policy_fault(&policy, true, &culprit) == NULL);
}

TEST(the_fields_of_the_user_are_bounded_and_fit)
{
	static char texts[POLICY_RULES_MAX + 1][128];
	unsigned n = 0;

	policy.page = POLICY_CONSOLE;
	for (; n <= POLICY_RULES_MAX; n++) {
		(void)snprintf(texts[n], sizeof texts[n], "X-%03u: %0100u", n, n);
		if (policy_add(&policy, POLICY_FIELD, texts[n]) != NULL)
			break;
	}
	CHECK(n > 50 && n < POLICY_RULES_MAX);
	CHECK(get(HOST) == 200 && strcmp(answer + strlen(answer) - 4, "\r\n\r\n") == 0);
	CHECK(get(GOOD) == 101 && strcmp(answer + strlen(answer) - 4, "\r\n\r\n") == 0 && answer_has("X-050: "));
	rules_none();
	for (n = 0; n < POLICY_RULES_MAX; n++)
		CHECK(policy_add(&policy, POLICY_PATH, "/x") == NULL);
	CHECK(policy_add(&policy, POLICY_PATH, "/x") != NULL);
}

/* Return the environment of a request as lines. */
static const char *
environment_of(const char *line, const char *fields, const struct cgi_connection *c)
{
	static char out[CGI_SIZE + 2];
	struct strbuf text = {.at = out + 1, .capacity = CGI_SIZE};
	size_t count;

	CHECK(judge(line, fields) == 101);
	count = cgi_environment(&request, &decision, c, &text);
	out[0] = '\n';
	for (size_t i = 1; i <= text.size; i++) {
		count -= out[i] == '\0';
		out[i] = out[i] == '\0' ? '\n' : out[i];
	}
	out[text.size + 1] = '\0';
	CHECK(count == 0 && !text.cut);
	return out;
}

TEST(the_environment_is_CGI)
{
	const struct cgi_connection c = {span_of("192.0.2.1"), span_of("4711"), span_of("9000")}, none = {0};
	const char *env;

	CHECK(policy_add(&policy, POLICY_PROTOCOL, "chat") == NULL);
	env = environment_of("GET /a%20b/..?q=%20 HTTP/1.1", "Host: h.example:81\r\n" UPGRADE KEY VERSION
	    "Sec-WebSocket-Protocol: chat\r\n", &c);
	CHECK(strstr(env, "\nGATEWAY_INTERFACE=CGI/1.1\n") && strstr(env, "\nSERVER_PROTOCOL=HTTP/1.1\n"));
	CHECK(strstr(env, "\nSERVER_NAME=h.example\n") && strstr(env, "\nSERVER_PORT=9000\n"));
	CHECK(strstr(env, "\nREQUEST_METHOD=GET\n") && strstr(env, "\nREQUEST_URI=/a%20b/..?q=%20\n"));
	CHECK(strstr(env, "\nSCRIPT_NAME=\n") && strstr(env, "\nPATH_INFO=/a b/..\n"));
	CHECK(strstr(env, "\nQUERY_STRING=q=%20\n") && strstr(env, "\nREMOTE_ADDR=192.0.2.1\n"));
	CHECK(strstr(env, "\nREMOTE_PORT=4711\n") && strstr(env, "\nWEBSOCKET_PROTOCOL=chat\n"));
	CHECK(strstr(env, "\nHTTP_HOST=h.example:81\n") && strstr(env, "\nSERVER_SOFTWARE=fittings/"));
	env = environment_of("GET http://x:82 HTTP/1.1", "Host: h.example\r\n" UPGRADE KEY VERSION, &none);
	CHECK(strstr(env, "\nSERVER_PORT=82\n") && strstr(env, "\nHTTP_HOST=x:82\n"));
	CHECK(strstr(env, "\nPATH_INFO=/\n") && strstr(env, "\nREQUEST_URI=http://x:82\n"));
	CHECK(!strstr(env, "REMOTE_") && !strstr(env, "\nWEBSOCKET_PROTOCOL="));
	env = environment_of("GET / HTTP/1.1", GOOD, &none);
	CHECK(strstr(env, "\nSERVER_PORT=80\n"));
}

TEST(a_field_cannot_pose_as_another)
{
	const struct cgi_connection none = {0};
	const char *env;

	env = environment_of("GET / HTTP/1.1", GOOD "Proxy: http://evil\r\nPROXY: x\r\nX_A: 1\r\nX.A: 2\r\nX-A: 3\r\n"
	    "x-a:\r\nX-a: 4, 5\r\nPATH: /evil\r\nLD_PRELOAD: evil\r\nCookie: `id` $(id)\r\n", &none);
	CHECK(!strstr(env, "PROXY") && !strstr(env, "evil\n\n"));
	CHECK(strstr(env, "\nHTTP_X_A=3, , 4, 5\n") && strstr(env, "HTTP_X_A=") == strrchr(env, '\0') - strlen(strstr(env, "HTTP_X_A=")));
	CHECK(strstr(env, "\nHTTP_PATH=/evil\n") && !strstr(env, "\nPATH=") && !strstr(env, "PRELOAD"));
	CHECK(strstr(env, "\nHTTP_COOKIE=`id` $(id)\n"));
	env = environment_of("GET / HTTP/1.1", GOOD "Cookie: a=1, 2\r\nX: y\r\nx: z\r\nCOOKIE: b=3\r\n", &none);
	CHECK(strstr(env, "\nHTTP_COOKIE=a=1, 2; b=3\n") && strstr(env, "\nHTTP_X=y, z\n"));
}

/* Return the user of an Authorization value, or "none". */
static const char *
user_of(const char *fields)
{
	static char user[CGI_USER_SIZE];

	CHECK(judge("GET / HTTP/1.1", fields) == 426);
	return cgi_user(&request, user) ? user : "none";
}

TEST(the_user_of_Basic_credentials_is_the_text_before_the_colon)
{
	static const char *const none[] = {
		"", "Authorization: Basic\r\n", "Authorization: Basic ann:secret\r\n", "Authorization: Basic YW5u\r\n",
		"Authorization: Bearer YW5uOg==\r\n", "Authorization: BasicYW5uOg==\r\n", "Authorization: Basic YW5uOg\r\n",
		"Authorization: Basic YW5uOg==\r\nAuthorization: Basic YW5uOg==\r\n", "Authorization: Basic YW5uOg==, x\r\n",
		"Authorization: Basic YQpiOg==\r\n", "Authorization: Basic YQBiOg==\r\n", "Authorization: Basic YQliOg==\r\n",
	};
	char fields[256];

	CHECK(strcmp(user_of(HOST "Authorization: Basic YW5uOnNlOmNyZXQ=\r\n"), "ann") == 0);
	CHECK(strcmp(user_of(HOST "authorization: bASIC   OnNlY3JldA==\r\n"), "") == 0);
	CHECK(strcmp(user_of(HOST "Authorization: Basic YSBiXHM6CgAK\r\n"), "a b\\s") == 0);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		(void)snprintf(fields, sizeof fields, HOST "%s", none[i]);
		CHECK(strcmp(user_of(fields), "none") == 0);
	}
}

TEST(a_401_asks_for_a_password_in_a_realm)
{
	static char longest[POLICY_REALM_MAX + 2];

	CHECK(policy_set_realm(&policy, "a\\b\"c \xc3\xa9") == NULL);
	handshake_refuse(&decision, HTTP_UNAUTHORIZED, "no");
	answer[handshake_answer(&policy, NULL, &decision, 0, answer)] = '\0';
	CHECK(answer_has("HTTP/1.1 401 Unauthorized\r\n"));
	CHECK(answer_has("\r\nWWW-Authenticate: Basic realm=\"a\\\\b\\\"c \xc3\xa9\", charset=\"UTF-8\"\r\n"));
	CHECK(get(GOOD "Origin: http://evil\r\n") == 403 && !answer_has("Authenticate"));
	CHECK(policy_set_realm(&policy, "a\r\nb") != NULL && policy_set_realm(&policy, "a\tb") != NULL);
	CHECK(policy_set_realm(&policy, "") == NULL);
	memset(longest, '"', sizeof longest - 1);
	CHECK(policy_set_realm(&policy, longest) != NULL && policy_set_realm(&policy, longest + 1) == NULL);
	answer[handshake_answer(&policy, NULL, &decision, 0, answer)] = '\0';
	CHECK(get(HOST) == 426);
}

TEST(variables_of_a_request_are_removed)
{
	CHECK(cgi_owns("AUTH_TYPE=x") && cgi_owns("REMOTE_USER="));
	CHECK(cgi_owns("HTTP_ORIGIN=x") && cgi_owns("HTTP_=") && cgi_owns("PATH_INFO=") && cgi_owns("REMOTE_ADDR=1"));
	CHECK(cgi_owns("WEBSOCKET_PROTOCOL=") && cgi_owns("WEBSOCKET_EXTENSIONS=permessage-deflate"));
	CHECK(!cgi_owns("PATH=/bin") && !cgi_owns("HTTPS=on") && !cgi_owns("PATH_INFOX=") && !cgi_owns("PATH_INFO"));
	CHECK(!cgi_owns("") && !cgi_owns("http_proxy=x"));
}

/* All variables of the largest head fit. */
TEST(the_largest_environment_fits)
{
	static char head[HTTP_HEAD_MAX + 1], out[CGI_SIZE];
	struct strbuf text = {.at = out, .capacity = sizeof out};
	const struct cgi_connection none = {0};
	size_t n = (size_t)snprintf(head, sizeof head, "GET http://h/");
	static const char rest[] = " HTTP/1.1\r\n" GOOD "\r\n";

	memset(head + n, 'a', sizeof head - n);
	memcpy(head + HTTP_HEAD_MAX - (sizeof rest - 1), rest, sizeof rest - 1);
	CHECK(http_request_parse(head, HTTP_HEAD_MAX, &request) == NULL);
	handshake_check(&policy, &request, &decision);
	CHECK(decision.status == 101);
	CHECK(cgi_environment(&request, &decision, &none, &text) > 10 && !text.cut);
}

static const unsigned char nonce[] = "the sample nonce";
static char asked[CLIENT_REQUEST_SIZE + 1];

static size_t
ask(const char *url)
{
	struct client_url u;
	size_t n;

	CHECK(client_url_parse(url, &u) == NULL);
	n = client_request(&policy, &u, nonce, asked);
	asked[n] = '\0';
	return n;
}

TEST(a_client_sends_the_request_of_RFC_6455_section_4_1)
{
	CHECK(policy_add(&policy, POLICY_PROTOCOL, "a") == NULL && policy_add(&policy, POLICY_PROTOCOL, "b") == NULL);
	CHECK(policy_add(&policy, POLICY_ORIGIN, "http://o") == NULL);
	CHECK(policy_add(&policy, POLICY_FIELD, "Cookie:  c=d") == NULL);
	CHECK(ask("ws://H.example:81/x?y") > 0);
	CHECK(strcmp(asked, "GET /x?y HTTP/1.1\r\nHost: H.example:81\r\n" UPGRADE KEY VERSION
	    "Origin: http://o\r\nSec-WebSocket-Protocol: a, b\r\nCookie: c=d\r\n\r\n") == 0);
	rules_none();
	CHECK(ask("ws://h:80?q") > 0);
	CHECK(strcmp(asked, "GET /?q HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY VERSION "\r\n") == 0);
}

TEST(a_request_too_long_for_any_server_is_not_made)
{
	static char url[HTTP_HEAD_MAX + 16] = "ws://h/";

	memset(url + 7, 'a', HTTP_HEAD_MAX);
	CHECK(ask(url) == 0);
}

TEST(a_client_has_one_origin_and_no_rules_of_a_server)
{
	static const struct {
		enum policy_kind kind;
		const char *text;
	} bad[] = {
		{POLICY_ORIGIN, "http://p"}, {POLICY_ORIGIN, "*"}, {POLICY_ORIGIN, "ws://*.a.b"}, {POLICY_HOST, "h"}, {POLICY_PATH, "/"},
	};
	struct span culprit;

	CHECK(policy_add(&policy, POLICY_ORIGIN, "http://o") == NULL && policy_fault(&policy, true, &culprit) == NULL);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(policy_add(&policy, bad[i].kind, bad[i].text) == NULL);
		CHECK(policy_fault(&policy, true, &culprit) != NULL && policy_fault(&policy, false, &culprit) == NULL);
		rules_none();
	}
}

/* Set the text shown for a refusal with these fields and body, and whether reading has ended. */
static bool
refusal_shows(const char *fields, const char *body, const char *shown)
{
	static struct http_response response;
	struct client_refusal refusal;
	struct span line = {"", 0};
	size_t n = strlen(body), at = 0;
	char head[512];
	bool ended = false;

	(void)snprintf(head, sizeof head, "HTTP/1.1 403 No\r\n%s\r\n", fields);
	CHECK(http_response_parse(head, strlen(head), &response) == NULL);
	client_refusal(&response, &refusal);
	CHECK(refusal.most <= CLIENT_BODY_MAX);
	while (at < n && !ended && refusal.most != 0) {
		unsigned char *edge = unit_at_edge(body, ++at);

		ended = client_refusal_line(&refusal, (char *)edge, at, &line);
		unit_drop(edge, at);
	}
	(void)client_refusal_line(&refusal, body, at, &line);
	CHECK(is(line, shown));
	return ended;
}

TEST(a_refusal_shows_the_first_line_of_a_text)
{
#define TEXT "Content-Type: text/plain; charset=utf-8\r\n"
	CHECK(refusal_shows(TEXT, "not today\nnor ever\n", "not today"));
	CHECK(refusal_shows("content-type: TEXT/PLAIN\r\nContent-Length: 3\r\n", "not today\n", "not"));
	CHECK(refusal_shows(TEXT, "\r\nx", ""));
	CHECK(!refusal_shows(TEXT, "not to", "not to"));
	CHECK(refusal_shows(TEXT "Content-Length: 99999999999999999999\r\n", "not today\r\n", "not today"));
	CHECK(!refusal_shows(TEXT "Content-Length: 0\r\n", "not today\r\n", ""));
	CHECK(refusal_shows(TEXT "Transfer-Encoding: chunked\r\n", "3;x\r\nnot\r\n1\r\n", "not"));
	CHECK(!refusal_shows(TEXT "Transfer-Encoding: chunked\r\n", "3;x", ""));
	CHECK(!refusal_shows(TEXT "Content-Encoding: gzip\r\n", "not today\n", ""));
	CHECK(!refusal_shows("Content-Type: text/html\r\n", "not today\n", "") && !refusal_shows("", "not today\n", ""));
}

TEST(a_host_is_this_machine_s_own)
{
	static const char *const own[] = {"localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"},
	    *const others[] = {"h", "localhost.h", "xlocalhost", ".localhost.", "128.0.0.1", "127.evil", "127x0", "[::2]", ".localhost"};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		CHECK(client_host_loopback(span_of(own[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(!client_host_loopback(span_of(others[i])));
}
