#include "base/utf8.h"

#include "../fuzz/naive.h"
#include "unit.h"

struct verdict {
	size_t good;
	bool whole;
};

static struct verdict
expect(const unsigned char *p, size_t n)
{
	struct verdict v;

	v.good = naive_utf8(p, n, &v.whole);
	return v;
}

static struct verdict
check_cut(const unsigned char *p, size_t n, size_t cut)
{
	struct utf8 text = {0};
	size_t good = utf8_check(&text, p, cut);

	if (good == cut)
		good += utf8_check(&text, p + cut, n - cut);
	return (struct verdict){good, utf8_whole(&text)};
}

static bool
same(struct verdict a, struct verdict b)
{
	return a.good == b.good && a.whole == b.whole;
}

static size_t
encode(unsigned char *out, unsigned long c)
{
	if (c < 0x80)
		return out[0] = (unsigned char)c, 1;
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (unsigned char)(0x80 | (c & 0x3f));
	out[0] = (unsigned char)(c | (0xf00u >> n & 0xff));
	return n;
}

TEST(every_code_point_but_the_surrogates_passes)
{
	for (unsigned long c = 0; c < 0x140000; c++) {
		unsigned char bytes[4];
		size_t n = encode(bytes, c);
		struct utf8 text = {0};
		bool good = utf8_check(&text, bytes, n) == n && utf8_whole(&text);

		CHECK(good == (c < 0x110000 && !(c >= 0xd800 && c < 0xe000)));
	}
}

TEST(every_two_bytes_are_judged_as_the_grammar_does)
{
	for (unsigned v = 0; v < 0x10000; v++) {
		unsigned char bytes[2] = {(unsigned char)(v >> 8), (unsigned char)v};

		CHECK(same(check_cut(bytes, 2, 2), expect(bytes, 2)));
		CHECK(same(check_cut(bytes, 2, 1), expect(bytes, 2)));
	}
}

TEST(every_three_bytes_of_edge_values_are_judged_as_the_grammar_does)
{
	static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
		0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfc, 0xfe, 0xff};
	enum { N = sizeof edges };

	for (unsigned v = 0; v < N * N * N * N; v++) {
		unsigned char bytes[4] = {edges[v / N / N / N], edges[v / N / N % N], edges[v / N % N], edges[v % N]};

		CHECK(same(check_cut(bytes, 4, 4), expect(bytes, 4)));
		CHECK(same(check_cut(bytes, 4, v % 4), expect(bytes, 4)));
	}
}

/* Valid text of about n bytes, in runs of one kind of character. */
static size_t
make_text(unsigned char *out, size_t n)
{
	size_t size = 0;

	while (size + 4 <= n) {
		unsigned kind = unit_roll(5), run = 1 + unit_roll(unit_roll(4) == 0 ? 200 : 6);

		for (; run > 0 && size + 4 <= n; run--) {
			static const unsigned long from[] = {0, 0x80, 0x800, 0xe000, 0x10000};
			static const unsigned long to[] = {0x80, 0x800, 0xd800, 0x10000, 0x110000};

			size += encode(out + size, from[kind] + unit_roll((unsigned)(to[kind] - from[kind])));
		}
	}
	return size;
}

/* Corrupt the text in one place, or leave it unchanged. */
static size_t
break_text(unsigned char *text, size_t n)
{
	size_t at = unit_roll((unsigned)n);

	switch (unit_roll(6)) {
	case 0:
		return n;
	case 1:
		return at;
	case 2:
		text[at] ^= (unsigned char)(1u << unit_roll(8));
		return n;
	case 3:
		memmove(text + at, text + at + 1, n - at - 1);
		return n - 1;
	case 4:
		text[at] = (unsigned char)(0x80 + unit_roll(128));
		return n;
	default:
		text[at] = (unsigned char)unit_roll(256);
		return n;
	}
}

/* In pieces of random sizes, as from a socket. */
static struct verdict
check_pieces(enum utf8_path path, const unsigned char *p, size_t n, unsigned largest)
{
	struct utf8 text = {0};
	size_t i = 0;

	while (i < n) {
		size_t piece = 1 + unit_roll(largest), good;

		if (piece > n - i)
			piece = n - i;
		good = utf8_check_by(path, &text, p + i, piece);
		i += good;
		if (good < piece)
			break;
	}
	return (struct verdict){i, utf8_whole(&text)};
}

TEST(every_path_finds_the_same_byte_in_broken_bulk_text_however_it_is_cut)
{
	for (unsigned round = 0; round < 20000; round++) {
		unsigned char made[3000];
		size_t n = break_text(made, make_text(made, 8 + unit_roll(round % 16 == 0 ? 2900 : 300)));
		unsigned char *p = unit_at_edge(made, n);
		struct verdict want = expect(p, n);

		for (enum utf8_path path = UTF8_PORTABLE; path <= utf8_best_path(); path++) {
			CHECK(same(check_pieces(path, p, n, (unsigned)n + 1), want));
			CHECK(same(check_pieces(path, p, n, 100), want));
			CHECK(same(check_pieces(path, p, n, 7), want));
		}
		CHECK(same(check_cut(p, n, n), want));
		unit_drop(p, n);
	}
}

/* Each kind of error at each position of a text of several blocks, after each kind of filling. */
TEST(every_path_finds_an_error_at_every_place_of_a_block)
{
	static const char *const fillings[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "ab\xe2\x82\xac"};
	static const char *const errors[] = {"\x80", "\xc0\x80", "\xc3(", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82(",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98(", "\xff", "\xf0\x9f", "\xc3\xa9\xa9"};

	for (size_t f = 0; f < sizeof fillings / sizeof fillings[0]; f++)
		for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
			for (size_t at = 0; at < 200; at++) {
				unsigned char text[600] = {0};
				size_t n = 0, each = strlen(fillings[f]), extra = strlen(errors[e]);

				while (n + each <= at)
					memcpy(text + n, fillings[f], each), n += each;
				while (n < at)
					text[n++] = '.';
				memcpy(text + n, errors[e], extra), n += extra;
				while (n + each <= 420)
					memcpy(text + n, fillings[f], each), n += each;
				struct verdict want = expect(text, n);

				for (enum utf8_path path = UTF8_PORTABLE; path <= utf8_best_path(); path++)
					CHECK(same(check_pieces(path, text, n, 1u << 20), want));
			}
}

TEST(after_an_invalid_byte_the_state_is_that_before_it)
{
	struct utf8 text = {0};

	CHECK(utf8_check(&text, "\xe2\x82", 2) == 2 && !utf8_whole(&text));
	CHECK(utf8_check(&text, "x", 1) == 0 && !utf8_whole(&text));
	CHECK(utf8_check(&text, "\xac", 1) == 1 && utf8_whole(&text));
	CHECK(utf8_check(&text, "ab\xff", 3) == 2 && utf8_whole(&text));
}
