/* HTTP heads (RFC 9112, RFC 9110 section 5). Malformed ones are cases of wsprobe and of the fuzz
   targets http_request and http_response; authorities and paths are seeds of origin. */
#include "http/head.h"

#include "unit.h"

enum { BIG = HTTP_HEAD_MAX + 4096 };

/* Scan with the bytes arriving in pieces of step. Return the last result. */
static int
scan_in_steps(const char *bytes, size_t n, size_t step, struct http_scan *scan)
{
	*scan = (struct http_scan){0};
	for (size_t have = 0; have < n;) {
		size_t next = have + step < n ? have + step : n;
		unsigned char *edge = n < 1024 ? unit_at_edge(bytes, next) : NULL;
		int found = http_scan(scan, edge == NULL ? bytes : (char *)edge, next);

		if (edge != NULL)
			unit_drop(edge, next);
		if (found != 0)
			return found;
		have = next;
	}
	return 0;
}

/* Whole, byte by byte, and divided at every byte. */
static bool
scans_to(const char *bytes, size_t n, int expected)
{
	struct http_scan scan;
	bool good = scan_in_steps(bytes, n, n, &scan) == expected
	    && scan_in_steps(bytes, n, 1, &scan) == expected;

	for (size_t cut = 1; good && cut < n && n < 512; cut++) {
		scan = (struct http_scan){0};
		int found = http_scan(&scan, bytes, cut);

		good = (found != 0 ? found : http_scan(&scan, bytes, n)) == expected;
	}
	return good;
}

static bool
text_scans_to(const char *text, int expected)
{
	return scans_to(text, strlen(text), expected);
}

TEST(a_head_ends_after_its_empty_line)
{
	CHECK(text_scans_to("GET / HTTP/1.1\r\n\r\n", 18));
	CHECK(text_scans_to("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27));
	CHECK(text_scans_to("GET / HTTP/1.1\r\nHost: x\r\n\r\nmore\n\0", 27));
	CHECK(text_scans_to("GET / HTTP/1.1\r\nHost: x\r\n", 0));
	CHECK(text_scans_to("GET / HTTP/1.1\r\nHost: x\r\n\r", 0));
	CHECK(text_scans_to("G", 0));
}

TEST(one_empty_line_may_come_first)
{
	CHECK(text_scans_to("\r\nGET / HTTP/1.1\r\n\r\n", 20));
	CHECK(text_scans_to("\r\n\r\nGET / HTTP/1.1\r\n\r\n", -400));
}

TEST(tabs_and_bytes_above_ASCII_pass_in_values)
{
	CHECK(text_scans_to("GET / HTTP/1.1\r\nA:\tb\xff\xc3\xa9\r\n\r\n", 27));
}

TEST(a_head_of_16_KiB_passes_and_one_byte_more_is_431)
{
	static char head[BIG];
	size_t begin = strlen("GET / HTTP/1.1\r\nA: ");

	memset(head, 'a', sizeof head);
	memcpy(head, "GET / HTTP/1.1\r\nA: ", begin);
	memcpy(head + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	CHECK(scans_to(head, HTTP_HEAD_MAX, HTTP_HEAD_MAX));
	CHECK(scans_to(head, sizeof head, HTTP_HEAD_MAX));
	memcpy(head + HTTP_HEAD_MAX - 4, "a\r\n\r\n", 5);
	CHECK(scans_to(head, sizeof head, -431));
	CHECK(scans_to(head, HTTP_HEAD_MAX - 1, 0));
}

TEST(a_first_line_without_end_is_414)
{
	static char head[BIG];

	memset(head, 'a', sizeof head);
	CHECK(scans_to(head, sizeof head, -414));
	CHECK(scans_to(head, HTTP_HEAD_MAX, -414));
	CHECK(scans_to(head, HTTP_HEAD_MAX - 1, 0));
}

static size_t
head_of_fields(char *out, unsigned count)
{
	size_t n = (size_t)sprintf(out, "GET / HTTP/1.1\r\n");

	while (count-- > 0)
		n += (size_t)sprintf(out + n, "a: b\r\n");
	return n + (size_t)sprintf(out + n, "\r\n");
}

TEST(a_hundred_fields_pass_and_one_more_is_431)
{
	static char head[4096];
	static struct http_request r;
	size_t n = head_of_fields(head, 100);

	CHECK(scans_to(head, n, (int)n));
	CHECK(http_request_parse(head, n, &r) == NULL && r.fields.count == 100);
	n = head_of_fields(head, 101);
	CHECK(scans_to(head, n, -431));
	CHECK(http_request_parse(head, n, &r) != NULL);
}

TEST(the_missing_bytes_never_exceed_the_head)
{
	static const char head[] = "\r\nGET / HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n";
	struct http_scan scan = {0};
	size_t n = sizeof head - 1;

	for (size_t have = 0; have < n; have++) {
		CHECK(http_scan(&scan, head, have) == 0);
		CHECK(http_scan_missing(&scan) >= 1 && http_scan_missing(&scan) <= n - have);
	}
	CHECK(http_scan_missing(&scan) == 1);
}

static const char *
parse(const char *head, struct http_request *r)
{
	static unsigned char *edge;
	static size_t size;

	if (edge != NULL)
		unit_drop(edge, size);
	size = strlen(head);
	edge = unit_at_edge(head, size);
	return http_request_parse((char *)edge, size, r);
}

static bool
is(struct span span, const char *text)
{
	return span_equal(span, span_of(text));
}

TEST(a_request_is_taken_apart)
{
	static struct http_request r;

	CHECK(parse("GET /a%20b?c=d&e HTTP/1.1\r\nHost: example.com\r\nA:b\r\nEmpty:\r\nSpaces: \t x y \t\r\n\r\n",
	    &r) == NULL);
	CHECK(is(r.method, "GET") && is(r.target, "/a%20b?c=d&e") && is(r.path, "/a%20b") && is(r.query, "c=d&e"));
	CHECK(r.major == 1 && r.minor == 1 && r.authority.size == 0 && r.fields.count == 4);
	CHECK(is(r.fields.all[0].name, "Host") && is(r.fields.all[0].value, "example.com"));
	CHECK(is(r.fields.all[1].name, "A") && is(r.fields.all[1].value, "b"));
	CHECK(is(r.fields.all[2].name, "Empty") && is(r.fields.all[2].value, ""));
	CHECK(is(r.fields.all[3].value, "x y"));
	CHECK(parse("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", &r) != NULL);
	CHECK(parse("\r\nGET / HTTP/2.0\r\n\r\n", &r) == NULL && r.major == 2 && r.minor == 0);
}

TEST(a_target_has_four_forms)
{
	static struct http_request r;

	CHECK(parse("GET http://example.com:81/x?y HTTP/1.1\r\n\r\n", &r) == NULL);
	CHECK(is(r.authority, "example.com:81") && is(r.path, "/x") && is(r.query, "y"));
	CHECK(parse("GET HTTPS://[::1] HTTP/1.1\r\n\r\n", &r) == NULL);
	CHECK(is(r.authority, "[::1]") && is(r.path, "/") && is(r.query, ""));
	CHECK(parse("GET http://h?q HTTP/1.1\r\n\r\n", &r) == NULL && is(r.path, "/") && is(r.query, "q"));
	CHECK(parse("OPTIONS * HTTP/1.1\r\n\r\n", &r) == NULL && is(r.path, "*"));
	CHECK(parse("CONNECT h:1 HTTP/1.1\r\n\r\n", &r) == NULL && r.path.size == 0);
	CHECK(parse("GET /? HTTP/1.1\r\n\r\n", &r) == NULL && is(r.path, "/") && is(r.query, ""));
	CHECK(parse("GET //a?b?c HTTP/1.1\r\n\r\n", &r) == NULL && is(r.path, "//a") && is(r.query, "b?c"));
	CHECK(parse("GET /{|}\"^`\\ HTTP/1.1\r\n\r\n", &r) == NULL && is(r.path, "/{|}\"^`\\"));
}

/* A valid head cut off anywhere, or with one changed byte, is never read beyond its end. */
TEST(no_damage_makes_it_read_past_the_end)
{
	static const char head[] = "GET http://h:1/%41?q HTTP/1.1\r\nHost: h\r\nA: b, c\r\n\r\n";
	static struct http_request r;
	static struct http_response answer;

	for (size_t n = 0; n < sizeof head; n++) {
		unsigned char *edge = unit_at_edge(head, n);

		for (size_t i = 0; i < n; i++) {
			unsigned char was = edge[i];
			static const unsigned char breaks[] = {0, ' ', ':', '\r', '\n', ',', '%', '/', 'x', 0xff};

			for (size_t b = 0; b < sizeof breaks; b++) {
				edge[i] = breaks[b];
				(void)http_request_parse((char *)edge, n, &r);
				(void)http_response_parse((char *)edge, n, &answer);
			}
			edge[i] = was;
		}
		CHECK((http_request_parse((char *)edge, n, &r) == NULL) == (n == sizeof head - 1));
		unit_drop(edge, n);
	}
}

TEST(a_response_is_taken_apart)
{
	static struct http_response r;
	static const char head[] = "HTTP/1.1 101 Switching \xc3\xa9\r\nA: b\r\n\r\n";

	CHECK(http_response_parse(head, sizeof head - 1, &r) == NULL);
	CHECK(r.major == 1 && r.minor == 1 && r.status == 101 && r.fields.count == 1);
	CHECK(is(r.line, "HTTP/1.1 101 Switching \xc3\xa9"));
	CHECK(http_response_parse("HTTP/1.1 404 \r\n\r\n", 17, &r) == NULL && r.status == 404);
}

TEST(lists_are_read_over_several_lines_and_in_any_case)
{
	static struct http_request r;
	struct span list, item, value;

	CHECK(parse("GET / HTTP/1.1\r\nConnection: keep-alive\r\nX: y\r\ncOnnection: ,\t, a,UPgrade ,\r\n\r\n", &r)
	    == NULL);
	CHECK(http_list_has(&r.fields, "Connection", "upgrade"));
	CHECK(http_list_has(&r.fields, "connection", "Keep-Alive"));
	CHECK(!http_list_has(&r.fields, "Connection", "keep"));
	CHECK(!http_list_has(&r.fields, "Connection", "upgrade-insecure"));
	CHECK(!http_list_has(&r.fields, "Connection", ""));
	CHECK(!http_list_has(&r.fields, "Upgrade", "a"));
	CHECK(http_field_find(&r.fields, "CONNECTION", &value) == 2 && is(value, "keep-alive"));
	list = span_of(" a ,,b\t,\t");
	CHECK(http_list_next(&list, &item) && is(item, "a"));
	CHECK(http_list_next(&list, &item) && is(item, "b"));
	CHECK(!http_list_next(&list, &item));
}

TEST(tokens_are_tokens)
{
	CHECK(http_token_valid(span_of("!#$%&'*+-.^_`|~09azAZ")));
	for (unsigned c = 0; c < 256; c++) {
		char text = (char)c;
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		    || (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);

		CHECK(http_token_valid((struct span){&text, 1}) == good);
	}
	CHECK(!http_token_valid(span_of("")) && !http_token_valid(span_of("a b")));
}
