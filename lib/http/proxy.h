/*
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt), which contains
 * the address of the client of a proxy. Input arrives in pieces of any size. Memory is bounded:
 * TLVs other than the authority are skipped as they arrive.
 */
#ifndef FITTINGS_PROXY_H
#define FITTINGS_PROXY_H

#include <stddef.h>
#include <stdint.h>

enum { PROXY_LINE_MAX = 107, PROXY_AUTHORITY_MAX = 255 };

/* The kind of addresses in the header. */
enum proxy_family {
	PROXY_NONE, /* none: UNKNOWN, LOCAL, AF_UNSPEC. The addresses of the connection itself apply. */
	PROXY_IPV4,
	PROXY_IPV6,
	PROXY_UNIX, /* a client of a UNIX socket; the paths are skipped */
};

struct proxy_end {
	unsigned char ip[16]; /* the first 4 for PROXY_IPV4 */
	uint16_t port;
};

enum proxy_stage { PROXY_START, PROXY_LINE, PROXY_FIXED, PROXY_ADDRESSES, PROXY_SKIP, PROXY_TLV, PROXY_VALUE };

/* All zero initially. */
struct proxy {
	/* Valid after PROXY_DONE. */
	enum proxy_family family;
	struct proxy_end client, server;
	char authority[PROXY_AUTHORITY_MAX + 1]; /* host name that the client requested, "" if absent */

	const char *why; /* after PROXY_BAD: the error */

	/* State between calls. */
	enum proxy_stage stage;
	size_t taken; /* bytes of the header so far */
	size_t left;  /* version 2: bytes of the header after this stage, */
	size_t part;  /* and bytes that this stage still needs */
	unsigned char held[PROXY_LINE_MAX]; /* version 1: the line; version 2: the bytes of this stage */
	size_t held_size;
};

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/* Take the bytes of the header from the next n bytes; *used is their number. Not to be called after
 * PROXY_DONE or PROXY_BAD. */
enum proxy_result proxy_take(struct proxy *p, const unsigned char *bytes, size_t n, size_t *used);

/* Return how many more bytes, at least 1, certainly belong to the header. Only before PROXY_DONE. */
size_t proxy_missing(const struct proxy *p);

#endif
