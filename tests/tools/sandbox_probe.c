/*
 * usage: sandbox_probe ACTION [unasked | often] Enters the sandbox and performs one action: SIGSYS
 * if the sandbox forbids it, exit 0 if it is allowed, 99 if the build has no sandbox. The flags
 * that the action needs are set, except with `unasked'; `often' adds SANDBOX_OFTEN.
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

enum deed { NOTHING, OPEN, REOPEN, REOPEN_FILE, REOPEN_TO_WRITE, IOCTL, TERMINAL, SOCKET, CONNECT, FORK, EXEC, PTRACE, UNLINK, CODE,
	MAKE_CODE, X32, MEMORY, SERVE, CHILD, ALARM, ABORT, DEEDS };

static const struct {
	const char *name;
	unsigned keeps;
} deeds[DEEDS] = {
	[NOTHING] = {"nothing", 0}, [OPEN] = {"open", 0}, [REOPEN] = {"reopen", SANDBOX_REOPENS},
	[REOPEN_FILE] = {"reopen-file", SANDBOX_REOPENS}, [REOPEN_TO_WRITE] = {"reopen-to-write", SANDBOX_REOPENS},
	[IOCTL] = {"ioctl", SANDBOX_PARENT}, [TERMINAL] = {"terminal", SANDBOX_PARENT}, [SOCKET] = {"socket", SANDBOX_SERVES},
	[CONNECT] = {"connect", SANDBOX_SERVES}, [FORK] = {"fork", 0}, [EXEC] = {"exec", 0}, [PTRACE] = {"ptrace", 0},
	[UNLINK] = {"unlink", 0}, [CODE] = {"code", 0}, [MAKE_CODE] = {"make-code", 0}, [X32] = {"x32", 0}, [MEMORY] = {"memory", 0},
	[SERVE] = {"serve", SANDBOX_SERVES}, [CHILD] = {"child", SANDBOX_PARENT}, [ALARM] = {"alarm", SANDBOX_ALARM},
	[ABORT] = {"abort", 0},
};

/* As wsframe reopens the pipe to its program. */
static int
reopen(int fd)
{
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	return openat(AT_FDCWD, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static bool
allocate(void)
{
	for (size_t size = 16; size < (1U << 24); size *= 2) {
		char *p = realloc(malloc(size), size * 2);

		if (p == NULL)
			return false;
		memset(p, 1, size * 2);
		free(p);
	}
	return true;
}

static bool
serve(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	unsigned char key[4];
	struct timespec now;

	return epoll_ctl(loop, EPOLL_CTL_ADD, listener, &e) == 0 && epoll_wait(loop, &e, 1, 0) == 0
	    && accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EAGAIN
	    && getrandom(key, sizeof key, 0) == sizeof key && clock_gettime(CLOCK_MONOTONIC, &now) == 0
	    && write(STDOUT_FILENO, "", 0) == 0;
}

/* The child already runs outside of the sandbox: it opens a file on request. */
static bool
child_ends(void)
{
	int status;

	return write(child_in, "\n", 1) == 1 && waitpid(child, &status, 0) == child && status == 0 && kill(child, 0) != 0;
}

static void *
map(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool
does(enum deed deed)
{
	int n;

	switch (deed) {
	case OPEN: return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
	case REOPEN: return close(reopen(child_in)) == 0;
	/* By name, and through an O_PATH descriptor. */
	case REOPEN_FILE: return reopen(a_file) < 0 && errno == EACCES && openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0 && errno == EACCES;
	case REOPEN_TO_WRITE: return openat(AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600) >= 0;
	case IOCTL: return ioctl(child_in, FIONREAD, &n) == 0;
	case TERMINAL: return ioctl(STDIN_FILENO, TIOCSTI, "x") == 0;
	case SOCKET: return socket(AF_INET, SOCK_STREAM, 0) >= 0;
	case CONNECT: return connect(listener, NULL, 0) == 0;
	case FORK: return fork() >= 0;
	case EXEC: return execl("/bin/true", "true", (char *)NULL) == 0;
	case PTRACE: return syscall(SYS_ptrace, 0, 0, NULL, NULL) == 0;
	case UNLINK: return unlink("/tmp/there-is-no-such-file") == 0;
	case CODE: return map(PROT_READ | PROT_EXEC) != MAP_FAILED;
	case MAKE_CODE: return mprotect(map(PROT_READ | PROT_WRITE), 4096, PROT_READ | PROT_EXEC) == 0;
	case X32: return syscall(X32_GETPID) > 0;
	case MEMORY: return allocate();
	case SERVE: return serve();
	case CHILD: return child_ends();
	case ALARM: return setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_sec = 0}, NULL) == 0;
	case ABORT: abort();
	default: return true;
	}
}

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
	return does((enum deed)i) ? 0 : 1;
}
