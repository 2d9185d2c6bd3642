#include "sys/address_limit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static struct address_key
key_of_bytes(const unsigned char bytes[16])
{
	struct address_key key;

	memcpy(&key.high, bytes, sizeof key.high);
	memcpy(&key.low, bytes + sizeof key.high, sizeof key.low);
	return key;
}

struct address_key
address_key_of(const struct address *address)
{
	unsigned char bytes[16] = {[10] = 0xff, [11] = 0xff};

	if (address->any.sa_family == AF_INET6)
		memcpy(bytes, address->v6.sin6_addr.s6_addr, sizeof bytes);
	else
		memcpy(bytes + 12, &address->v4.sin_addr, 4);
	return key_of_bytes(bytes);
}

struct address_key
address_key_of_network(const struct address *address)
{
	struct address_key key = address_key_of(address);

	if (address->any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		key.low = 0;
	return key;
}

bool
address_limit_begin(struct address_limit *limit, size_t max)
{
	/* The kernel passes 16 random bytes to each process. */
	const void *random = (const void *)getauxval(AT_RANDOM); /* NOLINT(performance-no-int-to-ptr) */
	size_t size = 2;

	while (size < max * 2)
		size *= 2;
	*limit = (struct address_limit){.mask = size - 1};
	if (random != NULL)
		limit->secret = key_of_bytes(random);
	limit->slots = calloc(size, sizeof *limit->slots);
	return limit->slots != NULL;
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static size_t
slot_of(const struct address_limit *limit, struct address_key key)
{
	uint64_t high = mix(key.high ^ limit->secret.high);

	return (size_t)mix((high + key.low) ^ limit->secret.low) & limit->mask;
}

/* Return the slot of the key, or the free slot for it. At most half of the slots are used. */
static size_t
find(const struct address_limit *limit, struct address_key key)
{
	size_t i = slot_of(limit, key);

	while (limit->slots[i].count != 0 && (limit->slots[i].key.high != key.high || limit->slots[i].key.low != key.low))
		i = (i + 1) & limit->mask;
	return i;
}

unsigned
address_limit_count(const struct address_limit *limit, struct address_key key)
{
	return limit->slots[find(limit, key)].count;
}

unsigned
address_limit_add(struct address_limit *limit, struct address_key key)
{
	struct address_limit_slot *slot = &limit->slots[find(limit, key)];

	slot->key = key;
	return ++slot->count;
}

/* Free slot i and move the entries after it that had been displaced. */
static void
close_gap(struct address_limit *limit, size_t i)
{
	for (size_t j = (i + 1) & limit->mask; limit->slots[j].count != 0; j = (j + 1) & limit->mask) {
		size_t want = slot_of(limit, limit->slots[j].key);

		if (((j - want) & limit->mask) < ((j - i) & limit->mask))
			continue;
		limit->slots[i] = limit->slots[j];
		limit->slots[j].count = 0;
		i = j;
	}
}

void
address_limit_remove(struct address_limit *limit, struct address_key key)
{
	size_t i = find(limit, key);

	if (limit->slots[i].count != 0 && --limit->slots[i].count == 0)
		close_gap(limit, i);
}
