/*
 * CSV's fields, selected and written in every format: held records and the
 * streaming pick write the same, and what they write, read naively, is the
 * fields that were selected.
 */
#include "csv/csv_pick.h"
#include "csv/csv_record.h"
#include "csv/csv_select.h"
#include "csv/csv_write.h"
#include "fuzz.h"
#include "naive.h"
#include "naive_csv.h"

enum { SIZE = 4096, ITEMS = 3, OUT_SIZE = 64 << 10, PIECE = 64, FIELDS = 2 * SIZE };

static struct csv_select selection;
static struct csv_item items[ITEMS];
static enum csv_format format;
static unsigned char read_delimiter, write_delimiter;

/* The fields of the input, or of an output, in order; a record ends behind some of them. */
struct table {
	size_t count, used;
	struct field {
		size_t begin, end;
		bool last;
	} fields[FIELDS * 8];
	unsigned char bytes[FUZZ_MAX * 8];
};

static void
table_byte(struct table *t, unsigned char c)
{
	FUZZ_CHECK(t->used < sizeof t->bytes);
	t->bytes[t->used++] = c;
}

static void
table_end_field(struct table *t, bool last)
{
	size_t begin = t->count == 0 ? 0 : t->fields[t->count - 1].end;

	FUZZ_CHECK(t->count < sizeof t->fields / sizeof *t->fields);
	t->fields[t->count++] = (struct field){begin, t->used, last};
}

static void
table_read_csv(struct table *t, const unsigned char *in, size_t n, unsigned char delimiter)
{
	static struct account events;
	struct naive_csv v = {.d = {.delimiter = delimiter, .quote = '"', .quoting = true}, .in = in, .n = n, .a = &events};

	events.size = 0;
	naive_csv_read(&v);
	for (size_t i = 0; i < events.size; i += 2) {
		unsigned event = events.bytes[i] * 256U + events.bytes[i + 1];

		if (event < END_FIELD)
			table_byte(t, (unsigned char)event);
		else
			table_end_field(t, event == END_RECORD);
	}
	if (v.open)
		table_end_field(t, true);
}

/* Where a point is among n fields. */
static long
place(struct csv_point p, long n)
{
	return p.from_end ? n + 1 - (long)p.number : (long)p.number;
}

static bool
covered(long position, long n)
{
	for (size_t i = 0; i < selection.count; i++) {
		long a = place(items[i].first, n), b = place(items[i].last, n);

		if (items[i].first.from_end != items[i].last.from_end && (items[i].first.from_end ? a < b : a > b))
			continue;
		if ((position >= a && position <= b) || (position >= b && position <= a))
			return true;
	}
	return false;
}

static void
select_one(struct table *to, const struct table *from, size_t first, long n, long position)
{
	if (position >= 1 && position <= n) {
		const struct field *field = &from->fields[first + (size_t)position - 1];

		for (size_t at = field->begin; at < field->end; at++)
			table_byte(to, from->bytes[at]);
	}
	table_end_field(to, false);
}

/* The selected fields of a record of n fields. */
static void
select_record(struct table *to, const struct table *from, size_t first, long n)
{
	size_t before = to->count;

	for (long p = 1; selection.complement && p <= n; p++)
		if (!covered(p, n))
			select_one(to, from, first, n, p);
	for (size_t i = 0; !selection.complement && i < selection.count; i++) {
		long a = place(items[i].first, n), b = place(items[i].last, n);

		if (items[i].first.from_end != items[i].last.from_end && (items[i].first.from_end ? a < b : a > b))
			continue;
		for (long p = a; a <= b ? p <= b : p >= b; p += a <= b ? 1 : -1)
			select_one(to, from, first, n, p);
	}
	/* In CSV and TSV a record without fields is one of an empty field. */
	if (to->count == before && (format == CSV_CSV || format == CSV_TSV))
		table_end_field(to, true);
	else if (to->count > before)
		to->fields[to->count - 1].last = true;
}

static void
table_select(struct table *to, const struct table *from)
{
	size_t first = 0;

	for (size_t i = 0; i < from->count; i++) {
		if (!from->fields[i].last)
			continue;
		select_record(to, from, first, (long)(i + 1 - first));
		first = i + 1;
	}
}

/* JSON's arrays of strings, one a line. */
static void
table_read_json(struct table *t, const unsigned char *in, size_t n)
{
	bool within = false;

	for (size_t i = 0; i < n; i++) {
		if (!within) {
			within = in[i] == '"';
			FUZZ_CHECK(memchr("[],\n\"", in[i], 5) != NULL);
			if (in[i] == ']' && in[i - 1] == '"')
				t->fields[t->count - 1].last = true;
		} else if (in[i] == '"') {
			within = false;
			table_end_field(t, false);
		} else if (in[i] == '\\' && in[i + 1] == 'u') {
			table_byte(t, (unsigned char)strtoul((char[]){(char)in[i + 4], (char)in[i + 5], 0}, NULL, 16));
			i += 5;
		} else if (in[i] == '\\') {
			const char *names = "bfnrt\"\\", *name = strchr(names, in[++i]);

			FUZZ_CHECK(name != NULL && *name != '\0');
			table_byte(t, (unsigned char)"\b\f\n\r\t\"\\"[name - names]);
		} else {
			FUZZ_CHECK(in[i] >= 0x20);
			table_byte(t, in[i]);
		}
	}
}

static void
table_read_tsv(struct table *t, const unsigned char *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *names = "tnr\\", *name;

		if (in[i] == '\t' || in[i] == '\n') {
			table_end_field(t, in[i] == '\n');
		} else if (in[i] != '\\') {
			FUZZ_CHECK(in[i] != '\r');
			table_byte(t, in[i]);
		} else {
			name = strchr(names, in[++i]);
			FUZZ_CHECK(name != NULL && *name != '\0');
			table_byte(t, (unsigned char)"\t\n\r\\"[name - names]);
		}
	}
}

static void
tables_equal(const struct table *got, const struct table *want)
{
	FUZZ_CHECK(got->count == want->count && got->used == want->used);
	FUZZ_CHECK(memcmp(got->bytes, want->bytes, want->used) == 0);
	for (size_t i = 0; i < want->count; i++)
		FUZZ_CHECK(got->fields[i].end == want->fields[i].end && got->fields[i].last == want->fields[i].last);
}

/* Writing: the ready part of the output leaves whenever the cuts say so. */
struct sink {
	struct csv_writer writer;
	struct buffer out;
	struct account *a;
	struct fuzz *cuts;
	bool refused;
};

static void
sink_flush(struct sink *s, bool all)
{
	size_t n;

	FUZZ_CHECK(s->writer.held <= buffer_held(&s->out));
	n = buffer_held(&s->out) - (all ? 0 : s->writer.held);
	account_put(s->a, buffer_head(&s->out), n);
	buffer_take(&s->out, n);
	buffer_pack(&s->out);
}

static void
sink_reserve(struct sink *s)
{
	if (fuzz_cut(s->cuts, 2) == 1 || buffer_room(&s->out) < PIECE * CSV_WRITE_GROWTH + CSV_WRITE_ROOM)
		sink_flush(s, false);
	FUZZ_CHECK(buffer_room(&s->out) >= PIECE * CSV_WRITE_GROWTH + CSV_WRITE_ROOM);
}

static void
record_write(struct sink *s, const struct csv_record *record)
{
	struct csv_walk walk = {0};
	int64_t position;

	while (csv_select_next(&selection, &walk, record->count, &position)) {
		struct span data = csv_record_field(record, position);

		sink_reserve(s);
		csv_write_field(&s->writer, &s->out);
		while (data.size > 0 && !s->refused) {
			const unsigned char *at = (const unsigned char *)data.at;
			size_t n = data.size <= PIECE ? data.size : csv_write_cut(at, data.size, PIECE);

			s->refused = csv_write_data(&s->writer, &s->out, at, n, csv_record_readable(record, data)) < n;
			data = (struct span){data.at + n, data.size - n};
			sink_reserve(s);
		}
		if (s->refused)
			return;
		csv_write_field_end(&s->writer, &s->out);
	}
	sink_reserve(s);
	csv_write_record_end(&s->writer, &s->out);
}

static void
hold_window(struct sink *s, struct csv_record *record, const struct csv_index *index, const unsigned char *in)
{
	size_t at = 0;

	while (at < index->end && !s->refused) {
		enum csv_taken taken = csv_record_take(record, index, in, &at);

		FUZZ_CHECK(taken != CSV_TAKEN_FULL);
		if (taken == CSV_TAKEN_RECORD) {
			record_write(s, record);
			csv_record_clear(record);
		}
	}
}

static void
pick_window(struct sink *s, struct csv_pick *pick, const struct csv_index *index, const unsigned char *in)
{
	size_t at = 0;

	while (at < index->end && !s->refused) {
		sink_reserve(s);
		at = csv_pick_window(pick, index, in, at, &s->writer, &s->out, &s->refused);
	}
}

/* pick is NULL for the way of held records. */
static void
write_all(struct sink *s, enum csv_path path, struct csv_pick *pick, struct fuzz f)
{
	static struct csv_index index;
	static unsigned char bytes[2 * SIZE];
	static size_t ends[SIZE + 1];
	struct csv_record record = {.bytes = bytes, .size = sizeof bytes, .ends = ends, .room = SIZE + 1};
	struct csv csv;
	size_t used;

	record.limit = csv_select_limit(&selection);
	csv_start(&csv, &(struct csv_dialect){.delimiter = read_delimiter, .quote = '"', .quoting = true}, path);
	for (size_t held = 0; held < f.size && !s->refused;) {
		held += fuzz_cut(&f, f.size - held);
		while (!s->refused && (used = csv_index_make(&csv, f.at, held, held == f.size, &index)) != 0) {
			if (pick != NULL)
				pick_window(s, pick, &index, f.at);
			else
				hold_window(s, &record, &index, f.at);
			f.at += used;
			f.size -= used;
			held -= used;
		}
	}
	if (csv.open && !s->refused && pick != NULL) {
		sink_reserve(s);
		while (!csv_pick_end(pick, &s->writer, &s->out))
			sink_flush(s, false);
	} else if (csv.open && !s->refused) {
		FUZZ_CHECK(csv_record_end(&record));
		record_write(s, &record);
	}
	sink_flush(s, !s->refused);
}

static struct csv_point
point(struct fuzz *f)
{
	unsigned byte = fuzz_byte(f);

	return (struct csv_point){.number = 1 + byte % 8, .from_end = byte >= 192};
}

static void
choose(struct fuzz *f, unsigned choice)
{
	format = choice % 5;
	read_delimiter = f->cuts[0] % 2 == 0 ? ',' : ';';
	write_delimiter = f->cuts[1] % 2 == 0 ? ',' : ';';
	selection = (struct csv_select){.items = items, .count = choice / 8 % 4, .complement = (choice & 64) != 0};
	selection.complement |= selection.count == 0;
	for (size_t i = 0; i < selection.count; i++) {
		items[i].first = point(f);
		items[i].last = (choice & 128) != 0 ? point(f) : items[i].first;
	}
	f->size = f->size < SIZE ? f->size : SIZE;
}

/* What a wrong byte becomes is utf8's matter; here both sides must have it. */
static void
make_utf8(struct fuzz *f)
{
	static unsigned char bytes[3 * SIZE];
	size_t used = 0;

	for (size_t at = 0; at < f->size;) {
		bool whole;
		size_t good = naive_character(f->at + at, f->size - at, &whole);

		memcpy(bytes + used, whole ? f->at + at : (const unsigned char *)"?", whole ? good : 1);
		used += whole ? good : 1;
		at += good == 0 ? 1 : good;
	}
	f->at = bytes;
	f->size = used;
}

static void
check(const struct account *a, const struct table *want)
{
	static struct table got;
	size_t at = 0;

	got.count = got.used = 0;
	if (format == CSV_LINES || format == CSV_NUL) {
		for (size_t i = 0; i < want->count; i++) {
			size_t n = want->fields[i].end - want->fields[i].begin;

			FUZZ_CHECK(a->size - at > n && memcmp(a->bytes + at, want->bytes + want->fields[i].begin, n) == 0);
			FUZZ_CHECK(a->bytes[at + n] == (format == CSV_NUL ? '\0' : '\n'));
			at += n + 1;
		}
		FUZZ_CHECK(at == a->size);
		return;
	}
	if (format == CSV_TSV)
		table_read_tsv(&got, a->bytes, a->size);
	else if (format == CSV_CSV)
		table_read_csv(&got, a->bytes, a->size, write_delimiter);
	else
		table_read_json(&got, a->bytes, a->size);
	tables_equal(&got, want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static unsigned char out[OUT_SIZE];
	static struct account held, picked;
	static struct table input, want;
	struct csv_range ranges[ITEMS + 1];
	struct fuzz f = fuzz_over(bytes, size), cuts = f;
	struct csv_pick pick;
	struct sink s;
	long count;

	choose(&f, fuzz_byte(&f));
	if (format == CSV_JSON)
		make_utf8(&f);
	input.count = input.used = want.count = want.used = held.size = 0;
	table_read_csv(&input, f.at, f.size, read_delimiter);
	table_select(&want, &input);
	s = (struct sink){.writer = {.format = format, .delimiter = write_delimiter}, .out = buffer_over(out, sizeof out), .a = &held, .cuts = &cuts};
	write_all(&s, csv_best_path(), NULL, f);
	FUZZ_CHECK(!s.refused || (format == CSV_NUL && memchr(want.bytes, 0, want.used) != NULL));
	if (!s.refused)
		check(&held, &want);
	count = csv_select_ranges(&selection, ranges);
	if (count < 0 || format == CSV_JSON)
		return 0;
	for (enum csv_path path = CSV_PORTABLE; path <= csv_best_path(); path++) {
		picked.size = 0;
		csv_pick_start(&pick, ranges, (size_t)count, !selection.complement);
		s = (struct sink){.writer = {.format = format, .delimiter = write_delimiter}, .out = buffer_over(out, sizeof out), .a = &picked, .cuts = &cuts};
		write_all(&s, path, &pick, f);
		accounts_equal(&picked, &held);
	}
	return 0;
}
