/* The origin of a page, as browsers send it in Origin (RFC 6454, section 6.2). */
#ifndef FITTINGS_ORIGIN_H
#define FITTINGS_ORIGIN_H

#include <stdbool.h>

#include "http/head.h"
#include "base/span.h"

struct origin {
	struct span scheme;
	struct http_authority where;
};

/* Parse scheme://host[:port] with nothing after it. */
bool origin_parse(struct span text, struct origin *origin);

/* Return whether the origin has the host and port of the Host field. A missing port means the default of the
 * origin's scheme. The scheme is not compared, because a proxy may have terminated TLS. */
bool origin_is_own(const struct origin *origin, const struct http_authority *host);

/* Return whether scheme, host and port are equal. A default port may be written or omitted. */
bool origins_equal(const struct origin *a, const struct origin *b);

/* Parse a pattern whose host is `*.SUFFIX`. The suffix is localhost, or has at least two labels and is not an IPv4
 * address. Labels consist of letters, digits, `-` and `_`. */
bool origin_pattern_parse(struct span text, struct origin *pattern);

/* Return whether the origin has the pattern's scheme and port, and its suffix after one or more labels. */
bool origin_pattern_matches(const struct origin *pattern, const struct origin *origin);

#endif
