/* The table for a shuffle of eight bytes that closes the gaps of dropped ones. */
#ifndef FITTINGS_CSV_KEEP_H
#define FITTINGS_CSV_KEEP_H

#include <stdint.h>

/* A row has the indexes of the bytes to keep of eight; the bits of d are those to drop. */
#define KEEPS(d, i) (~(unsigned)(d) >> (i) & 1)
#define PLACE_2(d) (KEEPS(d, 0) + KEEPS(d, 1))
#define PLACE_4(d) (PLACE_2(d) + KEEPS(d, 2) + KEEPS(d, 3))
#define PLACE_6(d) (PLACE_4(d) + KEEPS(d, 4) + KEEPS(d, 5))
#define KEEP(d, i, place) ((uint64_t)(KEEPS(d, i) * (i)) << (8 * ((place) & 7)))
#define ROW(d) \
	(KEEP(d, 1, KEEPS(d, 0)) | KEEP(d, 2, PLACE_2(d)) | KEEP(d, 3, PLACE_2(d) + KEEPS(d, 2)) \
	 | KEEP(d, 4, PLACE_4(d)) | KEEP(d, 5, PLACE_4(d) + KEEPS(d, 4)) | KEEP(d, 6, PLACE_6(d)) \
	 | KEEP(d, 7, PLACE_6(d) + KEEPS(d, 6)))
#define ROWS_4(d) ROW(d), ROW((d) + 1), ROW((d) + 2), ROW((d) + 3)
#define ROWS_16(d) ROWS_4(d), ROWS_4((d) + 4), ROWS_4((d) + 8), ROWS_4((d) + 12)
#define ROWS_64(d) ROWS_16(d), ROWS_16((d) + 16), ROWS_16((d) + 32), ROWS_16((d) + 48)

static const uint64_t csv_keep_rows[256] = {ROWS_64(0), ROWS_64(64), ROWS_64(128), ROWS_64(192)};

#endif
