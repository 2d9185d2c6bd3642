#include "system/alarm.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

#include "system/clock.h"
#include "system/signals.h"

static bool taken;
static int64_t set_for = CLOCK_NEVER;

void
alarm_take(void)
{
	static const int number = SIGALRM;
	struct itimerval inherited;

	taken = getitimer(ITIMER_REAL, &inherited) == 0 && inherited.it_value.tv_sec == 0
	    && inherited.it_value.tv_usec == 0;
	if (taken)
		signals_catch(&number, 1);
}

static bool
set(int64_t ms)
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
	if (set_for <= now_ms) /* it has come */
		set_for = CLOCK_NEVER;
	if (taken && set_for > when_ms)
		set_for = set(left) ? when_ms : CLOCK_NEVER;
	if (set_for <= when_ms) /* so is what never comes */
		return -1;
	return left > INT_MAX ? INT_MAX : (int)left;
}
