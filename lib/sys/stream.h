/* Blocking I/O of a filter. The descriptors are borrowed, so non-blocking ones work as well. */
#ifndef FITTINGS_STREAM_H
#define FITTINGS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Read up to n bytes and wait for the first one. Return 0 at EOF, -1 with errno. */
ssize_t stream_read(int fd, void *bytes, size_t n);

/* Return whether a read would not block now. Files never block. */
bool stream_ready(int fd);

/* Write all n bytes. Return 0, or -1 with errno. */
int stream_write(int fd, const void *bytes, size_t n);

/* Enlarge a pipe to 1 MiB, which makes it several times as fast. No effect if fd is not a pipe or
 * the kernel refuses. */
void stream_widen(int fd);

#endif
