/*
 * Ending a program, or many, step by step: ask (close its stdin, take no more
 * work), SIGTERM, SIGKILL, give up. Each step has a grace period of its own.
 * No I/O: the owner sends the signals and arms the deadline.
 */
#ifndef FITTINGS_TERMINATE_H
#define FITTINGS_TERMINATE_H

#include <stdbool.h>
#include <stdint.h>

enum term_step { TERM_NONE, TERM_ASKED, TERM_SIGTERM, TERM_SIGKILL, TERM_OVER };

/* All zero: not begun. */
struct terminate {
	enum term_step step;
	int64_t deadline; /* of this step */
};

/* Goes to a later step, which lasts for grace_ms. Returns the signal to send, or 0. */
int terminate_step(struct terminate *t, enum term_step step, int64_t now, int64_t grace_ms);

/* Whether a step runs, so that its deadline counts. */
bool terminate_runs(const struct terminate *t);

/* The exit status to pass on from waitpid's; an end by the signal that we sent counts as success. */
int terminate_status(const struct terminate *t, int wait_status);

#endif
