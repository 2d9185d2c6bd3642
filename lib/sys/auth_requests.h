/* Programs that are asked something, whose exit status is the answer: which is asked for whom. */
#ifndef FITTINGS_AUTH_REQUESTS_H
#define FITTINGS_AUTH_REQUESTS_H

#include <stdbool.h>
#include <sys/types.h>

enum { AUTH_REQUESTS_MAX = 64 }; /* at once */

struct auth_requests {
	struct {
		pid_t pid;
		void *owner; /* who waits for the answer */
	} each[AUTH_REQUESTS_MAX];
	int count;
};

bool auth_requests_full(const struct auth_requests *asked);

/* There is room; pid leads a process group. */
void auth_requests_add(struct auth_requests *asked, pid_t pid, void *owner);

/* The owner waits no more: the program that is asked for it, if there is one, is killed, and its place is free. */
void auth_requests_drop(struct auth_requests *asked, const void *owner);

/* A child has ended: *owner waits for it. False if nobody does. */
bool auth_requests_end(struct auth_requests *asked, pid_t pid, void **owner);

#endif
