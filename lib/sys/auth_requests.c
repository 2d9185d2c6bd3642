#include "sys/auth_requests.h"

#include <signal.h>

#include "sys/child.h"

bool
auth_requests_full(const struct auth_requests *requests)
{
	return requests->count == AUTH_REQUESTS_MAX;
}

void
auth_requests_add(struct auth_requests *requests, pid_t pid, void *owner)
{
	requests->each[requests->count].pid = pid;
	requests->each[requests->count++].owner = owner;
}

/* The slot is freed at once, because the program of another user (setuid) cannot be killed. */
void
auth_requests_drop(struct auth_requests *requests, const void *owner)
{
	for (int i = 0; i < requests->count; i++) {
		if (requests->each[i].owner != owner)
			continue;
		child_signal(requests->each[i].pid, SIGKILL);
		requests->each[i] = requests->each[--requests->count];
		return;
	}
}

bool
auth_requests_end(struct auth_requests *requests, pid_t pid, void **owner)
{
	for (int i = 0; i < requests->count; i++) {
		if (requests->each[i].pid != pid)
			continue;
		*owner = requests->each[i].owner;
		requests->each[i] = requests->each[--requests->count];
		return true;
	}
	return false;
}
