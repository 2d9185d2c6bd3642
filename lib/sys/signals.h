/*
 * Signals as flags. What is caught stays blocked but while the program waits
 * (ppoll, epoll_pwait with signals_wait_mask()), so that none is lost between a
 * look at the flags and the wait.
 */
#ifndef FITTINGS_SIGNALS_H
#define FITTINGS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Catches these from now on; remembers how they were. */
void signals_catch(const int *numbers, size_t count);

/* Whether the signal came since the last call. */
bool signals_take(int number);

/* The mask to wait with: empty. */
const sigset_t *signals_wait_mask(void);

/*
 * Lets in what has come by now. For a program that is never idle: a wait that
 * finds something ready at once returns without having let any signal in.
 */
void signals_let_in(void);

/*
 * Before exec, also in a vfork child: SIGPIPE and SIGCHLD at default, what was
 * caught as it was inherited, nothing blocked.
 */
void signals_for_exec(void);

#endif
