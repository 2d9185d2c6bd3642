#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum {
	LIMIT_S = 120, /* in total: a server that stalls is a failure */
	SUB_BUCKETS = 32, /* histogram buckets per doubling */
	BUCKETS = 40 * SUB_BUCKETS,
	BATCH = 256,
};

/* Of a process, its reaped children, and its descendants. */
struct cost {
	double processor_us, faults, memory;
	size_t processes;
};

struct load_options options = {.connections = 1, .size = 64, .depth = 1, .seconds = 1, .bulk = 256};
uint64_t done;
char taken[CHUNK];

static uint64_t histogram[BUCKETS], timed, began;
static struct cost at_start, at_begin;
static int epoll;

void
fail(const char *what)
{
	fprintf(stderr, "%s %s: %s: %s\n", options.name, options.mode, what, strerror(errno));
	exit(1);
}

void
wrong(const char *what)
{
	errno = EBADMSG;
	fail(what);
}

int
load_connect(bool wait)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		fail("socket");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
		fail("connect");
	return fd;
}

void
watch(int what, int fd, void *whose, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = whose};

	if (epoll_ctl(epoll, what, fd, &e) != 0)
		fail("epoll_ctl");
}

void
turn(void (*ready)(void *, uint32_t))
{
	struct epoll_event batch[BATCH];
	int n = epoll_wait(epoll, batch, BATCH, ANSWER_S * 1000);

	if (n == 0) {
		errno = ETIMEDOUT;
		fail("nothing came for 10 s");
	}
	for (int i = 0; i < n; i++)
		ready(batch[i].data.ptr, batch[i].events);
}

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
open_proc(long pid, const char *name)
{
	char path[300];

	(void)snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
	return fopen(path, "r");
}

/* The parent reports ended children in clock ticks, which add up exactly. */
static void
add_process(long pid, struct cost *cost)
{
	unsigned long faults[2] = {0}, ticks[2] = {0};
	char text[1024], *at;
	FILE *f = open_proc(pid, "stat");

	if (f == NULL)
		return;
	if (fgets(text, sizeof text, f) != NULL && (at = strrchr(text, ')')) != NULL)
		(void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %lu %lu %*u %*u %*u %*u %lu %lu", &faults[0],
		    &faults[1], &ticks[0], &ticks[1]);
	(void)fclose(f);
	cost->faults += (double)(faults[0] + faults[1]);
	cost->processor_us += (double)(ticks[0] + ticks[1]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
	cost->processes++;
}

/* Running processes are measured in nanoseconds: a thousand processes may each have used less than
 * a tick. */
static void
add_thread(long pid, const char *thread, struct cost *cost)
{
	char name[288];
	double ns;
	FILE *f;

	(void)snprintf(name, sizeof name, "task/%s/schedstat", thread);
	f = open_proc(pid, name);
	if (f == NULL)
		return;
	if (fscanf(f, "%lf", &ns) == 1)
		cost->processor_us += ns / 1e3;
	(void)fclose(f);
}

static void
add_memory(long pid, struct cost *cost)
{
	char line[256];
	double kib = 0;
	FILE *f = open_proc(pid, "smaps_rollup");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "Pss: %lf", &kib);
	if (f != NULL)
		(void)fclose(f);
	cost->memory += kib * 1024;
}

/* Add up pid and all its descendants; each thread has its own children. */
static void
add_family(long pid, void (*add)(long, struct cost *), struct cost *cost)
{
	char path[64], name[288];
	DIR *threads;

	(void)snprintf(path, sizeof path, "/proc/%ld/task", pid);
	threads = opendir(path);
	if (threads == NULL)
		return;
	add(pid, cost);
	for (struct dirent *e; (e = readdir(threads)) != NULL;) {
		FILE *children;
		long child;

		if (e->d_name[0] == '.')
			continue;
		add_thread(pid, e->d_name, cost);
		(void)snprintf(name, sizeof name, "task/%s/children", e->d_name);
		children = open_proc(pid, name);
		while (children != NULL && fscanf(children, "%ld", &child) == 1)
			add_family(child, add, cost);
		if (children != NULL)
			(void)fclose(children);
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
measure_begin(void)
{
	memset(histogram, 0, sizeof histogram);
	timed = done = 0;
	at_begin = server_cost();
	began = now_ns();
}

static void
print_line(double figure, double units)
{
	struct cost now = server_cost();

	printf("%.1f %.2f %.0f %.0f %.0f %.1f\n", figure, (now.processor_us - at_begin.processor_us) / units,
	    percentile_us(0.5), percentile_us(0.99), percentile_us(0.999), (now.faults - at_begin.faults) / units);
	(void)fflush(stdout);
}

double
measure_rate(double unit)
{
	return (double)done / unit / ((double)(now_ns() - began) / 1e9);
}

void
measure_end(double unit)
{
	double rate = measure_rate(unit);

	if (done == 0)
		fail("nothing was done");
	print_line(rate, (double)done / unit);
}

void
measure_end_with(double figure)
{
	print_line(figure, done == 0 ? 1 : (double)done);
}

static void
arguments(int argc, char **argv)
{
	options.name = argv[0];
	options.mode = argc > 1 ? argv[1] : "";
	for (int key; argc > 1 && (key = getopt(argc - 1, argv + 1, "p:n:s:d:t:b:P:uz")) != -1;) {
		double value = optarg == NULL ? 0 : strtod(optarg, NULL);

		switch (key) {
		case 'p': options.port = (uint16_t)value; break;
		case 'n': options.connections = (size_t)value; break;
		case 's': options.size = (size_t)value; break;
		case 'd': options.depth = (size_t)value; break;
		case 't': options.seconds = value; break;
		case 'b': options.bulk = (size_t)value; break;
		case 'P': options.pid = (long)value; break;
		case 'u': options.wide = true; break;
		case 'z': options.deflate = true; break;
		default: exit(2);
		}
	}
}

int
load_main(int argc, char **argv, const struct load_mode *modes)
{
	struct rlimit limit;

	arguments(argc, argv);
	(void)alarm(LIMIT_S);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		fail("epoll_create1");
	at_start = server_cost();
	for (const struct load_mode *mode = modes; mode->name != NULL; mode++) {
		if (strcmp(mode->name, options.mode) == 0) {
			mode->run();
			return 0;
		}
	}
	fprintf(stderr, "usage: %s MODE -p port [option...]; the modes are at the head of its source\n", argv[0]);
	return 2;
}
