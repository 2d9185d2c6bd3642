/*
 * Memory in blocks that come and go with messages. Fresh pages cost more than
 * the bytes that go through them, so a few large blocks that were given back
 * are kept for those who ask next.
 */
#ifndef FITTINGS_BLOCK_CACHE_H
#define FITTINGS_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

enum { BLOCK_LARGE = 64 << 10, BLOCK_LARGEST = (1 << 20) + 4096, BLOCK_KEPT = 4 };

/* A block of at least size bytes, *room is how many; a kept one has at most `most`.
 * NULL where there is no memory. */
void *block_alloc(size_t size, size_t most, size_t *room);

/* Gives it back, with the room that it has; NULL is nothing. */
void block_free(void *block, size_t room);

/* Room for n more bytes behind what a buffer holds, which may move into a block of at most
 * twice as much, or a kept one of at most `most` bytes. All zero is an empty buffer without a
 * block. False where there is no memory; then it is as it was. */
bool block_reserve(struct buffer *buffer, size_t n, size_t most);

/* Gives back the buffer's block. */
void block_drop(struct buffer *buffer);

/* All who needed much have gone: what the libc has kept of theirs goes back to the system. */
void block_cache_trim(void);

#endif
