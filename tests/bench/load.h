/* What the load generators share: times, and what a server costs. */
#ifndef FITTINGS_LOAD_H
#define FITTINGS_LOAD_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	SUB_BUCKETS = 32, /* histogram: so many to each doubling */
	BUCKETS = 40 * SUB_BUCKETS,
};

static uint64_t histogram[BUCKETS], timed;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
note_time(uint64_t ns)
{
	unsigned log = 0;
	uint64_t n = ns + SUB_BUCKETS;
	size_t bucket;

	while (n >> log >= 2 * SUB_BUCKETS)
		log++;
	bucket = log * SUB_BUCKETS + (size_t)(n >> log) - SUB_BUCKETS;
	histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	timed++;
}

static double
percentile_us(double share)
{
	uint64_t want = (uint64_t)((double)timed * share), seen = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		seen += histogram[i];
		if (seen > want)
			return (double)(((i % SUB_BUCKETS) + SUB_BUCKETS) << (i / SUB_BUCKETS)) / 1e3;
	}
	return 0;
}

/* Microseconds that pid and its reaped children have run. */
static double
processor_us(long pid)
{
	char path[64], text[1024], *at;
	unsigned long t[4] = {0};
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = pid == 0 ? NULL : fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof text, f) != NULL && (at = strrchr(text, ')')) != NULL)
		(void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &t[0], &t[1],
		    &t[2], &t[3]);
	(void)fclose(f);
	return (double)(t[0] + t[1] + t[2] + t[3]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static double
pss_of(long pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "Pss: %lf", &kib);
	if (f != NULL)
		(void)fclose(f);
	return kib * 1024;
}

static long
parent_of(long pid)
{
	char path[64], text[1024], *at;
	long parent = 0;
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof text, f) != NULL && (at = strrchr(text, ')')) != NULL)
		(void)sscanf(at + 2, "%*c %ld", &parent);
	(void)fclose(f);
	return parent;
}

/* Pss of pid and its children. */
static double
memory_of(long pid)
{
	DIR *proc = opendir("/proc");
	double sum = pss_of(pid);

	for (struct dirent *e; proc != NULL && (e = readdir(proc)) != NULL;) {
		long other = strtol(e->d_name, NULL, 10);

		if (other > 0 && other != pid && parent_of(other) == pid)
			sum += pss_of(other);
	}
	if (proc != NULL)
		(void)closedir(proc);
	return sum;
}

static void
print_times(void)
{
	printf(" %.0f %.0f %.0f\n", percentile_us(0.5), percentile_us(0.99), percentile_us(0.999));
}

#endif
