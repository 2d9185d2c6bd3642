/*
 * The negotiation of permessage-deflate (RFC 7692 section 7.1) in the fields
 * Sec-WebSocket-Extensions (RFC 6455 section 9.1), for both sides.
 */
#ifndef FITTINGS_EXTENSION_H
#define FITTINGS_EXTENSION_H

#include <stdbool.h>

#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"

enum { EXTENSION_BITS_MIN = 8, EXTENSION_BITS_MAX = 15, EXTENSION_SIZE = 160 /* of an offer or an answer */ };

/* What one side wants, or what both agree on. */
struct extension {
	bool server_no_takeover; /* the server compresses each message by itself */
	bool client_no_takeover;
	unsigned char server_bits; /* the window of the server's messages, 8 to 15; 0: the parameter is absent */
	unsigned char client_bits;
	bool client_bits_any;      /* an offer: client_max_window_bits without a value */
};

enum extension_result {
	EXTENSION_NONE, /* no offer that can be accepted, or no answer */
	EXTENSION_AGREED,
	EXTENSION_BAD,  /* *why says what is wrong */
};

/*
 * A server: accepts the first offer that it can honor. want: the windows that it
 * allows (both are set), and the context takeover that it declines. An offer
 * without client_max_window_bits allows the client 15 bits, so that a server
 * that wants less passes over it. *agreed is the answer.
 */
enum extension_result extension_accept(const struct http_fields *fields, const struct extension *want,
    struct extension *agreed, const char **why);

/*
 * A client: checks the answer to its offer; NULL: there was none. *agreed is
 * what holds then, with both windows.
 */
enum extension_result extension_check(const struct http_fields *fields, const struct extension *offer,
    struct extension *agreed, const char **why);

/* An answer as text, as WEBSOCKET_EXTENSIONS has it. Absent windows become 15 bits. */
bool extension_parse(struct span text, struct extension *extension);

/* Appends an offer or an answer. */
void extension_put(struct strbuf *out, const struct extension *extension);

/* The same as a field of a head. */
void extension_put_field(struct strbuf *out, const struct extension *extension);

#endif
