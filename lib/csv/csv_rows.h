/* What csv_index_make() does with a window whose bytes are marked: rules about whole records and fields. */
#ifndef FITTINGS_CSV_ROWS_H
#define FITTINGS_CSV_ROWS_H

#include "csv/csv.h"

/* Turns the ends of records that are an empty line into bytes to drop. */
void csv_rows_skip_blank(struct csv *csv, struct csv_index *index);

/*
 * Counts the fields of each record, and keeps where the field and the record
 * begin that the window ends in. A record that is not even is a problem, and the
 * window is cut before its end. csv->column is that of the window's first byte.
 */
void csv_rows_check(struct csv *csv, struct csv_index *index);

#endif
