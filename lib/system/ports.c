#include "system/ports.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
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
pipe_move(struct port *port, struct iovec *pieces, size_t count)
{
	long number = port->sink ? SYS_pwritev2 : SYS_preadv2;
	size_t n = pieces->iov_len;
	ssize_t moved = -1;

	if (!port->nowait_unknown) {
		moved = syscall(number, port->fd, pieces, count, -1L, -1L, NOWAIT);
		if (moved >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return moved;
		port->nowait_unknown = true;
	}
	if (port->sink)
		return write(port->fd, pieces->iov_base, n < PIPE_BUF ? n : PIPE_BUF);
	return read(port->fd, pieces->iov_base, n);
}

static ssize_t
socket_move(const struct port *port, struct iovec *pieces, size_t count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};

	if (!port->sink)
		return recv(port->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT);
	if (count == 1)
		return send(port->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sendmsg(port->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t
move(struct port *port, struct iovec *pieces, size_t count)
{
	switch (port->kind) {
	case PORT_SOCKET:
		return socket_move(port, pieces, count);
	case PORT_PIPE:
		return pipe_move(port, pieces, count);
	default:
		if (!port->sink)
			return read(port->fd, pieces->iov_base, pieces->iov_len);
		if (count == 1)
			return write(port->fd, pieces->iov_base, pieces->iov_len);
		return writev(port->fd, pieces, (int)count);
	}
}

/* What one move may read into or write from; returns how many pieces, 1 or 2. */
static size_t
pieces_of(const struct port *port, struct iovec pieces[2])
{
	struct buffer *b = port->buffer;
	size_t room = buffer_room(b), ready = buffer_held(b) - port->kept;

	if (!port->sink) {
		pieces[0] = (struct iovec){buffer_tail(b), port->limited && room > port->most ? port->most : room};
		return 1;
	}
	pieces[0] = (struct iovec){buffer_head(b), ready};
	if (port->behind_size == 0)
		return 1;
	pieces[ready != 0] = (struct iovec){buffer_head(port->behind) + port->behind_sent, port->behind_size};
	return ready != 0 ? 2 : 1;
}

static void
moved_on(struct port *port, size_t n)
{
	struct buffer *b = port->buffer;
	size_t ready = buffer_held(b) - port->kept, behind = n > ready ? n - ready : 0;

	port->moved += n;
	if (!port->sink) {
		buffer_grow(b, n);
		port->most -= port->limited ? n : 0;
		port->ended = port->limited && port->most == 0;
		return;
	}
	buffer_take(b, n - behind);
	port->behind_sent += behind;
	port->behind_size -= behind;
	port->blocked = port_pending(port);
}

bool
port_pending(const struct port *port)
{
	return buffer_held(port->buffer) > port->kept || port->behind_size > 0;
}

ssize_t
port_move(struct port *port)
{
	struct iovec pieces[2];
	size_t count = pieces_of(port, pieces);
	ssize_t n = move(port, pieces, count);

	if (n > 0) {
		moved_on(port, (size_t)n);
		return n;
	}
	if ((n < 0 && (errno == EAGAIN || errno == EINTR)) || (n == 0 && port->sink)) {
		port->blocked = errno != EINTR;
		return 0;
	}
	port->ended = true;
	port->error = n < 0 ? errno : 0;
	return -1;
}

/* Whether a move cannot wait, so that it may be tried before poll has said so. */
static bool
moves_at_once(const struct port *port)
{
	return port->kind == PORT_SOCKET || port->kind == PORT_OWN
	    || (port->kind == PORT_PIPE && !port->nowait_unknown);
}

ssize_t
port_flush(struct port *port)
{
	if (port->ended || port->blocked || !moves_at_once(port) || !port_pending(port))
		return 0;
	return port_move(port);
}

/* An empty buffer is packed before the wait. */
bool
port_readable(const struct port *port)
{
	const struct buffer *b = port->buffer;

	return !port->ended && !port->paused && (buffer_room(b) > 0 || b->begin >= buffer_held(b));
}

/* What to ask poll for; an fd of -1 where the port is not watched at all: each
 * one more makes each wait longer. */
static struct pollfd
source_interest(struct port *port)
{
	struct buffer *b = port->buffer;

	if (port->ended)
		return (struct pollfd){.fd = -1};
	if (b->begin >= buffer_held(b))
		buffer_pack(b);
	if (port_readable(port))
		return (struct pollfd){.fd = port->fd, .events = POLLIN};
	if (!port->watched || port->mute)
		return (struct pollfd){.fd = -1};
	return (struct pollfd){.fd = port->fd, .events = port->hung ? 0 : POLLRDHUP};
}

static struct pollfd
sink_interest(const struct port *port)
{
	if (port->ended)
		return (struct pollfd){.fd = -1};
	if (port_pending(port))
		return (struct pollfd){.fd = port->fd, .events = POLLOUT};
	if (port->unwatched || (port->twin != NULL && source_interest(port->twin).fd >= 0))
		return (struct pollfd){.fd = -1};
	return (struct pollfd){.fd = port->fd};
}

static int
end(struct port *port, int error)
{
	port->ended = true;
	port->error = error;
	return 1;
}

/* Something happened to a source that is not read now. A pipe and a UNIX socket
 * hang up with bytes still to be read, so only an error ends it. */
static int
hang(struct port *port, int events)
{
	int error = ECONNRESET;
	socklen_t size = sizeof error;

	if ((events & POLLERR) != 0) {
		if (getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
			error = ECONNRESET;
		return end(port, error);
	}
	port->hung = true;
	port->mute = (events & POLLHUP) != 0;
	return 1;
}

static int
source_turn(struct port *port, int got)
{
	if (got == 0)
		return 0;
	if ((got & POLLNVAL) != 0)
		return end(port, EBADF);
	return port_readable(port) ? port_move(port) != 0 : hang(port, got);
}

static int
sink_turn(struct port *port, int asked, int got)
{
	if (port->ended)
		return 0;
	if (port_pending(port))
		return (got != 0 || (asked == 0 && moves_at_once(port))) && port_move(port) != 0;
	return got != 0 && end(port, EPIPE);
}

int
ports_wait(struct port *const *ports, size_t count, int timeout_ms, const sigset_t *mask)
{
	struct pollfd polls[PORTS_MAX];
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int ready, moved = 0;

	for (size_t i = 0; i < count; i++)
		polls[i] = ports[i]->sink ? sink_interest(ports[i]) : source_interest(ports[i]);
	ready = ppoll(polls, count, timeout_ms < 0 ? NULL : &limit, mask);
	if (ready <= 0)
		return ready;
	for (size_t i = 0; i < count; i++)
		if (!ports[i]->sink)
			moved += source_turn(ports[i], polls[i].revents);
	/* A sink that had nothing to write has mostly room for what has come just now:
	 * trying saves the wait that would say so. */
	for (size_t i = 0; i < count; i++)
		if (ports[i]->sink)
			moved += sink_turn(ports[i], polls[i].events, polls[i].revents);
	return moved;
}
