/*
 * A conversation in a straight line: read up to an end and not a byte further,
 * write all of an answer, take leave. On borrowed descriptors of any kind,
 * blocking or not, whose flags stay as they are.
 */
#ifndef FITTINGS_TIMED_IO_H
#define FITTINGS_TIMED_IO_H

#include <stddef.h>
#include <stdint.h>

/* A time limit that starts to run with the first wait; {.limit_ms = n}. */
struct time_limit {
	int64_t limit_ms;
	int64_t deadline; /* 0: does not run yet */
};

/* How long it still runs, in milliseconds; it runs from the first call on. */
int time_left(struct time_limit *limit);

/* Waits until the descriptor is ready for events (POLLIN, POLLOUT), or has failed: the next call on it tells.
 * Returns 0, or -1 with errno (ETIMEDOUT). */
int talk_wait(int fd, short events, struct time_limit *limit);

/* What ends the reading. */
struct read_end {
	/*
	 * Looks at all n bytes so far (and remembers what it has seen): > 0 how
	 * many belong to us, 0 more are needed, < 0 they never will be right.
	 */
	int (*find)(void *state, const char *bytes, size_t n);
	/* How many more bytes are ours for certain (at least 1). */
	size_t (*missing)(const void *state);
	void *state;
};

/*
 * Reads into bytes[room] up to the end, *got of them. What is behind it stays
 * unread: a socket is peeked at, another descriptor read only as far as is safe.
 * Returns what find() returned if not 0; else 0 and errno: 0 for EOF, ETIMEDOUT, or
 * what read failed with. After a return < 0 bytes may wait unread.
 */
int timed_read(int fd, const struct read_end *end, char *bytes, size_t room, size_t *got,
    struct time_limit *limit);

/*
 * Writes all of it. Returns 0, or -1 with errno (ETIMEDOUT). SIGPIPE stays
 * ignored where fd is no socket.
 */
int timed_write(int fd, const char *bytes, size_t n, struct time_limit *limit);

/*
 * Ends our side, then reads and forgets what comes in until the peer ends its
 * side or the limit is reached: closing a socket with bytes unread resets the
 * connection, and can destroy an answer on its way.
 */
void timed_linger(int in, int out, struct time_limit *limit);

#endif
