#include "system/ports.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PORTS_MAX = 8, NOWAIT = 0x8 /* RWF_NOWAIT, which musl does not name */ };

struct port
port_over(int fd, bool sink, struct buffer *buffer)
{
	struct stat s;
	enum port_kind kind = PORT_PLAIN;

	if (fstat(fd, &s) == 0)
		kind = S_ISSOCK(s.st_mode) ? PORT_SOCKET : S_ISFIFO(s.st_mode) ? PORT_PIPE : PORT_PLAIN;
	return (struct port){.fd = fd, .kind = kind, .sink = sink, .buffer = buffer};
}

/* By syscall(2): musl knows neither call. The offset of -1 is the file's own. */
static ssize_t
pipe_move(struct port *port, void *bytes, size_t n)
{
	struct iovec piece = {bytes, n};
	long number = port->sink ? SYS_pwritev2 : SYS_preadv2;
	ssize_t moved = -1;

	if (!port->nowait_unknown) {
		moved = syscall(number, port->fd, &piece, 1UL, -1L, -1L, NOWAIT);
		if (moved >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return moved;
		port->nowait_unknown = true;
	}
	if (port->sink)
		return write(port->fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
	return read(port->fd, bytes, n);
}

static ssize_t
move(struct port *port, void *bytes, size_t n)
{
	switch (port->kind) {
	case PORT_SOCKET:
		if (port->sink)
			return send(port->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		return recv(port->fd, bytes, n, MSG_DONTWAIT);
	case PORT_PIPE:
		return pipe_move(port, bytes, n);
	default:
		return port->sink ? write(port->fd, bytes, n) : read(port->fd, bytes, n);
	}
}

ssize_t
port_move(struct port *port)
{
	struct buffer *b = port->buffer;
	ssize_t n = port->sink ? move(port, buffer_head(b), buffer_held(b))
	                       : move(port, buffer_tail(b), buffer_room(b));

	if (n > 0) {
		if (port->sink)
			buffer_take(b, (size_t)n);
		else
			buffer_grow(b, (size_t)n);
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 && port->sink)
		return 0;
	port->ended = true;
	port->error = n < 0 ? errno : 0;
	return -1;
}

/* What to ask poll for; an fd of -1 where the port is not watched at all. */
static struct pollfd
interest(struct port *port)
{
	struct buffer *b = port->buffer;

	if (port->ended)
		return (struct pollfd){.fd = -1};
	if (port->sink)
		return (struct pollfd){.fd = port->fd, .events = buffer_held(b) != 0 ? POLLOUT : 0};
	buffer_pack(b);
	return (struct pollfd){.fd = buffer_room(b) != 0 ? port->fd : -1, .events = POLLIN};
}

/* Whether a move cannot wait, so that it may be tried before poll has said so. */
static bool
moves_at_once(const struct port *port)
{
	return port->kind == PORT_SOCKET || port->kind == PORT_OWN
	    || (port->kind == PORT_PIPE && !port->nowait_unknown);
}

/* Returns whether the port moved or ended. */
static bool
sink_turn(struct port *port, short asked, short got)
{
	if (port->ended)
		return false;
	if (buffer_held(port->buffer) != 0)
		return (got != 0 || (asked == 0 && moves_at_once(port))) && port_move(port) != 0;
	if (got == 0)
		return false;
	port->ended = true;
	port->error = EPIPE;
	return true;
}

int
ports_wait(struct port *const *ports, size_t count, int timeout_ms, const sigset_t *mask)
{
	struct pollfd polls[PORTS_MAX];
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int ready, moved = 0;

	for (size_t i = 0; i < count; i++)
		polls[i] = interest(ports[i]);
	ready = ppoll(polls, count, timeout_ms < 0 ? NULL : &limit, mask);
	if (ready <= 0)
		return ready;
	for (size_t i = 0; i < count; i++)
		if (!ports[i]->sink && polls[i].revents != 0)
			moved += port_move(ports[i]) != 0;
	/* A sink that had nothing to write has mostly room for what has come just now:
	 * trying saves the wait that would say so. */
	for (size_t i = 0; i < count; i++)
		if (ports[i]->sink)
			moved += sink_turn(ports[i], polls[i].events, polls[i].revents);
	return moved;
}
