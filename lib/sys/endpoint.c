#include "sys/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ENDPOINTS_MAX = 8, NOWAIT = 0x8 /* RWF_NOWAIT, which musl does not name */ };

struct endpoint
endpoint_over(int fd, bool sink, struct buffer *buffer)
{
	struct stat s;
	enum endpoint_kind kind = ENDPOINT_PLAIN;

	if (fstat(fd, &s) == 0)
		kind = S_ISSOCK(s.st_mode) ? ENDPOINT_SOCKET : S_ISFIFO(s.st_mode) ? ENDPOINT_PIPE : ENDPOINT_PLAIN;
	return (struct endpoint){.fd = fd, .kind = kind, .sink = sink, .buffer = buffer};
}

/* With syscall(2), because musl has neither function. Offset -1 is the current file position. */
static ssize_t
pipe_move(struct endpoint *endpoint, struct iovec *pieces, size_t count)
{
	long number = endpoint->sink ? SYS_pwritev2 : SYS_preadv2;
	size_t n = pieces->iov_len;
	ssize_t moved = -1;

	if (!endpoint->nowait_unknown) {
		moved = syscall(number, endpoint->fd, pieces, count, -1L, -1L, NOWAIT);
		if (moved >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return moved;
		endpoint->nowait_unknown = true;
	}
	if (endpoint->sink)
		return write(endpoint->fd, pieces->iov_base, n < PIPE_BUF ? n : PIPE_BUF);
	return read(endpoint->fd, pieces->iov_base, n);
}

static ssize_t
socket_move(const struct endpoint *endpoint, struct iovec *pieces, size_t count)
{
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (endpoint->last ? MSG_MORE : 0);

	if (!endpoint->sink)
		return recv(endpoint->fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT);
	if (count == 1)
		return send(endpoint->fd, pieces->iov_base, pieces->iov_len, flags);
	return sendmsg(endpoint->fd, &message, flags);
}

static ssize_t
move(struct endpoint *endpoint, struct iovec *pieces, size_t count)
{
	switch (endpoint->kind) {
	case ENDPOINT_SOCKET:
		return socket_move(endpoint, pieces, count);
	case ENDPOINT_PIPE:
		return pipe_move(endpoint, pieces, count);
	default:
		if (!endpoint->sink)
			return read(endpoint->fd, pieces->iov_base, pieces->iov_len);
		if (count == 1)
			return write(endpoint->fd, pieces->iov_base, pieces->iov_len);
		return writev(endpoint->fd, pieces, (int)count);
	}
}

/* Set the areas that one move may read into or write from. Return their number, 1 or 2. */
static size_t
pieces_of(const struct endpoint *endpoint, struct iovec pieces[2])
{
	struct buffer *b = endpoint->buffer;
	size_t space = buffer_space(b), ready = buffer_held(b) - endpoint->withheld;

	if (!endpoint->sink) {
		pieces[0] = (struct iovec){buffer_tail(b), endpoint->limited && space > endpoint->most ? endpoint->most : space};
		return 1;
	}
	pieces[0] = (struct iovec){buffer_head(b), ready};
	if (endpoint->second_iov_size == 0)
		return 1;
	pieces[ready != 0] = (struct iovec){buffer_head(endpoint->second_iov) + endpoint->second_iov_sent, endpoint->second_iov_size};
	return ready != 0 ? 2 : 1;
}

static void
moved_on(struct endpoint *endpoint, size_t n)
{
	struct buffer *b = endpoint->buffer;
	size_t ready = buffer_held(b) - endpoint->withheld, second_iov = n > ready ? n - ready : 0;

	endpoint->moved += n;
	if (!endpoint->sink) {
		buffer_grow(b, n);
		endpoint->most -= endpoint->limited ? n : 0;
		endpoint->ended = endpoint->limited && endpoint->most == 0;
		return;
	}
	buffer_take(b, n - second_iov);
	endpoint->second_iov_sent += second_iov;
	endpoint->second_iov_size -= second_iov;
	endpoint->blocked = endpoint_pending(endpoint);
}

bool
endpoint_pending(const struct endpoint *endpoint)
{
	return buffer_held(endpoint->buffer) > endpoint->withheld || endpoint->second_iov_size > 0;
}

ssize_t
endpoint_move(struct endpoint *endpoint)
{
	struct iovec pieces[2];
	size_t count = pieces_of(endpoint, pieces);
	ssize_t n = move(endpoint, pieces, count);

	if (n > 0) {
		moved_on(endpoint, (size_t)n);
		return n;
	}
	if ((n < 0 && (errno == EAGAIN || errno == EINTR)) || (n == 0 && endpoint->sink)) {
		endpoint->blocked = errno != EINTR;
		return 0;
	}
	endpoint->ended = true;
	endpoint->error = n < 0 ? errno : 0;
	return -1;
}

/* Return whether a move cannot block, so that it may be tried before poll() has reported the endpoint ready. */
static bool
moves_at_once(const struct endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_SOCKET || endpoint->kind == ENDPOINT_OWN
	    || (endpoint->kind == ENDPOINT_PIPE && !endpoint->nowait_unknown);
}

ssize_t
endpoint_flush(struct endpoint *endpoint)
{
	if (endpoint->ended || endpoint->blocked || !moves_at_once(endpoint) || !endpoint_pending(endpoint))
		return 0;
	return endpoint_move(endpoint);
}

/* An empty buffer is packed before the wait. */
bool
endpoint_readable(const struct endpoint *endpoint)
{
	const struct buffer *b = endpoint->buffer;

	return !endpoint->ended && !endpoint->paused && (buffer_space(b) > 0 || b->begin >= buffer_held(b));
}

/* Return the events to poll for, or an fd of -1 to leave the endpoint out: each polled descriptor
 * makes each wait slower. */
static struct pollfd
source_interest(struct endpoint *endpoint)
{
	struct buffer *b = endpoint->buffer;

	if (endpoint->ended)
		return (struct pollfd){.fd = -1};
	if (b->begin >= buffer_held(b))
		buffer_pack(b);
	if (endpoint_readable(endpoint))
		return (struct pollfd){.fd = endpoint->fd, .events = POLLIN};
	if (!endpoint->watched || endpoint->hup_ignored)
		return (struct pollfd){.fd = -1};
	return (struct pollfd){.fd = endpoint->fd, .events = endpoint->hup_seen ? 0 : POLLRDHUP};
}

static struct pollfd
sink_interest(const struct endpoint *endpoint)
{
	if (endpoint->ended)
		return (struct pollfd){.fd = -1};
	if (endpoint_pending(endpoint))
		return (struct pollfd){.fd = endpoint->fd, .events = POLLOUT};
	if (endpoint->unwatched || (endpoint->same_socket != NULL && source_interest(endpoint->same_socket).fd >= 0))
		return (struct pollfd){.fd = -1};
	return (struct pollfd){.fd = endpoint->fd};
}

static int
end(struct endpoint *endpoint, int error)
{
	endpoint->ended = true;
	endpoint->error = error;
	return 1;
}

/* Handle a hangup or error of a source that is not read now. A pipe or UNIX socket hangs up with
 * unread data, so only an error ends the source. */
static int
hang(struct endpoint *endpoint, int events)
{
	int error = ECONNRESET;
	socklen_t size = sizeof error;

	if ((events & POLLERR) != 0) {
		if (getsockopt(endpoint->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
			error = ECONNRESET;
		return end(endpoint, error);
	}
	endpoint->hup_seen = true;
	endpoint->hup_ignored = (events & POLLHUP) != 0;
	return 1;
}

static int
source_turn(struct endpoint *endpoint, int got)
{
	if (got == 0)
		return 0;
	if ((got & POLLNVAL) != 0)
		return end(endpoint, EBADF);
	return endpoint_readable(endpoint) ? endpoint_move(endpoint) != 0 : hang(endpoint, got);
}

static int
sink_turn(struct endpoint *endpoint, int wanted, int got)
{
	if (endpoint->ended)
		return 0;
	if (endpoint_pending(endpoint))
		return (got != 0 || (wanted == 0 && moves_at_once(endpoint))) && endpoint_move(endpoint) != 0;
	return got != 0 && end(endpoint, EPIPE);
}

static struct pollfd
interest(struct endpoint *endpoint)
{
	return endpoint->sink ? sink_interest(endpoint) : source_interest(endpoint);
}

int
endpoints_wait(struct endpoint *const *endpoints, size_t count, int timeout_ms, const sigset_t *mask)
{
	struct pollfd polls[ENDPOINTS_MAX];
	struct timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int ready, moved = 0;

	for (size_t i = 0; i < count; i++)
		polls[i] = interest(endpoints[i]);
	ready = ppoll(polls, count, timeout_ms < 0 ? NULL : &limit, mask);
	if (ready <= 0)
		return ready;
	for (size_t i = 0; i < count; i++)
		if (!endpoints[i]->sink)
			moved += source_turn(endpoints[i], polls[i].revents);
	/* A sink that had nothing to write usually accepts the data that has just arrived: trying
	 * at once saves a wait. */
	for (size_t i = 0; i < count; i++)
		if (endpoints[i]->sink)
			moved += sink_turn(endpoints[i], polls[i].events, polls[i].revents);
	return moved;
}

int
endpoint_interest(struct endpoint *endpoint)
{
	struct pollfd p = interest(endpoint);

	return p.fd < 0 ? -1 : p.events;
}

bool
endpoint_turn(struct endpoint *endpoint, int got)
{
	int wanted = endpoint_interest(endpoint);

	if (wanted < 0)
		return false;
	got &= wanted | POLLERR | POLLHUP | POLLNVAL;
	if (!endpoint->sink)
		return source_turn(endpoint, got) != 0;
	return got != 0 && sink_turn(endpoint, wanted, got) != 0;
}
