/* Authorization programs that run, and the owner of each. Their exit status is the answer. */
#ifndef FITTINGS_AUTH_REQUESTS_H
#define FITTINGS_AUTH_REQUESTS_H

#include <stdbool.h>
#include <sys/types.h>

enum { AUTH_REQUESTS_MAX = 64 }; /* at the same time */

struct auth_requests {
	struct {
		pid_t pid;
		void *owner; /* the client that waits for the answer */
	} each[AUTH_REQUESTS_MAX];
	int count;
};

bool auth_requests_full(const struct auth_requests *requests);

/* Add a program, the leader of a process group. The table is not full. */
void auth_requests_add(struct auth_requests *requests, pid_t pid, void *owner);

/* Remove the owner's request, if it has one: kill the program and free its slot. */
void auth_requests_drop(struct auth_requests *requests, const void *owner);

/* Remove the request of a child that has ended and set *owner. Return false if the child is not in the table. */
bool auth_requests_end(struct auth_requests *requests, pid_t pid, void **owner);

#endif
