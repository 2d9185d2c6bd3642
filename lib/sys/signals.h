/* Signals as flags. Caught signals stay blocked except during a wait (ppoll or epoll_pwait with
 * signals_wait_mask()), so that no signal is lost between checking the flags and waiting. */
#ifndef FITTINGS_SIGNALS_H
#define FITTINGS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Catch these signals from now on; the previous dispositions are stored. SIGHUP stays ignored if it is (nohup(1)). */
void signals_catch(const int *numbers, size_t count);

/* Return whether the signal has arrived since the last call. */
bool signals_take(int number);

/* Return whether SIGTERM, SIGINT or SIGHUP has arrived since the last call. */
bool signals_take_stop(void);

/* Return the mask for waits: empty. */
const sigset_t *signals_wait_mask(void);

/* Deliver the pending signals. For a program that is never idle: a wait that finds an event at once returns without
 * delivering signals. */
void signals_deliver(void);

/* Prepare for exec, also in a vfork() child: SIGPIPE and SIGCHLD get their default action, caught signals their
 * inherited disposition, and no signal is blocked. */
void signals_for_exec(void);

#endif
