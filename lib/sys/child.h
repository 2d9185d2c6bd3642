/* Start a program with vfork(): the parent's page tables are not copied, so the cost does not depend on the size of
 * the parent. */
#ifndef FITTINGS_CHILD_H
#define FITTINGS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child_start {
	const char *path;   /* from exec_find(): the child only executes it */
	char *const *argv;
	char *const *envp;
	int in;             /* becomes fd 0 */
	int out;            /* becomes fd 1; may be the same as in */
	bool own_group;     /* make the child the leader of a new process group */
	int death_signal;   /* signal for the child when the parent exits (PR_SET_PDEATHSIG), 0 for none */
};

/* Start a program. Return its pid, or -1 with errno. *exec_failed is false if no process could be created (EAGAIN,
 * ENOMEM), and true if the program could not be executed; the process is then reaped. */
pid_t child_begin(const struct child_start *start, bool *exec_failed);

/*
 * Send a signal to the process group of the child, and to the child itself if it has left that
 * group. If the child has left the group but other members remain, only SIGKILL is certain to reach
 * it. No error is returned: a program of another user (setuid) cannot be signalled.
 */
void child_signal(pid_t pid, int number);

/* Return the exit status to pass on from a status of waitpid(): the program's, or 128 plus the signal. */
int child_status(int wait_status);

#endif
