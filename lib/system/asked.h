/* Programs that are asked something, whose exit status is the answer: which is asked for whom. */
#ifndef FITTINGS_ASKED_H
#define FITTINGS_ASKED_H

#include <stdbool.h>
#include <sys/types.h>

enum { ASKED_MAX = 64 }; /* at once */

struct asked {
	struct {
		pid_t pid;
		void *owner; /* who waits for the answer */
	} each[ASKED_MAX];
	int count;
};

bool asked_full(const struct asked *asked);

/* There is room; pid leads a process group. */
void asked_add(struct asked *asked, pid_t pid, void *owner);

/* The owner waits no more: the program that is asked for it, if there is one, is killed, and its place is free. */
void asked_drop(struct asked *asked, const void *owner);

/* A child has ended: *owner waits for it. False if nobody does. */
bool asked_end(struct asked *asked, pid_t pid, void **owner);

#endif
