/* Times of messages, and what they cost the server: its process, its descendants, and the children that they
 * waited for. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

enum { SUB_BUCKETS = 32 /* histogram buckets per doubling */, BUCKETS = 40 * SUB_BUCKETS };

struct cost {
	double processor_us, faults, memory;
	size_t processes;
};

double done;

static uint64_t histogram[BUCKETS], timed, began;
static struct cost at_start, at_begin;

void
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

double
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

/* Open /proc/PID/NAME. Return NULL if the process has ended. */
static FILE *
proc_open(long pid, const char *name)
{
	char path[350];

	(void)snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
	return fopen(path, "r");
}

/* The parent reports ended children in clock ticks, which add up exactly. */
static void
add_process(long pid, struct cost *cost)
{
	unsigned long faults[2], ticks[2];
	FILE *f = proc_open(pid, "stat");

	if (f == NULL)
		return;
	if (fscanf(f, "%*[^)]) %*c %*d %*d %*d %*d %*d %*u %lu %lu %*u %*u %*u %*u %lu %lu", &faults[0], &faults[1],
	        &ticks[0], &ticks[1]) == 4) {
		cost->faults += (double)(faults[0] + faults[1]);
		cost->processor_us += (double)(ticks[0] + ticks[1]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
		cost->processes++;
	}
	(void)fclose(f);
}

static void
add_memory(long pid, struct cost *cost)
{
	char line[256];
	double kib = 0;
	FILE *f = proc_open(pid, "smaps_rollup");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "Pss: %lf", &kib);
	if (f != NULL)
		(void)fclose(f);
	cost->memory += kib * 1024;
}

/* Add up pid and all its descendants; each thread has its own children. Running threads are measured in
 * nanoseconds: a thousand processes may each have used less than a tick. */
static void
add_family(long pid, void (*add)(long, struct cost *), struct cost *cost)
{
	char name[300];
	double ns;
	long child;
	FILE *f;
	DIR *threads;

	(void)snprintf(name, sizeof name, "/proc/%ld/task", pid);
	threads = opendir(name);
	if (threads == NULL)
		return;
	add(pid, cost);
	for (struct dirent *e; (e = readdir(threads)) != NULL;) {
		(void)snprintf(name, sizeof name, "task/%s/schedstat", e->d_name);
		f = e->d_name[0] == '.' ? NULL : proc_open(pid, name);
		if (f == NULL)
			continue;
		if (fscanf(f, "%lf", &ns) == 1)
			cost->processor_us += ns / 1e3;
		(void)fclose(f);
		(void)snprintf(name, sizeof name, "task/%s/children", e->d_name);
		f = proc_open(pid, name);
		while (f != NULL && fscanf(f, "%ld", &child) == 1)
			add_family(child, add, cost);
		if (f != NULL)
			(void)fclose(f);
	}
	(void)closedir(threads);
}

static struct cost
server_cost(void)
{
	struct cost cost = {0};

	if (options.pid != 0)
		add_family(options.pid, add_process, &cost);
	return cost;
}

double
server_memory(void)
{
	struct cost cost = {0};

	if (options.pid != 0)
		add_family(options.pid, add_memory, &cost);
	return cost.memory;
}

void
server_settle(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (uint64_t end = in_seconds(ANSWER_S); now_ns() < end; nanosleep(&pause, NULL))
		if (server_cost().processes <= at_start.processes)
			return;
}

void
measure_start(void)
{
	at_start = server_cost();
}

void
measure_begin(void)
{
	memset(histogram, 0, sizeof histogram);
	timed = 0;
	done = 0;
	at_begin = server_cost();
	began = now_ns();
}

double
measure_rate(void)
{
	return done / ((double)(now_ns() - began) / 1e9);
}

void
measure_print(double figure)
{
	struct cost now = server_cost();
	double units = done > 0 ? done : 1;

	printf("%.1f %.2f %.0f %.0f %.0f %.1f\n", figure, (now.processor_us - at_begin.processor_us) / units,
	    percentile_us(0.5), percentile_us(0.99), percentile_us(0.999), (now.faults - at_begin.faults) / units);
	(void)fflush(stdout);
}
