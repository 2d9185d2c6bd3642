/*
 * Parts of the load generators. tcp.c and ws.c define the protocol of a connection, load.c the modes and the
 * options, and measure.c times and costs.
 */
#ifndef FITTINGS_LOAD_H
#define FITTINGS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/span.h"

enum { ANSWER_S = 10 };

struct load_options {
	const char *name, *mode;
	uint16_t port;
	size_t connections, size, depth;
	double seconds;
	long pid; /* of the server, 0 if not given */
	bool wide, deflate;
};

extern struct load_options options;

/* Exit with 1 and the reason in errno; wrong() if the peer sent wrong data. */
_Noreturn void fail(const char *what);
_Noreturn void wrong(const char *what);

/* Allocate zeros, or exit. */
void *allocate(size_t n);

/* The protocol. */

enum phase { PHASE_OPEN, PHASE_MESSAGES, PHASE_CLOSE, PHASES };

enum { HEAD_SIZE = 512 };

struct connection {
	int fd;
	uint32_t events;          /* that are waited for */
	enum phase phase;
	struct span out[PHASES];  /* the bytes to send in each phase: in PHASE_MESSAGES a window of `depth` messages */
	size_t sent, received;    /* bytes and answers of this phase or window */
	uint64_t sent_at;
	const struct connection *from; /* whose messages it receives */
	const char *payload;      /* of each of its messages */
	size_t at;                /* received bytes of the message, or of an answer in another phase */
	unsigned char head[HEAD_SIZE]; /* received part of a header */
	size_t head_size;
	uint64_t left;            /* of the payload of the frame */
	bool fin;
};

/* PHASE_OPEN or, for a protocol without a handshake, PHASE_MESSAGES. */
extern const enum phase phase_first;

/* Set the bytes to send. Each number has its own, so that a mix-up is detected. */
void protocol_make(struct connection *c, size_t number);

/* Check received bytes, and count complete answers in c->received. */
void protocol_take(struct connection *c, const char *bytes, size_t n);

/* Measurement. */

extern double done; /* messages, MiB or sessions since measure_begin() */

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

/* Note how many processes the server has without clients. */
void measure_start(void);

/* Discard all measurements so far. */
void measure_begin(void);

/* Note the time of one message or session. */
void note_time(uint64_t ns);

/* Return the percentile of the noted times, in microseconds. */
double percentile_us(double share);

/* Return how many were `done` per second since measure_begin(). */
double measure_rate(void);

/* Print the line that is described in load.c. */
void measure_print(double figure);

/* Return the memory (Pss) of the server and its descendants in bytes. */
double server_memory(void);

/* Wait until the server has as many descendants as at the time of measure_start(). */
void server_settle(void);

#endif
