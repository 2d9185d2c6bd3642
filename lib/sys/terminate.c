#include "sys/terminate.h"

#include <signal.h>

#include "base/status.h"
#include "sys/child.h"

int
terminate_step(struct terminate *t, enum term_step step, int64_t now, int64_t grace_ms)
{
	t->step = step;
	t->deadline = now + grace_ms;
	return step == TERM_SIGTERM ? SIGTERM : step == TERM_SIGKILL ? SIGKILL : 0;
}

bool
terminate_runs(const struct terminate *t)
{
	return t->step != TERM_NONE && t->step != TERM_OVER;
}

int
terminate_status(const struct terminate *t, int wait_status)
{
	int status = child_status(wait_status);
	bool by_us = t->step >= TERM_SIGTERM
	    && (status == STATUS_SIGNAL + SIGTERM || status == STATUS_SIGNAL + SIGKILL);

	return by_us ? STATUS_OK : status;
}
