/*
 * The head of an HTTP/1 request or response. Its end is found as the bytes arrive; then it is
 * parsed into slices of the caller's bytes. The parser is strict (RFC 9112; RFC 9110, section 5):
 * lines end with CRLF; no folded lines, no control bytes, no blanks around a name.
 */
#ifndef FITTINGS_HEAD_H
#define FITTINGS_HEAD_H

#include <stdbool.h>
#include <stddef.h>

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

/* Return the reason phrase of a status. */
const char *http_reason(enum http_status status);

/* State of the search for the end of a head; all zero initially. */
struct http_scan {
	size_t examined; /* bytes */
	unsigned lines;  /* complete lines in them */
	unsigned state;
	const char *why; /* after a negative return */
};

/*
 * Examine bytes[examined..n) of a head that begins at bytes[0]. Return the size of the head including its empty line; 0
 * if more bytes are needed; or the negative status of the response if the head is invalid: 400, 414 (16 KiB without
 * the end of the first line) or 431 (more than 16 KiB or 100 fields). An error is reported at the first byte that
 * causes it. One empty line before the first line is skipped (RFC 9112, section 2.2).
 */
int http_scan(struct http_scan *scan, const char *bytes, size_t n);

/* Return how many more bytes (1 to 4) certainly belong to the head. */
size_t http_scan_missing(const struct http_scan *scan);

struct http_field {
	struct span name;
	struct span value; /* without surrounding blanks */
};

struct http_fields {
	size_t count;
	struct http_field all[HTTP_FIELDS_MAX];
};

struct http_request {
	struct span method;
	struct span target;    /* as received */
	struct span authority; /* of an absolute target such as http://host/path, else empty */
	struct span path;      /* of the target, not decoded; `*` for `OPTIONS *`, empty for CONNECT */
	struct span query;     /* after the `?`, or empty */
	unsigned major, minor;
	struct http_fields fields;
};

struct http_response {
	struct span line; /* the status line, for messages */
	unsigned major, minor;
	unsigned status;
	struct http_fields fields;
};

/* Parse a complete head of n bytes. Return NULL, or the error (respond with 400). */
const char *http_request_parse(const char *head, size_t n, struct http_request *request);
const char *http_response_parse(const char *head, size_t n, struct http_response *response);

/* Return the next field of that name (case-insensitive) from all[*from], or NULL. *from becomes the
 * index after it. */
const struct http_field *http_field_next(const struct http_fields *fields, const char *name,
    size_t *from);

/* Return the number of fields of that name; *value is the value of the first one. */
size_t http_field_find(const struct http_fields *fields, const char *name, struct span *value);

/* Remove the next non-empty item from a comma-separated list and store it trimmed. Return false at
 * the end of the list. */
bool http_list_next(struct span *list, struct span *item);

/* Return whether the list in the fields of that name contains the token (case-insensitive). */
bool http_list_has(const struct http_fields *fields, const char *name, const char *token);

/* Return whether the text is a token (RFC 9110, section 5.6.2): the name of a method, field or subprotocol. */
bool http_token_valid(struct span text);

/* Return whether the text is valid as a field value: no control byte except the tab. */
bool http_value_valid(struct span text);

/* host[:port] of Host, Origin or a URL (RFC 3986, section 3.2, without userinfo). */
struct http_authority {
	struct span host; /* not empty; an IPv6 address is in brackets */
	int port;         /* -1 without a port, also after a colon */
};

bool http_authority_parse(struct span text, struct http_authority *authority);

/* Return whether both are the same host. Brackets around an IPv6 address are ignored. */
bool http_host_equal(struct span a, struct span b);

/* Decode the percent-encoding of a path. Return the next byte of *path, HTTP_PATH_END at its end, or HTTP_PATH_BAD
 * for an invalid escape or %00. */
enum { HTTP_PATH_END = -1, HTTP_PATH_BAD = -2 };
int http_path_next(struct span *path);

/* Append `Name: value` and CRLF. */
void http_put_field(struct strbuf *out, struct span name, struct span value);

#endif
