#include "sys/alarm.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "sys/clock.h"
#include "sys/signals.h"
#include "unit.h"

enum { SOON_MS = 20, LATER_MS = 100 * 1000, LATEST_MS = 200 * 1000 };

/* Return the remaining time of the timer, 0 if it is not set. */
static int64_t
timer_ms(void)
{
	struct itimerval timer;

	CHECK(getitimer(ITIMER_REAL, &timer) == 0);
	return (int64_t)timer.it_value.tv_sec * 1000 + timer.it_value.tv_usec / 1000;
}

static int
alarm_in(int64_t ms)
{
	int64_t now = clock_ms();

	return alarm_until(now + ms, now);
}

/* Return whether a signal ends a wait. */
static bool
wait_ends(void)
{
	static const struct timespec long_enough = {.tv_sec = 20};

	return ppoll(NULL, 0, &long_enough, signals_wait_mask()) < 0 && errno == EINTR;
}

/* In a process of its own, because the timer is taken only once. */
TEST(an_inherited_alarm_stays_and_waits_have_timeouts)
{
	static const int number = SIGALRM;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(LATER_MS / 1000);
		CHECK(!alarm_take());
		CHECK(alarm_in(SOON_MS) == SOON_MS);
		CHECK(alarm_in(LATEST_MS) == LATEST_MS);
		CHECK(timer_ms() > SOON_MS && timer_ms() <= LATER_MS);
		(void)alarm(1);
		if (!unit_failed)
			(void)wait_ends();
		_exit(1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	CHECK(alarm_take());
	signals_catch(&number, 1);
}

TEST(never_and_at_once_need_no_timer)
{
	int64_t now = clock_ms();

	CHECK(alarm_until(CLOCK_NEVER, now) == -1);
	CHECK(alarm_until(now, now) == 0);
	CHECK(alarm_until(now - 1, now) == 0);
	CHECK(timer_ms() == 0);
}

TEST(a_later_deadline_leaves_the_timer_a_nearer_one_sets_it)
{
	CHECK(alarm_in(LATER_MS) == -1);
	CHECK(timer_ms() > 0 && timer_ms() <= LATER_MS);
	CHECK(alarm_in(LATEST_MS) == -1);
	CHECK(timer_ms() <= LATER_MS);
	CHECK(alarm_in(LATER_MS / 2) == -1);
	CHECK(timer_ms() > 0 && timer_ms() <= LATER_MS / 2);
}

TEST(the_wait_ends_no_earlier_and_the_next_one_again)
{
	(void)alarm(0);
	for (int i = 0; i < 3; i++) {
		int64_t until = clock_ms() + SOON_MS;

		CHECK(alarm_until(until, until - SOON_MS) == -1);
		CHECK(wait_ends());
		CHECK(clock_ms() >= until);
	}
	CHECK(timer_ms() == 0);
}

/* The deadline has moved to a later time, so the alarm expires early and is set again. */
TEST(an_early_alarm_is_set_again)
{
	int64_t now = clock_ms(), early = now + SOON_MS, until = now + 3 * SOON_MS;

	CHECK(alarm_until(early, now) == -1);
	CHECK(alarm_until(until, now) == -1);
	CHECK(wait_ends());
	now = clock_ms();
	CHECK(now >= early);
	if (now < until) {
		CHECK(alarm_until(until, now) == -1);
		CHECK(wait_ends());
	}
	CHECK(clock_ms() >= until);
}

/* The signal determines the result, even if the clock is late. */
TEST(an_alarm_that_came_is_not_waited_for)
{
	int64_t now = clock_ms(), until = now + SOON_MS;

	CHECK(alarm_until(until, now) == -1);
	CHECK(wait_ends());
	CHECK(alarm_until(until + LATER_MS, now) == -1);
	CHECK(timer_ms() > 0);
}
