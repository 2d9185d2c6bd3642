/* The environment of a program for a request: the part of CGI/1.1 (RFC 3875) that applies to a WebSocket, and an
 * HTTP_NAME variable for each field. */
#ifndef FITTINGS_CGI_H
#define FITTINGS_CGI_H

#include <stdbool.h>
#include <stddef.h>

#include "ws/handshake.h"
#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"

/* Enough for any request: each byte of the head is used at most three times, and there is one
 * variable for each field in addition to CGI_OWN_MAX. */
enum { CGI_SIZE = 4 * HTTP_HEAD_MAX, CGI_OWN_MAX = 14, CGI_USER_SIZE = HTTP_HEAD_MAX / 4 * 3 };

/* Properties of the connection; empty if unknown. */
struct cgi_connection {
	struct span remote_address;
	struct span remote_port;
	struct span local_port;
};

/*
 * Append `NAME=value` strings, each with its NUL. Return their number. The request has passed handshake_check() (or
 * is for the page). A field name with other characters than letters, digits and `-` is left out, so that it cannot
 * imitate another one. Proxy is left out too, because HTTP_PROXY has another meaning for many programs.
 */
size_t cgi_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *connection, struct strbuf *out);

/*
 * Decode the user name of the request's Basic credentials (RFC 7617) into user, with a NUL. Return
 * false without valid credentials: no or several Authorization fields, another scheme, invalid
 * base64, no colon, or a control byte in the name. The password is not verified.
 */
bool cgi_user(const struct http_request *request, char user[CGI_USER_SIZE]);

/* Return whether an inherited `NAME=value` describes a request. It is removed even if this request
 * does not set it. */
bool cgi_owns(const char *entry);

/* Remove these variables from environment, a vector that ends with NULL. */
void cgi_environment_clear(char **environment);

#endif
