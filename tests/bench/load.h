/* What the load generators share: options, connections, the wait, times, and what a server costs. */
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
	long pid; /* of the server, 0 if it is not told */
	bool wide;
};

struct load_mode {
	const char *name;
	void (*run)(void);
};

extern struct load_options options;
extern uint64_t done; /* messages, bytes or sessions so far */
extern char taken[CHUNK];

/* What main() is: runs the mode that is asked for. */
int load_main(int argc, char **argv, const struct load_mode *modes);

/* Exit 1 with errno's reason; wrong() when the peer sent what it should not. */
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

/* A socket on its way to the port; wait: when it is there. */
int load_connect(bool wait);

/* EPOLL_CTL_* of fd, which means `whose`. */
void watch(int what, int fd, void *whose, uint32_t events);

/* One wait, at most ANSWER_S, and a call for each that is ready. */
void turn(void (*ready)(void *whose, uint32_t events));

/* The time of one message or session. */
void note_time(uint64_t ns);

/* So many of the times noted were shorter, in microseconds. */
double percentile_us(double share);

/* All that was measured so far is forgotten: what follows counts. */
void measure_begin(void);

/* How many of unit (1 MiB, say) were `done` a second since measure_begin(). */
double measure_rate(double unit);

/* Prints the line: the rate, or another figure, then the costs and times, as the
 * head of tcp.c tells. */
void measure_end(double unit);
void measure_end_with(double figure);

/* Bytes of memory (Pss) of the server and its descendants. */
double server_memory(void);

/* Waits until the server has as many descendants as when load_main() began. */
void server_settle(void);

#endif
