/*
 * One program behind many clients: its process, its pipes, and the records both ways.
 * Records to the program are `ID WORD REST`. The owner watches the pipes and interprets
 * the records that the program writes.
 */
#ifndef FITTINGS_BACKEND_H
#define FITTINGS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/loop.h"
#include "sys/pipes.h"
#include "ws/record.h"

/* pipes.in.ready, pipes.out.ready, records.mode and record_max are set before backend_begin(), all else is zero. */
struct backend {
	struct loop *loop;
	pid_t pid;       /* 0 if there is no program, or it has ended */
	int wait_status; /* from waitpid(), after it has ended */
	struct pipes pipes;
	struct record_decoder records;
	size_t record_max; /* longer records are skipped */
	bool skips;        /* the rest of a record that is too long */
	bool behind;       /* records that were read are left for the next turn */
	bool malformed;    /* its output cannot be split into records */
};

enum backend_record_kind {
	BACKEND_MORE, /* no whole record */
	BACKEND_RECORD,
	BACKEND_TOO_LONG, /* the next record, which is skipped */
	BACKEND_BAD,      /* malformed: why */
};

struct backend_record {
	enum backend_record_kind kind;
	struct record_decoder_find find; /* find.chunk is the record, find.why what is wrong */
};

/* Starts the program. Returns 0, or an exit status after a message to the log. */
int backend_begin(struct backend *backend, struct loop *loop, char **argv);

/* Queues a record: with escapes, or as it is in a netstring. A long record is written in slices.
 * Returns false if there is no memory. */
bool backend_tell(struct backend *backend, uint64_t id, const char *word, const void *rest, size_t n);

/* Writes what is queued, as far as the pipe takes it. */
void backend_write(struct backend *backend);

/* Ends the program's stdin, and drops the queue. */
void backend_close_in(struct backend *backend);

/* The next record of what was read. backend_take() takes a BACKEND_RECORD after its use. */
enum backend_record_kind backend_next(struct backend *backend, enum record_decoder_want want,
    struct backend_record *record);
void backend_take(struct backend *backend, const struct backend_record *record);

/* The program's exit status, 0 while it runs. */
int backend_status(const struct backend *backend);

#endif
