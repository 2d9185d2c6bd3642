#include "sys/alarm.h"

#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>

#include "sys/clock.h"
#include "sys/signals.h"

static bool owned;
static int64_t set_for = CLOCK_NEVER;

bool
alarm_take(void)
{
	struct itimerval inherited;

	owned = getitimer(ITIMER_REAL, &inherited) == 0 && inherited.it_value.tv_sec == 0
	    && inherited.it_value.tv_usec == 0;
	return owned;
}

static bool
timer_set(int64_t ms)
{
	struct itimerval once = {.it_value = {ms / 1000, ms % 1000 * 1000}};

	return setitimer(ITIMER_REAL, &once, NULL) == 0;
}

int
alarm_until(int64_t when_ms, int64_t now_ms)
{
	int64_t left = when_ms - now_ms;

	if (left <= 0)
		return 0;
	if (signals_take(SIGALRM))
		set_for = CLOCK_NEVER;
	if (owned && set_for > when_ms)
		set_for = timer_set(left) ? when_ms : CLOCK_NEVER;
	if (set_for <= when_ms) /* also true for CLOCK_NEVER */
		return -1;
	return left > INT_MAX ? INT_MAX : (int)left;
}
