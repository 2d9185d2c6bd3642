/*
 * usage: sandbox_probe DEED [unasked | often]
 * Enters the sandbox and does one thing. What the sandbox forbids ends it with
 * SIGSYS, what it keeps with 0; 99 where none was built in. What it keeps only
 * where asked is asked for, but with `unasked'; `often' is SANDBOX_OFTEN besides.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/sandbox.h"

enum { NO_SANDBOX = 99, X32_GETPID = 0x40000000 + 39 };

static int listener, loop, child_in, a_file;
static pid_t child;

static bool
do_nothing(void)
{
	return true;
}

static bool
do_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

/* As wsframe does it with the pipe to its program. */
static bool
do_reopen(void)
{
	char name[64];
	int fd;

	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", child_in);
	fd = openat(AT_FDCWD, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && close(fd) == 0;
}

/* By name, and by a descriptor that is only a name. */
static bool
do_reopen_file(void)
{
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", a_file);
	return openat(AT_FDCWD, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 && errno == EACCES
	    && openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 && errno == EACCES;
}

static bool
do_reopen_to_write(void)
{
	return openat(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600) >= 0;
}

static bool
do_ioctl(void)
{
	int n;

	return ioctl(child_in, FIONREAD, &n) == 0;
}

static bool
do_terminal(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x") == 0;
}

static bool
do_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
do_connect(void)
{
	return connect(listener, NULL, 0) == 0;
}

static bool
do_fork(void)
{
	return fork() >= 0;
}

static bool
do_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL) == 0;
}

static bool
do_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, NULL, NULL) == 0;
}

static bool
do_unlink(void)
{
	return unlink("/tmp/there-is-no-such-file") == 0;
}

static bool
do_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
do_make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
do_x32(void)
{
	return syscall(X32_GETPID) > 0;
}

static bool
do_memory(void)
{
	for (size_t size = 16; size < (1U << 24); size *= 2) {
		char *p = malloc(size), *q;

		if (p == NULL)
			return false;
		memset(p, 1, size);
		q = realloc(p, size * 2);
		if (q == NULL)
			return false;
		memset(q, 1, size * 2);
		free(q);
	}
	return true;
}

static bool
do_serve(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	unsigned char key[4];
	struct timespec now;

	return epoll_ctl(loop, EPOLL_CTL_ADD, listener, &e) == 0 && epoll_wait(loop, &e, 1, 0) == 0
	    && accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EAGAIN
	    && getrandom(key, sizeof key, 0) == sizeof key && clock_gettime(CLOCK_MONOTONIC, &now) == 0
	    && write(STDOUT_FILENO, "", 0) == 0;
}

/* It ran before, and is as free as it was: opens a file when we say so. */
static bool
do_child(void)
{
	int status;

	return write(child_in, "\n", 1) == 1 && waitpid(child, &status, 0) == child && status == 0
	    && kill(child, 0) != 0;
}

static bool
do_alarm(void)
{
	struct itimerval never = {0};

	return setitimer(ITIMER_REAL, &never, NULL) == 0;
}

static bool
do_abort(void)
{
	abort();
}

static const struct {
	const char *name;
	bool (*deed)(void);
	unsigned keeps;
} deeds[] = {
	{"nothing", do_nothing, 0},
	{"open", do_open, 0},
	{"reopen", do_reopen, SANDBOX_REOPENS},
	{"reopen-file", do_reopen_file, SANDBOX_REOPENS},
	{"reopen-to-write", do_reopen_to_write, SANDBOX_REOPENS},
	{"ioctl", do_ioctl, SANDBOX_PARENT},
	{"terminal", do_terminal, SANDBOX_PARENT},
	{"socket", do_socket, SANDBOX_SERVES},
	{"connect", do_connect, SANDBOX_SERVES},
	{"fork", do_fork, 0},
	{"exec", do_exec, 0},
	{"ptrace", do_ptrace, 0},
	{"unlink", do_unlink, 0},
	{"code", do_code, 0},
	{"make-code", do_make_code, 0},
	{"x32", do_x32, 0},
	{"memory", do_memory, 0},
	{"serve", do_serve, SANDBOX_SERVES},
	{"child", do_child, SANDBOX_PARENT},
	{"alarm", do_alarm, SANDBOX_ALARM},
	{"abort", do_abort, 0},
};

enum { DEEDS = sizeof deeds / sizeof *deeds };

static pid_t
child_start(void)
{
	static char *const argv[] = {"sh", "-c", "read line; : </dev/null", NULL};
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	child_in = ends[1];
	pid = fork();
	if (pid == 0) {
		(void)dup2(ends[0], STDIN_FILENO);
		(void)execv("/bin/sh", argv);
		_exit(127);
	}
	return pid;
}

static bool
prepare(void)
{
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	loop = epoll_create1(EPOLL_CLOEXEC);
	child = child_start();
	a_file = open("/etc/passwd", O_PATH | O_CLOEXEC);
	return listener >= 0 && loop >= 0 && child > 0 && a_file >= 0
	    && bind(listener, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)) == 0
	    && listen(listener, 1) == 0;
}

int
main(int argc, char **argv)
{
	const char *partial;
	bool often = argc == 3 && strcmp(argv[2], "often") == 0;
	size_t i = 0;

	while (i < DEEDS && (argc < 2 || strcmp(argv[1], deeds[i].name) != 0))
		i++;
	if (i == DEEDS)
		return 2;
	if (!prepare())
		return 1;
	partial = sandbox_enter(often ? deeds[i].keeps | SANDBOX_OFTEN : argc == 2 ? deeds[i].keeps : 0);
	if (partial != NULL && strcmp(partial, strerror(ENOSYS)) == 0)
		return NO_SANDBOX;
	if (partial != NULL) {
		fprintf(stderr, "sandbox_probe: %s\n", partial);
		return 3;
	}
	return deeds[i].deed() ? 0 : 1;
}
