/* The rules of csv_index_make() about whole records, applied to a marked window. */
#ifndef FITTINGS_CSV_ROWS_H
#define FITTINGS_CSV_ROWS_H

#include "csv/csv.h"

/* Turn the ends of empty lines into bytes to drop. */
void csv_rows_skip_blank(struct csv *csv, struct csv_index *index);

/*
 * Count the fields of each record, and store where the last field and the last
 * record of the window begin. An uneven record is a problem: the window is cut
 * before its end. csv->column is that of the first byte of the window.
 */
void csv_rows_check(struct csv *csv, struct csv_index *index);

#endif
