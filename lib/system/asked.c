#include "system/asked.h"

#include <signal.h>
#include <stddef.h>

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

void
asked_drop(struct asked *asked, const void *owner)
{
	for (int i = 0; i < asked->count; i++) {
		if (asked->each[i].owner != owner)
			continue;
		asked->each[i].owner = NULL;
		(void)kill(-asked->each[i].pid, SIGKILL);
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
