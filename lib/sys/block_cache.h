/* Blocks of memory that live as long as a message. Page faults of fresh memory cost more than the bytes that pass
 * through it, so a few large freed blocks are kept for the next allocations. */
#ifndef FITTINGS_BLOCK_CACHE_H
#define FITTINGS_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum { BLOCK_LARGE = 64 << 10, BLOCK_LARGEST = (1 << 20) + 4096, BLOCK_KEPT = 4 };

/* Return a block of at least size bytes and set *capacity to its size; a reused block has at most
 * `most` bytes. Return NULL without memory. */
void *block_alloc(size_t size, size_t most, size_t *capacity);

/* Free a block of this capacity. NULL is allowed. */
void block_free(void *block, size_t capacity);

/* Make space for n more bytes after the held ones. The data may move into a block of at most twice
 * the size, or into a reused block of at most `most` bytes. An all-zero buffer is empty and has no
 * block. Return false without memory; the buffer is then unchanged. */
bool block_reserve(struct buffer *buffer, size_t n, size_t most);

/* Free the buffer's block. */
void block_drop(struct buffer *buffer);

/* Return free memory of the libc to the system, after all large blocks have been freed. */
void block_cache_trim(void);

#endif
