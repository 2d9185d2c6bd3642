/*
 * The plain ends of a filter: descriptors that it may wait on. They are
 * borrowed, so also one that somebody set non-blocking works.
 */
#ifndef FITTINGS_STREAM_H
#define FITTINGS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Up to n bytes, waiting for the first one. 0 at the end, -1 with errno. */
ssize_t stream_read(int fd, void *bytes, size_t n);

/* Whether a read would not wait now. Files never wait. */
bool stream_ready(int fd);

/* All n bytes. 0, or -1 with errno. */
int stream_write(int fd, const void *bytes, size_t n);

/* Asks for a pipe of 1 MiB where fd is a pipe: several times as fast between
 * processes. Where the kernel refuses, all stays as it was. */
void stream_widen(int fd);

#endif
