/*
 * One process timer for all deadlines: setitimer(2), which interrupts a wait with SIGALRM. A wait
 * with a timeout of its own sets and clears a kernel timer each time. This timer is not moved when
 * a deadline moves to a later time: it expires early and is set again.
 */
#ifndef FITTINGS_ALARM_H
#define FITTINGS_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/* Take over the process timer; the caller catches SIGALRM (sys/signals.h). Return false if the
 * process inherited an alarm(2) that is to end it: waits then need timeouts. */
bool alarm_take(void);

/* Make waits with signals_wait_mask() return at `when` of clock_ms() at the latest. Return the
 * timeout that the wait must have in addition: -1 for none, 0 if the time has passed. */
int alarm_until(int64_t when_ms, int64_t now_ms);

#endif
