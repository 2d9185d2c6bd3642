#include "sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "sys/child.h"
#include "sys/exec.h"
#include "sys/fds.h"

enum { PIPE_SIZE = 256 << 10, PATH_SHORT = 512 };

static void
close_both(const int ends[2])
{
	int saved = errno;

	(void)close(ends[0]);
	(void)close(ends[1]);
	errno = saved;
}

/* Each pipe end is an open file description of its own, so the child's end stays blocking. */
static struct endpoint
own_endpoint(int fd, bool sink, struct buffer *buffer)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return (struct endpoint){.fd = fd, .kind = ENDPOINT_OWN, .sink = sink, .unwatched = sink, .buffer = buffer};
}

int
program_pipes(struct program_ends *ends, int *child_in, int *child_out)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) != 0)
		return -1;
	if (pipe2(from, O_CLOEXEC) != 0) {
		close_both(to);
		return -1;
	}
	*ends = (struct program_ends){.pid = -1, .to = to[1], .from = from[0]};
	*child_in = to[0];
	*child_out = from[1];
	return 0;
}

static void
begin_piped(struct child_start *start, struct program_ends *ends, bool *exec_failed)
{
	*exec_failed = false;
	if (program_pipes(ends, &start->in, &start->out) != 0)
		return;
	ends->pid = child_begin(start, exec_failed);
	close_both((int[]){start->in, start->out});
	if (ends->pid < 0)
		close_both((int[]){ends->to, ends->from});
}

/* path is storage for the path of the program. */
static int
spawn_with(char **argv, struct program_ends *ends, char *path, size_t size)
{
	extern char **environ;
	struct child_start start = {
		.path = path, .argv = argv, .envp = environ, .own_group = true, .death_signal = SIGTERM,
	};
	int error = exec_find(argv[0], path, size);
	const char *why = exec_find_error(argv[0], error);
	bool exec_failed = error != 0;

	*ends = (struct program_ends){.pid = -1, .to = -1, .from = -1};
	if (error == 0)
		begin_piped(&start, ends, &exec_failed);
	if (ends->pid >= 0)
		return 0;
	if (error == 0) {
		error = errno;
		why = strerror(error);
	}
	warn("%s: %s", quoted(argv[0]), why);
	return exec_failed ? exec_status(error) : STATUS_FAILED;
}

__attribute__((noinline)) static int
spawn_with_long_path(char **argv, struct program_ends *ends)
{
	char path[PATH_MAX];

	return spawn_with(argv, ends, path, sizeof path);
}

/* Stack pages stay allocated once touched, so PATH_MAX bytes are used only if the search can
 * produce a long path. */
int
program_spawn(char **argv, struct program_ends *ends)
{
	const char *dirs = getenv("PATH");
	char path[PATH_SHORT];

	if (strlen(argv[0]) + (dirs == NULL ? 32 : strlen(dirs)) + 2 > sizeof path)
		return spawn_with_long_path(argv, ends);
	return spawn_with(argv, ends, path, sizeof path);
}

int
program_begin(struct program *p, char **argv, struct buffer *to_child, struct buffer *from_child)
{
	struct program_ends ends;
	int status = program_spawn(argv, &ends);

	if (status == 0)
		*p = (struct program){
			.pid = ends.pid, .in = own_endpoint(ends.to, true, to_child), .out = own_endpoint(ends.from, false, from_child),
			.watch = -1,
		};
	else
		*p = (struct program){
			.in = {.fd = -1, .sink = true, .ended = true, .buffer = to_child},
			.out = {.fd = -1, .ended = true, .buffer = from_child},
			.watch = -1,
		};
	return status;
}

/* Until the program is reaped, no other process group can get its number. */
bool
program_reap(struct program *p)
{
	siginfo_t info = {0};

	/* An error (ECHILD) means that there is no child to wait for. */
	if (p->pid == 0 || (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0))
		return false;
	program_cut_output(p);
	(void)kill(-p->pid, SIGTERM);
	while (waitpid(p->pid, &p->wait_status, 0) < 0 && errno == EINTR)
		;
	p->reaped = true;
	p->pid = 0;
	return true;
}

void
program_begin_apart(struct program *p, const struct program_ends *ends, struct buffer *to_child,
    struct buffer *from_child, void (*send_signal)(struct program *, int))
{
	*p = (struct program){
		.pid = ends->pid, .in = own_endpoint(ends->to, true, to_child), .out = own_endpoint(ends->from, false, from_child),
		.watch = -1, .send_signal = send_signal,
	};
}

void
program_ended(struct program *p, int wait_status)
{
	program_cut_output(p);
	p->wait_status = wait_status;
	p->reaped = true;
	p->pid = 0;
}

void
program_close(struct program *p)
{
	const int fds[] = {p->in.fd, p->out.fd, p->watch};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	p->in.fd = p->out.fd = p->watch = -1;
	p->in.ended = p->out.ended = true;
}

void
program_signal(struct program *p, int number)
{
	if (p->pid == 0)
		return;
	if (p->send_signal != NULL)
		p->send_signal(p, number);
	else
		child_signal(p->pid, number);
}

void
program_close_stdin(struct program *p)
{
	char name[32];

	p->in.ended = true;
	if (p->in.fd < 0)
		return;
	if (p->pid != 0 && fd_unread(p->in.fd) > 0) {
		(void)snprintf(name, sizeof name, "/proc/self/fd/%d", p->in.fd);
		/* The flags that the sandbox allows. */
		p->watch = openat(AT_FDCWD, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		p->end_withheld = p->watch < 0;
	}
	if (p->end_withheld)
		p->watch = p->in.fd;
	else
		(void)close(p->in.fd);
	p->in.fd = -1;
}

bool
program_end_stdin(struct program *p)
{
	if (p->end_withheld && fd_unread(p->watch) == 0) {
		(void)close(p->watch);
		p->watch = -1;
		p->end_withheld = false;
	}
	return !p->end_withheld;
}

size_t
program_unread(const struct program *p)
{
	return fd_unread(p->in.fd >= 0 ? p->in.fd : p->watch);
}

size_t
program_unsent(const struct program *p)
{
	return p->out.ended ? 0 : fd_unread(p->out.fd);
}

void
program_cut_output(struct program *p)
{
	if (p->out.ended)
		return;
	p->out.limited = true;
	p->out.most = program_unsent(p);
	p->out.ended = p->out.most == 0;
}

void
program_enlarge(const struct program *p)
{
	if (p->in.fd >= 0)
		(void)fcntl(p->in.fd, F_SETPIPE_SZ, PIPE_SIZE);
	if (p->out.fd >= 0)
		(void)fcntl(p->out.fd, F_SETPIPE_SZ, PIPE_SIZE);
}
