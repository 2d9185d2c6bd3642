#include "sys/address_limit.h"

#include "unit.h"

/* Return whether both have the same key. */
static bool
same(struct address_key (*key_of)(const struct address *), const char *a, const char *b)
{
	struct address x, y;

	CHECK(address_parse(a, &x) && address_parse(b, &y));
	return key_of(&x).high == key_of(&y).high && key_of(&x).low == key_of(&y).low;
}

TEST(addresses_differ_but_a_mapped_one_equals_its_IPv4)
{
	CHECK(same(address_key_of, "10.1.2.3", "::ffff:10.1.2.3"));
	CHECK(!same(address_key_of, "10.1.2.3", "10.1.2.4"));
	CHECK(!same(address_key_of, "2001:db8::1", "2001:db8::2"));
	CHECK(!same(address_key_of, "0.0.0.1", "::1"));
}

TEST(a_network_is_a_64_of_ipv6_and_one_address_of_ipv4)
{
	CHECK(same(address_key_of_network, "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
	CHECK(!same(address_key_of_network, "2001:db8:1:2::1", "2001:db8:1:3::1"));
	CHECK(!same(address_key_of_network, "10.1.2.3", "10.1.2.4"));
	CHECK(!same(address_key_of_network, "::ffff:10.1.2.3", "::ffff:10.1.2.4"));
	CHECK(same(address_key_of_network, "::ffff:10.1.2.3", "10.1.2.3"));
}

/* Compared with plain counters: additions and removals in a scrambled order, sometimes with a full
 * table. */
TEST(it_counts_as_plain_counters_do)
{
	enum { MAX = 64, KEYS = 40, TURNS = 200000 };
	unsigned counts[KEYS] = {0}, total = 0, random = 12345;
	struct address_limit limit;
	bool right = true;

	CHECK(address_limit_begin(&limit, MAX));
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned k = (random = random * 1103515245 + 12345) >> 16;
		struct address_key key = {k % KEYS / 8, k % KEYS};
		bool on_connection = (random >> 8 & 1) != 0;

		k %= KEYS;
		if (on_connection && total < MAX) {
			right = right && address_limit_add(&limit, key) == ++counts[k];
			total++;
		} else if (!on_connection && counts[k] != 0) {
			address_limit_remove(&limit, key);
			counts[k]--;
			total--;
		}
		for (unsigned i = 0; i < KEYS; i++)
			right = right && address_limit_count(&limit, (struct address_key){i / 8, i}) == counts[i];
	}
	CHECK(right);
	free(limit.slots);
}

TEST(removing_an_unknown_address_changes_nothing)
{
	struct address_limit limit;

	CHECK(address_limit_begin(&limit, 1));
	address_limit_remove(&limit, (struct address_key){1, 2});
	CHECK(address_limit_count(&limit, (struct address_key){1, 2}) == 0);
	CHECK(address_limit_add(&limit, (struct address_key){1, 2}) == 1);
	free(limit.slots);
}
