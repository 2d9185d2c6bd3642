/*
 * Framework of the C unit tests: TAP on stdout. main() is here, and runs the tests of the file in
 * order.
 *
 *     TEST(digits_only)
 *     {
 *         CHECK(!number_parse(span_of("0x10"), 0, 99, &n));
 *     }
 *
 * BEFORE_ALL { ... } and AFTER_ALL { ... } run before the first test and after the last one,
 * BEFORE_EACH { ... } and AFTER_EACH { ... } before and after each of them.
 */
#ifndef FITTINGS_UNIT_H
#define FITTINGS_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UNIT_MOST = 100 };

static struct {
	const char *name;
	void (*run)(void);
} unit_tests[UNIT_MOST];
static unsigned unit_count, unit_failures;
static void (*unit_before_all)(void), (*unit_after_all)(void), (*unit_before_each)(void), (*unit_after_each)(void);
static bool unit_failed;
static const char *unit_why_skipped;

#define UNIT_HOOK(name, assign) \
	static void name(void); \
	__attribute__((constructor)) static void name##_register(void) { assign; } \
	static void name(void)
#define TEST(test) UNIT_HOOK(test, (unit_tests[unit_count].name = #test, unit_tests[unit_count++].run = test))
#define BEFORE_ALL UNIT_HOOK(before_all, unit_before_all = before_all)
#define AFTER_ALL UNIT_HOOK(after_all, unit_after_all = after_all)
#define BEFORE_EACH UNIT_HOOK(before_each, unit_before_each = before_each)
#define AFTER_EACH UNIT_HOOK(after_each, unit_after_each = after_each)

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

/* Return a number below `sides`: the same sequence in each run of a test. */
static inline unsigned
unit_roll(unsigned sides)
{
	static uint64_t seed = 88172645463325252;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % sides;
}

/* The calling test then returns. */
static inline void
unit_skip(const char *why)
{
	unit_why_skipped = why;
}

/*
 * A copy of n bytes that ends directly before an unreadable page, so that reading beyond it
 * crashes. Freed only by unit_drop().
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

int
main(void)
{
	if (unit_before_all != NULL)
		unit_before_all();
	for (unsigned i = 0; i < unit_count; i++) {
		unit_failed = false;
		unit_why_skipped = NULL;
		if (unit_before_each != NULL)
			unit_before_each();
		unit_tests[i].run();
		if (unit_after_each != NULL)
			unit_after_each();
		unit_failures += unit_failed;
		printf("%s %u ", unit_failed ? "not ok" : "ok", i + 1);
		for (const char *name = unit_tests[i].name; *name != '\0'; name++)
			putchar(*name == '_' ? ' ' : *name);
		if (unit_why_skipped != NULL)
			printf(" # skip %s", unit_why_skipped);
		putchar('\n');
	}
	if (unit_after_all != NULL)
		unit_after_all();
	printf("1..%u\n", unit_count);
	return unit_failures == 0 ? 0 : 1;
}

#endif
