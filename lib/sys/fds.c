#include "sys/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INHERITED_MAX = 1024 }; /* inherited descriptors are expected below this number */

/* Without /dev, return a descriptor that can be neither read nor written. */
static int
null_open(int flags)
{
	int null = open("/dev/null", flags);

	return null >= 0 ? null : open("/", O_PATH | (flags & O_CLOEXEC));
}

void
fds_open_standard(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)null_open(fd == 0 ? O_WRONLY : O_RDONLY);
}

bool
fds_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void
replace_by_null(int fd)
{
	int null = null_open(O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, fd);
		(void)close(null);
	}
}

void
fds_guard_stderr(void)
{
	struct stat s;

	if (fstat(STDERR_FILENO, &s) == 0 && S_ISSOCK(s.st_mode) && fds_same(STDIN_FILENO, STDERR_FILENO))
		replace_by_null(STDERR_FILENO);
}

void
fds_leave_stdout(void)
{
	replace_by_null(STDOUT_FILENO);
}

int
fd_above(int fd, int least)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);

	/* EINVAL: the limit of descriptors is not above least. */
	if (copy < 0 && errno == EINVAL)
		errno = EMFILE;
	return copy;
}

int
fds_place(const int *fds, size_t count, int first)
{
	int copies[FDS_PLACE_MAX];

	/* First copy them above all targets: otherwise one move could close the source of a later one. */
	for (size_t i = 0; i < count; i++) {
		copies[i] = fd_above(fds[i], first + (int)count);
		if (copies[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
	for (size_t i = 0; i < count; i++) {
		if (dup2(copies[i], first + (int)i) < 0)
			return -1;
		(void)close(copies[i]);
	}
	return 0;
}

void
fds_close_from(int first)
{
	/* With syscall(2), because musl has no close_range(). */
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return;
	for (int fd = first, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
		(void)close(fd);
}

void
fds_keep_from(int first)
{
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
	for (int fd = first, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

size_t
fds_left(void)
{
	struct rlimit limit;
	size_t used = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return SIZE_MAX;
	for (int fd = 0; fd < INHERITED_MAX && (rlim_t)fd < limit.rlim_cur; fd++)
		used += fcntl(fd, F_GETFD) >= 0;
	return (size_t)limit.rlim_cur - used;
}

void
fds_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

size_t
fd_unread(int fd)
{
	int n = 0;

	return fd >= 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}
