/*
 * Least privilege for what reads the network for long: from sandbox_enter() on
 * the process has the descriptors that it has, and can make new ones only by
 * accepting connections. Opening or naming a file, a socket of its own, a new
 * process, another program, memory to execute: the kernel kills it (SIGSYS).
 *
 * Kept: reading, writing, accepting, waiting, socket options, the clock, memory, random
 * bytes, reaping and signalling a child that runs already (which is not in the
 * sandbox). So: call it after the last fork and exec, and after the last
 * socket(), open(), pipe() and setrlimit().
 *
 * It cannot be left, and all that is forked later has it. -DSANDBOX=0 leaves it
 * out (sanitizers and gcov do what it forbids).
 */
#ifndef FITTINGS_SANDBOX_H
#define FITTINGS_SANDBOX_H

#include <stdbool.h>

#ifndef SANDBOX
#define SANDBOX 1
#endif

/*
 * own_pipes: a pipe of our own can be opened again for reading, by
 * /proc/self/fd; other files then fail with EACCES (all do on a kernel without
 * Landlock). Returns 0, or -1 with errno where the kernel (or the container around us)
 * gives no filter: no reason to stop, the program is as it was.
 */
int sandbox_enter(bool own_pipes);

#endif
