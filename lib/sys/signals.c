#include "sys/signals.h"

enum { NUMBERS = 65 };

static const sigset_t none;
static volatile sig_atomic_t arrived[NUMBERS];
static bool was_ignored[NUMBERS];
static bool caught[NUMBERS];

static void
on_signal(int number)
{
	arrived[number] = 1;
}

void
signals_catch(const int *numbers, size_t count)
{
	struct sigaction action = {.sa_handler = on_signal}, before;
	sigset_t block = none;

	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&block, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &block, NULL);
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(numbers[i], &action, &before);
		was_ignored[numbers[i]] = before.sa_handler == SIG_IGN;
		caught[numbers[i]] = true;
	}
}

bool
signals_take(int number)
{
	bool pending = arrived[number] != 0;

	arrived[number] = 0;
	return pending;
}

bool
signals_take_stop(void)
{
	bool terminated = signals_take(SIGTERM), interrupted = signals_take(SIGINT);

	return signals_take(SIGHUP) || terminated || interrupted;
}

const sigset_t *
signals_wait_mask(void)
{
	return &none;
}

void
signals_deliver(void)
{
	sigset_t blocked;

	(void)sigprocmask(SIG_SETMASK, &none, &blocked);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* A handler must not run in a vfork() child, because it would set the parent's flags: restore the
 * dispositions before the mask. */
void
signals_for_exec(void)
{
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	for (int number = 1; number < NUMBERS; number++)
		if (caught[number] && number != SIGPIPE && number != SIGCHLD)
			(void)signal(number, was_ignored[number] ? SIG_IGN : SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
