/*
 * Starting a program the vfork way: no copy of the parent's page tables, so
 * that a start costs the same however large the parent is.
 */
#ifndef FITTINGS_CHILD_H
#define FITTINGS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child_start {
	const char *path;   /* found already (exec_find), so that the child only execs */
	char *const *argv;
	char *const *envp;
	int in;             /* becomes fd 0 */
	int out;            /* becomes fd 1; may be the same as in */
	bool only_standard; /* fds 3 and up are closed in it */
	bool own_group;     /* leads a process group of its own */
	int death_signal;   /* sent to it when we die (PR_SET_PDEATHSIG), 0 for none */
};

/*
 * Returns its pid, or -1 with errno where there is no new process (EAGAIN,
 * ENOMEM) or it could not become the program (*exec_failed then is true, and
 * it is reaped already). Signals are as signals_for_exec() leaves them.
 */
pid_t child_begin(const struct child_start *start, bool *exec_failed);

/*
 * Sends a signal to the process group that the child leads, and to the child itself if it has left that group.
 * Only SIGKILL surely reaches a child that left others behind in the group. Returns nothing: a program
 * of another user (setuid) cannot be signalled.
 */
void child_signal(pid_t pid, int number);

/* The exit status to pass on, from waitpid's: its own, or 128 and the signal. */
int child_status(int wait_status);

#endif
