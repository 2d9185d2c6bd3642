/* The server side of the WebSocket opening handshake (RFC 6455, section 4.2): whether a request is accepted, and
 * the bytes of the response. url.h has the client side. Programs do the I/O, the timeouts and the logging. */
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

/* The decision about a request; initially all zero. */
struct handshake {
	enum http_status status;    /* 101, 200 (the page), 204 (for OPTIONS), or the status of a refusal */
	const char *why;            /* short reason of a refusal, a constant */
	struct span culprit;        /* the request's bytes that caused it, or empty: quote them */
	struct span against;        /* the Host field, if the culprit was compared with it, or empty: quote it */
	struct http_authority host; /* the requested host, host.size 0 if unknown */
	struct span origin;         /* the Origin field, or empty */
	struct span protocol;       /* the subprotocol, from the policy's rules, or empty */
	bool deflate;               /* permessage-deflate is accepted, */
	struct extension extension; /* and this is the response */
};

/*
 * Decide about a request. If the target contains a host, it replaces the value of the Host field (RFC 9112, section
 * 3.2.2). An HTTP/1.0 request needs no host unless the policy lists hosts, and its Upgrade is ignored (RFC 9110,
 * section 7.8). A minor version above 1 is treated as 1.1. OPTIONS is answered independent of the policy.
 */
void handshake_check(const struct policy *policy, struct http_request *request,
    struct handshake *decision);

/* Refuse a request that was accepted so far, or that could not be checked: http_scan() or http_request_parse()
 * failed, or it timed out. */
void handshake_refuse(struct handshake *decision, enum http_status status, const char *why);

/* Write the response: all of it for a refusal or OPTIONS, the head for the page (of page_size bytes). request is
 * NULL if there was no complete request. Return the size. */
size_t handshake_answer(const struct policy *policy, const struct http_request *request,
    const struct handshake *decision, size_t page_size, char out[HANDSHAKE_ANSWER_SIZE]);

/* Compute the Sec-WebSocket-Accept of a key (section 1.3). */
void handshake_accept(const char key[HANDSHAKE_KEY_SIZE], char accept[HANDSHAKE_ACCEPT_SIZE]);

#endif
