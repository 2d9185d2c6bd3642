#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_SIZE = 64 * 1024 };

/* Read once, waiting within the limit. Return the number of bytes, 0 at EOF, or -1 with errno. */
static ssize_t
read_more(int fd, char *bytes, size_t n, struct time_limit *limit)
{
	ssize_t got;

	do {
		if (limit != NULL && timed_wait(fd, POLLIN, limit) != 0)
			return -1;
		got = read(fd, bytes, n);
	} while (got < 0 && (errno == EINTR || (errno == EAGAIN && limit != NULL)));
	return got;
}

static int
read_all(int fd, size_t most, struct time_limit *limit, struct file *file)
{
	size_t capacity = 0;
	ssize_t n = 1;

	while (n != 0 && file->size <= most) {
		if (file->size == capacity) {
			char *larger = realloc(file->bytes, capacity = capacity == 0 ? FIRST_SIZE : 2 * capacity);

			if (larger == NULL)
				return -1;
			file->bytes = larger;
		}
		n = read_more(fd, file->bytes + file->size, capacity - file->size, limit);
		if (n < 0)
			return -1;
		file->size += (size_t)n;
	}
	errno = EFBIG;
	return file->size > most ? -1 : 0;
}

/* O_NONBLOCK: opening a FIFO would otherwise wait for its other end without a limit. */
int
file_read(const char *path, size_t most, struct time_limit *limit, struct file *file)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), result = -1, error;
	struct stat s;

	*file = (struct file){0};
	if (fd < 0)
		return -1;
	if (fstat(fd, &s) == 0) {
		file->regular = S_ISREG(s.st_mode);
		errno = ENOTSUP;
		if (file->regular || limit != NULL)
			result = read_all(fd, most, file->regular ? NULL : limit, file);
	}
	error = errno;
	(void)close(fd);
	if (result != 0) {
		free(file->bytes);
		file->bytes = NULL;
	}
	errno = error;
	return result;
}
