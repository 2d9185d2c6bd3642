/*
 * The process's timer, for all its deadlines: setitimer(2), which ends a wait with
 * SIGALRM. A wait that has a timeout sets and clears a timer of its own each time.
 * The alarm stays where it is when a deadline moves on: it comes early, and is set
 * again.
 */
#ifndef FITTINGS_ALARM_H
#define FITTINGS_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the timer; who does catches SIGALRM (sys/signals.h). False where the process
 * was given an alarm(2), to end it: waits then have timeouts. */
bool alarm_take(void);

/* Makes a wait with signals_wait_mask() end as soon as `when` of clock_ms() has come, if not
 * before. Returns the timeout it has to have besides: -1 for none, 0 where the time has come. */
int alarm_until(int64_t when_ms, int64_t now_ms);

#endif
