#include "sys/block_cache.h"

#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { SMALLEST = 4096 };

static struct {
	void *block;
	size_t capacity;
} kept[BLOCK_KEPT];

void *
block_alloc(size_t size, size_t most, size_t *capacity)
{
	for (int i = 0; size >= BLOCK_LARGE && i < BLOCK_KEPT; i++) {
		void *block = kept[i].block;

		if (kept[i].capacity < size || kept[i].capacity > most)
			continue;
		*capacity = kept[i].capacity;
		kept[i].block = NULL;
		kept[i].capacity = 0;
		return block;
	}
	*capacity = size;
	return malloc(size);
}

/* Keep the larger blocks: they serve requests of any size. */
void
block_free(void *block, size_t capacity)
{
	for (int i = 0; capacity >= BLOCK_LARGE && capacity <= BLOCK_LARGEST && i < BLOCK_KEPT; i++) {
		void *smaller = kept[i].block;

		if (kept[i].capacity >= capacity)
			continue;
		kept[i].block = block;
		kept[i].capacity = capacity;
		free(smaller);
		return;
	}
	free(block);
}

bool
block_reserve(struct buffer *b, size_t n, size_t most)
{
	size_t held = buffer_held(b), size = b->size == 0 ? SMALLEST : b->size;
	void *larger;

	if (buffer_space(b) >= n)
		return true;
	while (size - held < n)
		size *= 2;
	if (size == b->size) {
		buffer_pack(b);
		return true;
	}
	larger = block_alloc(size, most, &size);
	if (larger == NULL)
		return false;
	if (held != 0)
		memcpy(larger, buffer_head(b), held);
	block_free(b->bytes, b->size);
	*b = (struct buffer){.bytes = larger, .size = size, .end = held};
	return true;
}

void
block_drop(struct buffer *b)
{
	block_free(b->bytes, b->size);
	*b = (struct buffer){0};
}

/* Unlike musl, glibc returns no memory that lies below a block in use. */
void
block_cache_trim(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}
