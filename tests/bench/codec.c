/*
 * Speed of the codecs in memory: the best of several rounds, in processor time.
 *
 *     codec unmask | codec memcpy | codec utf8 PATH TEXT      GB/s
 *     codec paths             the UTF-8 implementations that this CPU supports, the best first
 *     codec inflate|deflate|size ours|zlib1|zlib6 SIZE none|takeover [random|worst]
 *     codec peers             zlib1 and zlib6, if they are built in
 *
 * SIZE: bytes of a message, 0 for 100 to 250. The messages are pieces of a log in
 * JSON, random bytes, or (inflate) empty blocks with codes of their own. Prints
 * MB/s, or (size) bytes for 1000 bytes of input.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "ws/deflate.h"
#include "ws/inflate.h"
#include "ws/mask.h"
#ifdef ZLIB
#include <zlib.h>
#define ZLIB_PEERS "zlib1 zlib6"
#else
#define ZLIB_PEERS ""
#endif

enum { ROUNDS = 5, SIZE = 64 * 1024, REPEATS = 1000 };

/* CPU time, so that other processes do not matter. */
static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Print the best rate of some rounds, each of size bytes, in units a second. */
static int
report(void (*work)(void), size_t size, double unit)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = cpu_ns(), took;

		work();
		took = cpu_ns() - start;
		best = took < best ? took : best;
	}
	printf("%.2f\n", (double)size * 1e9 / (double)best / unit);
	return 0;
}

/* Bytes of text: unmasked, copied and checked. */

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
static size_t filled = SIZE;
static enum utf8_path path;

static void
unmask(void)
{
	static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};

	for (int i = 0; i < REPEATS; i++)
		mask_apply(bytes, SIZE, key, 0);
}

static void
move(void)
{
	for (int i = 0; i < REPEATS; i++) {
		memcpy(copy, bytes, SIZE);
		__asm__ volatile("" : : "r"(copy) : "memory"); /* or it would be optimized away */
	}
}

static void
check(void)
{
	for (int i = 0; i < REPEATS; i++) {
		struct utf8 state = {0};

		if (utf8_check_by(path, &state, bytes, filled) != filled || !utf8_whole(&state))
			abort();
	}
}

static int
report_utf8(const char *path_name, const char *name)
{
	size_t i = 0, each;

	while (path < UTF8_PATHS && strcmp(path_names[path], path_name) != 0)
		path++;
	while (i < sizeof texts / sizeof *texts && strcmp(texts[i].name, name) != 0)
		i++;
	if (path > utf8_best_path() || i == sizeof texts / sizeof *texts) {
		fprintf(stderr, "codec: no such path or text\n");
		return 2;
	}
	each = strlen(texts[i].text);
	for (filled = 0; filled + each <= SIZE; filled += each)
		memcpy(bytes + filled, texts[i].text, each);
	return report(check, filled * REPEATS, 1e9);
}

/* Compression. */

enum { TOTAL = 1 << 20, MESSAGES = TOTAL / 100 };

static unsigned char text[TOTAL + 512], packed[2 * TOTAL], back[2 * TOTAL];
static size_t begins[MESSAGES + 1], packed_begins[MESSAGES + 1];
static unsigned count;
static bool takeover;
static int level; /* 0: ours */

static struct deflate deflater;
static struct deflate_scratch scratch;
static struct inflate inflater;
static struct inflate_tables tables;
static unsigned char window[1 << 15];
static uint16_t memory[100000];

static unsigned
chance(unsigned below)
{
	static unsigned seed = 7692;

	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}

static void
log_make(void)
{
	static const char *const levels[] = {"info", "info", "warn", "error"}, *const methods[] = {"GET", "GET", "POST", "PUT"},
		*const paths[] = {"/api/v1/users", "/api/v1/orders", "/static/app.js", "/login", "/search", "/img/logo.png"};
	unsigned time = 1700000000;

	for (size_t n = 0; n < TOTAL; n += strlen((char *)text + n)) {
		time += chance(3);
		(void)snprintf((char *)text + n, 512, "{\"time\":%u.%03u,\"level\":\"%s\",\"client\":\"%u.%u.%u.%u\",\"method\":\"%s\","
		    "\"path\":\"%s/%u\",\"status\":%u,\"bytes\":%u,\"ms\":%u.%02u}\n", time, chance(1000), levels[chance(4)],
		    chance(255), chance(255), chance(255), chance(255), methods[chance(4)], paths[chance(6)], chance(100000),
		    chance(9) != 0 ? 200 : 404, chance(100000), chance(300), chance(100));
	}
}

static void
messages_make(size_t size, const char *kind)
{
	log_make();
	for (size_t i = 0; *kind == 'r' && i < TOTAL; i++)
		text[i] = (unsigned char)chance(256);
	while (begins[count] + (size == 0 ? 250 : size) <= TOTAL) {
		begins[count + 1] = begins[count] + (size == 0 ? 100 + chance(151) : size);
		count++;
	}
}

static void
deflate_ours(void)
{
	enum deflate_result result;
	size_t made;

	deflate_begin(&deflater, 15, memory, &scratch);
	for (unsigned i = 0; i < count; i++) {
		size_t n = begins[i + 1] - begins[i];

		(void)deflate_step(&deflater, text + begins[i], n, true, packed + packed_begins[i], deflate_bound(n), &made, &result);
		packed_begins[i + 1] = packed_begins[i] + made;
		if (!takeover)
			deflate_reset(&deflater);
	}
}

static void
inflate_ours(void)
{
	enum inflate_result result;
	size_t made;

	inflate_begin(&inflater, 15, window, &tables);
	for (unsigned i = 0; i < count; i++) {
		size_t n = packed_begins[i + 1] - packed_begins[i];

		if (inflate_step(&inflater, packed + packed_begins[i], n, back, sizeof back, &made, &result) != n
		    || !inflate_finish(&inflater))
			abort();
		if (!takeover)
			inflate_reset(&inflater);
	}
}

#ifdef ZLIB
static void
deflate_zlib(void)
{
	static z_stream z;

	(void)deflateEnd(&z);
	memset(&z, 0, sizeof z);
	(void)deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	for (unsigned i = 0; i < count; i++) {
		z.next_in = text + begins[i];
		z.avail_in = (unsigned)(begins[i + 1] - begins[i]);
		z.next_out = packed + packed_begins[i];
		z.avail_out = z.avail_in + 1000;
		(void)deflate(&z, Z_SYNC_FLUSH);
		packed_begins[i + 1] = (size_t)(z.next_out - packed) - 4;
		if (!takeover)
			(void)deflateReset(&z);
	}
}

static void
inflate_zlib(void)
{
	static z_stream z;
	static unsigned char tail[] = {0x00, 0x00, 0xff, 0xff};

	(void)inflateEnd(&z);
	memset(&z, 0, sizeof z);
	(void)inflateInit2(&z, -15);
	for (unsigned i = 0; i < count; i++) {
		z.next_in = packed + packed_begins[i];
		z.avail_in = (unsigned)(packed_begins[i + 1] - packed_begins[i]);
		z.next_out = back;
		z.avail_out = sizeof back;
		(void)inflate(&z, Z_SYNC_FLUSH);
		z.next_in = tail;
		z.avail_in = sizeof tail;
		if (inflate(&z, Z_SYNC_FLUSH) != Z_OK)
			abort();
		if (!takeover)
			(void)inflateReset(&z);
	}
}
#else
#define deflate_zlib deflate_ours
#define inflate_zlib inflate_ours
#endif

/* Empty blocks, each with its own smallest codes. */
static void
worst_make(void)
{
	static const unsigned char block[] = {0x04, 0xc0, 0x81, 0x00, 0x00, 0x00, 0x00, 0x00, 0x90, 0xff, 0x6a, 0x04};
	enum { BITS = 91, ALL = TOTAL * 8 / BITS * BITS };

	memset(packed, 0, TOTAL);
	count = 1;
	for (size_t i = 0; i < ALL; i++)
		packed[i / 8] |= (unsigned char)((block[i % BITS / 8] >> i % BITS % 8 & 1) << i % 8);
	packed_begins[1] = (ALL + 3 + 7) / 8; /* with the head of the empty block at the end */
}

static int
report_compression(int argc, char **argv)
{
	bool inflating = strcmp(argv[1], "inflate") == 0, worst = argc > 5 && *argv[5] == 'w';

	level = strcmp(argv[2], "ours") == 0 ? 0 : argv[2][4] - '0';
	takeover = strcmp(argv[4], "takeover") == 0;
	messages_make((size_t)atol(argv[3]), argc > 5 ? argv[5] : "");
	if (worst)
		worst_make();
	else
		(inflating || level == 0 ? deflate_ours : deflate_zlib)();
	if (inflating)
		return report(level == 0 ? inflate_ours : inflate_zlib, worst ? packed_begins[1] : begins[count], 1e6);
	if (strcmp(argv[1], "deflate") == 0)
		return report(level == 0 ? deflate_ours : deflate_zlib, begins[count], 1e6);
	printf("%.2f\n", (double)packed_begins[count] * 1000 / (double)begins[count]);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "utf8") == 0 && argc == 4)
		return report_utf8(argv[2], argv[3]);
	if (strcmp(what, "unmask") == 0)
		return report(unmask, (size_t)SIZE * REPEATS, 1e9);
	if (strcmp(what, "memcpy") == 0)
		return report(move, (size_t)SIZE * REPEATS, 1e9);
	if (strcmp(what, "peers") == 0)
		return puts(ZLIB_PEERS) < 0;
	if (argc >= 5)
		return report_compression(argc, argv);
	for (path = utf8_best_path();; path--) {
		puts(path_names[path]);
		if (path == UTF8_PORTABLE)
			return 0;
	}
}
