/*
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): which client a
 * proxy connects for. Bytes in, in any pieces; the addresses out. Memory is bounded: TLVs other than
 * the authority are skipped as they come.
 */
#ifndef FITTINGS_PROXY_H
#define FITTINGS_PROXY_H

#include <stddef.h>
#include <stdint.h>

enum { PROXY_LINE_MAX = 107, PROXY_AUTHORITY_MAX = 255 };

/* Whose addresses the header gives. */
enum proxy_family {
	PROXY_NONE, /* nobody's: UNKNOWN, LOCAL, AF_UNSPEC. The connection's own addresses are valid. */
	PROXY_IPV4,
	PROXY_IPV6,
	PROXY_UNIX, /* a client of a UNIX socket; the paths are skipped */
};

struct proxy_end {
	unsigned char ip[16]; /* the first 4 for PROXY_IPV4 */
	uint16_t port;
};

enum proxy_stage { PROXY_START, PROXY_LINE, PROXY_FIXED, PROXY_ADDRESSES, PROXY_SKIP, PROXY_TLV, PROXY_VALUE };

/* All zero at first. */
struct proxy {
	/* Valid after PROXY_DONE. */
	enum proxy_family family;
	struct proxy_end client, server;
	char authority[PROXY_AUTHORITY_MAX + 1]; /* host name that the client asked for, "" if not given */

	const char *why; /* after PROXY_BAD: what is wrong */

	/* Between calls. */
	enum proxy_stage stage;
	size_t taken; /* bytes of the header so far */
	size_t left;  /* version 2: bytes of the header after the ones of this stage, */
	size_t part;  /* and how many this stage still takes */
	unsigned char held[PROXY_LINE_MAX]; /* version 1: the line; version 2: this stage's bytes */
	size_t held_size;
};

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/* Takes what of these n bytes belongs to the header, *used of them. Not to be called after PROXY_DONE or PROXY_BAD. */
enum proxy_result proxy_take(struct proxy *p, const unsigned char *bytes, size_t n, size_t *used);

/* How many more bytes at least belong to the header, before PROXY_DONE: 1 or more. */
size_t proxy_missing(const struct proxy *p);

#endif
