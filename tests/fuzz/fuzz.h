/*
 * Framework of the fuzz targets. A target is a function of the input's bytes: the first ones select
 * options and cuts, the rest is input of the codec. It is linked with the main() of libFuzzer
 * or replay.c.
 */
#ifndef FITTINGS_FUZZ_H
#define FITTINGS_FUZZ_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void
fuzz_check(bool good, const char *text, const char *file, int line)
{
	if (good)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
	abort();
}

#define FUZZ_CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)

enum { FUZZ_MAX = 1 << 16, FUZZ_CUTS = 4 };

struct fuzz {
	const uint8_t *at;
	size_t size;
	uint8_t cuts[FUZZ_CUTS];
	unsigned turn;
};

/* Return the next byte that selects something, 0 after the last one. */
static inline unsigned
fuzz_byte(struct fuzz *f)
{
	if (f->size == 0)
		return 0;
	f->size--;
	return *f->at++;
}

static inline struct fuzz
fuzz_over(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {.at = bytes, .size = size < FUZZ_MAX ? size : FUZZ_MAX};

	for (size_t i = 0; i < FUZZ_CUTS; i++)
		f.cuts[i] = (uint8_t)fuzz_byte(&f);
	return f;
}

/* Return the size of the next piece of the rest, at least 1. */
static inline size_t
fuzz_cut(struct fuzz *f, size_t left)
{
	size_t cut = f->cuts[f->turn++ % FUZZ_CUTS];

	cut = cut < 128 ? cut + 1 : (cut - 127) * 61;
	return cut < left ? cut : left;
}

/* Append the next piece of the rest to the buffer. */
static inline void
fuzz_feed(struct fuzz *f, struct buffer *to)
{
	size_t n = fuzz_cut(f, f->size);

	buffer_pack(to);
	buffer_put(to, f->at, n);
	f->at += n;
	f->size -= n;
}

/* Return the same input in pieces as large as possible. */
static inline struct fuzz
fuzz_uncut(struct fuzz f)
{
	memset(f.cuts, 255, sizeof f.cuts);
	return f;
}

/* Copy bytes as a string that is cut to fit; NULs become blanks. */
static inline void
fuzz_string(char *text, size_t capacity, const uint8_t *bytes, size_t n)
{
	n = n < capacity - 1 ? n : capacity - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = bytes[i] == 0 ? ' ' : (char)bytes[i];
	text[n] = '\0';
}

/* Match the text with an extended regular expression. The pattern is compiled once and known by its address. */
static inline bool
fuzz_matches(const char *pattern, const char *text, regmatch_t *groups, size_t count)
{
	static struct {
		const char *pattern;
		regex_t compiled;
	} cache[8];
	size_t i = 0;

	while (cache[i].pattern != NULL && cache[i].pattern != pattern)
		i++;
	if (cache[i].pattern == NULL) {
		FUZZ_CHECK(i < 7 && regcomp(&cache[i].compiled, pattern, REG_EXTENDED) == 0);
		cache[i].pattern = pattern;
	}
	return regexec(&cache[i].compiled, text, count, groups, 0) == 0;
}

enum { FUZZ_SPACE = FUZZ_MAX * 2 };

/*
 * Return space for n bytes (at most FUZZ_SPACE) that ends at an unreadable page. There are two, 0
 * and 1; each is valid until its next use.
 */
static inline unsigned char *
fuzz_space(unsigned which, size_t n)
{
	enum { PAGE = 4096 };
	static unsigned char *maps[2];

	if (maps[which] == NULL) {
		maps[which] = mmap(NULL, FUZZ_SPACE + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		FUZZ_CHECK(maps[which] != MAP_FAILED && mprotect(maps[which] + FUZZ_SPACE, PAGE, PROT_NONE) == 0);
	}
	FUZZ_CHECK(n <= FUZZ_SPACE);
	return maps[which] + FUZZ_SPACE - n;
}

/* Copy the bytes there. */
static inline unsigned char *
fuzz_edge(unsigned which, const void *bytes, size_t n)
{
	unsigned char *room = fuzz_space(which, n);

	if (n != 0)
		memcpy(room, bytes, n);
	return room;
}

/* The events as bytes, to compare two implementations. */
struct account {
	size_t size;
	unsigned char bytes[FUZZ_MAX * 8];
};

static inline void
account_put(struct account *a, const void *bytes, size_t n)
{
	FUZZ_CHECK(n <= sizeof a->bytes - a->size);
	if (n != 0)
		memcpy(a->bytes + a->size, bytes, n);
	a->size += n;
}

static inline void
account_text(struct account *a, const char *text)
{
	account_put(a, text, strlen(text));
}

static inline void
account_number(struct account *a, const char *before, unsigned long long number)
{
	char line[64];

	account_put(a, line, (size_t)snprintf(line, sizeof line, "%s%llu", before, number));
}

static inline void
accounts_equal(const struct account *got, const struct account *want)
{
	if (got->size == want->size && memcmp(got->bytes, want->bytes, got->size) == 0)
		return;
	fprintf(stderr, "got  (%zu) ", got->size);
	fwrite(got->bytes, 1, got->size, stderr);
	fprintf(stderr, "\nwant (%zu) ", want->size);
	fwrite(want->bytes, 1, want->size, stderr);
	fputc('\n', stderr);
	abort();
}

#endif
