#include "sys/mmap_buffer.h"

#include <sys/mman.h>

bool
mmap_buffer_resize(struct buffer *b, const void *first, size_t size)
{
	void *bytes;

	if (b->bytes == first) {
		bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (bytes != MAP_FAILED)
			memcpy(bytes, b->bytes, b->end);
	} else {
		bytes = mremap(b->bytes, b->size, size, MREMAP_MAYMOVE);
	}
	if (bytes == MAP_FAILED)
		return false;
	b->bytes = bytes;
	b->size = size;
	return true;
}

void
mmap_buffer_shrink(struct buffer *b, void *first, size_t first_size)
{
	if (b->bytes == first || buffer_held(b) > 0)
		return;
	(void)munmap(b->bytes, b->size);
	*b = buffer_over(first, first_size);
}
