#include "system/tally.h"

#include "unit.h"

static struct tally_key
host(const char *text)
{
	struct address address;

	CHECK(address_parse(text, &address));
	return tally_address(&address);
}

static struct tally_key
network(const char *text)
{
	struct address address;

	CHECK(address_parse(text, &address));
	return tally_network(&address);
}

static bool
same(struct tally_key a, struct tally_key b)
{
	return a.high == b.high && a.low == b.low;
}

static void
addresses_are_told_apart_but_a_mapped_one_is_itself(void)
{
	CHECK(same(host("10.1.2.3"), host("::ffff:10.1.2.3")));
	CHECK(!same(host("10.1.2.3"), host("10.1.2.4")));
	CHECK(!same(host("2001:db8::1"), host("2001:db8::2")));
	CHECK(!same(host("0.0.0.1"), host("::1")));
}

static void
a_network_is_a_64_of_ipv6_and_one_address_of_ipv4(void)
{
	CHECK(same(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff")));
	CHECK(!same(network("2001:db8:1:2::1"), network("2001:db8:1:3::1")));
	CHECK(!same(network("10.1.2.3"), network("10.1.2.4")));
	CHECK(!same(network("::ffff:10.1.2.3"), network("::ffff:10.1.2.4")));
	CHECK(same(network("::ffff:10.1.2.3"), network("10.1.2.3")));
}

/* Against plain counters: entries and leaves in a scrambled order, the table full at times. */
static void
it_counts_as_plain_counters_do(void)
{
	enum { MAX = 64, KEYS = 40, TURNS = 200000 };
	unsigned counts[KEYS] = {0}, total = 0, random = 12345;
	struct tally tally;
	bool right = true;

	CHECK(tally_begin(&tally, MAX));
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned k = (random = random * 1103515245 + 12345) >> 16;
		struct tally_key key = {k % KEYS / 8, k % KEYS};
		bool on_connection = (random >> 8 & 1) != 0;

		k %= KEYS;
		if (on_connection && total < MAX) {
			right = right && tally_enter(&tally, key) == ++counts[k];
			total++;
		} else if (!on_connection && counts[k] != 0) {
			tally_leave(&tally, key);
			counts[k]--;
			total--;
		}
		for (unsigned i = 0; i < KEYS; i++)
			right = right && tally_count(&tally, (struct tally_key){i / 8, i}) == counts[i];
	}
	CHECK(right);
	free(tally.slots);
}

static void
leaving_what_never_entered_changes_nothing(void)
{
	struct tally tally;

	CHECK(tally_begin(&tally, 1));
	tally_leave(&tally, (struct tally_key){1, 2});
	CHECK(tally_count(&tally, (struct tally_key){1, 2}) == 0);
	CHECK(tally_enter(&tally, (struct tally_key){1, 2}) == 1);
	free(tally.slots);
}

int
main(void)
{
	TEST(addresses_are_told_apart_but_a_mapped_one_is_itself);
	TEST(a_network_is_a_64_of_ipv6_and_one_address_of_ipv4);
	TEST(it_counts_as_plain_counters_do);
	TEST(leaving_what_never_entered_changes_nothing);
	return unit_done();
}
