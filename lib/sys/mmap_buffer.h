/* A buffer that grows on demand: it starts in a small storage of the caller, so that an idle
 * connection uses little memory, and continues in mapped pages, which are allocated on first use. */
#ifndef FITTINGS_MMAP_BUFFER_H
#define FITTINGS_MMAP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Enlarge the buffer, whose storage is `first` or mapped already, to size bytes, or reduce a mapped and packed one,
 * and keep its contents. Return false without memory. */
bool mmap_buffer_resize(struct buffer *buffer, const void *first, size_t size);

/* Return an empty buffer to its first storage. */
void mmap_buffer_shrink(struct buffer *buffer, void *first, size_t first_size);

#endif
