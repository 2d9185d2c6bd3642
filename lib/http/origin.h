/* Where a page came from, as browsers write it into Origin (RFC 6454 section 6.2). */
#ifndef FITTINGS_ORIGIN_H
#define FITTINGS_ORIGIN_H

#include <stdbool.h>

#include "http/head.h"
#include "base/span.h"

struct origin {
	struct span scheme;
	struct http_authority where;
};

/* scheme://host[:port], nothing behind it. */
bool origin_parse(struct span text, struct origin *origin);

/*
 * Whether a page of that origin came from the very host and port that Host
 * names; a missing port is that of the origin's scheme. The scheme itself is
 * not compared: TLS may have ended before us.
 */
bool origin_is_own(const struct origin *origin, const struct http_authority *host);

/* The same scheme, host and port, written out or not. */
bool origins_equal(const struct origin *a, const struct origin *b);

/*
 * A pattern's host is `*.SUFFIX`: a suffix of at least two labels that is no
 * IPv4 address, or localhost. Labels are letters, digits, `-` and `_`.
 */
bool origin_pattern_parse(struct span text, struct origin *pattern);

/* The pattern's scheme and port, and its suffix behind one or more labels. */
bool origin_pattern_matches(const struct origin *pattern, const struct origin *origin);

#endif
