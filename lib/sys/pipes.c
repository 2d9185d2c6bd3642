#include "sys/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/block_cache.h"
#include "sys/fds.h"

enum { KEPT_MAX = 2 << 20 };

static int
begin(struct loop *loop, struct watch *watch, int fd, uint32_t wanted, size_t size)
{
	(void)fcntl(fd, F_SETPIPE_SZ, (int)size);
	return fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ? -1 : watch_begin(loop, watch, fd, wanted);
}

int
pipes_begin(struct loop *loop, struct pipes *p, int to, int from, size_t size)
{
	if (begin(loop, &p->in, to, 0, size) != 0 || begin(loop, &p->out, from, EPOLLIN, size) != 0)
		return -1;
	p->in_open = p->out_open = true;
	return 0;
}

unsigned char *
pipes_reserve(struct pipes *p, size_t n)
{
	return block_reserve(&p->to, n, SIZE_MAX) ? buffer_tail(&p->to) : NULL;
}

void
pipes_queue(struct pipes *p, size_t n)
{
	buffer_grow(&p->to, n);
	p->bytes_queued += n;
}

int
pipes_write(struct pipes *p)
{
	while (buffer_held(&p->to) != 0) {
		ssize_t n = write(p->in.fd, buffer_head(&p->to), buffer_held(&p->to));

		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -1;
		buffer_take(&p->to, n < 0 ? 0 : (size_t)n);
	}
	return 0;
}

static void
settle(struct buffer *buffer)
{
	if (buffer_held(buffer) == 0 && buffer->size > KEPT_MAX)
		block_drop(buffer);
}

void
pipes_settle(struct pipes *p)
{
	settle(&p->to);
	settle(&p->from);
}

uint64_t
pipes_consumed(const struct pipes *p)
{
	return p->in_open ? p->bytes_queued - buffer_held(&p->to) - fd_unread(p->in.fd) : UINT64_MAX;
}

uint64_t
pipes_produced(const struct pipes *p)
{
	return p->bytes_read + (p->out_open ? fd_unread(p->out.fd) : 0);
}

ssize_t
pipes_read(struct pipes *p, size_t size)
{
	ssize_t n;

	if (!block_reserve(&p->from, size, SIZE_MAX)) {
		errno = ENOMEM;
		return -1;
	}
	n = read(p->out.fd, buffer_tail(&p->from), size);
	if (n > 0) {
		buffer_grow(&p->from, (size_t)n);
		p->bytes_read += (uint64_t)n;
	}
	return n;
}

static void
end(struct loop *loop, bool *open, struct watch *watch, struct buffer *buffer)
{
	if (!*open)
		return;
	*open = false;
	watch_close(loop, watch);
	block_drop(buffer);
}

void
pipes_close_in(struct loop *loop, struct pipes *p)
{
	end(loop, &p->in_open, &p->in, &p->to);
}

void
pipes_close_out(struct loop *loop, struct pipes *p)
{
	end(loop, &p->out_open, &p->out, &p->from);
}
