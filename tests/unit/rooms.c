#include "serve/rooms.h"

#include <stdio.h>
#include <time.h>

#include "unit.h"

enum { MANY = 100000, OWNERS = 3 };

static struct rooms rooms = {.secret = 42};
static struct member *places[OWNERS];
static int owners[OWNERS];

static struct span
name(int n)
{
	static char text[16];

	return (struct span){text, (size_t)snprintf(text, sizeof text, "room%d", n)};
}

static unsigned
members(int room)
{
	unsigned who = 0;

	for (struct member *in = rooms_members(&rooms, name(room)); in != NULL; in = in->next)
		who += 1U << ((int *)in->owner - owners);
	return who;
}

TEST(a_member_is_in_once_after_join_and_not_after_part)
{
	for (int again = 0; again < 2; again++)
		for (int i = 0; i < OWNERS; i++)
			CHECK(rooms_join(&rooms, name(1), &owners[i], &places[i]));
	CHECK(rooms_join(&rooms, name(2), &owners[1], &places[1]));
	CHECK(members(1) == 7 && members(2) == 2 && members(3) == 0);
	rooms_part(&rooms, name(1), &owners[1]);
	rooms_part(&rooms, name(1), &owners[1]);
	rooms_part(&rooms, name(3), &owners[1]);
	CHECK(members(1) == 5 && members(2) == 2);
	CHECK(rooms_first(places[0]) == rooms_members(&rooms, name(1)));
	for (int i = 0; i < OWNERS; i++)
		rooms_part_all(&rooms, &places[i]);
	CHECK(members(1) == 0 && members(2) == 0 && places[1] == NULL && rooms.by_name.buckets == NULL);
}

TEST(a_hundred_thousand_rooms_take_constant_time_each)
{
	clock_t began = clock();
	unsigned right = 0;

	for (int again = 0; again < 2; again++)
		for (int n = 0; n < MANY; n++)
			CHECK(rooms_join(&rooms, name(n), &owners[n % 2], &places[n % 2]));
	for (int n = 0; n < MANY; n += 2)
		rooms_part(&rooms, name(n), &owners[0]);
	for (int n = 0; n < MANY; n++)
		right += members(n) == (n % 2 == 0 ? 0 : 2);
	CHECK(right == MANY && places[0] == NULL);
	rooms_part_all(&rooms, &places[1]);
	CHECK(rooms.by_name.count == 0 && rooms.by_place.count == 0);
	CHECK(clock() - began < 4 * CLOCKS_PER_SEC);
}
