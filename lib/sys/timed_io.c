#include "sys/timed_io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"

int
time_left(struct time_limit *limit)
{
	if (limit->deadline == 0) {
		limit->deadline = clock_ms() + limit->limit_ms;
		return limit->limit_ms > INT_MAX ? INT_MAX : (int)limit->limit_ms;
	}
	return clock_until(limit->deadline);
}

int
timed_wait(int fd, short events, struct time_limit *limit)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int n = poll(&p, 1, time_left(limit));

		if (n > 0)
			return 0;
		if (n == 0)
			errno = ETIMEDOUT;
		if (n == 0 || errno != EINTR)
			return -1;
	}
}

/* Return whether to try again, after waiting if necessary. */
static bool
try_again(int fd, short events, struct time_limit *limit)
{
	if (errno == EINTR)
		return true;
	return (errno == EAGAIN || errno == EWOULDBLOCK) && timed_wait(fd, events, limit) == 0;
}

/* Remove n bytes from the socket that were read with MSG_PEEK. */
static bool
take_peeked(int fd, char *bytes, size_t n, struct time_limit *limit)
{
	while (n != 0) {
		ssize_t got = recv(fd, bytes, n, MSG_DONTWAIT);

		if (got < 0 && try_again(fd, POLLIN, limit))
			continue;
		if (got <= 0)
			return false;
		bytes += got;
		n -= (size_t)got;
	}
	return true;
}

/* Bytes that do not contain the end are removed before the wait: otherwise poll() would report them
 * again at once, and the loop would spin. */
static int
read_socket(int fd, const struct read_end *end, char *bytes, size_t space, size_t *got,
    struct time_limit *limit)
{
	for (;;) {
		ssize_t n = recv(fd, bytes + *got, space - *got, MSG_PEEK | MSG_DONTWAIT);
		size_t wanted;
		int found;

		if (n < 0 && try_again(fd, POLLIN, limit))
			continue;
		if (n <= 0) {
			errno = n == 0 ? 0 : errno;
			return 0;
		}
		found = end->find(end->state, bytes, *got + (size_t)n);
		if (found < 0)
			return found;
		wanted = found > 0 ? (size_t)found - *got : (size_t)n;
		if (!take_peeked(fd, bytes + *got, wanted, limit))
			return 0;
		*got += wanted;
		if (found > 0)
			return found;
	}
}

static int
read_other(int fd, const struct read_end *end, char *bytes, size_t space, size_t *got,
    struct time_limit *limit)
{
	for (;;) {
		size_t safe = end->missing(end->state);
		ssize_t n;
		int found;

		if (timed_wait(fd, POLLIN, limit) != 0)
			return 0;
		n = read(fd, bytes + *got, safe < space - *got ? safe : space - *got);
		if (n < 0 && try_again(fd, POLLIN, limit))
			continue;
		if (n <= 0) {
			errno = n == 0 ? 0 : errno;
			return 0;
		}
		*got += (size_t)n;
		found = end->find(end->state, bytes, *got);
		if (found != 0)
			return found;
	}
}

int
timed_read(int fd, const struct read_end *end, char *bytes, size_t space, size_t *got,
    struct time_limit *limit)
{
	int found = read_socket(fd, end, bytes, space, got, limit);

	if (found == 0 && errno == ENOTSOCK)
		return read_other(fd, end, bytes, space, got, limit);
	return found;
}

/* POLLOUT promises space for PIPE_BUF bytes only. */
static ssize_t
write_other(int fd, const char *bytes, size_t n, struct time_limit *limit)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (timed_wait(fd, POLLOUT, limit) != 0)
		return -1;
	return write(fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
}

int
timed_write(int fd, const char *bytes, size_t n, struct time_limit *limit)
{
	bool is_socket = true;

	while (n != 0) {
		ssize_t put = is_socket ? send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL)
		    : write_other(fd, bytes, n, limit);

		if (put < 0 && is_socket && errno == ENOTSOCK) {
			is_socket = false;
			continue;
		}
		if (put < 0 && !try_again(fd, POLLOUT, limit))
			return -1;
		if (put > 0) {
			bytes += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

void
timed_linger(int in, int out, struct time_limit *limit)
{
	char discarded[4096];

	if (shutdown(out, SHUT_WR) != 0 && errno == ENOTSOCK)
		(void)close(out);
	while (timed_wait(in, POLLIN, limit) == 0) {
		ssize_t n = read(in, discarded, sizeof discarded);

		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return;
	}
}
