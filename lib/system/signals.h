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
 * Before exec, also in a vfork child: SIGPIPE and SIGCHLD at default, what was
 * caught as it was inherited, nothing blocked.
 */
void signals_for_exec(void);

#endif
