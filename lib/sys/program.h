/* A child program with pipes to its stdin and from its stdout. */
#ifndef FITTINGS_PROGRAM_H
#define FITTINGS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sys/endpoint.h"

struct program {
	pid_t pid;       /* 0 if it is not running */
	struct endpoint in;  /* sink: its stdin */
	struct endpoint out; /* source: its stdout */
	bool reaped;     /* it has ended */
	int wait_status; /* status of waitpid(2) */
	int watch;       /* an end of the pipe to its stdin after program_close_stdin(), else -1 */
	void (*send_signal)(struct program *program, int number); /* NULL if this process is its parent */
	bool end_withheld; /* watch is the write end: the program has not seen EOF yet */
};

struct program_ends {
	pid_t pid;
	int to;   /* write end of its stdin */
	int from; /* read end of its stdout; both are blocking and close-on-exec */
};

/* Start argv[0], searched in PATH, in a new process group. It gets SIGTERM when this process exits. Return 0; after
 * an error, which is logged, return its exit status (126, 127, 1). */
int program_spawn(char **argv, struct program_ends *ends);

/* Create the pipes of a program without starting it. Return 0, or -1 with errno. */
int program_pipes(struct program_ends *ends, int *child_in, int *child_out);

/* Start a program like program_spawn(), with non-blocking endpoints. After an error both endpoints have ended. */
int program_begin(struct program *program, char **argv, struct buffer *to_child, struct buffer *from_child);

/* If the program has ended, reap it and send SIGTERM to the rest of its group. Output in the pipe at that time can
 * still be read; output that its children write later is not. Return whether the program has just ended. */
bool program_reap(struct program *program);

/* Take over a program that another process starts and reaps. ends has this process's ends of its pipes, and a pid
 * of -1 until it is known. */
void program_begin_apart(struct program *program, const struct program_ends *ends, struct buffer *to_child,
    struct buffer *from_child, void (*send_signal)(struct program *, int));

/* Take the end of such a program, as program_reap() does. */
void program_ended(struct program *program, int wait_status);

void program_close(struct program *program);

/* Send a signal to the program's process group. */
void program_signal(struct program *program, int number);

/* Close the program's stdin: it gets EOF after the data in the pipe. If the pipe cannot be opened again to watch
 * its fill level (no /proc, or the sandbox without Landlock), program_end_stdin() closes it. */
void program_close_stdin(struct program *program);

/* Close a stdin that is still open once the pipe is empty. Return false while it is not empty. */
bool program_end_stdin(struct program *program);

/* Return how many bytes in its stdin pipe the program has not read. */
size_t program_unread(const struct program *program);

/* Return how many bytes in its stdout pipe are unread. */
size_t program_unsent(const struct program *program);

/* Limit its output to what the pipe holds now. */
void program_cut_output(struct program *program);

/* Enlarge both pipes as far as the system allows. */
void program_enlarge(const struct program *program);

#endif
