/* Count the open connections of each remote address. The table has a bounded size, and its hash function a secret
 * key, so that a client cannot choose addresses that share a slot. */
#ifndef FITTINGS_ADDRESS_LIMIT_H
#define FITTINGS_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/address.h"

/* An IPv6 address, an IPv4-mapped address, or the prefix of an IPv6 network. */
struct address_key {
	uint64_t high;
	uint64_t low;
};

struct address_limit_slot {
	struct address_key key;
	unsigned count; /* 0: free */
};

struct address_limit {
	struct address_limit_slot *slots;
	size_t mask;
	struct address_key secret;
};

/* Return the key of an address. */
struct address_key address_key_of(const struct address *address);
/* Return the key of a network: IPv6 is counted per /64, the smallest common allocation; IPv4 per address. */
struct address_key address_key_of_network(const struct address *address);

/* Allocate space for max connections, all from different addresses. Return false with errno. */
bool address_limit_begin(struct address_limit *limit, size_t max);

unsigned address_limit_count(const struct address_limit *limit, struct address_key key);

/* Add a connection. Return the number of connections with this key. The caller limits the total to max. */
unsigned address_limit_add(struct address_limit *limit, struct address_key key);

/* Remove a connection. */
void address_limit_remove(struct address_limit *limit, struct address_key key);

#endif
