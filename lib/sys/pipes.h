/* The pipes of a program that runs beside a loop. Its input is queued while its pipe is full; its output is held
 * until it is consumed. */
#ifndef FITTINGS_PIPES_H
#define FITTINGS_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "sys/loop.h"

/* The owner sets in.ready and out.ready; all other fields are zero before pipes_begin(). */
struct pipes {
	struct watch in;  /* write end of the program's stdin */
	struct watch out; /* read end of its stdout */
	struct buffer to, from; /* in blocks of the block cache */
	uint64_t bytes_queued;    /* bytes of input queued so far */
	uint64_t bytes_read;    /* bytes of output read so far */
	bool in_open, out_open;
};

/* Start using both ends of this process: make them non-blocking and set the pipe size as far as
 * allowed. Return -1 with errno. */
int pipes_begin(struct loop *loop, struct pipes *pipes, int to, int from, size_t size);

/* Return space for n more bytes of input, or NULL without memory; pipes_queue() then adds the n
 * bytes written to it. */
unsigned char *pipes_reserve(struct pipes *pipes, size_t n);
void pipes_queue(struct pipes *pipes, size_t n);

/* Write as much input as the pipe accepts. Return 0, or -1 with errno if the program closed its stdin (EPIPE). */
int pipes_write(struct pipes *pipes);

/* Free the blocks of large records once they are empty. */
void pipes_settle(struct pipes *pipes);

/* Return how many bytes of its input the program has read, or UINT64_MAX if its stdin is closed. */
uint64_t pipes_consumed(const struct pipes *pipes);

/* Return how many bytes the program has written. */
uint64_t pipes_produced(const struct pipes *pipes);

/* Read once, at most size bytes. Return the number of bytes, 0 at EOF, or -1 with errno. */
ssize_t pipes_read(struct pipes *pipes, size_t size);

/* Close the program's stdin and discard queued input; or close its stdout. Both accept a closed pipe. */
void pipes_close_in(struct loop *loop, struct pipes *pipes);
void pipes_close_out(struct loop *loop, struct pipes *pipes);

#endif
