/* The connection: data to send, received data, and errors. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "wsprobe.h"

unsigned char *
bytes_more(struct bytes *b, size_t n)
{
	if (b->room - b->size < n) {
		b->room = (b->size + n) * 2;
		b->at = realloc(b->at, b->room);
		if (b->at == NULL)
			die(STATUS_FAILED, "no memory");
	}
	b->size += n;
	return b->at + b->size - n;
}

void
bytes_put(struct bytes *b, const void *from, size_t n)
{
	if (n != 0)
		memcpy(bytes_more(b, n), from, n);
}

void
bytes_say(struct bytes *b, const char *text)
{
	bytes_put(b, text, strlen(text));
}

void
bytes_byte(struct bytes *b, unsigned byte)
{
	*bytes_more(b, 1) = (unsigned char)byte;
}

void
bytes_free(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){0};
}

char why[WHY_SIZE];

__attribute__((format(printf, 1, 2))) bool
wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	return false;
}

struct settings settings = {.timeout_ms = 10000, .listener = -1};

/* Connect to the tested server, or accept the tested client. */
bool
link_open(struct link *l)
{
	struct pollfd p = {.fd = settings.listener, .events = POLLIN};
	int on = 1;

	*l = (struct link){.client = settings.listener < 0};
	if (l->client) {
		l->fd = socket(settings.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(l->fd, &settings.address.any, settings.address.size) != 0)
			return wrong("connect to %s: %s", settings.host, strerror(errno));
	} else {
		if (poll(&p, 1, settings.prog != NULL ? settings.timeout_ms : -1) <= 0)
			die(STATUS_FAILED, "no client connected");
		l->fd = accept4(settings.listener, NULL, NULL, SOCK_CLOEXEC);
		if (l->fd < 0)
			return wrong("accept: %s", strerror(errno));
	}
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return true;
}

static void
link_read(struct link *l)
{
	unsigned char *to = bytes_more(&l->in, READ_SIZE);
	ssize_t n = recv(l->fd, to, READ_SIZE, MSG_DONTWAIT);

	l->in.size -= (size_t)READ_SIZE - (n > 0 ? (size_t)n : 0);
	if (n == 0)
		l->ended = true;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		l->ended = l->reset = true;
}

/* Send the contents of out while reading. A peer that stops receiving is not an error here: its
 * responses are checked. */
bool
link_flush(struct link *l)
{
	size_t sent = 0, chunk = l->chunk != 0 ? l->chunk : settings.chunk;

	if (chunk != 0 && l->out.size / chunk > CHUNKS_MAX)
		chunk = l->out.size / CHUNKS_MAX;
	while (sent < l->out.size && !l->reset) {
		struct pollfd p = {.fd = l->fd, .events = POLLOUT};

		if (!l->deaf && !l->ended)
			p.events |= POLLIN;
		if (poll(&p, 1, l->deaf ? DEAF_MS : settings.timeout_ms) == 0) {
			if (!l->deaf)
				return wrong("the peer takes no more, after %zu of %zu bytes", sent, l->out.size);
			l->deaf = false;
			continue;
		}
		if ((p.revents & POLLIN) != 0)
			link_read(l);
		if ((p.revents & (POLLOUT | POLLERR | POLLHUP)) == 0)
			continue;
		size_t most = l->out.size - sent;
		ssize_t n = send(l->fd, l->out.at + sent, chunk != 0 && chunk < most ? chunk : most,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	l->deaf = false;
	l->out.size = 0;
	return true;
}

/* Wait for more data. Return false if no more arrives. */
bool
link_wait(struct link *l, const char *what)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	if (l->ended)
		return wrong("wanted %s, the connection %s", what, l->reset ? "was reset" : "ended");
	if (poll(&p, 1, settings.timeout_ms) <= 0)
		return wrong("wanted %s, nothing came", what);
	link_read(l);
	return true;
}

/* Expect EOF from the peer without data before it. */
bool
link_end(struct link *l)
{
	while (!l->ended) {
		if (l->in.size > l->taken)
			break;
		if (!link_wait(l, "the end of the connection"))
			return false;
	}
	if (l->in.size > l->taken)
		return wrong("wanted the end, got %zu bytes more: %s", l->in.size - l->taken,
		             quoted_bytes(l->in.at + l->taken, l->in.size - l->taken));
	return l->reset ? wrong("wanted the end of the connection, it was reset") : true;
}

void
link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	bytes_free(&l->in);
	bytes_free(&l->out);
	bytes_free(&l->inflated);
}
