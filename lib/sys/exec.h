/* The next program of a chain. */
#ifndef FITTINGS_EXEC_H
#define FITTINGS_EXEC_H

#include <stddef.h>

/*
 * Finds a program as execvp(3) does: a name with a slash is the path itself,
 * else the first executable file of that name in PATH. Returns 0, or the errno
 * that exec would give (ENOENT, EACCES, ENAMETOOLONG).
 */
int exec_find(const char *name, char *path, size_t size);

/* The exit status for that errno, as env(1) has it: 127 not found, 126 not executable, 1 else. */
int exec_status(int error);

/*
 * Becomes argv[0] (found by PATH) with our environment. Only comes back where
 * that failed: it has complained, and returns the exit status.
 */
int exec_next(char **argv);

/* The same, with room for the program's path (which else is on the stack). */
int exec_with(char **argv, char *path, size_t size);

/* The same for one that exec_find() found before. */
int exec_found(const char *path, char **argv);

#endif
