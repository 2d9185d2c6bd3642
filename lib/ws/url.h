/* The client side of the WebSocket opening handshake (RFC 6455, section 4.1): the request, and the check of the
 * response. */
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
	struct span path_query; /* if it is empty or begins with `?`, the path is `/` */
	struct http_authority host;
};

/* Parse a URL. Return NULL or the error. */
const char *client_url_parse(const char *text, struct client_url *url);

/* Write the request. Return its size, or 0 if it does not fit: no server accepts such a head. */
size_t client_request(const struct policy *policy, const struct client_url *url,
    const unsigned char nonce[CLIENT_NONCE_SIZE], char out[CLIENT_REQUEST_SIZE]);

/* The offers in the request that the server has accepted. */
struct client_agreement {
	struct span protocol;       /* the subprotocol, from the policy's rules, or empty */
	bool deflate;               /* permessage-deflate, */
	struct extension extension; /* with both windows */
};

/* Check the response to that request. Return NULL or the error, and set *culprit to the invalid bytes. */
const char *client_response_fault(const struct policy *policy, const struct http_response *response,
    const unsigned char nonce[CLIENT_NONCE_SIZE], struct client_agreement *agreed, struct span *culprit);

/* Details of a server's refusal in addition to its status line. */
struct client_refusal {
	struct span location; /* or empty */
	size_t most;          /* how much of the body to read; 0 if it is not plain text */
	bool chunked;
};

enum { CLIENT_BODY_MAX = 512 };

void client_refusal(const struct http_response *response, struct client_refusal *refusal);

/* Examine the first n bytes of the body. *line is the part of its first line that has arrived, without the line
 * end. Return whether the line is complete. */
bool client_refusal_line(const struct client_refusal *refusal, const char *body, size_t n, struct span *line);

/* Return whether the host is this machine: localhost, a name below it, 127.* or [::1]. */
bool client_host_loopback(struct span host);

#endif
