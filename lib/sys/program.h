/* A program that we run, with a pipe to its stdin and one from its stdout. */
#ifndef FITTINGS_PROGRAM_H
#define FITTINGS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sys/endpoint.h"

struct program {
	pid_t pid;       /* 0 where there is none (any more) */
	struct endpoint in;  /* sink: its stdin */
	struct endpoint out; /* source: its stdout */
	bool reaped;     /* it has ended; */
	int wait_status; /* how, as waitpid(2) tells */
	bool signalled;  /* we sent it a signal before it ended */
	int watch;       /* an end of the pipe to its stdin, after program_close_stdin(); -1 for none */
	bool end_withheld; /* the write end: its stdin has not ended yet */
};

struct program_ends {
	pid_t pid;
	int to;   /* what it reads: ours to write, */
	int from; /* and the other way; both blocking, and closed by exec */
};

/*
 * Starts argv[0], found by PATH, in a process group of its own that gets
 * SIGTERM when we die. Returns 0; else it has complained, and returns the exit
 * status for it (126, 127, 1).
 */
int program_spawn(char **argv, struct program_ends *ends);

/* The same with ports over our ends, which are non-blocking; where it could not be started both have ended. */
int program_begin(struct program *program, char **argv, struct buffer *to_child, struct buffer *from_child);

/*
 * Where the program has ended: reaps it, and sends the rest of its group
 * SIGTERM. What its stdout holds by then can still be read, later writers are
 * not waited for. Returns whether it has ended just now.
 */
bool program_reap(struct program *program);

/* Sends a signal to its process group. */
void program_signal(struct program *program, int number);

/*
 * Its stdin ends after what the pipe holds. If the pipe cannot be opened again to see how much
 * that is (no /proc, or the sandbox without Landlock), program_end_stdin() ends it.
 */
void program_close_stdin(struct program *program);

/* Ends a stdin whose end is withheld once the pipe is empty. Returns false while it is not. */
bool program_end_stdin(struct program *program);

/* How many bytes it has not yet read from that pipe. */
size_t program_unread(const struct program *program);

/* How many bytes of its stdout wait to be read. */
size_t program_unsent(const struct program *program);

/* Its stdout ends, for us, behind what that pipe holds now. */
void program_cut_output(struct program *program);

/* Larger pipes both ways, where the system lets us have them. */
void program_enlarge(const struct program *program);

#endif
