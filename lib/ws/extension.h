/* Negotiation of permessage-deflate (RFC 7692, section 7.1) in the fields Sec-WebSocket-Extensions (RFC 6455,
 * section 9.1), for both sides. */
#ifndef FITTINGS_EXTENSION_H
#define FITTINGS_EXTENSION_H

#include <stdbool.h>

#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"

enum { EXTENSION_BITS_MAX = 15, EXTENSION_SIZE = 160 /* of an offer or a response */ };

/* The parameters that one side requests, or both have agreed on. */
struct extension {
	bool server_no_takeover; /* the server compresses each message independently */
	bool client_no_takeover;
	unsigned char server_bits; /* window of the server's messages, 8 to 15; 0: parameter absent */
	unsigned char client_bits;
	bool client_bits_any;      /* in an offer: client_max_window_bits without a value */
};

enum extension_result {
	EXTENSION_NONE, /* no acceptable offer, or no response */
	EXTENSION_AGREED,
	EXTENSION_BAD,  /* see *why */
};

/*
 * For a server: accept the first offer that it supports. want contains the windows that it allows (both are set),
 * and the context takeover that it declines. An offer without client_max_window_bits allows the client 15 bits, so
 * a server that requires less skips it. *agreed is the response.
 */
enum extension_result extension_accept(const struct http_fields *fields, const struct extension *want,
    struct extension *agreed, const char **why);

/* For a client: check the response to its offer, NULL without an offer. *agreed is the result, with both windows. */
enum extension_result extension_check(const struct http_fields *fields, const struct extension *offer,
    struct extension *agreed, const char **why);

/* Parse a response in the form of WEBSOCKET_EXTENSIONS. Absent windows become 15 bits. */
bool extension_parse(struct span text, struct extension *extension);

/* Append an offer or a response. */
void extension_put(struct strbuf *out, const struct extension *extension);

/* Append it as a header field. */
void extension_put_field(struct strbuf *out, const struct extension *extension);

#endif
