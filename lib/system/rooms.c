#include "system/rooms.h"

#include <stdlib.h>
#include <string.h>

struct room {
	struct room *next; /* in its bucket */
	struct member *members;
	size_t size;
	char name[];
};

static size_t
bucket(const struct rooms *rooms, struct span name)
{
	uint64_t hash = rooms->secret;

	for (size_t i = 0; i < name.size; i++) {
		hash = (hash ^ (unsigned char)name.at[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash % ROOMS_BUCKETS;
}

static struct span
name_of(const struct room *room)
{
	return (struct span){room->name, room->size};
}

static struct room *
find(const struct rooms *rooms, struct span name)
{
	struct room *room = rooms->buckets[bucket(rooms, name)];

	while (room != NULL && !span_equal(name_of(room), name))
		room = room->next;
	return room;
}

static struct room *
room_new(struct rooms *rooms, struct span name)
{
	struct room **first = &rooms->buckets[bucket(rooms, name)];
	struct room *room = malloc(sizeof *room + name.size);

	if (room == NULL)
		return NULL;
	*room = (struct room){.next = *first, .size = name.size};
	memcpy(room->name, name.at, name.size);
	*first = room;
	return room;
}

static void
room_free(struct rooms *rooms, struct room *room)
{
	struct room **here = &rooms->buckets[bucket(rooms, name_of(room))];

	while (*here != room)
		here = &(*here)->next;
	*here = room->next;
	free(room);
}

static struct member **
place_in(const struct room *room, struct member **places)
{
	while (*places != NULL && (*places)->room != room)
		places = &(*places)->next_room;
	return places;
}

bool
rooms_join(struct rooms *rooms, struct span name, void *owner, struct member **places)
{
	struct room *room = find(rooms, name);
	struct member *member;

	if (room != NULL && *place_in(room, places) != NULL)
		return true;
	member = malloc(sizeof *member);
	if (member == NULL)
		return false;
	if (room == NULL)
		room = room_new(rooms, name);
	if (room == NULL) {
		free(member);
		return false;
	}
	*member = (struct member){
		.owner = owner, .room = room, .next = room->members, .here = &room->members, .next_room = *places,
	};
	if (room->members != NULL)
		room->members->here = &member->next;
	room->members = member;
	*places = member;
	return true;
}

/* *place is the owner's pointer to it. */
static void
leave(struct rooms *rooms, struct member **place)
{
	struct member *member = *place;

	*place = member->next_room;
	*member->here = member->next;
	if (member->next != NULL)
		member->next->here = member->here;
	if (member->room->members == NULL)
		room_free(rooms, member->room);
	free(member);
}

void
rooms_part(struct rooms *rooms, struct span name, struct member **places)
{
	struct room *room = find(rooms, name);
	struct member **place = room == NULL ? NULL : place_in(room, places);

	if (place != NULL && *place != NULL)
		leave(rooms, place);
}

void
rooms_part_all(struct rooms *rooms, struct member **places)
{
	while (*places != NULL)
		leave(rooms, places);
}

struct member *
rooms_members(const struct rooms *rooms, struct span name)
{
	const struct room *room = find(rooms, name);

	return room == NULL ? NULL : room->members;
}

struct member *
rooms_first(const struct member *place)
{
	return place->room->members;
}
