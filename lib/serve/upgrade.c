#include "serve/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/child.h"
#include "sys/fds.h"
#include "sys/progress.h"

static const char no_authorization[] = "authorization program cannot be started";

enum { MAX_LIMIT = 1000000 };

void
upgrade_options_begin(struct upgrade_options *options, uint32_t max)
{
	options->admission.limit_ms = ADMISSION_HEAD_MS;
	options->admission.policy.rules = options->rules;
	options->max = max;
}

void
upgrade_option(struct upgrade_options *options, int key)
{
	switch (key) {
	case 'v': options->verbose = true; break;
	case 'c': options->max = (uint32_t)option_number(1, MAX_LIMIT); break;
	case 'C': options->max_per_address = (uint32_t)option_number(1, MAX_LIMIT); break;
	case UPGRADE_KEY_PROXY: options->proxy = true; break;
	case UPGRADE_KEY_EXIT_IDLE: options->idle_ms = option_duration(1, OPTION_DAY_MS); break;
	default: admission_option(&options->admission, key); break;
	}
}

static struct upgrade_server *
server_of(struct loop *loop)
{
	return (struct upgrade_server *)loop;
}

struct address
upgrade_remote(const struct upgrade *u)
{
	static const unsigned char none[sizeof u->ip];

	if (u->port == 0 && memcmp(u->ip, none, sizeof none) == 0)
		return (struct address){.local.sun_family = AF_UNIX};
	return address_v6(u->ip, u->port);
}

struct upgrade_name
upgrade_name(const struct upgrade *u)
{
	struct address remote = upgrade_remote(u);
	struct upgrade_name name = {.text = ""};

	address_text(&remote, name.text);
	return name;
}

/* Replace the deadline of a connection. */
static void
deadline_change(struct upgrade_server *s, struct upgrade *u, struct deadlines *queue)
{
	deadline_drop(&u->deadline);
	deadline_set(&s->loop, queue, &u->deadline);
}

static bool
is_read(const struct upgrade_server *s, const struct upgrade *u)
{
	return u->stage <= UPGRADE_HEAD ? s->busy == NULL : u->stage == UPGRADE_LINGERING && !u->ended;
}

/* EPOLLET: report a hangup of a connection that is not read once, instead of every turn. */
void
upgrade_interest(struct upgrade_server *s, struct upgrade *u)
{
	bool sends = u->stage == UPGRADE_LINGERING && u->out.first != NULL;

	watch_want(&s->loop, &u->socket, (is_read(s, u) ? EPOLLIN : sends ? 0 : EPOLLET) | (sends ? EPOLLOUT : 0));
}

/* Send the queue, then half-close. */
static void
linger_flush(struct upgrade_server *s, struct upgrade *u)
{
	size_t before = u->out.held;

	if (outbox_send(&u->out, u->socket.fd, true) != 0 || (u->out.first == NULL && u->ended)) {
		s->owner->end(s, u);
		return;
	}
	if (u->out.first == NULL && !u->shut) {
		u->shut = true;
		(void)shutdown(u->socket.fd, SHUT_WR);
		deadline_change(s, u, &s->lingers);
	} else if (u->out.held != before) {
		(void)progress_made(u->socket.fd, &u->progress);
		deadline_change(s, u, &s->heads);
	}
	upgrade_interest(s, u);
}

static void
linger_receive(struct upgrade_server *s, struct upgrade *u)
{
	ssize_t n = recv(u->socket.fd, s->input, s->read_most, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	u->ended = true;
	if (n < 0 || u->out.first == NULL)
		s->owner->end(s, u);
	else
		upgrade_interest(s, u);
}

/* Send a refusal, the page, or the response to OPTIONS; then end the connection. */
static void
linger_begin(struct upgrade_server *s, struct upgrade *u, const struct handshake *d, struct span response)
{
	struct message *m = message_of(response.at, response.size);
	bool queued = m != NULL && outbox_put(&u->out, m);

	message_release(m);
	if (queued && d->status == HTTP_OK && span_equal(s->request.method, span_of("GET")))
		queued = outbox_put(&u->out, s->page.message);
	u->stage = UPGRADE_LINGERING;
	if (!queued) {
		s->owner->end(s, u);
		return;
	}
	deadline_change(s, u, &s->heads);
	linger_flush(s, u);
}

static struct span
response_make(const struct upgrade_server *s, const struct handshake *d, char head[HANDSHAKE_ANSWER_SIZE])
{
	size_t page = d->status == HTTP_OK ? s->page.message->size : 0;

	return (struct span){head, handshake_answer(&s->options.admission.policy, &s->request, d, page, head)};
}

/* Respond to s->request. trailing: n bytes that followed it. */
static void
answer(struct upgrade_server *s, struct upgrade *u, struct handshake *d, unsigned char *trailing, size_t n)
{
	char head[HANDSHAKE_ANSWER_SIZE];
	struct proxy *proxy = u->proxy;
	unsigned char *partial = u->partial;
	struct span response;

	u->partial = NULL;
	u->partial_size = 0;
	u->out = (struct outbox){0};
	u->progress = 0;
	u->stage = UPGRADE_OPEN;
	if (d->status == HTTP_OK && !page_renew(&s->page)) {
		warn("%s: %s", quoted(s->options.admission.page), strerror(errno));
		handshake_refuse(d, HTTP_INTERNAL_ERROR, "page cannot be read");
	}
	response = response_make(s, d, head);
	if (d->status != HTTP_SWITCHING_PROTOCOLS || !s->owner->open(s, u, d, proxy, response, trailing, n)) {
		response = response_make(s, d, head);
		admission_log(upgrade_name(u).text, d, &s->request, s->options.verbose);
		linger_begin(s, u, d, response);
	}
	free(partial);
	free(proxy);
}

static void
request_refuse(struct upgrade_server *s, struct upgrade *u, enum http_status status, const char *why)
{
	struct handshake d = {0};

	handshake_refuse(&d, status, why);
	answer(s, u, &d, NULL, 0);
}

/* Refuse an incomplete request. */
static void
refuse(struct upgrade_server *s, struct upgrade *u, enum http_status status, const char *why)
{
	s->request = (struct http_request){0};
	request_refuse(s, u, status, why);
}

/* Refuse a request that waited for its authorization program. */
static void
partial_refuse(struct upgrade_server *s, struct upgrade *u, enum http_status status, const char *why)
{
	struct http_scan scan = {0};
	struct handshake d;

	(void)admission_request(&s->options.admission, &scan, (const char *)u->partial, u->partial_size, &s->request, &d);
	request_refuse(s, u, status, why);
}

/* Start the authorization program. Without a free slot, the request is processed again later. Data that arrives
 * meanwhile stays in the kernel. */
static void
authorize(struct upgrade_server *s, struct upgrade *u, const struct handshake *d)
{
	enum upgrade_authorization result = s->owner->authorize(s, u, d);

	if (result == AUTHORIZATION_FAILED) {
		request_refuse(s, u, HTTP_INTERNAL_ERROR, no_authorization);
		return;
	}
	u->scan = (struct http_scan){0};
	u->stage = result == AUTHORIZATION_STARTED ? UPGRADE_AUTHORIZING : UPGRADE_WAITING;
	deadline_set_at(result == AUTHORIZATION_STARTED ? &s->heads : &s->waits, &u->deadline, u->deadline.at);
	upgrade_interest(s, u);
}

/* authorized: the authorization program has accepted the request. */
static void
head_take(struct upgrade_server *s, struct upgrade *u, unsigned char *bytes, size_t n, bool authorized)
{
	struct handshake d;
	size_t size = admission_request(&s->options.admission, &u->scan, (const char *)bytes, n, &s->request, &d);

	if (size == 0)
		return;
	if (s->options.admission.authorize != NULL && !authorized
	    && (d.status == HTTP_SWITCHING_PROTOCOLS || d.status == HTTP_OK))
		authorize(s, u, &d);
	else
		answer(s, u, &d, bytes + size, n - size);
}

/* Return whether the network of the address has reached --max-per-address. */
static bool
address_full(struct upgrade_server *s, const struct address *remote)
{
	char text[ADDRESS_TEXT_SIZE];

	if (s->options.max_per_address == 0 || remote->any.sa_family == AF_UNIX
	    || address_limit_count(&s->networks, address_key_of_network(remote)) < s->options.max_per_address)
		return false;
	address_text(remote, text);
	if (s->options.verbose || s->loop.now >= s->over_log_after) {
		s->over_log_after = s->loop.now + SHORTAGE_LOG_MS;
		warn("%s: connection closed: its address has %u connections (--max-per-address)", text,
		    s->options.max_per_address);
	}
	return true;
}

static void
address_count(struct upgrade_server *s, struct upgrade *u, const struct address *remote)
{
	if (s->options.max_per_address == 0 || remote->any.sa_family == AF_UNIX)
		return;
	(void)address_limit_add(&s->networks, address_key_of_network(remote));
	u->counted = true;
}

/* Set the client's address. */
static void
address_set(struct upgrade *u, const struct address *remote)
{
	struct address_key key = {0};

	if (remote->any.sa_family != AF_UNIX)
		key = address_key_of(remote);
	memcpy(u->ip, &key, sizeof u->ip);
	u->port = address_port(remote);
}

/* The client's address is known from the proxy: it becomes the connection's name and address. */
static void
proxied(struct upgrade_server *s, struct upgrade *u)
{
	const struct proxy *p = u->proxy;
	struct address remote = {.local.sun_family = AF_UNIX};

	if (p->family == PROXY_IPV4)
		remote = address_v4(p->client.ip, p->client.port);
	else if (p->family == PROXY_IPV6)
		remote = address_v6(p->client.ip, p->client.port);
	else if (p->family == PROXY_NONE)
		(void)address_remote(u->socket.fd, &remote);
	address_set(u, &remote);
	u->stage = UPGRADE_HEAD;
	if (address_full(s, &remote))
		s->owner->end(s, u);
	else
		address_count(s, u, &remote);
}

/* The request, or the PROXY header before it, is missing. A connection that is closed before its first byte is a
 * health check. */
static void
miss(struct upgrade_server *s, struct upgrade *u, int error)
{
	bool proxy = u->stage == UPGRADE_PROXY;

	if (s->options.verbose || (proxy ? u->proxy->taken != 0 : u->partial_size != 0))
		warn("%s: no %s: %s", upgrade_name(u).text, proxy ? "PROXY header" : "request",
		    error == 0 ? "end of file" : strerror(error));
	s->owner->end(s, u);
}

/* Return the number of bytes of the PROXY header. */
static size_t
proxy_header_take(struct upgrade_server *s, struct upgrade *u, const unsigned char *bytes, size_t n)
{
	size_t used;

	switch (proxy_take(u->proxy, bytes, n, &used)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		proxied(s, u);
		break;
	case PROXY_BAD:
		warn("%s: PROXY header: %s", upgrade_name(u).text, u->proxy->why);
		s->owner->end(s, u);
		break;
	}
	return used;
}

/* Keep data that cannot be used yet, before the next read. */
static void
keep(struct upgrade_server *s, struct upgrade *u, const unsigned char *bytes, size_t n)
{
	unsigned char *partial = NULL;

	if (n != 0) {
		partial = malloc(n);
		if (partial == NULL) {
			warn("%s: %s", upgrade_name(u).text, strerror(errno));
			s->owner->end(s, u);
			return;
		}
		memcpy(partial, bytes, n);
	}
	free(u->partial);
	u->partial = partial;
	u->partial_size = (uint32_t)n;
}

/* bytes is all unused input. */
static void
feed(struct upgrade_server *s, struct upgrade *u, unsigned char *bytes, size_t n, bool authorized)
{
	size_t used = 0;

	if (u->stage == UPGRADE_PROXY)
		used = proxy_header_take(s, u, bytes, n);
	if (u->stage == UPGRADE_HEAD)
		head_take(s, u, bytes + used, n - used, authorized);
	if (u->stage < UPGRADE_LINGERING)
		keep(s, u, bytes + used, n - used);
}

/* EOF from the client. */
static void
eof(struct upgrade_server *s, struct upgrade *u)
{
	if (u->stage == UPGRADE_HEAD && u->partial_size != 0)
		refuse(s, u, HTTP_BAD_REQUEST, "incomplete request");
	else
		miss(s, u, 0);
}

static void
receive(struct upgrade_server *s, struct upgrade *u)
{
	size_t before = u->partial_size;
	ssize_t n = recv(u->socket.fd, s->input + before, s->read_most, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		miss(s, u, errno);
		return;
	}
	if (n == 0) {
		eof(s, u);
		return;
	}
	if (before != 0)
		memcpy(s->input, u->partial, before);
	feed(s, u, s->input, before + (size_t)n, false);
}

static void
ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct upgrade_server *s = server_of(loop);
	struct upgrade *u = (struct upgrade *)watch;

	if ((events & EPOLLIN) != 0 && is_read(s, u)) {
		if (u->stage == UPGRADE_LINGERING)
			linger_receive(s, u);
		else
			receive(s, u);
	} else if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0
	    && (is_read(s, u) || (u->stage == UPGRADE_LINGERING && u->shut)))) {
		s->owner->end(s, u);
	} else if ((events & (EPOLLIN | EPOLLHUP)) != 0) {
		upgrade_interest(s, u);
	}
	if ((events & EPOLLOUT) != 0 && u->stage == UPGRADE_LINGERING)
		linger_flush(s, u);
}

static void
on_connection(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote)
{
	struct upgrade_server *s = server_of(loop);
	struct proxy *proxy = NULL;
	struct upgrade *u;

	if (!s->options.proxy && address_full(s, remote)) {
		(void)close(fd);
		return;
	}
	u = calloc(1, s->owner->size);
	if (s->options.proxy)
		proxy = calloc(1, sizeof *proxy);
	if (u != NULL)
		u->socket.ready = ready;
	if (u == NULL || (s->options.proxy && proxy == NULL) || watch_begin(loop, &u->socket, fd, EPOLLIN) != 0) {
		acceptor_pause(loop, acceptor, "connection dropped");
		free(proxy);
		free(u);
		(void)close(fd);
		return;
	}
	u->proxy = proxy;
	u->stage = proxy != NULL ? UPGRADE_PROXY : UPGRADE_HEAD;
	address_set(u, remote);
	if (proxy == NULL)
		address_count(s, u, remote);
	deadline_change(s, u, &s->heads);
	deadline_drop(&s->idle);
	s->owner->begin(s, u);
	if (++s->count == s->options.max)
		acceptor_full(loop, acceptor, s->count);
}

/* The time limit restarts if TCP shows that the client is still receiving. At the first check, pending data is
 * sufficient. */
static void
linger_late(struct upgrade_server *s, struct upgrade *u)
{
	bool first = u->progress == 0;

	if (!u->shut && (progress_made(u->socket.fd, &u->progress) || (first && u->progress != 0)))
		deadline_change(s, u, &s->heads);
	else
		s->owner->end(s, u);
}

static void
late(struct loop *loop, struct deadline *deadline)
{
	struct upgrade_server *s = server_of(loop);
	struct upgrade *u = upgrade_of(deadline);

	if (u->stage == UPGRADE_LINGERING) {
		linger_late(s, u);
	} else if (u->stage > UPGRADE_HEAD) {
		s->owner->abandon(s, u);
		partial_refuse(s, u, HTTP_INTERNAL_ERROR, "authorization program timed out");
	} else if (s->busy != NULL) {
		refuse(s, u, HTTP_SERVICE_UNAVAILABLE, s->busy);
	} else if (u->stage == UPGRADE_HEAD && u->partial_size != 0) {
		refuse(s, u, HTTP_REQUEST_TIMEOUT, "request timed out");
	} else {
		miss(s, u, ETIMEDOUT);
	}
}

/* Process the head again. */
static void
head_retry(struct upgrade_server *s, struct upgrade *u, bool authorized)
{
	size_t n = u->partial_size;

	memcpy(s->input, u->partial, n);
	u->stage = UPGRADE_HEAD;
	feed(s, u, s->input, n, authorized);
}

void
upgrade_authorized(struct upgrade_server *s, struct upgrade *u, int wait_status)
{
	if (child_status(wait_status) == 0)
		head_retry(s, u, true);
	else
		partial_refuse(s, u, admission_denial(&s->options.admission), "not authorized");
}

void
upgrade_authorization_failed(struct upgrade_server *s, struct upgrade *u)
{
	partial_refuse(s, u, HTTP_INTERNAL_ERROR, no_authorization);
}

void
upgrade_authorize_next(struct upgrade_server *s)
{
	struct deadline *first;
	bool waits = false;

	while (!waits && (first = deadlines_first(&s->waits)) != NULL) {
		head_retry(s, upgrade_of(first), false);
		waits = upgrade_of(first)->stage == UPGRADE_WAITING;
	}
}

void
upgrade_stop(struct upgrade_server *s, struct upgrade *u)
{
	if (u->stage <= UPGRADE_HEAD) {
		deadline_change(s, u, &s->lingers);
	} else if (u->stage < UPGRADE_LINGERING) {
		s->owner->abandon(s, u);
		partial_refuse(s, u, HTTP_SERVICE_UNAVAILABLE, "the server is shutting down");
	}
}

static bool
descriptors_begin(struct upgrade_server *s, size_t others, size_t per_connection)
{
	size_t left, most;

	if (s->options.admission.authorize != NULL && (s->null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
		warn("/dev/null: %s", strerror(errno));
		return false;
	}
	fds_raise_limit();
	left = fds_left();
	most = left < others + per_connection ? 0 : (left - others) / per_connection;
	if (most == 0) {
		warn("hard limit of descriptors is too low for clients (ulimit -Hn)");
		return false;
	}
	if (s->options.max > most) {
		warn("--max: %u: lowered to %zu by the hard limit of descriptors (ulimit -Hn)", s->options.max, most);
		s->options.max = (uint32_t)most;
	}
	return true;
}

static void
idle_begin(struct upgrade_server *s)
{
	if (s->options.idle_ms != 0)
		deadline_set(&s->loop, &s->idles, &s->idle);
}

/* A connection in the backlog is accepted in the next turn: the shutdown would refuse its request. */
static void
idle_timeout(struct loop *loop, struct deadline *idle)
{
	struct upgrade_server *s = server_of(loop);

	(void)idle;
	if (listeners_queued(&s->listeners) != 0)
		idle_begin(s);
	else
		s->on_idle(s);
}

bool
upgrade_begin(struct upgrade_server *s, size_t others, size_t per_connection)
{
	listeners_open(&s->listeners);
	fds_leave_stdout();
	if (!descriptors_begin(s, others, per_connection))
		return false;
	if (s->options.max_per_address != 0 && !address_limit_begin(&s->networks, s->options.max)) {
		warn("no memory for %u clients", s->options.max);
		return false;
	}
	if (loop_open(&s->loop) != 0) {
		warn("epoll_create1: %s", strerror(errno));
		return false;
	}
	deadlines_begin(&s->loop, &s->heads, s->options.admission.limit_ms, late);
	if (s->options.admission.authorize != NULL)
		deadlines_begin(&s->loop, &s->waits, s->options.admission.limit_ms, late);
	deadlines_begin(&s->loop, &s->lingers, ADMISSION_LINGER_MS, late);
	if (s->options.idle_ms != 0)
		deadlines_begin(&s->loop, &s->idles, s->options.idle_ms, idle_timeout);
	idle_begin(s);
	s->acceptor.on_connection = on_connection;
	s->acceptor.listeners = &s->listeners;
	acceptor_begin(&s->loop, &s->acceptor);
	return true;
}

void
upgrade_close(struct upgrade_server *s, struct upgrade *u)
{
	struct address remote;

	if (u->stage == UPGRADE_AUTHORIZING)
		s->owner->abandon(s, u);
	if (u->stage < UPGRADE_LINGERING)
		free(u->proxy);
	else
		outbox_clear(&u->out);
	free(u->partial);
	u->partial = NULL;
	deadline_drop(&u->deadline);
	if (u->socket.fd >= 0)
		watch_close(&s->loop, &u->socket);
	if (u->counted) {
		remote = upgrade_remote(u);
		address_limit_remove(&s->networks, address_key_of_network(&remote));
	}
	u->stage = UPGRADE_DEAD;
}

void
upgrade_gone(struct upgrade_server *s, bool accepts)
{
	if (s->count-- == s->options.max && accepts)
		acceptor_start(&s->loop, &s->acceptor);
	acceptor_retry(&s->loop, &s->acceptor);
	if (s->count == 0)
		idle_begin(s);
}
