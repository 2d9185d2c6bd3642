/*
 * Least privilege for what reads the network for long: from sandbox_enter() on
 * the process has the descriptors that it has, and can make new ones only by
 * accepting connections. Opening or naming a file, a socket of its own, a new
 * process, another program, memory to execute: the kernel kills it (SIGSYS).
 *
 * Kept: reading, writing, waiting, the clock, memory, random bytes, and what the
 * flags say. So: call it after the last fork and exec, and after the last
 * socket(), open(), pipe() and setrlimit().
 *
 * It cannot be left, and all that is forked later has it. -DSANDBOX=0 leaves it
 * out (sanitizers and gcov do what it forbids).
 */
#ifndef FITTINGS_SANDBOX_H
#define FITTINGS_SANDBOX_H

#ifndef SANDBOX
#define SANDBOX 1
#endif

enum {
	SANDBOX_SERVES = 1,  /* accepting connections, epoll, socket options */
	SANDBOX_PARENT = 2,  /* reaping and signalling a child that runs already (which is not in it) */
	/* Opening a pipe of our own again for reading, by /proc/self/fd; other files then fail
	 * with EACCES (all do without Landlock). */
	SANDBOX_REOPENS = 4,
	SANDBOX_ALARM = 8,   /* setting the process's timer */
	SANDBOX_UNSENT = 32, /* asking a socket how much it has not sent (not together with SANDBOX_PARENT) */
	SANDBOX_OFTEN = 16,  /* entered for each connection: quicker to enter, each call a little slower */
};

/*
 * keeps: of these flags. Returns NULL, or the reason why the process is not confined as fully as
 * it could be: the kernel or the container gives no filter, or another filter is active already,
 * and then Landlock is not used. No reason to stop: the program works as before.
 */
const char *sandbox_enter(unsigned keeps);

#endif
