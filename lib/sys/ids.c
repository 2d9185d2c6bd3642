#include "sys/ids.h"

#include <stdlib.h>

struct ids_slot {
	uint64_t id; /* 0 if free */
	void *owner;
};

bool
ids_begin(struct ids *ids, size_t max)
{
	size_t slots = 2;

	while (slots < 2 * max)
		slots *= 2;
	*ids = (struct ids){.slots = calloc(slots, sizeof *ids->slots), .mask = slots - 1};
	return ids->slots != NULL;
}

static size_t
slot_of(const struct ids *ids, uint64_t id)
{
	size_t slot = (size_t)id & ids->mask;

	while (ids->slots[slot].id != 0 && ids->slots[slot].id != id)
		slot = (slot + 1) & ids->mask;
	return slot;
}

uint64_t
ids_give(struct ids *ids, void *owner)
{
	uint64_t id = ++ids->last;

	ids->slots[slot_of(ids, id)] = (struct ids_slot){id, owner};
	return id;
}

void *
ids_find(const struct ids *ids, uint64_t id)
{
	return ids->slots[slot_of(ids, id)].owner;
}

/* Entries after a freed slot move up, because a lookup stops at a free slot. */
void
ids_end(struct ids *ids, uint64_t id)
{
	size_t hole = slot_of(ids, id), mask = ids->mask;

	ids->slots[hole] = (struct ids_slot){0};
	for (size_t slot = (hole + 1) & mask; ids->slots[slot].id != 0; slot = (slot + 1) & mask) {
		size_t home = (size_t)ids->slots[slot].id & mask;

		if (((slot - home) & mask) < ((slot - hole) & mask))
			continue;
		ids->slots[hole] = ids->slots[slot];
		ids->slots[slot] = (struct ids_slot){0};
		hole = slot;
	}
}
