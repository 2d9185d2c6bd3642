/* Named rooms and their members. A room exists while it has members. Each function takes constant
 * time; rooms_part_all() takes constant time per room. */
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
	struct member **here;     /* the pointer to this member in the room */
	struct member *next_room; /* of this owner */
	struct member **place;    /* the pointer to this member in the owner's list */
};

/* A hash table that grows. */
struct table {
	struct link **buckets;
	size_t size, count;
};

/* secret is random: clients choose the names, and must not be able to choose many names that share
 * a bucket. All other fields are zero. */
struct rooms {
	uint64_t secret;
	struct table by_name, by_place;
};

/* Add the owner, whose list of memberships is *places, to a room. No effect if it is already a
 * member. Return false without memory. */
bool rooms_join(struct rooms *rooms, struct span name, void *owner, struct member **places);

/* Remove the owner from one room, if it is a member, or from all. */
void rooms_part(struct rooms *rooms, struct span name, const void *owner);
void rooms_part_all(struct rooms *rooms, struct member **places);

/* Return the first member of a room, or NULL. The next one is member->next. */
struct member *rooms_members(const struct rooms *rooms, struct span name);

/* Return the first member of the room of this membership. */
struct member *rooms_first(const struct member *place);

#endif
