/*
 * The WebSocket opening handshake (RFC 6455 section 4.2), the server's side:
 * whether a request is let in, and the answer's bytes. client.h has the other
 * side. Programs read, write, time out and log.
 */
#ifndef FITTINGS_HANDSHAKE_H
#define FITTINGS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/head.h"
#include "ws/extension.h"
#include "ws/policy.h"
#include "base/span.h"

enum {
	HANDSHAKE_KEY_SIZE = 24,    /* Sec-WebSocket-Key: 16 bytes in base64 */
	HANDSHAKE_ACCEPT_SIZE = 28, /* Sec-WebSocket-Accept */
	HANDSHAKE_ANSWER_SIZE = POLICY_OWN_MAX + 1024,
};

/* What is decided about a request; all zero before. */
struct handshake {
	enum http_status status;    /* 101, 200 (the page), 204 (to OPTIONS), or the refusal */
	const char *why;            /* a refusal's reason in a few words, ours */
	struct span culprit;        /* the peer's bytes that it is about, or empty: quote them */
	struct span against;        /* the request's Host, if the culprit was compared with it, or empty: quote it */
	struct http_authority host; /* where the request went, host.size 0 where that is unknown */
	struct span origin;         /* Origin; empty = none */
	struct span protocol;       /* the subprotocol, from our own rules; empty = none */
	bool deflate;               /* permessage-deflate is agreed on, */
	struct extension extension; /* and this is the answer */
};

/*
 * Decides. Where the target itself names the host, the Host field's value is
 * replaced by that, as RFC 9112 section 3.2.2 has it. A request of HTTP/1.0 need
 * name no host, unless the policy lists some, and its Upgrade is ignored (RFC 9110
 * section 7.8); a minor version above 1 is read as 1.1. OPTIONS is answered
 * whatever the policy says.
 */
void handshake_check(const struct policy *policy, struct http_request *request,
    struct handshake *decision);

/*
 * Refuses what was let in so far, or what came to no check: a head that
 * http_scan() or http_request_parse() gave up, or that was too slow.
 */
void handshake_refuse(struct handshake *decision, enum http_status status, const char *why);

/*
 * Writes the answer: for a refusal and OPTIONS all of it, for the page (of page_size
 * bytes) its head. request is NULL where none was whole. Returns its size.
 */
size_t handshake_answer(const struct policy *policy, const struct http_request *request,
    const struct handshake *decision, size_t page_size, char out[HANDSHAKE_ANSWER_SIZE]);

/* The answer to a key (section 1.3). */
void handshake_accept(const char key[HANDSHAKE_KEY_SIZE], char accept[HANDSHAKE_ACCEPT_SIZE]);

#endif
