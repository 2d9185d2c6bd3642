#include "sys/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit.h"

/* Open a distinct file at this descriptor. Return its inode number. */
static ino_t
file_at(int fd)
{
	int ends[2];
	struct stat s;

	CHECK(pipe2(ends, O_CLOEXEC) == 0 && dup3(ends[0], fd, O_CLOEXEC) == fd && fstat(fd, &s) == 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return s.st_ino;
}

static bool
is_at(int fd, ino_t file)
{
	struct stat s;

	return fstat(fd, &s) == 0 && s.st_ino == file;
}

static bool
is_closed(int fd)
{
	return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* Open files at these descriptors and move them to first and up. */
static bool
places(const int *fds, size_t count, int first)
{
	ino_t files[FDS_PLACE_MAX];
	bool right = true;

	for (size_t i = 0; i < count; i++)
		files[i] = file_at(fds[i]);
	right = fds_place(fds, count, first) == 0;
	for (size_t i = 0; i < count; i++) {
		int target = first + (int)i;

		right = right && is_at(target, files[i]) && fcntl(target, F_GETFD) == 0;
	}
	for (size_t i = 0; i < count; i++)
		right = right && (is_closed(fds[i]) || (fds[i] >= first && fds[i] < first + (int)count));
	fds_close_from(100);
	return right;
}

/* Return whether using the descriptor fails as if it were closed, although it is open. */
static bool
is_unusable(int fd)
{
	char byte = 0;

	return fcntl(fd, F_GETFD) >= 0 && read(fd, &byte, 1) < 0 && errno == EBADF && write(fd, &byte, 1) < 0 && errno == EBADF;
}

TEST(closed_0_1_and_2_are_occupied_without_dev_null_as_well)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (chroot("/etc") != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot("/etc") != 0))
			_exit(77);
		for (int fd = 0; fd <= 2; fd++)
			(void)close(fd);
		fds_open_standard();
		_exit(is_unusable(0) && is_unusable(1) && is_unusable(2) ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		unit_skip("chroot() is not permitted");
	else
		CHECK(status == 0);
}

TEST(descriptors_are_placed_however_they_overlap)
{
	CHECK(places((int[]){100}, 1, 100));
	CHECK(places((int[]){200}, 1, 100));
	CHECK(places((int[]){110, 111}, 2, 100));
	CHECK(places((int[]){100, 101}, 2, 100));
	CHECK(places((int[]){101, 100}, 2, 100));
	CHECK(places((int[]){101, 102}, 2, 100));
	CHECK(places((int[]){102, 100, 101}, 3, 100));
	CHECK(places((int[]){103, 200, 100, 102}, 4, 100));
}

TEST(descriptors_at_the_targets_are_replaced)
{
	ino_t stood = file_at(100);
	int from = 120;

	CHECK(places(&from, 1, 100) && !is_at(100, stood));
}

TEST(a_descriptor_that_is_closed_cannot_be_placed)
{
	int closed = 130;

	CHECK(fds_place(&closed, 1, 100) == -1 && errno == EBADF);
}

TEST(closing_and_keeping_go_from_one_descriptor_up)
{
	(void)file_at(100);
	(void)file_at(101);
	(void)file_at(500);
	CHECK(fcntl(100, F_SETFD, 0) == 0 && fcntl(500, F_SETFD, 0) == 0);
	fds_keep_from(101);
	CHECK(fcntl(100, F_GETFD) == 0 && fcntl(101, F_GETFD) == FD_CLOEXEC && fcntl(500, F_GETFD) == FD_CLOEXEC);
	fds_close_from(101);
	CHECK(!is_closed(100) && is_closed(101) && is_closed(500));
	(void)close(100);
}

TEST(the_same_file_is_known_by_any_descriptor)
{
	(void)file_at(100);
	(void)file_at(101);
	CHECK(dup2(100, 102) == 102);
	CHECK(fds_same(100, 102) && fds_same(100, 100) && !fds_same(100, 101) && !fds_same(100, 103));
	fds_close_from(100);
}
