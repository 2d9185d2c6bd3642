/* csvsplit on the AVX2 path, to compare with AVX-512: the linker replaces csv_best_path() by this
 * function. */
#include "csv/csv.h"

enum csv_path __wrap_csv_best_path(void);

enum csv_path
__wrap_csv_best_path(void)
{
#ifdef __x86_64__
	return CSV_AVX2;
#else
	return CSV_PORTABLE;
#endif
}
