#include "http/origin.h"

bool
origin_parse(struct span text, struct origin *origin)
{
	const char *colon = text.size == 0 ? NULL : memchr(text.at, ':', text.size);
	size_t scheme;

	if (colon == NULL)
		return false;
	scheme = (size_t)(colon - text.at);
	origin->scheme = (struct span){text.at, scheme};
	return http_token_valid(origin->scheme) && text.size - scheme > 3
	    && memcmp(colon, "://", 3) == 0
	    && http_authority_parse(span_skip(text, scheme + 3), &origin->where);
}

/* Return the default port of a scheme, or -1 if it is unknown. */
static int
default_port(struct span scheme)
{
	if (span_equal_case(scheme, span_of("http")) || span_equal_case(scheme, span_of("ws")))
		return 80;
	if (span_equal_case(scheme, span_of("https")) || span_equal_case(scheme, span_of("wss")))
		return 443;
	return -1;
}

static int
port_or(int port, int otherwise)
{
	return port >= 0 ? port : otherwise;
}

bool
origin_is_own(const struct origin *origin, const struct http_authority *host)
{
	int standard = default_port(origin->scheme);
	int port = port_or(origin->where.port, standard);

	return port >= 0 && port == port_or(host->port, standard)
	    && span_equal_case(origin->where.host, host->host);
}

static bool
scheme_and_port_equal(const struct origin *a, const struct origin *b)
{
	int standard = default_port(a->scheme);

	return span_equal_case(a->scheme, b->scheme)
	    && port_or(a->where.port, standard) == port_or(b->where.port, standard);
}

bool
origins_equal(const struct origin *a, const struct origin *b)
{
	return scheme_and_port_equal(a, b) && span_equal_case(a->where.host, b->where.host);
}

static bool
is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Return the number of dot-separated labels, or 0 if one of them is invalid. */
static size_t
labels_count(struct span text)
{
	size_t count = 0, size = 0;

	for (size_t i = 0; i <= text.size; i++) {
		char c = i == text.size ? '.' : text.at[i];

		if (c == '.' ? size == 0 : !is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return 0;
		count += c == '.';
		size = c == '.' ? 0 : size + 1;
	}
	return count;
}

/* Return the suffix of a pattern's host, including its dot. */
static struct span
pattern_suffix(const struct origin *pattern)
{
	return span_skip(pattern->where.host, 1);
}

bool
origin_pattern_parse(struct span text, struct origin *pattern)
{
	struct span suffix;
	size_t last, labels;

	if (!origin_parse(text, pattern) || memchr(pattern->scheme.at, '*', pattern->scheme.size) != NULL
	    || pattern->where.host.size < 3 || memcmp(pattern->where.host.at, "*.", 2) != 0)
		return false;
	suffix = span_skip(pattern_suffix(pattern), 1);
	labels = labels_count(suffix);
	for (last = suffix.size; last > 0 && suffix.at[last - 1] != '.'; last--)
		;
	/* If the last label begins with a digit, the suffix is an IPv4 address or a part of one. */
	return labels != 0 && is_letter(suffix.at[last])
	    && (labels >= 2 || span_equal_case(suffix, span_of("localhost")));
}

bool
origin_pattern_matches(const struct origin *pattern, const struct origin *origin)
{
	struct span suffix = pattern_suffix(pattern), host = origin->where.host;

	if (!scheme_and_port_equal(pattern, origin) || host.size <= suffix.size)
		return false;
	return span_equal_case(span_skip(host, host.size - suffix.size), suffix)
	    && labels_count((struct span){host.at, host.size - suffix.size}) != 0;
}
