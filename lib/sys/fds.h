/* File descriptors as a program finds and leaves them. */
#ifndef FITTINGS_FDS_H
#define FITTINGS_FDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * First thing in main: fills closed 0, 1 and 2, so that nothing opened later
 * lands there. They are filled the wrong way round (0 cannot be read, 1 and 2
 * cannot be written), so that using them still fails with EBADF.
 */
void fds_open_standard(void);

/* For a server: puts /dev/null on stdout, so that `$(server &)` does not wait for its end. */
void fds_leave_stdout(void);

/* Whether two descriptors are the same file, pipe or socket. */
bool fds_same(int a, int b);

/*
 * For programs that speak a protocol or accept on fd 0: if stderr is that same
 * socket (some inetds), it becomes /dev/null, for us and what we run.
 */
void fds_guard_stderr(void);

/* A close-on-exec duplicate that is `least` or higher; -1 with errno (EMFILE). */
int fd_above(int fd, int least);

enum { FDS_PLACE_MAX = 64 };

/*
 * Moves count (at most FDS_PLACE_MAX) descriptors to first, first + 1, ... all
 * at once, whatever stood there and however they overlap; they survive exec,
 * the old numbers are closed. Returns 0, or -1 with errno.
 */
int fds_place(const int *fds, size_t count, int first);

/* Closes every descriptor from first up. Safe after vfork. */
void fds_close_from(int first);

/* Makes every descriptor from first up close-on-exec: we keep them, what we run does not. */
void fds_keep_from(int first);

/* How many more descriptors can be opened. */
size_t fds_left(void);

/* Raises the soft limit of descriptors to the hard one: a connection is one. */
void fds_raise_limit(void);

#endif
