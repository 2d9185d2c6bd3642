/* A typical echo server with libev for the listening socket fd 3. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	ev_io io;
	size_t size, sent;
	char *rest;
};

static char buffer[64 * 1024];

static void
turn_to(struct ev_loop *loop, struct client *c, int events)
{
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	ev_io_start(loop, &c->io);
}

static void
finish(struct ev_loop *loop, struct client *c)
{
	ev_io_stop(loop, &c->io);
	close(c->io.fd);
	free(c->rest);
	free(c);
}

static void
client_cb(struct ev_loop *loop, ev_io *w, int events)
{
	struct client *c = (struct client *)w;
	ssize_t n;

	if (events & EV_READ) {
		n = recv(w->fd, buffer, sizeof buffer, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			finish(loop, c);
			return;
		}
		ssize_t sent = send(w->fd, buffer, (size_t)n, MSG_NOSIGNAL);
		if (sent == n)
			return;
		sent = sent < 0 ? 0 : sent;
		c->size = (size_t)(n - sent);
		c->sent = 0;
		c->rest = malloc(c->size);
		memcpy(c->rest, buffer + sent, c->size);
		turn_to(loop, c, EV_WRITE);
		return;
	}
	n = send(w->fd, c->rest + c->sent, c->size - c->sent, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		finish(loop, c);
		return;
	}
	c->sent += n < 0 ? 0 : (size_t)n;
	if (c->sent == c->size) {
		free(c->rest);
		c->rest = NULL;
		turn_to(loop, c, EV_READ);
	}
}

static void
accept_cb(struct ev_loop *loop, ev_io *w, int events)
{
	int on = 1, fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct client *c = calloc(1, sizeof *c);
	ev_io_init(&c->io, client_cb, fd, EV_READ);
	ev_io_start(loop, &c->io);
}

int
main(void)
{
	struct ev_loop *loop = EV_DEFAULT;
	ev_io listener;

	fcntl(3, F_SETFL, O_NONBLOCK);
	ev_io_init(&listener, accept_cb, 3, EV_READ);
	ev_io_start(loop, &listener);
	return ev_run(loop, 0);
}
