/*
 * The WebSocket opening handshake (RFC 6455 section 4.1), the client's side:
 * what is asked, and which answer is one.
 */
#ifndef FITTINGS_URL_H
#define FITTINGS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "http/head.h"
#include "ws/policy.h"
#include "base/span.h"

enum {
	CLIENT_NONCE_SIZE = 16,
	CLIENT_REQUEST_SIZE = HTTP_HEAD_MAX,
};

/* ws://host[:port][/path][?query] */
struct client_url {
	struct span authority;
	struct span path_query; /* may be empty or begin with `?`: the path is `/` then */
	struct http_authority host;
};

/* Returns NULL, or why it is none that a client can ask for. */
const char *client_url_parse(const char *text, struct client_url *url);

/* Writes the request. Returns its size, or 0 where it does not fit: no server takes such a head. */
size_t client_request(const struct policy *policy, const struct client_url *url,
    const unsigned char nonce[CLIENT_NONCE_SIZE], char out[CLIENT_REQUEST_SIZE]);

/* What a server has accepted of what the request offers. */
struct client_agreement {
	struct span protocol;       /* the subprotocol, of our own rules; empty = none */
	bool deflate;               /* permessage-deflate, */
	struct extension extension; /* with both windows */
};

/* Checks the answer to that request. Returns NULL, or what is wrong, and *culprit is the bytes that are. */
const char *client_response_fault(const struct policy *policy, const struct http_response *response,
    const unsigned char nonce[CLIENT_NONCE_SIZE], struct client_agreement *agreed, struct span *culprit);

/* What a server's refusal tells besides its status line. */
struct client_refusal {
	struct span location; /* empty = none */
	size_t most;          /* how much of the body is worth reading; 0 if it is not plain text */
	bool chunked;
};

enum { CLIENT_BODY_MAX = 512 };

void client_refusal(const struct http_response *response, struct client_refusal *refusal);

/*
 * Looks at the first n bytes of the body. *line is what has come of its first
 * line, without the line's end. Returns whether that is all of it.
 */
bool client_refusal_line(const struct client_refusal *refusal, const char *body, size_t n, struct span *line);

/* Whether it names this machine itself: localhost, a name below it, 127.*, [::1]. */
bool client_host_loopback(struct span host);

#endif
