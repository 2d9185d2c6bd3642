/* A program with many clients: its process, its pipes, and the records in both directions. Records to the program
 * are `ID WORD REST`. The owner watches the pipes and interprets the records that the program writes. */
#ifndef FITTINGS_BACKEND_H
#define FITTINGS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/loop.h"
#include "sys/pipes.h"
#include "ws/record.h"

/* pipes.in.ready, pipes.out.ready, records.mode and record_max are set before backend_begin(); all
 * other fields are zero. */
struct backend {
	struct loop *loop;
	pid_t pid;       /* 0 without a running program */
	int wait_status; /* of waitpid(), after its end */
	struct pipes pipes;
	struct record_decoder records;
	size_t record_max; /* longer records are skipped */
	bool skips;        /* skip the rest of a record that is too long */
	bool records_left; /* records in the buffer are left for the next turn */
	bool malformed;    /* its output cannot be split into records */
};

enum backend_record_kind {
	BACKEND_MORE, /* no complete record */
	BACKEND_RECORD,
	BACKEND_TOO_LONG, /* the next record, which is skipped */
	BACKEND_BAD,      /* invalid: see find.why */
};

struct backend_record {
	enum backend_record_kind kind;
	struct record_decoder_find find; /* find.chunk is the record, find.why the error */
};

/* Start the program. Return 0, or an exit status after an error, which is logged. */
int backend_begin(struct backend *backend, struct loop *loop, char **argv);

/* Queue a record, with escapes or as a netstring. A large record is written in slices while it is
 * queued. Return false without memory. */
bool backend_put(struct backend *backend, uint64_t id, const char *word, const void *rest, size_t n);

/* Write as much of the queue as the pipe accepts. */
void backend_write(struct backend *backend);

/* Close the program's stdin and discard the queue. */
void backend_close_in(struct backend *backend);

/* Return the next record of the data that was read. After using a BACKEND_RECORD, call backend_take(). */
enum backend_record_kind backend_next(struct backend *backend, enum record_decoder_want want,
    struct backend_record *record);
void backend_take(struct backend *backend, const struct backend_record *record);

/* Return the program's exit status, 0 while it runs. */
int backend_status(const struct backend *backend);

#endif
