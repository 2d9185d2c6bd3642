/*
 * Speed of the codecs in memory, in GB/s, the best of several rounds:
 *
 *     codec unmask | codec memcpy | codec utf8 PATH TEXT
 *     codec paths             the UTF-8 implementations that this CPU supports, the best first
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ws/mask.h"
#include "base/utf8.h"
#include "load.h"

enum { SIZE = 64 * 1024, REPEATS = 1000, ROUNDS = 5 };

static const char *const path_names[UTF8_PATHS] = {
	[UTF8_PORTABLE] = "portable",
#ifdef __AARCH64EL__
	[UTF8_NEON] = "neon",
#else
	[UTF8_SSSE3] = "ssse3", [UTF8_AVX2] = "avx2",
#endif
};

static const struct {
	const char *name, *text;
} texts[] = {
	{"ASCII", "The quick brown fox jumps. "},
	{"2-byte", "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c\xd0\xb6\xd0\xb5"},
	{"3-byte", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
	{"4-byte", "\xf0\x9f\x98\x80\xf0\x9f\x9a\x80"},
	{"mixed", "Gr\xc3\xbc\xc3\x9f Gott, 5 \xe2\x82\xac f\xc3\xbcr \xf0\x9f\x98\x80 und \xe6\x97\xa5\xe6\x9c\xac! "},
};

static unsigned char bytes[SIZE], copy[SIZE];
static enum utf8_path path;

static void
unmask(size_t size)
{
	static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};

	mask_apply(bytes, size, key, 0);
}

static void
move(size_t size)
{
	memcpy(copy, bytes, size);
	__asm__ volatile("" : : "r"(copy) : "memory"); /* or it would be optimized away */
}

static void
check(size_t size)
{
	struct utf8 text = {0};

	if (utf8_check_by(path, &text, bytes, size) != size || !utf8_whole(&text))
		abort();
}

static int
report(void (*work)(size_t), size_t size)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took;

		for (int i = 0; i < REPEATS; i++)
			work(size);
		took = now_ns() - start;
		best = took < best ? took : best;
	}
	printf("%.2f\n", (double)size * REPEATS / (double)best);
	return 0;
}

static size_t
fill(const char *with)
{
	size_t each = strlen(with), size = 0;

	for (; size + each <= SIZE; size += each)
		memcpy(bytes + size, with, each);
	return size;
}

static int
report_utf8(const char *path_name, const char *text)
{
	while (path < UTF8_PATHS && strcmp(path_names[path], path_name) != 0)
		path++;
	for (size_t i = 0; path <= utf8_best_path() && i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(texts[i].name, text) == 0)
			return report(check, fill(texts[i].text));
	fprintf(stderr, "codec: no such path or text\n");
	return 2;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "utf8") == 0 && argc == 4)
		return report_utf8(argv[2], argv[3]);
	if (strcmp(what, "unmask") == 0)
		return report(unmask, SIZE);
	if (strcmp(what, "memcpy") == 0)
		return report(move, SIZE);
	for (path = utf8_best_path();; path--) {
		puts(path_names[path]);
		if (path == UTF8_PORTABLE)
			return 0;
	}
}
