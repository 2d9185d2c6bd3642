/*
 * The scanner beside a naive machine of twenty lines: all that they say of an
 * input must be equal, on every path, however the input is cut.
 */
#include "csv/csv.h"

#include <stdint.h>

#include "unit.h"

enum { END_FIELD = 256, END_RECORD, TRACE_MAX = 70000, ALPHABET = 6 };

/* What an input says: its data bytes and where fields and records end. */
struct trace {
	size_t count;
	enum csv_problem problem;
	uint64_t line, column;
	bool unclosed, mac; /* mac: one record with CRs in it */
	uint64_t quote_line;
	uint16_t events[TRACE_MAX];
};

static struct trace expected, got;
static unsigned char flat_out[TRACE_MAX + CSV_SLACK], flat_expected[TRACE_MAX];

static void
trace_add(struct trace *t, unsigned event)
{
	if (t->count < TRACE_MAX)
		t->events[t->count++] = (uint16_t)event;
}

/* The naive machine: the rules as they are written down, one byte after the other. */
static void
naive(const struct csv_dialect *d, const unsigned char *p, size_t n, struct trace *t)
{
	enum { RECORD, FIELD, BARE, QUOTED, AFTER_QUOTE } state = RECORD;
	size_t i = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, line_at = i, records = 0;
	bool bare_cr = false;

	t->count = 0, t->problem = CSV_FINE, t->line = 1, t->quote_line = 0;
	for (; i < n && t->problem == CSV_FINE; i++) {
		bool quote = d->quoting && p[i] == d->quote;

		if (state == QUOTED ? !quote : state == AFTER_QUOTE && quote)
			trace_add(t, p[i]), state = QUOTED;
		else if (state == QUOTED)
			state = AFTER_QUOTE;
		else if (quote && (state == RECORD || state == FIELD))
			state = QUOTED, t->quote_line = t->line;
		else if (p[i] == d->delimiter)
			trace_add(t, END_FIELD), state = FIELD;
		else if (p[i] == '\n')
			trace_add(t, END_RECORD), state = RECORD, records++;
		else if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n')
			state = BARE;
		else if (d->strict && (quote || p[i] == '\r' || state == AFTER_QUOTE))
			t->problem = p[i] == '\r' ? CSV_BARE_CR : quote ? CSV_QUOTE_IN_FIELD : CSV_TEXT_AFTER_QUOTE;
		else
			bare_cr |= p[i] == '\r', trace_add(t, p[i]), state = BARE;
		if (t->problem != CSV_FINE)
			break;
		if (p[i] == '\n')
			t->line++, line_at = i + 1;
	}
	t->column = i - line_at + 1;
	t->unclosed = state == QUOTED;
	t->mac = bare_cr && records + (state != RECORD) <= 1;
	if (state != RECORD && t->problem == CSV_FINE)
		trace_add(t, END_RECORD);
}

static void
trace_end(struct trace *t, const struct csv *csv)
{
	if (csv->open && csv->problem == CSV_FINE)
		trace_add(t, END_RECORD);
	t->problem = csv->problem, t->line = csv->line, t->column = csv->column;
	t->unclosed = csv_unclosed(csv), t->quote_line = csv->quote_line;
	t->mac = csv->alone && csv->bare_cr;
}

static bool
trace_equal(const struct trace *a, const struct trace *b)
{
	return a->count == b->count && memcmp(a->events, b->events, a->count * sizeof *a->events) == 0
	       && a->problem == b->problem && a->line == b->line && a->unclosed == b->unclosed
	       && (a->problem == CSV_FINE ? a->mac == b->mac : a->column == b->column)
	       && (!a->unclosed || a->quote_line == b->quote_line);
}

/* Scans p[*done .. end) into a trace by the index. */
static void
by_index(struct csv *csv, const unsigned char *p, size_t *done, size_t end, bool last, struct trace *t)
{
	static struct csv_index index;

	while (csv_index_make(csv, p + *done, end - *done, last, &index) != 0) {
		struct csv_cursor cursor = csv_cursor_at(&index, 0);

		for (size_t at = 0; at < index.end; at++) {
			size_t stop = csv_cursor_next(&cursor, CSV_STOP_ANY);

			for (; at < stop; at++)
				trace_add(t, p[*done + at]);
			if (at < index.end && !csv_cursor_at_drop(&cursor))
				trace_add(t, csv_cursor_at_record(&cursor) ? END_RECORD : END_FIELD);
		}
		*done += index.end;
	}
}

static void
by_flatten(struct csv *csv, const unsigned char *p, size_t *done, size_t end, bool last, size_t *out)
{
	size_t used, written;

	while ((used = csv_flatten(csv, p + *done, end - *done, last, '\n', flat_out + *out, &written)) != 0) {
		*done += used;
		*out += written;
	}
}

/* Feeds the input in pieces that end at cut, then each `step` bytes. */
static bool
index_agrees(const struct csv_dialect *d, enum csv_path path, const unsigned char *p, size_t n, size_t cut, size_t step)
{
	struct csv csv;
	size_t done = 0;

	csv_start(&csv, d, path);
	got.count = 0;
	for (size_t end = cut; end < n; end += step)
		by_index(&csv, p, &done, end, false, &got);
	by_index(&csv, p, &done, n, true, &got);
	trace_end(&got, &csv);
	return (done == n || csv.problem != CSV_FINE) && trace_equal(&got, &expected);
}

static bool
flatten_agrees(const struct csv_dialect *d, enum csv_path path, const unsigned char *p, size_t n, size_t cut, size_t step)
{
	struct csv csv;
	size_t done = 0, out = 0, size = 0;

	for (size_t i = 0; i < expected.count; i++)
		flat_expected[size++] = expected.events[i] < 256 ? (unsigned char)expected.events[i] : '\n';
	csv_start(&csv, d, path);
	for (size_t end = cut; end < n; end += step)
		by_flatten(&csv, p, &done, end, false, &out);
	by_flatten(&csv, p, &done, n, true, &out);
	if (csv.open && csv.problem == CSV_FINE)
		flat_out[out++] = '\n';
	return out == size && memcmp(flat_out, flat_expected, size) == 0 && csv.problem == expected.problem
	       && csv.line == expected.line
	       && (csv.problem == CSV_FINE ? (csv.alone && csv.bare_cr) == expected.mac : csv.column == expected.column)
	       && csv_unclosed(&csv) == expected.unclosed
	       && (!expected.unclosed || csv.quote_line == expected.quote_line);
}

static void
print_input(const unsigned char *p, size_t n, enum csv_path path, size_t cut, const struct csv_dialect *d)
{
	printf("# path %d, cut at %zu, %s%s:", (int)path, cut, d->strict ? "strict" : "lenient",
	    d->quoting ? "" : ", no quotes");
	for (size_t i = 0; i < n && i < 300; i++)
		printf(p[i] > ' ' && p[i] < 0x7f ? " %c" : " %02x", p[i]);
	putchar('\n');
}

/* Both ways, every path, cut once at `from` to `to`. */
static bool
agrees_cut(const struct csv_dialect *d, const unsigned char *p, size_t n, size_t from, size_t to, size_t step)
{
	for (enum csv_path path = 0; path <= csv_best_path(); path++) {
		for (size_t cut = from; cut <= to; cut++) {
			if (index_agrees(d, path, p, n, cut, step) && flatten_agrees(d, path, p, n, cut, step))
				continue;
			print_input(p, n, path, cut, d);
			return false;
		}
	}
	return true;
}

static const struct csv_dialect dialects[] = {
	{.delimiter = ',', .quote = '"', .quoting = true},
	{.delimiter = ',', .quote = '"', .quoting = true, .strict = true},
	{.delimiter = ',', .quote = '"'},
};

enum { DIALECTS = sizeof dialects / sizeof *dialects };

/* Whole, at every split, and byte by byte, at an unreadable page. */
static bool
agrees(const void *text, size_t n)
{
	unsigned char *p = unit_at_edge(text, n);
	bool good = true;

	for (size_t i = 0; i < DIALECTS && good; i++) {
		naive(&dialects[i], p, n, &expected);
		good = agrees_cut(&dialects[i], p, n, 0, n, n + 1) && agrees_cut(&dialects[i], p, n, 1, 1, 1);
	}
	unit_drop(p, n);
	return good;
}

/*
 * The same behind two records, which are a piece of their own: from then on
 * nothing is watched for, and the text goes the shortest way.
 */
static bool
agrees_later(const struct csv_dialect *d, const unsigned char *text, size_t n)
{
	static unsigned char all[TRACE_MAX];
	enum { BEFORE = 4 };

	memcpy(all, "p\nq\n", BEFORE);
	memcpy(all + BEFORE, text, n);
	naive(d, all, BEFORE + n, &expected);
	return agrees_cut(d, all, BEFORE + n, BEFORE, BEFORE, n);
}

/* What the index makes of a text: data, `|` where a field and `/` where a record ends. */
static bool
gives(const char *text, const char *fields)
{
	char all[256];
	size_t n = 0;

	naive(&dialects[0], (const unsigned char *)text, strlen(text), &expected);
	for (size_t i = 0; i < expected.count; i++)
		all[n++] = expected.events[i] == END_FIELD ? '|' : expected.events[i] == END_RECORD ? '/' : (char)expected.events[i];
	all[n] = '\0';
	if (strcmp(all, fields) != 0)
		printf("# %s, not %s\n", all, fields);
	return strcmp(all, fields) == 0 && agrees(text, strlen(text));
}

TEST(the_rules_are_as_documented)
{
	CHECK(gives("", ""));
	CHECK(gives("a", "a/"));
	CHECK(gives("a\n", "a/"));
	CHECK(gives("a,b", "a|b/"));
	CHECK(gives("a,", "a|/"));
	CHECK(gives(",", "|/"));
	CHECK(gives("\n", "/"));
	CHECK(gives("\n\n", "//"));
	CHECK(gives("\r\n", "/"));
	CHECK(gives("a\n\nb", "a//b/"));
	CHECK(gives("a,b\r\nc,d\r\n", "a|b/c|d/"));
	CHECK(gives("a\rb", "a\rb/"));
	CHECK(gives("a\r\r\nb", "a\r/b/"));
	CHECK(gives("a\r", "a\r/"));
	CHECK(gives("\"a\",\"b\"", "a|b/"));
	CHECK(gives("\"a,b\n\",c", "a,b\n|c/"));
	CHECK(gives("\"a\"\"b\"", "a\"b/"));
	CHECK(gives("\"\"\"\"", "\"/"));
	CHECK(gives("\"\"", "/"));
	CHECK(gives("\"", "/"));
	CHECK(gives("\"a", "a/"));
	CHECK(gives("\"a\"b\"c", "ab\"c/"));
	CHECK(gives("\"a\"b\"c,d", "ab\"c|d/"));
	CHECK(gives("a\"b\",c", "a\"b\"|c/"));
	CHECK(gives(" \"a,b\"", " \"a|b\"/"));
	CHECK(gives("\"a\" ,b", "a |b/"));
	CHECK(gives("\"a\r\nb\"\r\n", "a\r\nb/"));
	CHECK(gives("\"a\"\r\n", "a/"));
	CHECK(gives("\"a\"\rb", "a\rb/"));
	CHECK(gives("\xef\xbb\xbf\"a\"", "a/"));
	CHECK(gives("\xef\xbb\xbf", ""));
	CHECK(gives("\xef\xbb", "\xef\xbb/"));
	CHECK(gives("\xef\xbb\xbf\xef\xbb\xbf", "\xef\xbb\xbf/"));
	CHECK(gives("a\n\xef\xbb\xbf", "a/\xef\xbb\xbf/"));
}

/* The number's digits to the base ALPHABET are the text. */
static size_t
text_of(unsigned number, size_t n, unsigned char *out)
{
	static const unsigned char letters[] = "a,\"\r\n\0";

	for (size_t i = 0; i < n; i++, number /= ALPHABET)
		out[i] = letters[number % ALPHABET];
	return n;
}

TEST(every_short_text_agrees_with_a_naive_scan)
{
	unsigned char text[8];
	unsigned count = 1;
	bool good = true;

	for (size_t n = 0; n <= 5 && good; n++, count *= ALPHABET)
		for (unsigned i = 0; i < count && good; i++)
			if (!agrees(text, text_of(i, n, text)))
				good = false;
	CHECK(good);
}

/* `n` bytes of filler before and behind a text, in a bare or a quoted field. */
TEST(every_edge_at_every_place_of_a_block)
{
	static const char *const before[] = {"", "\"", "x,", "\"\",", "\r\n"};
	unsigned char text[512];
	bool good = true;

	for (size_t b = 0; b < sizeof before / sizeof *before; b++)
		for (unsigned i = 0; i < ALPHABET * ALPHABET * ALPHABET; i++)
			for (size_t fill = 58; fill < 58 + 70; fill += i % 7 == 0 ? 1 : 5) {
				size_t n = strlen(before[b]);

				if (!good)
					break;
				memcpy(text, before[b], n);
				memset(text + n, 'f', fill);
				n += fill;
				n += text_of(i, 3, text + n);
				memset(text + n, 'g', 70);
				n += 70;
				n += text_of(i / 2, 3, text + n);
				for (size_t d = 0; d < DIALECTS; d++) {
					naive(&dialects[d], text, n, &expected);
					if (!agrees_cut(&dialects[d], text, n, fill - 1, fill + 6, n)
					    || !agrees_cut(&dialects[d], text, n, n, n, n) || !agrees_later(&dialects[d], text, n))
						good = false;
				}
			}
	CHECK(good);
}

static uint64_t seed = 88172645463325252;

static unsigned
roll(unsigned sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % sides;
}

/* Mostly well-formed fields; one in `noise` bytes is any special one. */
static size_t
random_text(unsigned char *out, size_t n, unsigned noise, unsigned quotes)
{
	static const unsigned char special[] = ",\"\r\n\"\0\"x";
	size_t i = 0;

	while (i + 64 < n) {
		bool quoted = roll(100) < quotes;

		if (quoted)
			out[i++] = '"';
		for (unsigned size = roll(20); size > 0; size--) {
			unsigned char byte = (unsigned char)('a' + roll(26));

			if (quoted && roll(8) == 0) {
				byte = special[roll(sizeof special - 1)];
				if (byte == '"')
					out[i++] = '"';
			}
			out[i++] = noise != 0 && roll(noise) == 0 ? special[roll(sizeof special - 1)] : byte;
		}
		if (quoted)
			out[i++] = '"';
		if (roll(6) == 0) {
			if (roll(2) == 0)
				out[i++] = '\r';
			out[i++] = '\n';
		} else {
			out[i++] = ',';
		}
	}
	return i;
}

TEST(random_text_in_bulk_agrees_with_a_naive_scan)
{
	static unsigned char text[40000];
	static const unsigned noises[] = {0, 3, 20, 1000}, quotes[] = {0, 5, 50, 100};

	for (unsigned turn = 0; turn < 160; turn++) {
		size_t n = random_text(text, turn % 8 == 0 ? sizeof text : 1000 + roll(4000), noises[turn % 4], quotes[turn / 4 % 4]);

		for (size_t d = 0; d < DIALECTS; d++) {
			size_t cut = roll((unsigned)n);

			naive(&dialects[d], text, n, &expected);
			CHECK(agrees_cut(&dialects[d], text, n, cut, cut, 1 + roll(n < 6000 ? 200 : 9000)));
			CHECK(agrees_cut(&dialects[d], text, n, n, n, n));
			CHECK(agrees_later(&dialects[d], text, n));
		}
	}
}

TEST(nothing_is_read_past_the_input_or_written_past_the_room)
{
	static const char *const units[] = {"a,b\r\n", "\r\n", "\"a\"\"b\",c\n", "abcdefgh,", "a\"b,"};
	static unsigned char text[400];
	static struct csv_index index;

	for (size_t u = 0; u < 5; u++)
		for (size_t n = 1; n < sizeof text; n++)
			for (enum csv_path path = 0; path <= csv_best_path(); path++) {
				unsigned char *in, *out;
				struct csv csv;
				size_t written;

				for (size_t i = 0; i < n; i++)
					text[i] = (unsigned char)units[u][i % strlen(units[u])];
				in = unit_at_edge(text, n);
				out = unit_at_edge(text, n + CSV_SLACK <= sizeof text ? n + CSV_SLACK : n);
				csv_start(&csv, &dialects[0], path);
				if (n + CSV_SLACK <= sizeof text)
					CHECK(csv_flatten(&csv, in, n, true, '\n', out, &written) == n);
				csv_start(&csv, &dialects[0], path);
				CHECK(csv_index_make(&csv, in, n, true, &index) == n);
				CHECK(csv_copy(&index, in, 0, out, n + CSV_SLACK <= sizeof text ? n + CSV_SLACK : n, &written) <= n);
				unit_drop(in, n);
				unit_drop(out, n + CSV_SLACK <= sizeof text ? n + CSV_SLACK : n);
			}
}

TEST(a_delimiter_and_a_quote_may_be_any_bytes)
{
	static const struct csv_dialect odd[] = {
		{.delimiter = '\0', .quote = '\'', .quoting = true},
		{.delimiter = '\t', .quote = 0xff, .quoting = true},
		{.delimiter = 0xfe, .quote = '\0', .quoting = true, .strict = true},
		{.delimiter = '"', .quote = ',', .quoting = true},
	};
	static const char letters[] = "ab\0'\t\xff\xfe\",\r\n";
	unsigned char text[400];

	for (unsigned turn = 0; turn < 400; turn++) {
		size_t n = roll(sizeof text);

		for (size_t i = 0; i < n; i++)
			text[i] = (unsigned char)letters[roll(sizeof letters - 1)];
		naive(&odd[turn % 4], text, n, &expected);
		CHECK(agrees_cut(&odd[turn % 4], text, n, n / 2, n / 2 + 3, 1 + roll(90)));
	}
}

TEST(a_NUL_in_a_field_stops_NUL_terminated_output)
{
	static const char *const texts[] = {"a,b\nc", "\"x\n", "ab,\"c,\r\n\"", "\"a\"\"b\",c\r\n"};
	unsigned char text[300], out[sizeof text + CSV_SLACK];

	for (size_t i = 0; i < 4; i++)
		for (size_t fill = 0; fill < 140; fill++)
			for (enum csv_path path = 0; path <= csv_best_path(); path++) {
				size_t n = strlen(texts[i]), written, lines;
				struct csv csv;

				memcpy(text, texts[i], n);
				memset(text + n, 'f', fill);
				n += fill;
				memcpy(text + n, "\0,\n", 4);
				csv_start(&csv, &dialects[0], path);
				CHECK(csv_flatten(&csv, text, n + 4, true, '\0', out, &written) == n);
				lines = (strchr(texts[i], '\n') != NULL) + (size_t)1;
				CHECK(csv.problem == CSV_NUL_IN_FIELD && csv.line == lines);
				CHECK(csv_flatten(&csv, text + n, 4, true, '\0', out, &written) == 0);
				/* And later, as agrees_later(). */
				csv_start(&csv, &dialects[0], path);
				CHECK(csv_flatten(&csv, (const unsigned char *)"p\nq\n", 4, false, '\0', out, &written) == 4);
				CHECK(csv_flatten(&csv, text, n + 4, true, '\0', out, &written) == n);
				CHECK(csv.problem == CSV_NUL_IN_FIELD && csv.line == lines + 2);
			}
}

TEST(a_NUL_that_is_the_delimiter_is_not_data)
{
	static const struct csv_dialect nul = {.delimiter = '\0', .quote = '"', .quoting = true};
	unsigned char out[16 + CSV_SLACK];
	size_t written;

	for (enum csv_path path = 0; path <= csv_best_path(); path++) {
		struct csv csv;

		csv_start(&csv, &nul, path);
		CHECK(csv_flatten(&csv, (const unsigned char *)"a\0b\n", 4, true, '\0', out, &written) == 4);
		CHECK(csv.problem == CSV_FINE && written == 4 && memcmp(out, "a\0b", 4) == 0);
	}
}

TEST(a_copy_includes_all_simple_fields)
{
	static const char given[] = "a,\"b\",\"c,\",\"\",\"d\"\"\ne\"\r\n", copied[] = "a,b,\"c,\",,\"d\"\"\ne\"\n";
	enum { RECORDS = 20, GIVEN = sizeof given - 1, COPIED = sizeof copied - 1 };
	static struct csv_index index;
	unsigned char in[RECORDS * GIVEN], out[sizeof in + CSV_SLACK];

	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (unsigned char)given[i % GIVEN];
	for (enum csv_path path = 0; path <= csv_best_path(); path++) {
		struct csv csv;
		size_t written;

		csv_start(&csv, &dialects[0], path);
		CHECK(csv_index_make(&csv, in, sizeof in, true, &index) == sizeof in);
		CHECK(csv_copy(&index, in, 0, out, sizeof out, &written) >= sizeof in - 64);
		CHECK(written >= (RECORDS - 64 / GIVEN - 1) * COPIED);
		for (size_t i = 0; i < written; i++)
			CHECK(out[i] == (unsigned char)copied[i % COPIED]);
	}
}

TEST(every_path_was_tested)
{
	if (csv_best_path() + 1 < CSV_PATHS)
		unit_skip("this processor lacks AVX-512 VBMI2 or AVX2");
}

TEST(the_line_of_each_byte_of_a_window_is_known)
{
	static struct csv_index index;
	struct csv csv;
	unsigned char text[500];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 3 == 0 ? '\n' : '"';
	csv_start(&csv, &dialects[0], CSV_PORTABLE);
	CHECK(csv_index_make(&csv, text, sizeof text, true, &index) == sizeof text);
	for (size_t i = 0; i < sizeof text; i++)
		CHECK(csv_index_line(&index, i) == 1 + (i + 2) / 3);
}
