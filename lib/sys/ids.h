/* Who has which number. A number is given once and never again. */
#ifndef FITTINGS_IDS_H
#define FITTINGS_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
	struct ids_slot *slots; /* a hash table with open addressing */
	size_t mask;
	uint64_t last;
};

/* Room for max owners at once. False where there is no memory. */
bool ids_begin(struct ids *ids, size_t max);

/* The next number, from 1 on, which is the owner's now. */
uint64_t ids_give(struct ids *ids, void *owner);

/* NULL where nobody has it (any more). */
void *ids_find(const struct ids *ids, uint64_t id);

/* Nobody has it from now on; somebody has. */
void ids_end(struct ids *ids, uint64_t id);

#endif
