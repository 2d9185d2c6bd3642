#include "codec/origin.h"

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
	    && http_authority_parse(span_behind(text, scheme + 3), &origin->where);
}

/* The port that a scheme means where none is written, -1 where that is unknown. */
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

bool
origins_equal(const struct origin *a, const struct origin *b)
{
	int standard = default_port(a->scheme);

	return span_equal_case(a->scheme, b->scheme)
	    && span_equal_case(a->where.host, b->where.host)
	    && port_or(a->where.port, standard) == port_or(b->where.port, standard);
}
