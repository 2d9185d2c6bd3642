#include "serve/rooms.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_FIRST = 64 };

/* The first field of all table entries. */
struct link {
	struct link *next;
};

struct room {
	struct link link;
	struct member *members;
	size_t size;
	char name[];
};

static_assert(offsetof(struct member, next_found) == offsetof(struct link, next), "a member is a link");

static uint64_t
mix(uint64_t hash, uint64_t more)
{
	hash = (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t
hash_name(const struct rooms *rooms, struct span name)
{
	uint64_t hash = rooms->secret;

	for (size_t i = 0; i < name.size; i++)
		hash = mix(hash, (unsigned char)name.at[i]);
	return hash;
}

static uint64_t
hash_place(const struct rooms *rooms, const void *owner, const struct room *room)
{
	return mix(mix(rooms->secret, (uintptr_t)owner), (uintptr_t)room);
}

static struct span
name_of(const struct room *room)
{
	return (struct span){room->name, room->size};
}

static uint64_t
hash_of(const struct rooms *rooms, const struct table *table, const struct link *link)
{
	const struct member *member = (const struct member *)link;

	if (table == &rooms->by_name)
		return hash_name(rooms, name_of((const struct room *)link));
	return hash_place(rooms, member->owner, member->room);
}

static struct link **
bucket(const struct table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->size - 1)];
}

/* Without memory the table keeps its size. Return false if it has no buckets. */
static bool
table_grow(const struct rooms *rooms, struct table *table)
{
	struct table larger = {.size = table->size == 0 ? BUCKETS_FIRST : 2 * table->size, .count = table->count};

	larger.buckets = calloc(larger.size, sizeof(struct link *));
	if (larger.buckets == NULL)
		return table->size != 0;
	for (size_t i = 0; i < table->size; i++) {
		for (struct link *link = table->buckets[i], *next; link != NULL; link = next) {
			struct link **first = bucket(&larger, hash_of(rooms, table, link));

			next = link->next;
			link->next = *first;
			*first = link;
		}
	}
	free(table->buckets);
	*table = larger;
	return true;
}

static bool
table_put(const struct rooms *rooms, struct table *table, struct link *link)
{
	struct link **first;

	if (table->count == table->size && !table_grow(rooms, table))
		return false;
	first = bucket(table, hash_of(rooms, table, link));
	link->next = *first;
	*first = link;
	table->count++;
	return true;
}

static void
table_drop(const struct rooms *rooms, struct table *table, const struct link *link)
{
	struct link **here = bucket(table, hash_of(rooms, table, link));

	while (*here != link)
		here = &(*here)->next;
	*here = link->next;
	if (--table->count != 0)
		return;
	free(table->buckets);
	*table = (struct table){0};
}

static struct room *
find(const struct rooms *rooms, struct span name)
{
	struct link *link = rooms->by_name.size == 0 ? NULL : *bucket(&rooms->by_name, hash_name(rooms, name));

	while (link != NULL && !span_equal(name_of((struct room *)link), name))
		link = link->next;
	return (struct room *)link;
}

static struct member *
find_place(const struct rooms *rooms, const struct room *room, const void *owner)
{
	struct link *link = rooms->by_place.size == 0 ? NULL : *bucket(&rooms->by_place, hash_place(rooms, owner, room));

	for (; link != NULL; link = link->next) {
		struct member *member = (struct member *)link;

		if (member->owner == owner && member->room == room)
			return member;
	}
	return NULL;
}

static struct room *
room_new(struct rooms *rooms, struct span name)
{
	struct room *room = malloc(sizeof *room + name.size);

	if (room == NULL)
		return NULL;
	*room = (struct room){.size = name.size};
	memcpy(room->name, name.at, name.size);
	if (table_put(rooms, &rooms->by_name, &room->link))
		return room;
	free(room);
	return NULL;
}

static void
room_free(struct rooms *rooms, struct room *room)
{
	table_drop(rooms, &rooms->by_name, &room->link);
	free(room);
}

bool
rooms_join(struct rooms *rooms, struct span name, void *owner, struct member **places)
{
	struct room *room = find(rooms, name);
	struct member *member;

	if (room != NULL && find_place(rooms, room, owner) != NULL)
		return true;
	if (room == NULL)
		room = room_new(rooms, name);
	if (room == NULL)
		return false;
	member = malloc(sizeof *member);
	if (member != NULL)
		*member = (struct member){
			.owner = owner, .room = room, .next = room->members, .here = &room->members,
			.next_room = *places, .place = places,
		};
	if (member == NULL || !table_put(rooms, &rooms->by_place, (struct link *)member)) {
		free(member);
		if (room->members == NULL)
			room_free(rooms, room);
		return false;
	}
	if (room->members != NULL)
		room->members->here = &member->next;
	room->members = member;
	if (*places != NULL)
		(*places)->place = &member->next_room;
	*places = member;
	return true;
}

static void
leave(struct rooms *rooms, struct member *member)
{
	*member->place = member->next_room;
	if (member->next_room != NULL)
		member->next_room->place = member->place;
	*member->here = member->next;
	if (member->next != NULL)
		member->next->here = member->here;
	table_drop(rooms, &rooms->by_place, (struct link *)member);
	if (member->room->members == NULL)
		room_free(rooms, member->room);
	free(member);
}

void
rooms_part(struct rooms *rooms, struct span name, const void *owner)
{
	const struct room *room = find(rooms, name);
	struct member *member = room == NULL ? NULL : find_place(rooms, room, owner);

	if (member != NULL)
		leave(rooms, member);
}

void
rooms_part_all(struct rooms *rooms, struct member **places)
{
	struct member *next;

	for (struct member *member = *places; member != NULL; member = next) {
		next = member->next_room;
		leave(rooms, member);
	}
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
