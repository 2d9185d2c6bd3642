/*
 * How many connections each remote address has, of those that are open now: a
 * table of bounded size, keyed with a secret so that nobody can aim at one slot.
 */
#ifndef FITTINGS_TALLY_H
#define FITTINGS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/address.h"

/* An IPv6 address, or an IPv4 one mapped into it, or the network that it is in. */
struct tally_key {
	uint64_t high;
	uint64_t low;
};

struct tally_slot {
	struct tally_key key;
	unsigned count; /* 0: free */
};

struct tally {
	struct tally_slot *slots;
	size_t mask;
	struct tally_key secret;
};

/* Whose counts are told apart. */
struct tally_key tally_address(const struct address *address);
/* One who is given IPv6 addresses is given a /64 of them at least. IPv4 as above. */
struct tally_key tally_network(const struct address *address);

/* Room for so many connections, all of different addresses; false with errno. */
bool tally_begin(struct tally *tally, size_t max);

unsigned tally_count(const struct tally *tally, struct tally_key key);

/* One more of this key; returns how many it has now. The caller keeps to max. */
unsigned tally_enter(struct tally *tally, struct tally_key key);

/* One less. */
void tally_leave(struct tally *tally, struct tally_key key);

#endif
