/*
 * The scanner on every short text, on every edge at every place of a block, and on random text in bulk, by the fuzz target:
 * on every path, for any division of the input, its result is that of the naive parser.
 */
#include "../fuzz/csv.c"
#include "csv_text.h"

enum { ALPHABET = 6, MOST = 8192 };

/* Dialects as the target chooses them: lenient, strict, without quotes. */
static const char *const choices[] = {"\0", "\2", "\1"};
static const struct csv_dialect lenient = {.delimiter = ',', .quote = '"', .quoting = true};

enum { DIALECTS = sizeof choices / sizeof *choices };

/* Run the target on a text: a piece of `cut` bytes (at most 128), then pieces of `step`. It aborts if they do not agree. */
static void
agrees_cut(const char *choice, size_t choice_size, const void *text, size_t n, size_t cut, size_t step)
{
	static uint8_t input[MOST + 16];

	memset(input, (int)(step <= 128 ? step - 1 : 255), FUZZ_CUTS);
	input[0] = (uint8_t)(cut - 1);
	memcpy(input + FUZZ_CUTS, choice, choice_size);
	memcpy(input + FUZZ_CUTS + choice_size, text, n);
	(void)LLVMFuzzerTestOneInput(input, FUZZ_CUTS + choice_size + n);
}

/* Whole, at every split, and byte by byte. */
static void
agrees(const void *text, size_t n)
{
	for (size_t d = 0; d < DIALECTS; d++) {
		agrees_cut(choices[d], 1, text, n, 1, 1);
		for (size_t cut = 1; cut <= n; cut++)
			agrees_cut(choices[d], 1, text, n, cut, 255);
	}
}

/* The result of the naive parser for a text: data, `|` at the end of a field and `/' at the end of a record. */
static bool
gives(const char *text, const char *fields)
{
	static struct account a;
	struct naive_csv v = {.d = lenient, .in = (const unsigned char *)text, .n = strlen(text), .a = &a};
	char all[256];
	size_t n = 0;

	a.size = 0;
	naive_csv_read(&v);
	for (size_t i = 0; i < a.size; i += 2) {
		unsigned event = a.bytes[i] * 256U + a.bytes[i + 1];

		all[n++] = event == END_FIELD ? '|' : event == END_RECORD ? '/' : (char)event;
	}
	if (v.open)
		all[n++] = '/';
	all[n] = '\0';
	if (strcmp(all, fields) != 0)
		printf("# %s, not %s\n", all, fields);
	agrees(text, strlen(text));
	return strcmp(all, fields) == 0;
}

TEST(the_rules_are_as_documented)
{
	static const char *const rows[][2] = {
		{"", ""}, {"a", "a/"}, {"a\n", "a/"}, {"a,b", "a|b/"}, {"a,", "a|/"}, {",", "|/"}, {"\n", "/"},
		{"\n\n", "//"}, {"\r\n", "/"}, {"a\n\nb", "a//b/"}, {"a,b\r\nc,d\r\n", "a|b/c|d/"},
		{"a\rb", "a\rb/"}, {"a\r\r\nb", "a\r/b/"}, {"a\r", "a\r/"}, {"\"a\",\"b\"", "a|b/"},
		{"\"a,b\n\",c", "a,b\n|c/"}, {"\"a\"\"b\"", "a\"b/"}, {"\"\"\"\"", "\"/"}, {"\"\"", "/"},
		{"\"", "/"}, {"\"a", "a/"}, {"\"a\"b\"c", "ab\"c/"}, {"\"a\"b\"c,d", "ab\"c|d/"},
		{"a\"b\",c", "a\"b\"|c/"}, {" \"a,b\"", " \"a|b\"/"}, {"\"a\" ,b", "a |b/"},
		{"\"a\r\nb\"\r\n", "a\r\nb/"}, {"\"a\"\r\n", "a/"}, {"\"a\"\rb", "a\rb/"},
		{"\xef\xbb\xbf\"a\"", "a/"}, {"\xef\xbb\xbf", ""}, {"\xef\xbb", "\xef\xbb/"},
		{"\xef\xbb\xbf\xef\xbb\xbf", "\xef\xbb\xbf/"}, {"a\n\xef\xbb\xbf", "a/\xef\xbb\xbf/"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(gives(rows[i][0], rows[i][1]));
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

	for (size_t n = 0; n <= 5; n++, count *= ALPHABET)
		for (unsigned i = 0; i < count; i++)
			agrees(text, text_of(i, n, text));
}

/* `fill` bytes of filler before and after a text, in a bare or a quoted field; whole, cut near the text, and after two
 * records, after which the scanner watches for less. */
TEST(every_edge_at_every_place_of_a_block)
{
	static const char *const before[] = {"", "\"", "x,", "\"\",", "\r\n", "p\nq\n", "p\nq\n\""};
	unsigned char text[512];

	for (size_t b = 0; b < sizeof before / sizeof *before; b++)
		for (unsigned i = 0; i < ALPHABET * ALPHABET * ALPHABET; i++)
			for (size_t fill = 58; fill < 58 + 70; fill += i % 7 == 0 ? 1 : 5) {
				size_t n = strlen(before[b]);

				memcpy(text, before[b], n);
				memset(text + n, 'f', fill);
				n += fill;
				n += text_of(i, 3, text + n);
				memset(text + n, 'g', 70);
				n += 70;
				n += text_of(i / 2, 3, text + n);
				for (size_t d = 0; d < DIALECTS; d++) {
					agrees_cut(choices[d], 1, text, n, 256, 255);
					agrees_cut(choices[d], 1, text, n, b > 4 ? 4 : 1 + (fill + i) % 128, 255);
				}
			}
}

TEST(random_text_in_bulk_agrees_with_a_naive_scan)
{
	static unsigned char text[MOST + CSV_TEXT_SLACK];
	static const unsigned noises[] = {0, 3, 20, 1000}, quotes[] = {0, 5, 50, 100};

	for (unsigned turn = 0; turn < 320; turn++) {
		size_t n = csv_text(text, turn % 8 == 0 ? MOST : 1000 + unit_roll(4000), noises[turn % 4], quotes[turn / 4 % 4],
		    (struct span){",\"\r\n\"\0\"x", 8});

		for (size_t d = 0; d < DIALECTS; d++) {
			agrees_cut(choices[d], 1, text, n, 1 + unit_roll(128), 1 + unit_roll(128));
			agrees_cut(choices[d], 1, text, n, 256, 255);
		}
	}
}

/* The fuzz target reads them from its input only if a flag in the input is set. */
TEST(a_delimiter_and_a_quote_may_be_any_bytes)
{
	static const char odd[][3] = {{12, '\0', '\''}, {12, '\t', '\xff'}, {14, '\xfe', '\0'}, {12, '"', ','}};
	static const char letters[] = "ab\0'\t\xff\xfe\",\r\n";
	unsigned char text[400];

	for (unsigned turn = 0; turn < 400; turn++) {
		size_t n = unit_roll(sizeof text);

		for (size_t i = 0; i < n; i++)
			text[i] = (unsigned char)letters[unit_roll(sizeof letters - 1)];
		agrees_cut(odd[turn % 4], 3, text, n, 1 + unit_roll(128), 1 + unit_roll(128));
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
				csv_start(&csv, &lenient, path);
				CHECK(csv_flatten(&csv, text, n + 4, true, '\0', out, &written) == n);
				lines = (strchr(texts[i], '\n') != NULL) + (size_t)1;
				CHECK(csv.problem == CSV_NUL_IN_FIELD && csv.line == lines);
				CHECK(csv_flatten(&csv, text + n, 4, true, '\0', out, &written) == 0);
				/* And later, as agrees_later(). */
				csv_start(&csv, &lenient, path);
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

		csv_start(&csv, &lenient, path);
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
	csv_start(&csv, &lenient, CSV_PORTABLE);
	CHECK(csv_index_make(&csv, text, sizeof text, true, &index) == sizeof text);
	for (size_t i = 0; i < sizeof text; i++)
		CHECK(csv_index_line(&index, i) == 1 + (i + 2) / 3);
}
