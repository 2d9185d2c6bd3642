/* Terminate a program or a set of programs in steps: ask (close stdin, accept no more work), SIGTERM, SIGKILL, give
 * up. Each step has its own grace period. No I/O: the owner sends the signals and arms the deadline. */
#ifndef FITTINGS_TERMINATE_H
#define FITTINGS_TERMINATE_H

#include <stdbool.h>
#include <stdint.h>

enum term_step { TERM_NONE, TERM_ASKED, TERM_SIGTERM, TERM_SIGKILL, TERM_OVER };

/* All zero: not started. */
struct terminate {
	enum term_step step;
	int64_t deadline; /* end of the current step */
};

/* Go to a later step with the given grace period. Return the signal to send, or 0. */
int terminate_step(struct terminate *t, enum term_step step, int64_t now, int64_t grace_ms);

/* Return whether a step is in progress and its deadline applies. */
bool terminate_runs(const struct terminate *t);

/* Return the exit status to pass on from a status of waitpid(). A program ended by the signal of a
 * step counts as successful. */
int terminate_status(const struct terminate *t, int wait_status);

#endif
