#include "sys/auth_requests.h"

#include <signal.h>
#include <stddef.h>

#include "sys/child.h"

bool
auth_requests_full(const struct auth_requests *asked)
{
	return asked->count == AUTH_REQUESTS_MAX;
}

void
auth_requests_add(struct auth_requests *asked, pid_t pid, void *owner)
{
	asked->each[asked->count].pid = pid;
	asked->each[asked->count++].owner = owner;
}

/* The slot is freed at once, because the program of another user (setuid) cannot be killed. */
void
auth_requests_drop(struct auth_requests *asked, const void *owner)
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
auth_requests_end(struct auth_requests *asked, pid_t pid, void **owner)
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
