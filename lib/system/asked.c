#include "system/asked.h"

#include <signal.h>
#include <stddef.h>

#include "system/child.h"

bool
asked_full(const struct asked *asked)
{
	return asked->count == ASKED_MAX;
}

void
asked_add(struct asked *asked, pid_t pid, void *owner)
{
	asked->each[asked->count].pid = pid;
	asked->each[asked->count++].owner = owner;
}

/* The place does not wait for the program's end: one of another user (setuid) is not killed. */
void
asked_drop(struct asked *asked, const void *owner)
{
	for (int i = 0; i < asked->count; i++) {
		if (asked->each[i].owner != owner)
			continue;
		child_signal(asked->each[i].pid, SIGKILL);
		asked->each[i] = asked->each[--asked->count];
		return;
	}
}

bool
asked_end(struct asked *asked, pid_t pid, void **owner)
{
	for (int i = 0; i < asked->count; i++) {
		if (asked->each[i].pid != pid)
			continue;
		*owner = asked->each[i].owner;
		asked->each[i] = asked->each[--asked->count];
		return true;
	}
	return false;
}
