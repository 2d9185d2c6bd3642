/* Storage of a buffer that grows when it must: a little of the caller's own
 * first, so that who is idle costs little; then pages, touched as they are used. */
#ifndef FITTINGS_MMAP_BUFFER_H
#define FITTINGS_MMAP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Gives the buffer, over `first` so far or grown already, size bytes (more than
 * it has); what it holds stays. Returns false where there is no memory. */
bool mmap_buffer_grow(struct buffer *buffer, const void *first, size_t size);

/* An empty buffer goes back to its first storage. */
void mmap_buffer_shrink(struct buffer *buffer, void *first, size_t first_size);

#endif
