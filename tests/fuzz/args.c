/* Numbers, sizes, durations, port lists and LISTEN_*, compared with naive parsers. */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"
#include "base/number.h"
#include "sys/listen.h"
#include "naive.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static bool
naive_unit(const char *text, size_t n, const struct unit *units, uint64_t *value)
{
	for (; units->name != NULL; units++) {
		size_t size = strlen(units->name);

		if (n >= size && memcmp(text + n - size, units->name, size) == 0 && naive_digits(text, n - size, value)
		    && *value <= UINT64_MAX / units->factor) {
			*value *= units->factor;
			return true;
		}
	}
	return false;
}

static void
numbers(const char *text, size_t n, uint64_t min, uint64_t max)
{
	static const struct unit plain[] = {{"", 1}, {NULL, 0}};
	static const struct unit sizes[] = {{"k", 1 << 10}, {"K", 1 << 10}, {"m", 1 << 20}, {"M", 1 << 20}, {"g", 1 << 30},
	                                    {"G", 1 << 30}, {"", 1}, {NULL, 0}};
	static const struct unit times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}, {NULL, 0}};
	static const struct unit *const units[] = {plain, sizes, times};
	static bool (*const parse[])(struct span, uint64_t, uint64_t, uint64_t *) = {
		number_parse, size_parse, duration_parse,
	};

	for (int i = 0; i < 3; i++) {
		uint64_t want, got;
		bool is = naive_unit(text, n, units[i], &want) && want >= min && want <= max;

		FUZZ_CHECK(parse[i]((struct span){text, n}, min, max, &got) == is);
		FUZZ_CHECK(!is || got == want);
	}
}

/* Return the number of ranges, or 0 for an invalid list. */
static size_t
naive_ports(const char *text, size_t n, struct port_range *ranges, size_t max)
{
	size_t count = 0, begin = 0;

	for (size_t i = 0; i <= n; i++) {
		const char *dash;
		uint64_t first, last;
		size_t size = i - begin;

		if (i < n && text[i] != ',')
			continue;
		dash = size == 0 ? NULL : memchr(text + begin, '-', size);
		if (!naive_digits(text + begin, dash == NULL ? size : (size_t)(dash - text) - begin, &first))
			return 0;
		last = first;
		if (dash != NULL && (!naive_digits(dash + 1, (size_t)(text + i - dash) - 1, &last) || first == 0))
			return 0;
		if (first > last || last > 65535 || count == max)
			return 0;
		ranges[count++] = (struct port_range){(uint16_t)first, (uint16_t)last};
		begin = i + 1;
	}
	return count;
}

static void
ports(const char *text, size_t n, size_t max)
{
	struct port_range got[8], want[8];
	size_t count = naive_ports(text, n, want, max);

	FUZZ_CHECK(port_list_parse((struct span){text, n}, got, max) == count);
	FUZZ_CHECK(memcmp(got, want, count * sizeof *got) == 0);
}

/* No descriptor from LISTEN_FIRST up is a listening socket: for any environment nothing is taken
 * over and nothing else is touched. */
static void
listen_environment(const char *text, bool pid_too)
{
	static struct listeners l;
	const char *why;
	char pid[16];
	uint64_t number = 0;
	bool valid, addressed;

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid_too ? text : pid, 1);
	setenv("LISTEN_FDS", pid_too ? "1" : text, 1);
	valid = naive_digits(text, strlen(text), &number);
	addressed = pid_too ? number == (uint64_t)getpid() : number != 0;
	if (pid_too)
		valid = valid && number >= 1 && number <= INT32_MAX;
	FUZZ_CHECK(listeners_take(&l, &why) == (valid && !addressed ? 0 : -1));
	FUZZ_CHECK(l.count == 0 && ((why == NULL) == (valid && !addressed && !pid_too)));
	FUZZ_CHECK(getenv("LISTEN_FDS") == NULL || !valid || addressed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t bounds[] = {0, 1, 99, 65535, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f);
	char text[64];
	const char *edge;

	f.size = f.size < sizeof text - 1 ? f.size : sizeof text - 1;
	edge = (char *)fuzz_edge(0, f.at, f.size);
	numbers(edge, f.size, bounds[choice % 8], bounds[choice / 8 % 8]);
	ports(edge, f.size, 1 + choice % 8);
	fuzz_string(text, sizeof text, f.at, f.size);
	listen_environment(text, choice % 2 == 0);
	return 0;
}
