#include "sys/exec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "sys/signals.h"

static int
executable(const char *path)
{
	struct stat s;

	if (stat(path, &s) != 0)
		return errno == ENOTDIR ? ENOENT : errno;
	return S_ISREG(s.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

int
exec_find(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;
	int error = ENOENT;

	if (strlen(name) >= size)
		return ENAMETOOLONG;
	if (strchr(name, '/') != NULL || name[0] == '\0') {
		memcpy(path, name, strlen(name) + 1);
		return executable(path);
	}
	for (const char *dir = dirs == NULL ? "/usr/local/bin:/bin:/usr/bin" : dirs;; dir = end + 1) {
		int n, e;

		end = strchrnul(dir, ':');
		/* An empty entry means the working directory. */
		n = snprintf(path, size, "%.*s%s%s", (int)(end - dir), dir, end == dir ? "" : "/", name);
		e = n > 0 && (size_t)n < size ? executable(path) : ENOENT;
		if (e == 0)
			return 0;
		if (e == EACCES)
			error = EACCES;
		if (*end == '\0')
			return error;
	}
}

const char *
exec_find_error(const char *name, int error)
{
	return error == ENOENT && name[0] != '\0' && strchr(name, '/') == NULL ? "not found in PATH" : strerror(error);
}

int
exec_status(int error)
{
	switch (error) {
	case ENOENT:
	case ENAMETOOLONG:
		return STATUS_NOT_FOUND;
	case E2BIG:
	case ENOMEM:
		return STATUS_FAILED;
	default:
		return STATUS_NOT_EXECUTABLE;
	}
}

int
exec_found(const char *path, char **argv)
{
	extern char **environ;
	int error;

	signals_for_exec();
	(void)execve(path, argv, environ);
	error = errno;
	warn("%s: %s", quoted(argv[0]), strerror(error));
	return exec_status(error);
}

int
exec_locate(const char *name, char *path, size_t size)
{
	int error = exec_find(name, path, size);

	if (error == 0)
		return 0;
	warn("%s: %s", quoted(name), exec_find_error(name, error));
	return exec_status(error);
}

int
exec_with(char **argv, char *path, size_t size)
{
	int status = exec_locate(argv[0], path, size);

	return status == 0 ? exec_found(path, argv) : status;
}

int
exec_next(char **argv)
{
	char path[PATH_MAX];

	return exec_with(argv, path, sizeof path);
}
