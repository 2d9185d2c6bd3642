/* File descriptors at the start of a program and for the programs that it executes. */
#ifndef FITTINGS_FDS_H
#define FITTINGS_FDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Open 0, 1 and 2 if they are closed, so that no later descriptor gets such a number. To be called
 * first in main(). They are opened in the wrong direction (0 write-only, 1 and 2 read-only), so
 * that using them still fails with EBADF.
 */
void fds_open_standard(void);

/* Replace stdout of a server by /dev/null, so that `$(server &)` does not wait for the end of the server. */
void fds_leave_stdout(void);

/* Return whether two descriptors refer to the same file, pipe or socket. */
bool fds_same(int a, int b);

/* Replace stderr by /dev/null if it is the socket on fd 0 (as with some inetds). For programs that speak a protocol
 * or accept on fd 0; programs that they execute inherit it. */
void fds_guard_stderr(void);

/* Duplicate fd to a close-on-exec descriptor of at least `least`. Return -1 with errno (EMFILE). */
int fd_above(int fd, int least);

enum { FDS_PLACE_MAX = 64 };

/*
 * Move count (at most FDS_PLACE_MAX) descriptors to first, first + 1, ..., even if the ranges
 * overlap. Open descriptors at the targets are replaced and the old numbers closed; the targets
 * survive exec. Return 0, or -1 with errno.
 */
int fds_place(const int *fds, size_t count, int first);

/* Close all descriptors from first up. Safe after vfork(). */
void fds_close_from(int first);

/* Make all descriptors from first up close-on-exec. */
void fds_keep_from(int first);

/* Return how many bytes a pipe holds, 0 for a closed descriptor (-1). */
size_t fd_unread(int fd);

/* Return how many more descriptors can be opened. */
size_t fds_left(void);

/* Raise the soft limit of descriptors to the hard limit, because each connection needs one. */
void fds_raise_limit(void);

#endif
