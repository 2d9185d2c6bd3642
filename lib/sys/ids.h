/* Unique numbers for objects. A number is never reused. */
#ifndef FITTINGS_IDS_H
#define FITTINGS_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
	struct ids_slot *slots; /* hash table with open addressing */
	size_t mask;
	uint64_t last;
};

/* Allocate space for max objects at the same time. Return false without memory. */
bool ids_begin(struct ids *ids, size_t max);

/* Return the next number, starting with 1, and assign it to the owner. */
uint64_t ids_give(struct ids *ids, void *owner);

/* Return the owner of a number, or NULL without one. */
void *ids_find(const struct ids *ids, uint64_t id);

/* Remove a number that has an owner. */
void ids_end(struct ids *ids, uint64_t id);

#endif
