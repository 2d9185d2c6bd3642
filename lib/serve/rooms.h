/* Named rooms and their members. A room exists while it has a member. Each function takes constant time,
 * rooms_part_all() for each room of its owner. */
#ifndef FITTINGS_ROOMS_H
#define FITTINGS_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct room;
struct link;

/* The membership of one owner in one room. */
struct member {
	struct link *next_found; /* in its bucket by owner and room */
	void *owner;
	struct room *room;
	struct member *next;      /* in the room */
	struct member **here;     /* the pointer to this member there */
	struct member *next_room; /* of the same owner */
	struct member **place;    /* the pointer to this member in that list */
};

/* A hash table that grows. */
struct table {
	struct link **buckets;
	size_t size, count;
};

/* secret is random, so that clients cannot choose names that fall into one bucket. All else is zero. */
struct rooms {
	uint64_t secret;
	struct table by_name, by_place;
};

/* Makes the owner, whose list of memberships is *places, a member of a room, unless it is one. Returns false without
 * memory. */
bool rooms_join(struct rooms *rooms, struct span name, void *owner, struct member **places);

/* Ends the membership of the owner in one room, if there is one, or in all rooms. */
void rooms_part(struct rooms *rooms, struct span name, const void *owner);
void rooms_part_all(struct rooms *rooms, struct member **places);

/* Returns the first member of a room; member->next is the next one. NULL if there is no such room. */
struct member *rooms_members(const struct rooms *rooms, struct span name);

/* Returns the first member of the same room. */
struct member *rooms_first(const struct member *place);

#endif
