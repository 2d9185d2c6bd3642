/* Shared by the load generators: options, connections, waiting, times, and the costs of a server. */
#ifndef FITTINGS_LOAD_H
#define FITTINGS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { CHUNK = 256 * 1024, ANSWER_S = 10 };

/* Of the command line: NAME MODE [-p port] [-n connections] [-s size] [-d depth]
 * [-b MiB] [-t seconds] [-P pid] [-u]. */
struct load_options {
	const char *name, *mode;
	uint16_t port;
	size_t connections, size, depth, bulk;
	double seconds;
	long pid; /* of the server, 0 if not given */
	bool wide;
	bool deflate;
};

struct load_mode {
	const char *name;
	void (*run)(void);
};

extern struct load_options options;
extern uint64_t done; /* messages, bytes or sessions so far */
extern char taken[CHUNK];

/* The body of main(): runs the selected mode. */
int load_main(int argc, char **argv, const struct load_mode *modes);

/* Exit with 1 and the reason in errno; wrong() if the peer sent wrong data. */
_Noreturn void fail(const char *what);
_Noreturn void wrong(const char *what);

static inline uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t
in_seconds(double seconds)
{
	return now_ns() + (uint64_t)(seconds * 1e9);
}

/* Open a socket and connect it to the port; wait: until it is connected. */
int load_connect(bool wait);

/* EPOLL_CTL_* for fd with the data `whose`. */
void watch(int what, int fd, void *whose, uint32_t events);

/* Wait once, at most ANSWER_S, and call a function for each ready connection. */
void turn(void (*ready)(void *whose, uint32_t events));

/* Note the time of one message or session. */
void note_time(uint64_t ns);

/* Return the percentile of the noted times, in microseconds. */
double percentile_us(double share);

/* Discard all measurements so far. */
void measure_begin(void);

/* Return how many of unit (such as 1 MiB) were `done` per second since measure_begin(). */
double measure_rate(double unit);

/* Print the line: the rate or another figure, then the costs and times as described in tcp.c. */
void measure_end(double unit);
void measure_end_with(double figure);

/* Return the memory (Pss) of the server and its descendants in bytes. */
double server_memory(void);

/* Wait until the server has as many descendants as at the start of load_main(). */
void server_settle(void);

#endif
