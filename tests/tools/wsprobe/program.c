/* The client that the fake server runs for each case. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "wsprobe.h"

static pid_t
program_start(const int errors[2])
{
	pid_t pid = fork();

	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(null, 1);
	dup2(errors[1], 2);
	execvp(settings.prog[0], settings.prog);
	fprintf(stderr, "%s: %s\n", settings.prog[0], strerror(errno));
	_exit(STATUS_NOT_FOUND);
}

/* Check the end of the client: its status, and one line on stderr after a failure. */
static bool
program_end(pid_t pid, const int errors[2], int wanted)
{
	char text[4096];
	size_t n = 0;
	int status, lines = 0;
	ssize_t got;

	close(errors[1]);
	while (n < sizeof text && (got = read(errors[0], text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	close(errors[0]);
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		return wrong("wanted exit status %d, got %d, and: %s", wanted,
		             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), quoted_bytes(text, n));
	if (lines != (wanted == 0 ? 0 : 1))
		return wrong("wanted %d lines on stderr, got %d: %s", wanted == 0 ? 0 : 1, lines, quoted_bytes(text, n));
	return true;
}

/* Play a case with the program as the client. */
bool
play_with_program(bool (*play)(struct link *l, const void *what), const void *what)
{
	char first[sizeof why];
	struct link l;
	int errors[2];
	pid_t pid;
	bool good;

	if (pipe2(errors, O_CLOEXEC) != 0)
		die(STATUS_FAILED, "pipe: %s", strerror(errno));
	pid = program_start(errors);
	good = link_open(&l) && play(&l, what);
	link_close(&l);
	if (good)
		return program_end(pid, errors, l.orderly ? 0 : 1);
	memcpy(first, why, sizeof first);
	kill(pid, SIGTERM);
	program_end(pid, errors, -1);
	return wrong("%.600s; then %.400s", first, why);
}
