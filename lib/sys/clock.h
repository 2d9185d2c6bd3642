/* Monotonic time for deadlines. */
#ifndef FITTINGS_CLOCK_H
#define FITTINGS_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

/* Return CLOCK_MONOTONIC in milliseconds. */
static inline int64_t
clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return the timeout for poll(2): the time left, 0 if the deadline has passed, -1 for CLOCK_NEVER. */
static inline int
clock_between(int64_t now_ms, int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms;

	if (deadline_ms == CLOCK_NEVER)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static inline int
clock_until(int64_t deadline_ms)
{
	return clock_between(deadline_ms == CLOCK_NEVER ? 0 : clock_ms(), deadline_ms);
}

#endif
