#include "csv/csv.h"


#include "csv/csv_blocks.h"
#include "csv/csv_rows.h"
#include "base/cpu.h"

enum {
	MARK_SIZE = 3,
	PIECE = 1024,
	ALONE_MAX = 4096, /* bytes at once while there is one record: watching is slow */
};

void
csv_start(struct csv *csv, const struct csv_dialect *dialect, enum csv_path path)
{
	*csv = (struct csv){
		.dialect = *dialect, .path = path, .starting = true, .alone = true, .watching = true, .line = 1, .column = 1,
		.field_line = 1, .field_column = 1, .fresh = true,
		.begun = dialect->escapes == CSV_ESCAPES_TSV,
	};
}

enum csv_path
csv_best_path(void)
{
#ifdef __x86_64__
	static const enum csv_path best[] = {
		[CPU_BASE] = CSV_SSE2, [CPU_SSSE3] = CSV_SSE2, [CPU_AVX2] = CSV_AVX2, [CPU_AVX512] = CSV_AVX512,
	};

	return best[cpu_vectors()];
#else
	return CSV_PATHS - 1;
#endif
}

const char *
csv_problem_text(const struct csv *csv)
{
	switch (csv->problem) {
	case CSV_QUOTE_IN_FIELD:
		return "quote in an unquoted field";
	case CSV_TEXT_AFTER_QUOTE:
		return "text after a closing quote";
	case CSV_BARE_CR:
		return "CR without LF";
	default:
		return csv->dialect.escapes == CSV_ESCAPES_TSV ? "unknown escape"
		    : "escape before a letter, a digit or the end";
	}
}

static const struct csv_kernel *
kernel_of(const struct csv *csv)
{
	switch (csv->path) {
#ifdef __x86_64__
	case CSV_AVX512:
		return &csv_kernel_avx512;
	case CSV_AVX2:
		return &csv_kernel_avx2;
	case CSV_SSE2:
		return &csv_kernel_sse2_neon;
#elif defined(__AARCH64EL__)
	case CSV_NEON:
		return &csv_kernel_sse2_neon;
#endif
	default:
		return &csv_kernel_portable;
	}
}

/* Return the size of a byte order mark at the very beginning, 0 for none, -1 if not known yet. */
static int
mark_size(const unsigned char *in, size_t n, bool last)
{
	static const unsigned char mark[MARK_SIZE] = {0xef, 0xbb, 0xbf};
	size_t some = n < MARK_SIZE ? n : MARK_SIZE;

	for (size_t i = 0; i < some; i++)
		if (in[i] != mark[i])
			return 0;
	if (some == MARK_SIZE)
		return MARK_SIZE;
	return last ? 0 : -1;
}

/* Return the byte after the part that is scanned. */
static int
next_of(const unsigned char *in, size_t size, size_t n, bool last)
{
	return size < n ? in[size] : last ? CSV_NEXT_NONE : CSV_NEXT_UNKNOWN;
}

/* Return how much of the input can be scanned now. A CR at its end cannot be scanned before the next byte is known,
 * unless no byte follows. A single CR within quotes is data, whatever follows. */
static size_t
certain_size(const struct csv *csv, const unsigned char *in, size_t n, bool last)
{
	if (n == 0 || last || in[n - 1] != '\r' || (n == 1 && csv->quoted))
		return n;
	return n - 1;
}

/* Return the size of the window without the skipped empty lines at its end. */
static size_t
size_without_blank(const struct csv_index *index, const unsigned char *in)
{
	size_t n = index->end;

	while (n > 0 && (in[n - 1] == '\n' || in[n - 1] == '\r') && (index->marks[(n - 1) / 64].drop >> (n - 1) % 64 & 1) != 0)
		n--;
	return n;
}

/* Return the end of the first record, 0 if it is not in these n bytes. */
static size_t
record_end_in(const struct csv_marks *marks, size_t n)
{
	for (size_t block = 0; block < (n + 63) / 64; block++)
		if (marks[block].record != 0)
			return 64 * block + csv_first_one(marks[block].record) + 1;
	return 0;
}

/* The same for n bytes that were flattened: mark them again, from the state before. */
static size_t
record_end_flattened(struct csv before, const unsigned char *in, size_t n)
{
	struct csv_marks marks[PIECE / 64];

	for (size_t at = 0, size, end; at < n; at += size) {
		size = n - at < PIECE ? n - at : PIECE;
		size = kernel_of(&before)->index(&before, in + at, size, next_of(in + at, size, n - at, true), marks);
		end = record_end_in(marks, size);
		if (end != 0)
			return at + end;
	}
	return 0;
}

/* Update whether the first record is all of the input. It ends at `end`, if that is not 0. */
static void
alone_keep(struct csv *csv, size_t n, size_t end)
{
	csv->alone = !csv->ended && (end == 0 || end == n);
	csv->ended |= end != 0;
	csv->watching = csv->dialect.strict || csv->dialect.escapes != CSV_ESCAPES_NONE || (csv->alone && !csv->bare_cr);
}

/* Update the position after n more bytes, the first of them in `line`. */
static void
position_keep(struct csv *csv, const unsigned char *in, size_t n, uint64_t line)
{
	size_t rest = 0;

	if (n == 0)
		return;
	if (csv->line != line) {
		csv->column = 1;
		while (in[n - 1 - rest] != '\n')
			rest++;
	}
	csv->column += csv->line != line ? rest : n;
	/* A field that begins after an LF begins a record. Any other LF is within quotes. */
	csv->open = !(csv->starting && in[n - 1] == '\n');
}

size_t
csv_flatten(struct csv *csv, const unsigned char *in, size_t n, bool last, unsigned char terminator,
            unsigned char *out, size_t *written)
{
	int mark = csv->begun ? 0 : mark_size(in, n, last);
	const struct csv before = *csv;
	size_t size;

	*written = 0;
	if (mark < 0 || n == 0 || csv->problem != CSV_FINE)
		return 0;
	csv->begun = true;
	if (mark > 0)
		return (size_t)mark;
	size = certain_size(csv, in, n, last);
	if (csv->alone && size > ALONE_MAX)
		size = ALONE_MAX;
	size = kernel_of(csv)->flatten(csv, in, size, next_of(in, size, n, last), terminator, out, written);
	if (csv->alone && size > 0)
		alone_keep(csv, size, csv->line != before.line ? record_end_flattened(before, in, size) : 0);
	position_keep(csv, in, size, before.line);
	return size;
}

size_t
csv_index_make(struct csv *csv, const unsigned char *in, size_t n, bool last, struct csv_index *index)
{
	int mark = csv->begun ? 0 : mark_size(in, n, last);
	size_t size;

	index->csv = csv;
	index->end = 0;
	index->line = csv->line;
	if (mark < 0 || n == 0 || csv->problem != CSV_FINE)
		return 0;
	csv->begun = true;
	if (mark > 0) {
		index->marks[0] = (struct csv_marks){.stop = csv_below(MARK_SIZE), .drop = csv_below(MARK_SIZE)};
		index->marks[1] = (struct csv_marks){0};
		return index->end = MARK_SIZE;
	}
	size = certain_size(csv, in, n, last);
	if (size > (csv->alone ? ALONE_MAX : CSV_WINDOW))
		size = csv->alone ? ALONE_MAX : CSV_WINDOW;
	index->end = kernel_of(csv)->index(csv, in, size, next_of(in, size, n, last), index->marks);
	if (csv->dialect.skip_blank)
		csv_rows_skip_blank(csv, index);
	if (csv->dialect.even)
		csv_rows_check(csv, index);
	/* A cursor before the end sees 64 bytes, so the block after the end too. */
	index->marks[(index->end + 63) / 64] = (struct csv_marks){0};
	if (csv->alone && (size = size_without_blank(index, in)) > 0)
		alone_keep(csv, size, record_end_in(index->marks, size));
	position_keep(csv, in, index->end, index->line);
	return index->end;
}

size_t
csv_copy(const struct csv_index *index, const unsigned char *in, size_t at, unsigned char *out,
         size_t space, size_t *written)
{
	const struct csv_dialect *dialect = &index->csv->dialect;

	*written = 0;
	if (!dialect->quoting || dialect->quote != '"' || dialect->escapes != CSV_ESCAPES_NONE)
		return at;
	return kernel_of(index->csv)->copy(index, in, at, out, space, written);
}

void
csv_unescape(const struct csv_index *index, unsigned char *in)
{
	for (size_t block = 0; 64 * block < index->end; block++)
		for (uint64_t drop = index->marks[block].drop; drop != 0; drop &= drop - 1) {
			unsigned char *p = in + 64 * block + csv_first_one(drop);

			if (*p == index->csv->dialect.escape && p[1] != *p)
				p[1] = p[1] == 't' ? '\t' : p[1] == 'n' ? '\n' : '\r';
		}
}
