/* How fast the codecs are on this machine: the best of several runs, in GB/s. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/mask.h"
#include "codec/utf8.h"

enum { SIZE = 64 * 1024, REPEATS = 2000, RUNS = 7 };

static const char *const path_names[UTF8_PATHS] = {"portable", "ssse3", "avx2"};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
report(const char *what, const char *how, double seconds, size_t size)
{
	printf("%-28s %-9s %7.2f GB/s\n", what, how, (double)size * REPEATS / seconds / 1e9);
}

static void
bench_mask(unsigned char *bytes)
{
	static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
	double best = 1e9;

	for (int run = 0; run < RUNS; run++) {
		double start = now();

		for (int i = 0; i < REPEATS; i++)
			mask_apply(bytes, SIZE, key, 0);
		if (now() - start < best)
			best = now() - start;
	}
	report("unmask", "", best, SIZE);
}

static void
bench_utf8(enum utf8_path path, const char *what, const unsigned char *bytes, size_t size)
{
	double best = 1e9;

	for (int run = 0; run < RUNS; run++) {
		double start = now();

		for (int i = 0; i < REPEATS; i++) {
			struct utf8 text = {0};

			if (utf8_check_by(path, &text, bytes, size) != size || !utf8_whole(&text))
				abort();
		}
		if (now() - start < best)
			best = now() - start;
	}
	report(what, path_names[path], best, size);
}

static size_t
fill(unsigned char *bytes, const char *with)
{
	size_t each = strlen(with), size = 0;

	for (; size + each <= SIZE; size += each)
		memcpy(bytes + size, with, each);
	return size;
}

int
main(void)
{
	static const struct {
		const char *what, *text;
	} texts[] = {
		{"utf-8, ASCII", "The quick brown fox jumps. "},
		{"utf-8, 2-byte", "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c\xd0\xb6\xd0\xb5"},
		{"utf-8, 3-byte", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
		{"utf-8, 4-byte", "\xf0\x9f\x98\x80\xf0\x9f\x9a\x80"},
		{"utf-8, mixed", "Gr\xc3\xbc\xc3\x9f Gott, 5 \xe2\x82\xac f\xc3\xbcr \xf0\x9f\x98\x80 und \xe6\x97\xa5\xe6\x9c\xac! "},
	};
	static unsigned char bytes[SIZE];

	fill(bytes, texts[0].text);
	bench_mask(bytes);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		size_t size = fill(bytes, texts[i].text);

		for (enum utf8_path path = UTF8_PORTABLE; path <= utf8_best_path(); path++)
			bench_utf8(path, texts[i].what, bytes, size);
	}
	return 0;
}
