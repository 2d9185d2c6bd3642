/* Execution of the next program of a chain. */
#ifndef FITTINGS_EXEC_H
#define FITTINGS_EXEC_H

#include <stddef.h>

/* Find a program as execvp(3) does: a name with a slash is a path, any other name is the first executable file of
 * that name in PATH. Return 0, or the errno of exec (ENOENT, EACCES, ENAMETOOLONG). */
int exec_find(const char *name, char *path, size_t size);

/* As exec_find(). Return 0, or after an error, which is logged, the exit status. */
int exec_locate(const char *name, char *path, size_t size);

/* Return the description of an error of exec_find(). */
const char *exec_find_error(const char *name, int error);

/* Return the exit status for an errno of exec, as in env(1): 127 not found, 126 not executable, else 1. */
int exec_status(int error);

/* Replace this process by argv[0] (searched in PATH) with the current environment. Return only after an error,
 * which is logged; the result is the exit status. */
int exec_next(char **argv);

/* exec_next() with storage for the path of the program, which otherwise is on the stack. */
int exec_with(char **argv, char *path, size_t size);

/* exec_next() for a program that exec_find() has already found. */
int exec_found(const char *path, char **argv);

#endif
