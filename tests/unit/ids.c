#include "sys/ids.h"

#include <stdlib.h>

#include "unit.h"

TEST(numbers_go_up_and_are_never_given_again)
{
	struct ids ids;
	int owner;

	CHECK(ids_begin(&ids, 1));
	for (uint64_t want = 1; want <= 1000; want++) {
		CHECK(ids_give(&ids, &owner) == want);
		ids_end(&ids, want);
	}
	free(ids.slots);
}

TEST(nobody_has_a_number_that_was_not_given)
{
	struct ids ids;

	CHECK(ids_begin(&ids, 4));
	CHECK(ids_find(&ids, 0) == NULL);
	CHECK(ids_find(&ids, 1) == NULL);
	CHECK(ids_find(&ids, UINT64_MAX) == NULL);
	free(ids.slots);
}

/* Beside a plain list: owners come and go in a scrambled order, the table as full as it may be at times. */
TEST(it_finds_whom_a_plain_list_finds)
{
	enum { MAX = 37, TURNS = 100000 };
	static char owners[TURNS];
	uint64_t held[MAX], id, random = 12345;
	size_t count = 0;
	struct ids ids;
	bool right = true;

	CHECK(ids_begin(&ids, MAX));
	for (size_t turn = 0; turn < TURNS && right; turn++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		if (count < MAX && (random >> 33) % 5 < 3) {
			id = ids_give(&ids, &owners[turn]);
			held[count++] = id;
			right = ids_find(&ids, id) == &owners[turn];
		} else if (count > 0) {
			size_t i = (size_t)(random >> 40) % count;

			id = held[i];
			ids_end(&ids, id);
			held[i] = held[--count];
			right = ids_find(&ids, id) == NULL;
		}
		for (size_t i = 0; i < count; i++)
			right = right && ids_find(&ids, held[i]) != NULL;
	}
	CHECK(right);
	free(ids.slots);
}
