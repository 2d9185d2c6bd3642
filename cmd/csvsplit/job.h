/* The state of csvsplit, and the interfaces of its files: csvsplit.c calls input.c, input.c calls records.c. */
#ifndef FITTINGS_CSVSPLIT_JOB_H
#define FITTINGS_CSVSPLIT_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csv/csv.h"
#include "csv/csv_header.h"
#include "csv/csv_pick.h"
#include "csv/csv_record.h"
#include "csv/csv_select.h"
#include "csv/csv_write.h"
#include "base/buffer.h"
#include "sys/meter.h"

enum stage {
	STAGE_HEADER,  /* the header is read and held */
	STAGE_FLATTEN, /* all fields, by csv_flatten() */
	STAGE_PICK,    /* fields are written while their record is read */
	STAGE_HOLD,    /* each record is held whole before it is written */
};

struct job {
	/* options */
	struct csv_dialect dialect;
	enum csv_path path;
	bool header;
	bool headerless;
	bool named; /* an item of the selection is a name */
	char *list; /* the texts of the items */
	struct csv_item *items;
	struct csv_select select;
	uint64_t record_max;
	bool progress;
	struct meter meter;
	/* the file that is read */
	const char *name;
	int fd;
	bool never_waits; /* a regular file */
	bool cut_short;   /* read() failed */
	bool bare_cr;     /* the file is one record so far and has CR without LF in it */
	enum stage stage;
	struct csv csv;
	struct csv_index index;
	struct csv_range *ranges;
	struct csv_pick pick;
	struct csv_record keys; /* the header */
	struct csv_number *numbers; /* names of the header that are numbers */
	size_t number_count;
	struct csv_record record;
	/* all files */
	int status;
	const char *first_name; /* the first file with a header, its header and its selection */
	struct csv_record first_keys;
	struct csv_select first_select;
	struct csv_writer writer;
	struct buffer in;
	struct buffer out;
};

/* records.c */

/* Enlarge an allocation. A failure ends the program. */
void *storage(void *old, size_t count, size_t size);

/* Write the output to stdout. Without `all`, bytes that the rest of a field may change are kept. */
void out_flush(struct job *job, bool all);

/* Make space in job->out for a piece of a field, and for the end of a record. */
void out_reserve(struct job *job);

/* Write the output that precedes an error in a line, report the error and exit. */
_Noreturn void line_die(struct job *job, uint64_t line, const char *why);
_Noreturn void nul_die(struct job *job, uint64_t line);

/* Choose how records are written, after all names were converted to positions. */
void stage_choose(struct job *job);

/* Continue to read a header or a held record from the byte *at of the window. Write the record when it is complete. */
void record_take(struct job *job, const unsigned char *in, size_t *at);

/* The input ended within a header or a held record: write the record. */
void record_take_end(struct job *job);

/* input.c */

/* Split a file, or stdin if the name is `-`. */
void file_run(struct job *job, const char *name);

/* Report progress if it is enabled and due; with `last`, always. */
void progress_report(struct job *job, bool last);

#endif
