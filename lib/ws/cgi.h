/*
 * The environment that a request makes for a program: CGI/1.1 (RFC 3875) as
 * far as a WebSocket has a use for it, and an HTTP_NAME for each field.
 */
#ifndef FITTINGS_CGI_H
#define FITTINGS_CGI_H

#include <stdbool.h>
#include <stddef.h>

#include "ws/handshake.h"
#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"

/* Enough for any request: a byte of the head comes at most three times, and
 * there is a variable for each field besides our own. */
enum { CGI_SIZE = 4 * HTTP_HEAD_MAX, CGI_OWN_MAX = 14, CGI_USER_SIZE = HTTP_HEAD_MAX / 4 * 3 };

/* What only the connection knows; empty where it does not. */
struct cgi_connection {
	struct span remote_address;
	struct span remote_port;
	struct span local_port;
};

/*
 * Appends `NAME=value` strings, each with its NUL, and returns how many. The
 * request has passed handshake_check() (the page's too). A field's name of
 * other than letters, digits and `-` is left out, so that none can pose as
 * another, and so is Proxy: HTTP_PROXY means something else to many programs.
 */
size_t cgi_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *connection, struct strbuf *out);

/*
 * The user's name in the request's Basic credentials (RFC 7617), in room, with a
 * NUL behind it. False without them: no or several Authorization, another scheme,
 * not base64, no colon, or a control byte in the name. They are not verified here.
 */
bool cgi_user(const struct http_request *request, char room[CGI_USER_SIZE]);

/* Whether an inherited `NAME=value` describes a request, whether or not this one sets it: it is removed first. */
bool cgi_owns(const char *entry);

/* Removes these from environment, a vector that ends with NULL. */
void cgi_environment_clear(char **environment);

#endif
