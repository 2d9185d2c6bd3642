/*
 * nomem.so: failing allocations of a dynamically linked program, with the glibc it was built for.
 * The N-th allocation fails; with + after N all later ones fail too.
 *
 *     NOMEM='PROG N[+]' LD_PRELOAD=nomem.so ...
 *
 * Allocations are counted from the main() of PROG; other programs are not affected. A failure is
 * noted in the file `log` of the current directory: INJECTED.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *old, size_t n);

enum { LOG_FD = 900 };

static unsigned long left; /* allocations before the one that fails, 0 for none */
static bool from_then_on;

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("NOMEM");
	size_t name = strlen(program_invocation_short_name);
	int fd;

	if (text == NULL || strncmp(text, program_invocation_short_name, name) != 0 || text[name] != ' ')
		return;
	/* Opened now, because the sandbox allows no open(). */
	fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	(void)fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD);
	(void)close(fd);
	from_then_on = strchr(text, '+') != NULL;
	left = strtoul(text + name, NULL, 10);
}

static bool
fails(void)
{
	if (left == 0 || --left > 0)
		return false;
	left = from_then_on;
	(void)!write(LOG_FD, "INJECTED\n", 9);
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t n)
{
	return fails() ? NULL : __libc_calloc(count, n);
}

void *
realloc(void *old, size_t n)
{
	return fails() ? NULL : __libc_realloc(old, n);
}

void *
reallocarray(void *old, size_t count, size_t n)
{
	return realloc(old, count * n);
}
