#include "sys/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * Linux returns errors that were already pending on the new connection (accept(2)). EPERM and
 * EACCES are not among them: a firewall or a security module may refuse forever without removing a
 * connection from the queue, so they cause a pause.
 */
static bool
is_connection_error(int error)
{
	return error == ECONNABORTED || error == ECONNRESET || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT
	    || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP
	    || error == ENETUNREACH || error == ETIMEDOUT || error == EINTR;
}

int
accept_next(int listener, int flags, struct address *remote)
{
	int fd;

	/* The flag belongs to the open file description: another process that served this socket
	 * may have restored it when it ended. */
	(void)fcntl(listener, F_SETFL, O_NONBLOCK);
	remote->size = sizeof remote->local;
	fd = accept4(listener, &remote->any, &remote->size, flags | SOCK_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return ACCEPT_NOTHING;
	return is_connection_error(errno) ? ACCEPT_GONE : ACCEPT_SHORTAGE;
}

/* tcpi_unacked of a listening socket is the length of its accept queue. */
size_t
accept_queued(int listener, size_t unknown)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;

	if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size <= offsetof(struct tcp_info, tcpi_unacked))
		return unknown;
	return info.tcpi_unacked;
}

bool
shortage_begin(struct shortage *s, int64_t now)
{
	bool due = now >= s->log_after;

	s->until = now + SHORTAGE_PAUSE_MS;
	if (due)
		s->log_after = now + SHORTAGE_LOG_MS;
	return due;
}

bool
shortage_lasts(struct shortage *s, int64_t now)
{
	if (s->until != 0 && now >= s->until)
		s->until = 0;
	return s->until != 0;
}

void
shortage_end(struct shortage *s)
{
	s->until = 0;
}

bool
shortage_passes(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOBUFS
	    || error == ETXTBSY;
}
