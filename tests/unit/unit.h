/*
 * The frame of the C unit tests: TAP on stdout, as bats speaks it too.
 *
 *     static void
 *     digits_only(void)
 *     {
 *         CHECK(!number_parse(span_of("0x10"), 0, 99, &n));
 *     }
 *
 *     int
 *     main(void)
 *     {
 *         TEST(digits_only);
 *         return unit_done();
 *     }
 */
#ifndef FITTINGS_UNIT_H
#define FITTINGS_UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned unit_count, unit_failures;
static bool unit_failed;
static const char *unit_why_skipped;

static inline void
unit_check(bool good, const char *text, const char *file, int line)
{
	if (good)
		return;
	if (!unit_failed)
		printf("# %s:%d: %s\n", file, line, text);
	unit_failed = true;
}

#define CHECK(condition) unit_check((condition), #condition, __FILE__, __LINE__)

/* The test that calls it returns then. */
static inline void
unit_skip(const char *why)
{
	unit_why_skipped = why;
}

static inline void
unit_run(const char *name, void (*test)(void))
{
	unit_failed = false;
	unit_why_skipped = NULL;
	test();
	unit_count++;
	unit_failures += unit_failed;
	printf("%s %u ", unit_failed ? "not ok" : "ok", unit_count);
	for (; *name != '\0'; name++)
		putchar(*name == '_' ? ' ' : *name);
	if (unit_why_skipped != NULL)
		printf(" # skip %s", unit_why_skipped);
	putchar('\n');
}

#define TEST(name) unit_run(#name, name)

static inline int
unit_done(void)
{
	printf("1..%u\n", unit_count);
	return unit_failures == 0 ? 0 : 1;
}

/*
 * A copy of n bytes that ends right before an unreadable page, so that reading
 * one byte too many dies. Never freed but by unit_drop().
 */
static inline unsigned char *
unit_at_edge(const void *bytes, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;
	unsigned char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + room, page, PROT_NONE) != 0) {
		perror("unit_at_edge");
		exit(1);
	}
	if (n != 0)
		memcpy(map + room - n, bytes, n);
	return map + room - n;
}

static inline void
unit_drop(unsigned char *copy, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;

	munmap(copy + n - room, room + page);
}

#endif
