#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "sys/fds.h"
#include "sys/signals.h"

/* dup2() of a descriptor onto itself would leave close-on-exec set. */
static int
become(int fd, int target)
{
	return fd == target ? fcntl(fd, F_SETFD, 0) : dup2(fd, target);
}

/* Runs in the vfork() child on the parent's memory: it makes only async-signal-safe calls, and
 * writes only to its own stack and *error. */
static void
run(const struct child_start *start, pid_t parent, volatile int *error)
{
	int out = start->out;

	/* in must not overwrite the descriptor that out still needs. */
	if (out == STDIN_FILENO && start->in != STDIN_FILENO)
		out = fd_above(out, 3);
	if (out < 0 || become(start->in, STDIN_FILENO) < 0 || become(out, STDOUT_FILENO) < 0) {
		*error = errno;
		return;
	}
	if (start->own_group)
		(void)setpgid(0, 0);
	if (start->death_signal != 0) {
		(void)prctl(PR_SET_PDEATHSIG, start->death_signal);
		if (getppid() != parent)
			(void)raise(start->death_signal);
	}
	signals_for_exec();
	(void)execve(start->path, start->argv, start->envp);
	*error = errno;
}

pid_t
child_begin(const struct child_start *start, bool *exec_failed)
{
	volatile int error = 0;
	pid_t parent = start->death_signal == 0 ? 0 : getpid();
	pid_t pid;

	*exec_failed = false;
	pid = vfork();
	if (pid == 0) {
		run(start, parent, &error);
		_exit(STATUS_NOT_FOUND);
	}
	if (pid < 0 || error == 0)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*exec_failed = true;
	errno = error;
	return -1;
}

/* A child in its group gets a single signal, because some programs act on the second one. */
void
child_signal(pid_t pid, int number)
{
	if (kill(-pid, number) != 0 || number == SIGKILL)
		(void)kill(pid, number);
}

int
child_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? STATUS_SIGNAL + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
