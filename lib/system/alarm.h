/*
 * The process's timer, for all its deadlines: setitimer(2), which ends a wait with
 * SIGALRM. A wait that has a timeout sets and clears a timer of its own each time,
 * a sixteenth of the work of a message that is passed on. The alarm stays where it
 * is when a deadline moves on: it comes early, and is set again.
 */
#ifndef FITTINGS_ALARM_H
#define FITTINGS_ALARM_H

#include <stdint.h>

/* Catches SIGALRM from now on (system/signals.h), unless the process has been given an
 * alarm(2) to end it: then waits have timeouts. */
void alarm_take(void);

/* Makes a wait with signals_wait_mask() end at `when` of clock_ms(), or earlier. Returns the
 * timeout it has to have besides: -1 for none, 0 where the time has come. */
int alarm_until(int64_t when_ms, int64_t now_ms);

#endif
