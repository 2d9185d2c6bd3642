/* Sequential I/O with time limits: read up to an end and no byte further, write a whole answer, close in order.
 * Works on borrowed descriptors of any kind, blocking or not, and does not change their flags. */
#ifndef FITTINGS_TIMED_IO_H
#define FITTINGS_TIMED_IO_H

#include <stddef.h>
#include <stdint.h>

/* A time limit that starts with the first wait: {.limit_ms = n}. */
struct time_limit {
	int64_t limit_ms;
	int64_t deadline; /* 0: not started */
};

/* Return the time left in milliseconds. The first call starts the limit. */
int time_left(struct time_limit *limit);

/* Wait until the descriptor is ready for events (POLLIN, POLLOUT) or has failed, which the next
 * call on it reports. Return 0, or -1 with errno (ETIMEDOUT). */
int timed_wait(int fd, short events, struct time_limit *limit);

/* The condition that ends reading. */
struct read_end {
	/* Examine all n bytes so far; the state may hold the position. Return > 0, the number of bytes up to the
	 * end; 0 if more bytes are needed; < 0 if the input is invalid. */
	int (*find)(void *state, const char *bytes, size_t n);
	/* Return how many more bytes are certainly before the end (at least 1). */
	size_t (*missing)(const void *state);
	void *state;
};

/*
 * Read into bytes[space] up to the end and set *got. Bytes after the end stay unread: a socket is read with
 * MSG_PEEK, another descriptor only as far as is certain. Return the result of find() if it is not 0; else 0 with
 * errno: 0 for EOF, ETIMEDOUT, or the error of read. After a result < 0 some bytes may be unread.
 */
int timed_read(int fd, const struct read_end *end, char *bytes, size_t space, size_t *got,
    struct time_limit *limit);

/* Write all n bytes. Return 0, or -1 with errno (ETIMEDOUT). SIGPIPE stays ignored if fd is not a socket. */
int timed_write(int fd, const char *bytes, size_t n, struct time_limit *limit);

/* Half-close the connection, then read and discard input until the peer closes or the limit passes. Closing a
 * socket with unread input resets the connection and can destroy an answer in flight. */
void timed_linger(int in, int out, struct time_limit *limit);

#endif
