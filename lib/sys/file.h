/* All of a file at once, without waiting longer for it than a limit. */
#ifndef FITTINGS_FILE_H
#define FITTINGS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "sys/timed_io.h"

struct file {
	char *bytes; /* to free */
	size_t size;
	bool regular; /* it can be read again */
};

/*
 * Reads all of a file of at most `most` bytes. A file that is not regular (a FIFO, a pipe, a
 * device) is read to its end within the limit, or, if limit is NULL, not at all. Returns 0, or
 * -1 with errno: EFBIG, ETIMEDOUT, ENOTSUP (not regular and no limit), or that of a system call.
 */
int file_read(const char *path, size_t most, struct time_limit *limit, struct file *file);

#endif
