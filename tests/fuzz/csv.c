/*
 * The CSV scanner: both interfaces, on every path and divided anywhere, agree with a recursive
 * descent parser.
 */
#include "csv/csv.h"

#include "fuzz.h"
#include "naive_csv.h"

static void
tell_end(struct account *a, enum csv_problem problem, uint64_t line, uint64_t column, bool unclosed, uint64_t quote_line,
         bool mac)
{
	account_number(a, " problem ", problem);
	account_number(a, " line ", line);
	account_number(a, " column ", problem == CSV_FINE ? 0 : column);
	account_number(a, " open quote ", unclosed ? quote_line : 0);
	account_number(a, " one record with CRs ", mac && problem == CSV_FINE);
}

/* The structure of records and fields for an even dialect; `uneven`: the last record of the input
 * differs. */
static void
tell_rows(struct account *a, const struct csv *csv, bool uneven)
{
	uneven |= csv->problem == CSV_UNEVEN;
	account_number(a, " record ", uneven ? csv->record_line : 0);
	account_number(a, " fields ", uneven ? csv->fields : 0);
	account_number(a, " of ", uneven ? csv->width : 0);
	account_number(a, " field ", csv->problem == CSV_FINE ? 0 : csv->field_line);
	account_number(a, " at ", csv->problem == CSV_FINE ? 0 : csv->field_column);
}

/* Process as much of a piece as possible. Return the number of bytes. */
typedef size_t take_piece(struct csv *csv, unsigned char *in, size_t n, bool last, struct account *a);

static size_t
take_index(struct csv *csv, unsigned char *in, size_t n, bool last, struct account *a)
{
	static struct csv_index index;
	size_t used = csv_index_make(csv, in, n, last, &index);

	FUZZ_CHECK(used <= n && used == index.end);
	if (used == 0)
		return 0;
	if (csv->dialect.escapes == CSV_ESCAPES_TSV)
		csv_unescape(&index, in);
	for (size_t at = 0; at < used; at++) {
		struct csv_cursor cursor = csv_cursor_at(&index, at);
		size_t stop = csv_cursor_next(&cursor, CSV_STOP_ANY);

		FUZZ_CHECK(stop <= used);
		for (; at < stop; at++)
			tell(a, in[at]);
		if (at < used && !csv_cursor_at_drop(&cursor))
			tell(a, csv_cursor_at_record(&cursor) ? END_RECORD : END_FIELD);
	}
	return used;
}

/* Its terminators do not distinguish the end of a record from that of a field. */
static size_t
take_flat(struct csv *csv, unsigned char *in, size_t n, bool last, struct account *a)
{
	unsigned char *out = fuzz_space(1, n + CSV_SLACK);
	size_t written, used = csv_flatten(csv, in, n, last, '\n', out, &written);

	FUZZ_CHECK(used <= n && written <= used);
	account_put(a, out, used == 0 ? 0 : written);
	return used;
}

static void
read_cut(struct csv csv, struct fuzz f, take_piece *take, struct account *a)
{
	size_t held = 0;

	for (bool last = f.size == 0; !last;) {
		size_t used;

		held += fuzz_cut(&f, f.size - held);
		last = held == f.size;
		do {
			used = take(&csv, fuzz_edge(0, f.at, held), held, last, a);
			f.at += used;
			f.size -= used;
			held -= used;
		} while (used != 0);
		FUZZ_CHECK(csv.problem != CSV_FINE || held <= (last ? 0U : 2U));
		if (csv.problem != CSV_FINE)
			break;
	}
	tell_end(a, csv.problem, csv.line, csv.column, csv_unclosed(&csv), csv.quote_line,
	    csv.alone && csv.bare_cr);
	if (csv.dialect.even)
		tell_rows(a, &csv, csv.problem == CSV_FINE && csv_end_is_uneven(&csv));
}

/* In the form of take_flat(). */
static void
flatten(const struct account *in, size_t events, struct account *out)
{
	for (size_t i = 0; i < events; i += 2)
		account_put(out, in->bytes[i] != 0 ? "\n" : (const char *)&in->bytes[i + 1], 1);
	account_put(out, in->bytes + events, in->size - events);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct account want, want_flat, got;
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f);
	struct csv_dialect d = {
		.delimiter = choice & 4 ? (unsigned char)fuzz_byte(&f) : ',',
		.quote = choice & 8 ? (unsigned char)fuzz_byte(&f) : '"',
		.quoting = (choice & 1) == 0, .strict = (choice & 2) != 0, .even = (choice & 16) != 0,
	};
	struct naive_csv v = {.a = &want};
	size_t events;

	d.escape = choice & 32 ? (unsigned char)fuzz_byte(&f) : '\\';
	d.escapes = choice & 32 ? CSV_ESCAPES_ANY : CSV_ESCAPES_NONE;
	d.skip_blank = (choice & 64) != 0;
	if (choice & 128)
		csv_dialect_tsv(&d);
	if (d.escapes != CSV_ESCAPES_NONE && (d.escape == d.delimiter || (d.quoting && d.escape == d.quote)
	                                      || d.escape == '\n' || d.escape == '\r'))
		return 0;
	if (d.delimiter == d.quote || memchr("\r\n", d.delimiter, 2) != NULL || memchr("\r\n", d.quote, 2) != NULL)
		return 0;
	if (f.size > 8192)
		f.size = 8192;
	v.d = d;
	v.in = f.at;
	v.n = f.size;
	want.size = want_flat.size = 0;
	naive_csv_read(&v);
	events = want.size;
	tell_end(&want, v.problem, v.line, v.at - v.line_at + 1, v.unclosed, v.quote_line, naive_csv_mac(&v));
	if (d.even) {
		struct csv rows = {
			.problem = v.problem, .fields = v.fields, .width = v.width, .record_line = v.record_line,
			.field_line = v.field_line, .field_column = v.field_column,
		};

		tell_rows(&want, &rows, v.problem == CSV_FINE && v.open && v.width != 0 && v.fields != v.width);
	}
	flatten(&want, events, &want_flat);
	for (enum csv_path path = CSV_PORTABLE; path <= csv_best_path(); path++) {
		struct csv csv;

		csv_start(&csv, &d, path);
		got.size = 0;
		read_cut(csv, f, take_index, &got);
		accounts_equal(&got, &want);
		if (d.even || d.skip_blank || d.escapes == CSV_ESCAPES_TSV)
			continue;
		got.size = 0;
		read_cut(csv, f, take_flat, &got);
		accounts_equal(&got, &want_flat);
	}
	return 0;
}
