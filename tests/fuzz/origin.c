/* Authorities, origins and their comparison, client URLs and paths, compared with regular
 * expressions. */
#include <strings.h>

#include "ws/url.h"
#include "http/head.h"
#include "http/origin.h"
#include "fuzz.h"

#define HOST "([-A-Za-z0-9._~!$&'()*+,;=]|%[0-9A-Fa-f][0-9A-Fa-f])+|\\[[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\\]"
#define AUTHORITY "(" HOST ")(:([0-9]*))?"

/* Parse a text as host and port; the port is -1 if absent, -2 if too large. */
static bool
naive_authority(const char *text, struct span *host, int *port)
{
	static const char pattern[] = "^" AUTHORITY "$";
	regmatch_t g[5];
	const char *digits;

	if (!fuzz_matches(pattern, text, g, 5))
		return false;
	*host = (struct span){text + g[1].rm_so, (size_t)(g[1].rm_eo - g[1].rm_so)};
	*port = -1;
	if (g[4].rm_so < 0 || g[4].rm_so == g[4].rm_eo)
		return true;
	digits = text + g[4].rm_so;
	while (*digits == '0' && digits[1] != '\0')
		digits++;
	*port = strlen(digits) > 5 || atoi(digits) > 65535 ? -2 : atoi(digits);
	return *port != -2;
}

static void
authority(const char *text)
{
	struct http_authority got;
	struct span host;
	int port = 0;
	bool is = naive_authority(text, &host, &port);

	FUZZ_CHECK(http_authority_parse(span_of(text), &got) == is);
	FUZZ_CHECK(!is || (span_equal(got.host, host) && got.port == port));
}

static bool
naive_origin(const char *text, struct span *scheme, struct span *host, int *port)
{
	static const char pattern[] = "^([-!#$%&'*+.^_`|~0-9A-Za-z]+)://";
	regmatch_t g[2];

	if (!fuzz_matches(pattern, text, g, 2))
		return false;
	*scheme = (struct span){text, (size_t)g[1].rm_eo};
	return naive_authority(text + g[0].rm_eo, host, port);
}

static int
naive_port(struct span scheme, int port)
{
	if (port >= 0)
		return port;
	if (span_equal_case(scheme, span_of("http")) || span_equal_case(scheme, span_of("ws")))
		return 80;
	if (span_equal_case(scheme, span_of("https")) || span_equal_case(scheme, span_of("wss")))
		return 443;
	return -1;
}

static void
origins(const char *a, const char *b)
{
	struct span scheme_a, scheme_b, host_a, host_b;
	int port_a, port_b;
	struct origin oa, ob;
	bool is_a = naive_origin(a, &scheme_a, &host_a, &port_a), is_b = naive_origin(b, &scheme_b, &host_b, &port_b);
	bool same_host;

	FUZZ_CHECK(origin_parse(span_of(a), &oa) == is_a && origin_parse(span_of(b), &ob) == is_b);
	if (!is_a || !is_b)
		return;
	same_host = span_equal_case(host_a, host_b);
	FUZZ_CHECK(origins_equal(&oa, &ob) == (same_host && span_equal_case(scheme_a, scheme_b)
	    && naive_port(scheme_a, port_a) == naive_port(scheme_b, port_b)));
	FUZZ_CHECK(origins_equal(&oa, &ob) == origins_equal(&ob, &oa) && origins_equal(&oa, &oa));
	/* The authority of b as a Host: its missing port is that of the scheme of a. */
	FUZZ_CHECK(origin_is_own(&oa, &ob.where) == (same_host && naive_port(scheme_a, port_a) >= 0
	    && naive_port(scheme_a, port_a) == naive_port(scheme_a, port_b)));
}

/* a as a pattern for b. */
static void
patterns(const char *a, const char *b)
{
	static const char pattern[] = "^([-!#$%&'+.^_`|~0-9A-Za-z]+)://\\*((\\.[-A-Za-z0-9_]+)+\\.[A-Za-z][-A-Za-z0-9_]*"
	    "|\\.[lL][oO][cC][aA][lL][hH][oO][sS][tT])(:([0-9]*))?$";
	static const char labels[] = "^[-A-Za-z0-9_]+(\\.[-A-Za-z0-9_]+)*$";
	struct span scheme_a, scheme_b, host_a, host_b;
	int port_a, port_b;
	struct origin oa, ob;
	regmatch_t g[6];
	char before[256] = "";
	bool is = fuzz_matches(pattern, a, g, 6) && naive_origin(a, &scheme_a, &host_a, &port_a);

	FUZZ_CHECK(origin_pattern_parse(span_of(a), &oa) == is);
	if (!is || !origin_parse(span_of(b), &ob) || !naive_origin(b, &scheme_b, &host_b, &port_b))
		return;
	is = span_equal_case(scheme_a, scheme_b) && naive_port(scheme_a, port_a) == naive_port(scheme_b, port_b)
	    && host_b.size >= host_a.size
	    && strncasecmp(host_b.at + host_b.size - (host_a.size - 1), host_a.at + 1, host_a.size - 1) == 0;
	if (is)
		memcpy(before, host_b.at, host_b.size - (host_a.size - 1));
	FUZZ_CHECK(origin_pattern_matches(&oa, &ob) == (is && fuzz_matches(labels, before, NULL, 0)));
}

static void
url(const char *text)
{
	static const char pattern[] = "^[wW][sS]://(" AUTHORITY ")([/?][!\"$-~]*)?$";
	struct client_url got;
	regmatch_t g[7];
	bool is = fuzz_matches(pattern, text, g, 7);
	char where[256];
	struct span host;
	int port;

	if (is) {
		(void)snprintf(where, sizeof where, "%.*s", (int)(g[1].rm_eo - g[1].rm_so), text + g[1].rm_so);
		is = naive_authority(where, &host, &port);
	}
	FUZZ_CHECK((client_url_parse(text, &got) == NULL) == is);
	FUZZ_CHECK(!is || (span_equal(got.authority, span_of(where)) && got.host.port == port));
	FUZZ_CHECK(!is || got.path_query.at + got.path_query.size == text + strlen(text));
}

static void
path(const char *text)
{
	struct span rest = span_of(text);
	int c = 0;

	for (const char *p = text; *p != '\0';) {
		unsigned byte = (unsigned char)*p;
		int used = 1;

		if (*p == '%' && (sscanf(p, "%%%2x%n", &byte, &used) != 1 || used != 3 || byte == 0
		    || strspn(p + 1, "0123456789abcdefABCDEF") < 2)) {
			FUZZ_CHECK(http_path_next(&rest) == HTTP_PATH_BAD);
			return;
		}
		c = http_path_next(&rest);
		FUZZ_CHECK(c == (int)byte);
		p += used;
	}
	FUZZ_CHECK(http_path_next(&rest) == HTTP_PATH_END);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char text[256], *other;

	fuzz_string(text, sizeof text - 1, bytes, size);
	authority(text);
	url(text);
	path(text);
	other = strchr(text, '\n');
	if (other != NULL)
		*other++ = '\0';
	origins(text, other == NULL ? text : other);
	patterns(text, other == NULL ? text : other);
	return 0;
}
