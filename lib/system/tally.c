#include "system/tally.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static struct tally_key
key_of_bytes(const unsigned char bytes[16])
{
	struct tally_key key;

	memcpy(&key.high, bytes, sizeof key.high);
	memcpy(&key.low, bytes + sizeof key.high, sizeof key.low);
	return key;
}

struct tally_key
tally_address(const struct address *address)
{
	unsigned char bytes[16] = {[10] = 0xff, [11] = 0xff};

	if (address->any.sa_family == AF_INET6)
		memcpy(bytes, address->v6.sin6_addr.s6_addr, sizeof bytes);
	else
		memcpy(bytes + 12, &address->v4.sin_addr, 4);
	return key_of_bytes(bytes);
}

struct tally_key
tally_network(const struct address *address)
{
	struct tally_key key = tally_address(address);

	if (address->any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		key.low = 0;
	return key;
}

bool
tally_begin(struct tally *tally, size_t max)
{
	/* The kernel gives each process 16 random bytes. */
	const void *random = (const void *)getauxval(AT_RANDOM); /* NOLINT(performance-no-int-to-ptr) */
	size_t size = 2;

	while (size < max * 2)
		size *= 2;
	*tally = (struct tally){.mask = size - 1};
	if (random != NULL)
		tally->secret = key_of_bytes(random);
	tally->slots = calloc(size, sizeof *tally->slots);
	return tally->slots != NULL;
}

static uint64_t
stir(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static size_t
home(const struct tally *tally, struct tally_key key)
{
	uint64_t high = stir(key.high ^ tally->secret.high);

	return (size_t)stir((high + key.low) ^ tally->secret.low) & tally->mask;
}

/* Where the key is, or the free slot where it would be: at most half are taken. */
static size_t
find(const struct tally *tally, struct tally_key key)
{
	size_t i = home(tally, key);

	while (tally->slots[i].count != 0 && (tally->slots[i].key.high != key.high || tally->slots[i].key.low != key.low))
		i = (i + 1) & tally->mask;
	return i;
}

unsigned
tally_count(const struct tally *tally, struct tally_key key)
{
	return tally->slots[find(tally, key)].count;
}

unsigned
tally_enter(struct tally *tally, struct tally_key key)
{
	struct tally_slot *slot = &tally->slots[find(tally, key)];

	slot->key = key;
	return ++slot->count;
}

/* Frees slot i: those behind it that were pushed along by it move up. */
static void
close_gap(struct tally *tally, size_t i)
{
	for (size_t j = (i + 1) & tally->mask; tally->slots[j].count != 0; j = (j + 1) & tally->mask) {
		size_t want = home(tally, tally->slots[j].key);

		if (((j - want) & tally->mask) < ((j - i) & tally->mask))
			continue;
		tally->slots[i] = tally->slots[j];
		tally->slots[j].count = 0;
		i = j;
	}
}

void
tally_leave(struct tally *tally, struct tally_key key)
{
	size_t i = find(tally, key);

	if (tally->slots[i].count != 0 && --tally->slots[i].count == 0)
		close_gap(tally, i);
}
