/* From the accepted connection to the response of its handshake. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server.h"
#include "sys/child.h"
#include "sys/progress.h"

struct server *
server_of(struct loop *loop)
{
	return (struct server *)((char *)loop - offsetof(struct server, loop));
}

static bool
is_read(const struct client *c)
{
	return c->stage == STAGE_PROXY || c->stage == STAGE_HEAD || (c->stage == STAGE_LINGERING && !c->ended);
}

/* EPOLLET: report a hangup of a connection that is not read once, instead of every turn. */
static void
interest_set(struct client *c)
{
	bool sends = c->out.first != NULL;

	watch_want(&c->server->loop, &c->socket, (is_read(c) ? EPOLLIN : sends ? 0 : EPOLLET) | (sends ? EPOLLOUT : 0));
}

/* Send the queue, then half-close. */
static void
linger_flush(struct client *c)
{
	size_t before = c->out.held;

	if (outbox_send(&c->out, c->socket.fd, true) != 0) {
		client_end(c);
		return;
	}
	if (c->out.first == NULL && c->ended) {
		client_end(c);
		return;
	}
	if (c->out.first == NULL && !c->shut) {
		c->shut = true;
		(void)shutdown(c->socket.fd, SHUT_WR);
		client_deadline(c, &c->server->lingers);
	} else if (c->out.held != before) {
		(void)progress_made(c->socket.fd, &c->progress);
		client_deadline(c, &c->server->heads);
	}
	interest_set(c);
}

static void
linger_receive(struct client *c)
{
	ssize_t n = recv(c->socket.fd, c->server->storage.rx, FLOWS_SIZE, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	c->ended = true;
	if (n < 0 || c->out.first == NULL)
		client_end(c);
	else
		interest_set(c);
}

static bool
queue(struct client *c, struct message *message)
{
	return message != NULL && outbox_put(&c->out, message);
}

/* Send a refusal, the page, or the response to OPTIONS; then end the connection. */
static void
linger_begin(struct client *c, const struct handshake *d, struct span answer)
{
	struct message *m = message_new(answer.size), *page = c->server->page.message;
	bool queued = m != NULL;

	if (m != NULL) {
		memcpy(m->bytes, answer.at, answer.size);
		queued = queue(c, m);
		message_release(m);
	}
	if (queued && d->status == HTTP_OK && span_equal(c->server->request.method, span_of("GET")))
		queued = queue(c, page);
	if (!queued) {
		client_end(c);
		return;
	}
	c->stage = STAGE_LINGERING;
	client_deadline(c, &c->server->heads);
	linger_flush(c);
}

/* trailing: data after the request. */
static void
answer(struct client *c, struct handshake *d, struct span trailing)
{
	struct server *s = c->server;
	char head[HANDSHAKE_ANSWER_SIZE];
	size_t size;

	if (d->status == HTTP_OK && !page_renew(&s->page)) {
		warn("%s: %s", quoted(s->options.admission.page), strerror(errno));
		handshake_refuse(d, HTTP_INTERNAL_ERROR, "page cannot be read");
	}
	if (d->status == HTTP_SWITCHING_PROTOCOLS && s->shutdown >= SHUTDOWN_CLOSING)
		handshake_refuse(d, HTTP_SERVICE_UNAVAILABLE, "the server is shutting down");
	size = handshake_answer(&s->options.admission.policy, &s->request, d,
	    d->status == HTTP_OK ? s->page.message->size : 0, head);
	if (d->status == HTTP_SWITCHING_PROTOCOLS && !open_begin(c, d, (struct span){head, size}, trailing)) {
		warn("%s: %s", quoted(s->options.session.program[0]), strerror(errno));
		handshake_refuse(d, HTTP_SERVICE_UNAVAILABLE, "program cannot be started");
		size = handshake_answer(&s->options.admission.policy, &s->request, d, 0, head);
	}
	admission_log(client_name(c), d, &s->request, s->options.verbose);
	if (d->status != HTTP_SWITCHING_PROTOCOLS)
		linger_begin(c, d, (struct span){head, size});
}

static void
refuse(struct client *c, enum http_status status, const char *why)
{
	struct handshake d = {0};

	c->server->request = (struct http_request){0};
	handshake_refuse(&d, status, why);
	answer(c, &d, (struct span){"", 0});
}

/* Refuse a request that waited for its authorization program. */
static void
partial_refuse(struct client *c, enum http_status status, const char *why)
{
	struct server *s = c->server;
	struct http_scan scan = {0};
	struct handshake d;

	(void)admission_request(&s->options.admission, &scan, (const char *)c->partial, c->partial_size, &s->request, &d);
	handshake_refuse(&d, status, why);
	answer(c, &d, (struct span){"", 0});
}

/* Start the authorization program, if a slot is free. */
static void
authorize(struct client *c, const struct handshake *d)
{
	struct server *s = c->server;
	unsigned i = 0;
	size_t size;

	c->scan = (struct http_scan){0};
	c->stage = STAGE_WAITING;
	while (i < AUTHORIZATIONS_MAX && s->authorizations[i].runs)
		i++;
	if (i < AUTHORIZATIONS_MAX) {
		size = environment_make(c, d, AUTHORIZATION_PROGRAM);
		if (spawner_start(&s->spawner, s->options.max + i, AUTHORIZATION_PROGRAM, s->scratch, size, s->null,
		    STDERR_FILENO) == 0) {
			s->authorizations[i] = (struct authorization){.client = c, .runs = true};
			c->stage = STAGE_AUTHORIZING;
		}
	}
	if (c->stage == STAGE_WAITING) {
		s->authorizations_wait = true;
		deadline_set(&s->loop, &s->retries, &s->retry);
	}
	interest_set(c);
}

/* Return the number of bytes used, 0 while the authorization program runs. */
static size_t
head_take(struct client *c, const char *bytes, size_t n, bool authorized)
{
	struct server *s = c->server;
	struct handshake d;
	size_t size = admission_request(&s->options.admission, &c->scan, bytes, n, &s->request, &d);

	if (size == 0)
		return 0;
	if (s->options.admission.authorize != NULL && !authorized
	    && (d.status == HTTP_SWITCHING_PROTOCOLS || d.status == HTTP_OK)) {
		authorize(c, &d);
		return 0;
	}
	answer(c, &d, (struct span){bytes + size, n - size});
	return n;
}

/* Return whether the network has reached --max-per-address. */
static bool
address_full(struct server *s, const struct address *remote)
{
	char name[ADDRESS_TEXT_SIZE];

	if (s->options.max_per_address == 0 || remote->any.sa_family == AF_UNIX
	    || address_limit_count(&s->networks, address_key_of_network(remote)) < s->options.max_per_address)
		return false;
	address_text(remote, name);
	if (s->options.verbose || s->loop.now >= s->over_log_after) {
		s->over_log_after = s->loop.now + SHORTAGE_LOG_MS;
		warn("%s: connection closed: its address has %u connections (--max-per-address)", name, s->options.max_per_address);
	}
	return true;
}

/* The client's address is known from the proxy: it becomes the client's name and address. */
static void
proxied(struct client *c)
{
	const struct proxy *p = c->proxy;
	struct address remote = {.local.sun_family = AF_UNIX};

	if (p->family == PROXY_IPV4)
		remote = address_v4(p->client.ip, p->client.port);
	else if (p->family == PROXY_IPV6)
		remote = address_v6(p->client.ip, p->client.port);
	else if (p->family == PROXY_NONE)
		(void)address_remote(c->socket.fd, &remote);
	client_set_name(c, &remote);
	c->stage = STAGE_HEAD;
	if (address_full(c->server, &remote))
		client_end(c);
	else
		client_count(c, &remote);
}

/* A connection that is closed before its first byte is a health check. */
static void
proxy_missed(struct client *c, const char *why)
{
	if (c->proxy->taken != 0 || c->server->options.verbose)
		warn("%s: no PROXY header: %s", client_name(c), why);
	client_end(c);
}

static size_t
proxy_header_take(struct client *c, const unsigned char *bytes, size_t n)
{
	size_t used;

	switch (proxy_take(c->proxy, bytes, n, &used)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		proxied(c);
		break;
	case PROXY_BAD:
		warn("%s: PROXY header: %s", client_name(c), c->proxy->why);
		client_end(c);
		break;
	}
	return used;
}

/* Keep data that cannot be used yet, before the next read. */
static void
keep(struct client *c, const unsigned char *bytes, size_t n)
{
	unsigned char *partial = NULL;

	if (n != 0) {
		partial = malloc(n);
		if (partial == NULL) {
			warn("%s: %s", client_name(c), strerror(errno));
			client_end(c);
			return;
		}
		memcpy(partial, bytes, n);
	}
	free(c->partial);
	c->partial = partial;
	c->partial_size = (uint32_t)n;
}

/* bytes is all unused input. */
static void
feed(struct client *c, const unsigned char *bytes, size_t n, bool authorized)
{
	size_t used = 0;

	if (c->stage == STAGE_PROXY)
		used = proxy_header_take(c, bytes, n);
	if (c->stage == STAGE_HEAD)
		used += head_take(c, (const char *)bytes + used, n - used, authorized);
	if (c->stage < STAGE_OPEN)
		keep(c, bytes + used, n - used);
}

/* EOF from the client. */
static void
eof(struct client *c)
{
	if (c->stage == STAGE_PROXY)
		proxy_missed(c, "end of file");
	else if (c->stage == STAGE_HEAD && c->partial_size != 0)
		refuse(c, HTTP_BAD_REQUEST, "incomplete request");
	else
		client_end(c);
}

/* Read into the shared buffer for program output, because data after the request is put into rx. */
static void
receive(struct client *c)
{
	unsigned char *bytes = c->server->storage.from_child;
	size_t before = c->partial_size;
	ssize_t n = recv(c->socket.fd, bytes + before, HTTP_HEAD_MAX, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_end(c);
		return;
	}
	if (n == 0) {
		eof(c);
		return;
	}
	memcpy(bytes, c->partial == NULL ? bytes : c->partial, before);
	feed(c, bytes, before + (size_t)n, false);
}

static void
ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct client *c = (struct client *)watch;

	(void)loop;
	if ((events & EPOLLIN) != 0 && is_read(c)) {
		if (c->stage == STAGE_LINGERING)
			linger_receive(c);
		else
			receive(c);
	} else if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && (is_read(c) || c->shut))) {
		client_end(c);
	}
	if ((events & EPOLLOUT) != 0 && c->stage == STAGE_LINGERING)
		linger_flush(c);
}

void
upgrade_accept(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote)
{
	struct server *s = server_of(loop);
	struct proxy *proxy = NULL;
	struct client *c;

	if (!s->options.proxy && address_full(s, remote)) {
		(void)close(fd);
		return;
	}
	if (s->options.proxy)
		proxy = calloc(1, sizeof *proxy);
	c = s->options.proxy && proxy == NULL ? NULL : client_new(s, fd, remote, ready);
	if (c == NULL) {
		acceptor_pause(loop, acceptor, "connection dropped");
		free(proxy);
		(void)close(fd);
		return;
	}
	c->proxy = proxy;
	if (proxy != NULL)
		c->stage = STAGE_PROXY;
	else
		client_count(c, remote);
	client_deadline(c, &s->heads);
}

static void
head_late(struct client *c)
{
	if (c->partial_size != 0) {
		refuse(c, HTTP_REQUEST_TIMEOUT, "request timed out");
		return;
	}
	if (c->server->options.verbose)
		warn("%s: no request: %s", client_name(c), strerror(ETIMEDOUT));
	client_end(c);
}

void
upgrade_late(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);
	bool first = c->progress == 0;

	(void)loop;
	switch (c->stage) {
	case STAGE_PROXY:
		proxy_missed(c, strerror(ETIMEDOUT));
		break;
	case STAGE_HEAD:
		head_late(c);
		break;
	case STAGE_WAITING:
	case STAGE_AUTHORIZING:
		authorization_abandon(c);
		partial_refuse(c, HTTP_INTERNAL_ERROR, "authorization program timed out");
		break;
	default:
		if (!c->shut && (progress_made(c->socket.fd, &c->progress) || (first && c->progress != 0)))
			client_deadline(c, &c->server->heads);
		else
			client_end(c);
	}
}

/* Process the head again. */
static void
head_again(struct client *c, bool authorized)
{
	unsigned char *bytes = c->server->storage.from_child;
	size_t n = c->partial_size;

	memcpy(bytes, c->partial, n);
	c->stage = STAGE_HEAD;
	feed(c, bytes, n, authorized);
	if (c->stage < STAGE_OPEN)
		interest_set(c);
}

/* Handle the helper's report about an authorization program. */
void
upgrade_report(struct server *s, unsigned index, enum spawner_event event, int value)
{
	const struct admission *admission = &s->options.admission;
	struct authorization *a = &s->authorizations[index];
	struct client *c = a->client;

	if (event == SPAWNER_STARTED)
		return;
	*a = (struct authorization){0};
	if (event != SPAWNER_ENDED)
		warn("%s: %s", quoted(admission->authorize), strerror(value));
	if (c == NULL)
		return;
	if (event != SPAWNER_ENDED)
		partial_refuse(c, HTTP_INTERNAL_ERROR, "authorization program cannot be started");
	else if (child_status(value) == 0)
		head_again(c, true);
	else
		partial_refuse(c, admission_denial(admission), "not authorized");
}

void
upgrade_authorize_next(struct server *s)
{
	if (!s->authorizations_wait)
		return;
	s->authorizations_wait = false;
	for (uint32_t i = 0; i < s->options.max && !s->authorizations_wait; i++)
		if (s->clients[i] != NULL && s->clients[i]->stage == STAGE_WAITING)
			head_again(s->clients[i], false);
}
