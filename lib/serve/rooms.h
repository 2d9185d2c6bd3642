/* Named rooms and who is in them. A room is there as long as somebody is in it. Each
 * function takes the same time however many there are, rooms_part_all() for each room. */
#ifndef FITTINGS_ROOMS_H
#define FITTINGS_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct room;
struct link;

/* One owner's place in one room. */
struct member {
	struct link *next_found; /* in its bucket by owner and room */
	void *owner;
	struct room *room;
	struct member *next;      /* in the room */
	struct member **here;     /* what points to us there */
	struct member *next_room; /* of this owner */
	struct member **place;    /* and there */
};

/* A hash table that grows. */
struct table {
	struct link **buckets;
	size_t size, count;
};

/* secret is random: names come from clients, who must not aim at one bucket. All else is zero. */
struct rooms {
	uint64_t secret;
	struct table by_name, by_place;
};

/* Puts the owner, whose list of places is *places, into a room; again does
 * nothing. False where there is no memory. */
bool rooms_join(struct rooms *rooms, struct span name, void *owner, struct member **places);

/* Takes the owner out of one room, where it is there, or out of all. */
void rooms_part(struct rooms *rooms, struct span name, const void *owner);
void rooms_part_all(struct rooms *rooms, struct member **places);

/* The first of those in a room, on with member->next; NULL where there is no such room. */
struct member *rooms_members(const struct rooms *rooms, struct span name);

/* The first of those in the room of this place. */
struct member *rooms_first(const struct member *place);

#endif
