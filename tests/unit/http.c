/* HTTP heads (RFC 9112, RFC 9110 section 5). Lines, fields and limits, and malformed heads, are seeds of the fuzz targets
   http_request and http_response and cases of wsprobe; authorities and paths are seeds of origin. */
#include "http/head.h"

#include "unit.h"

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

TEST(a_target_has_four_forms)
{
	static const struct {
		const char *line, *authority, *path, *query;
	} rows[] = {
		{"GET /a%20b?c=d&e", "", "/a%20b", "c=d&e"}, {"GET /?", "", "/", ""}, {"GET //a?b?c", "", "//a", "b?c"},
		{"GET /{|}\"^`\\", "", "/{|}\"^`\\", ""}, {"GET http://example.com:81/x?y", "example.com:81", "/x", "y"},
		{"GET HTTPS://[::1]", "[::1]", "/", ""}, {"GET http://h?q", "h", "/", "q"}, {"OPTIONS *", "", "*", ""},
		{"CONNECT h:1", "", "", ""},
	};
	static struct http_request r;
	char head[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)snprintf(head, sizeof head, "%s HTTP/1.1\r\n\r\n", rows[i].line);
		CHECK(parse(head, &r) == NULL && is(r.authority, rows[i].authority) && is(r.path, rows[i].path)
		    && is(r.query, rows[i].query));
	}
	CHECK(parse("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", &r) != NULL);
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

TEST(empty_items_of_a_list_do_not_count)
{
	struct span list = span_of(" a ,,b\t,\t"), item;

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
