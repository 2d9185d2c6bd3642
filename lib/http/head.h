/*
 * The head of an HTTP/1 message, request or response: its end found as it
 * arrives, then taken apart into slices of the caller's bytes. Strict (RFC
 * 9112, RFC 9110 section 5): lines end in CRLF, no folded line, no control
 * byte, no blank around a name.
 */
#ifndef FITTINGS_HEAD_H
#define FITTINGS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "base/strbuf.h"

enum { HTTP_HEAD_MAX = 16 * 1024, HTTP_FIELDS_MAX = 100 };

enum http_status {
	HTTP_SWITCHING_PROTOCOLS = 101,
	HTTP_OK = 200,
	HTTP_NO_CONTENT = 204,
	HTTP_BAD_REQUEST = 400,
	HTTP_UNAUTHORIZED = 401,
	HTTP_FORBIDDEN = 403,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_REQUEST_TIMEOUT = 408,
	HTTP_URI_TOO_LONG = 414,
	HTTP_UPGRADE_REQUIRED = 426,
	HTTP_FIELDS_TOO_LARGE = 431,
	HTTP_INTERNAL_ERROR = 500,
	HTTP_SERVICE_UNAVAILABLE = 503,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

/* The reason phrase of one of these. */
const char *http_reason(enum http_status status);

/* The search for the end of a head; all zero at the start. */
struct http_scan {
	size_t seen;     /* bytes looked at */
	unsigned lines;  /* whole lines among them */
	unsigned state;
	const char *why; /* after a negative return */
};

/*
 * Looks at bytes[seen..n) of a head that begins at bytes[0]. Returns the size
 * of the head, its empty line included; 0 where more bytes are needed; or minus
 * the status to refuse it with, as soon as it can never become one that is
 * taken: 400, 414 (16 KiB without the end of the first line) or 431 (16 KiB, or
 * 100 fields). One empty line before the first is let pass (RFC 9112 section 2.2).
 */
int http_scan(struct http_scan *scan, const char *bytes, size_t n);

/* How many more bytes belong to the head for certain (1 to 4), whatever they are. */
size_t http_scan_missing(const struct http_scan *scan);

struct http_field {
	struct span name;
	struct span value; /* without the blanks around it */
};

struct http_fields {
	size_t count;
	struct http_field all[HTTP_FIELDS_MAX];
};

struct http_request {
	struct span method;
	struct span target;    /* as it was sent */
	struct span authority; /* of a target like http://host/path, else empty */
	struct span path;      /* of the target, not decoded; `*` of `OPTIONS *`, empty of CONNECT */
	struct span query;     /* behind the `?`, empty without */
	unsigned major, minor;
	struct http_fields fields;
};

struct http_response {
	struct span line; /* the status line, for people */
	unsigned major, minor;
	unsigned status;
	struct http_fields fields;
};

/*
 * Take a head of n bytes apart, as http_scan() found it. Return NULL, or what
 * is wrong with it (400 is the answer).
 */
const char *http_request_parse(const char *head, size_t n, struct http_request *request);
const char *http_response_parse(const char *head, size_t n, struct http_response *response);

/* The first field of that name (any case) from all[*from] on, *from then is behind it; or NULL. */
const struct http_field *http_field_next(const struct http_fields *fields, const char *name,
    size_t *from);

/* How many there are; *value is that of the first. */
size_t http_field_find(const struct http_fields *fields, const char *name, struct span *value);

/* Takes the next item that is not empty, trimmed, off a comma-separated list. False at its end. */
bool http_list_next(struct span *list, struct span *item);

/* Whether an item of the lists in all fields of that name equals token in any case. */
bool http_list_has(const struct http_fields *fields, const char *name, const char *token);

/* Whether it is a token (RFC 9110 section 5.6.2): a name of a method, a field, a subprotocol. */
bool http_token_valid(struct span text);

/* Whether it can be a field's value: no control byte but the tab. */
bool http_value_valid(struct span text);

/* host[:port] of Host, Origin or a URL (RFC 3986 section 3.2, without userinfo). */
struct http_authority {
	struct span host; /* not empty; an IPv6 address in its brackets */
	int port;         /* -1 where there is none, or nothing behind the colon */
};

bool http_authority_parse(struct span text, struct http_authority *authority);

/* The same host; brackets around an IPv6 address make no difference. */
bool http_host_equal(struct span a, struct span b);

/*
 * Percent-decoding of a path, byte by byte: the next byte of *path, -1 at its
 * end, -2 for an escape that is none, or is %00.
 */
enum { HTTP_PATH_END = -1, HTTP_PATH_BAD = -2 };
int http_path_next(struct span *path);

/* Appends `Name: value` and its CRLF. */
void http_put_field(struct strbuf *out, struct span name, struct span value);

#endif
