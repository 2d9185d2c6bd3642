/*
 * Least privilege for a process that reads the network for a long time. After sandbox_enter() it keeps its
 * descriptors and can create new ones only by accepting connections. To open or name a file, to create a socket or
 * a process, to execute a program or to map executable memory ends the process with SIGSYS.
 *
 * Still allowed: reading, writing, waiting, the clock, memory, random bytes, and what the flags permit. Call it
 * after the last fork and exec, and after the last socket(), open(), pipe() and setrlimit().
 *
 * The sandbox cannot be left, and all later children inherit it. -DSANDBOX=0 disables it, for sanitizers and gcov,
 * which need forbidden calls.
 */
#ifndef FITTINGS_SANDBOX_H
#define FITTINGS_SANDBOX_H

#include <stdbool.h>

#ifndef SANDBOX
#define SANDBOX 1
#endif

enum {
	SANDBOX_SERVES = 1,  /* accept connections, epoll, socket options */
	SANDBOX_PARENT = 2,  /* reap and signal a child that already runs (outside the sandbox) */
	/* Open a pipe of this process again for reading, through /proc/self/fd. Other files then
	 * fail with EACCES; without Landlock all files do. */
	SANDBOX_REOPENS = 4,
	SANDBOX_ALARM = 8,   /* set the process timer */
	SANDBOX_UNSENT = 32, /* query the unsent bytes of a socket */
	SANDBOX_PIPES = 64,  /* make pipes, and query how many bytes a pipe holds */
	SANDBOX_NAMES = 128, /* query the name of an interface */
	SANDBOX_OFTEN = 16,  /* entered once for each connection: faster to enter, slightly slower calls */
};

/*
 * Enter the sandbox; flags is a set of these constants. Return NULL, or why the process is confined
 * less than possible: the kernel or the container has no filters, or another filter is active and
 * Landlock is not used. The program can continue after any result.
 */
const char *sandbox_enter(unsigned flags);

/* Enter the sandbox; if verbose, log why the process is confined less than possible. */
void sandbox_begin(unsigned keeps, bool verbose);

#endif
