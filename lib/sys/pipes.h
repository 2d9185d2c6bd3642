/*
 * The pipes of a program that runs beside a loop. What it is to read waits here while
 * its pipe is full; what it writes stays here until it is used.
 */
#ifndef FITTINGS_PIPES_H
#define FITTINGS_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "sys/loop.h"

/* in.ready and out.ready are set by who has it, all else is zero before pipes_begin(). */
struct pipes {
	struct watch in;  /* what the program reads: ours to write */
	struct watch out; /* what it writes */
	struct buffer to, from; /* in blocks of the stock */
	uint64_t bytes_queued;    /* bytes that it was given to read so far */
	uint64_t said;    /* bytes that were read of it */
	bool in_open, out_open;
};

/* Over our two ends, which become non-blocking, of size bytes where the system lets us. -1 with errno. */
int pipes_begin(struct loop *loop, struct pipes *pipes, int to, int from, size_t size);

/* Room for n more bytes that it is to read, NULL where there is no memory; n of them are written. */
unsigned char *pipes_room(struct pipes *pipes, size_t n);
void pipes_queue(struct pipes *pipes, size_t n);

/* Writes as much as the pipe takes now. -1 with errno where it takes none any more (EPIPE: it was closed). */
int pipes_write(struct pipes *pipes);

/* Gives back the blocks of records that were long, when they are empty. */
void pipes_settle(struct pipes *pipes);

/* How far the program has read in what it was told: all of it where it reads no more. */
uint64_t pipes_consumed(const struct pipes *pipes);

/* How many bytes it has written by now. */
uint64_t pipes_said(const struct pipes *pipes);

/* One read of at most size bytes. Returns how many came, 0 at the end, or -1 with errno. */
ssize_t pipes_read(struct pipes *pipes, size_t size);

/* Its stdin ends, and what was not written is forgotten; or what it writes is. Also where it has ended. */
void pipes_close_in(struct loop *loop, struct pipes *pipes);
void pipes_close_out(struct loop *loop, struct pipes *pipes);

#endif
