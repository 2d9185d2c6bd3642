/*
 * How many connections each remote address has, of those that are open now: a
 * table of bounded size, keyed with a secret so that nobody can aim at one slot.
 */
#ifndef FITTINGS_ADDRESS_LIMIT_H
#define FITTINGS_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/address.h"

/* An IPv6 address, or an IPv4 one mapped into it, or the network that it is in. */
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

/* Whose counts are told apart. */
struct address_key address_key_of(const struct address *address);
/* One who is given IPv6 addresses is given a /64 of them at least. IPv4 as above. */
struct address_key address_key_of_network(const struct address *address);

/* Room for so many connections, all of different addresses; false with errno. */
bool address_limit_begin(struct address_limit *limit, size_t max);

unsigned address_limit_count(const struct address_limit *limit, struct address_key key);

/* One more of this key; returns how many it has now. The caller keeps to max. */
unsigned address_limit_add(struct address_limit *limit, struct address_key key);

/* One less. */
void address_limit_remove(struct address_limit *limit, struct address_key key);

#endif
