#include "sys/meter.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/clock.h"

enum { PERIOD_MS = 1000 };

/* Set *left to the unread size of a file. Return false if it is unknown. */
static bool
size_left(const char *name, bool is_stdin, uint64_t *left)
{
	struct stat status;
	off_t at = is_stdin ? lseek(STDIN_FILENO, 0, SEEK_CUR) : 0;

	if ((is_stdin ? fstat(STDIN_FILENO, &status) : stat(name, &status)) != 0 || !S_ISREG(status.st_mode) || at < 0)
		return false;
	*left = at < status.st_size ? (uint64_t)(status.st_size - at) : 0;
	return true;
}

/* Return the unread size of all files, 0 if unknown. Standard input counts once: when named again
 * it is at its end. */
static uint64_t
total_size(char *const *files)
{
	uint64_t total = 0, left;
	bool stdin_seen = false;

	for (; *files != NULL; files++) {
		bool is_stdin = strcmp(*files, "-") == 0;

		if (is_stdin && stdin_seen)
			continue;
		if (!size_left(*files, is_stdin, &left))
			return 0;
		stdin_seen |= is_stdin;
		total += left;
	}
	return total;
}

void
meter_start(struct meter *meter, char *const *files)
{
	*meter = (struct meter){.start_ms = clock_ms(), .total = total_size(files)};
	meter->next_ms = meter->start_ms + PERIOD_MS;
}

bool
meter_read(struct meter *meter, bool last, char *line, size_t size)
{
	int64_t now = clock_ms(), spent = now > meter->start_ms ? now - meter->start_ms : 1;
	double mib = (double)meter->done / (1 << 20), rate = mib * 1000 / (double)spent;
	char share[16] = "";

	if (!last && now < meter->next_ms)
		return false;
	meter->next_ms = now + PERIOD_MS;
	if (meter->total != 0)
		(void)snprintf(share, sizeof share, ", %.0f%%", 100 * (double)meter->done / (double)meter->total);
	(void)snprintf(line, size, "%.1f MiB%s, %.1f MiB/s", mib, share, rate);
	return true;
}
