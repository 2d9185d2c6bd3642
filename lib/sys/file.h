/* Read a whole file with a time limit. */
#ifndef FITTINGS_FILE_H
#define FITTINGS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/timed_io.h"

struct file {
	char *bytes; /* freed by the caller */
	size_t size;
	bool regular; /* a regular file can be read again */
};

/*
 * Read a whole file of at most `most` bytes. A file that is not regular (FIFO, pipe, device) is
 * read to its end within the limit, or not at all if limit is NULL. Return 0, or -1 with errno:
 * EFBIG, ETIMEDOUT, ENOTSUP (not regular and no limit), or the error of a system call.
 */
int file_read(const char *path, size_t most, struct time_limit *limit, struct file *file);

#endif
