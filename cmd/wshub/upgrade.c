/* From the accepted connection to the response of its handshake. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "hub.h"
#include "sys/child.h"
#include "sys/progress.h"
#include "ws/cgi.h"

/*
 * The handshake.
 */
static void
headers_put(struct hub *hub, const struct client *c)
{
	const struct http_fields *fields = &hub->request.fields;
	const bool realm = hub->options.admission.policy.realm != NULL;

	for (size_t i = 0; hub->options.headers && i < fields->count; i++) {
		struct strbuf text = scratch_text(hub);

		if (realm && span_equal_case(fields->all[i].name, span_of("Authorization")))
			continue;
		strbuf_put(&text, fields->all[i].name);
		strbuf_put_string(&text, ": ");
		strbuf_put(&text, fields->all[i].value);
		program_put_text(hub, c, "header", &text);
	}
}

/* With a realm prog gets the user's name. Only the program of -a gets the password. */
static void
user_put(struct hub *hub, const struct client *c)
{
	char *user = hub->scratch;

	if (hub->options.admission.policy.realm != NULL && cgi_user(&hub->request, user))
		program_put(hub, c, "user", user, strlen(user));
}

/* Assign a number that was never used before and whose slot is free. */
static void
client_number(struct hub *hub, struct client *c)
{
	do
		c->id = ++hub->last_id;
	while (hub->by_id[c->id & hub->id_mask] != NULL);
	hub->by_id[c->id & hub->id_mask] = c;
}

static void
client_open(struct hub *hub, struct client *c, const struct handshake *d)
{
	struct strbuf text = scratch_text(hub);
	unsigned bits = d->extension.server_bits != 0 ? d->extension.server_bits : EXTENSION_BITS_MAX;

	c->stage = STAGE_ANSWERED;
	ws_open(&c->conn, true, hub->options.ping_ms != 0);
	client_number(hub, c);
	c->announced = c->addressable = true;
	c->reader = (struct reader){
		.peer = READER_OF_CLIENT, .limit = hub->options.message,
		.text_only = !hub->options.exact && !hub->options.fan_out,
		.deflate = d->deflate,
	};
	if (d->deflate)
		c->deflate = (bits - DEFLATE_BITS_LEAST) & 7;
	client_act(hub, c, WS_TIMER);
	if (hub->options.fan_out && !rooms_join(&hub->rooms, hub->request.path, c, &c->rooms))
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
	strbuf_put_string(&text, c->peer);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, hub->request.target);
	if (d->protocol.size != 0)
		strbuf_put_char(&text, ' ');
	strbuf_put(&text, d->protocol);
	program_put_text(hub, c, "open", &text);
	user_put(hub, c);
	headers_put(hub, c);
	if (hub->options.verbose)
		log_info("Connected by %s (%llu, %zu of %llu)", client_name(c).text, (unsigned long long)c->id, hub->count,
		    (unsigned long long)hub->options.max);
	/* Its request was in progress at SIGTERM. */
	if (shutdown_begun(hub))
		client_close_once(hub, c, message_close(CLOSE_GOING_AWAY, ""));
}

/* Send the response to hub->request: a refusal, the page, or 101. */
static void
client_answer(struct hub *hub, struct client *c, struct handshake *d)
{
	char head[HANDSHAKE_ANSWER_SIZE];
	size_t size;
	bool queued;

	if (d->status == HTTP_OK && !page_renew(&hub->page)) {
		warn("%s: %s", quoted(hub->options.admission.page), strerror(errno));
		handshake_refuse(d, HTTP_INTERNAL_ERROR, "page cannot be read");
	}
	/* client_open() logs accepted clients. */
	admission_log(client_name(c).text, d, &hub->request, hub->options.verbose && (d->status != HTTP_SWITCHING_PROTOCOLS
	    || admission_protocols_missed(d, &hub->request).size != 0));
	size = handshake_answer(&hub->options.admission.policy, &hub->request, d,
	    d->status == HTTP_OK ? hub->page.message->size : 0, head);
	queued = client_queue_bytes(hub, c, head, size);
	if (queued && d->status == HTTP_OK && span_equal(hub->request.method, span_of("GET")))
		(void)client_queue(hub, c, hub->page.message);
	if (queued && d->status == HTTP_SWITCHING_PROTOCOLS)
		client_open(hub, c, d);
	else
		client_refused(hub, c);
}

/* Refuse hub->request. */
static void
request_refuse(struct hub *hub, struct client *c, enum http_status status, const char *why)
{
	struct handshake d = {0};

	handshake_refuse(&d, status, why);
	client_answer(hub, c, &d);
}

/* Refuse an incomplete request. */
static void
client_refuse(struct hub *hub, struct client *c, enum http_status status, const char *why)
{
	hub->request = (struct http_request){0};
	request_refuse(hub, c, status, why);
}

/* Refuse a request that waited for its authorization program. */
static void
partial_refuse(struct hub *hub, struct client *c, enum http_status status, const char *why)
{
	struct http_scan scan = {0};
	struct handshake d;

	(void)admission_request(&hub->options.admission, &scan, (const char *)c->partial, c->partial_size, &hub->request, &d);
	handshake_refuse(&d, status, why);
	client_answer(hub, c, &d);
}

/* Start the authorization program, or refuse the request. */
static void
client_authorize(struct hub *hub, struct client *c, const struct handshake *d)
{
	struct address local;
	uint16_t called = 0;
	char port[8] = "";
	size_t ip = strcspn(c->peer, " ");
	struct cgi_connection ends = {
		.remote_address = {c->peer, ip}, .remote_port = span_of(c->peer + ip + 1),
	};
	char **environment;
	pid_t pid;

	if (hub->options.proxy)
		memcpy(&called, c->peer + PEER_PORT, sizeof called);
	if (called == 0 && address_local(c->watch.fd, &local) == 0 && local.any.sa_family != AF_UNIX)
		called = address_port(&local);
	if (called != 0)
		(void)snprintf(port, sizeof port, "%u", called);
	ends.local_port = span_of(port);
	environment = admission_environment(&hub->request, d, &ends);
	pid = environment == NULL ? -1 : admission_authorize(&hub->options.admission, environment, hub->null);
	free(environment);
	if (pid < 0) {
		request_refuse(hub, c, HTTP_INTERNAL_ERROR, "authorization program cannot be started");
		return;
	}
	auth_requests_add(&hub->auth_requests, pid, c);
	c->stage = STAGE_AUTHORIZING;
}

/* Process the head at bytes. authorized: the authorization program has accepted it. Return the number of
 * bytes used, 0 while that program runs. */
static size_t
head_take(struct hub *hub, struct client *c, const char *bytes, size_t n, bool authorized)
{
	struct handshake d;
	size_t size = admission_request(&hub->options.admission, &c->scan, bytes, n, &hub->request, &d);

	if (size == 0)
		return 0;
	if (hub->options.admission.authorize != NULL && !authorized
	    && (d.status == HTTP_SWITCHING_PROTOCOLS || d.status == HTTP_OK)) {
		c->scan = (struct http_scan){0};
		/* Their number is limited: the request is processed again when one has ended. */
		if (auth_requests_full(&hub->auth_requests)) {
			c->stage = STAGE_WAITING;
			hub->waiting = true;
		} else {
			client_authorize(hub, c, &d);
		}
		client_interest(hub, c); /* data that arrives meanwhile stays in the kernel */
		return 0;
	}
	client_answer(hub, c, &d);
	return size;
}

/* Write `127.0.0.1 52344`, the form for prog and the log. */
void
peer_text(const struct address *remote, char peer[PEER_SIZE])
{
	char ip[ADDRESS_IP_SIZE];

	address_ip(remote, ip);
	(void)snprintf(peer, PEER_SIZE, "%s %u", ip[0] == '\0' ? "unix" : ip, (unsigned)address_port(remote));
}

/* Return whether the address, or its network, has reached --max-per-address. *network is the key to
 * count. */
bool
network_full(struct hub *hub, const struct address *remote, struct address_key *network)
{
	char name[ADDRESS_TEXT_SIZE];

	*network = (struct address_key){0}; /* a UNIX socket has no address */
	if (remote->any.sa_family == AF_UNIX)
		return false;
	*network = address_key_of_network(remote);
	if (hub->options.max_per_address == 0
	    || address_limit_count(&hub->networks, *network) < hub->options.max_per_address)
		return false;
	if (hub->options.verbose || hub->loop.now >= hub->over_log_after) {
		hub->over_log_after = hub->loop.now + SHORTAGE_LOG_MS;
		address_text(remote, name);
		warn("%s: connection closed: its address has %u connections (--max-per-address)", name,
		    (unsigned)hub->options.max_per_address);
	}
	return true;
}

/* The client's address is known from the proxy: it becomes its name and counts for
 * --max-per-address. */
static void
client_known(struct hub *hub, struct client *c)
{
	struct address remote = {.local.sun_family = AF_UNIX};
	const struct proxy *p = c->proxy;
	struct address_key network;
	bool full;

	if (p->family == PROXY_IPV4)
		remote = address_v4(p->client.ip, p->client.port);
	else if (p->family == PROXY_IPV6)
		remote = address_v6(p->client.ip, p->client.port);
	else if (p->family == PROXY_NONE)
		(void)address_remote(c->watch.fd, &remote);
	memcpy(c->peer + PEER_PORT, &p->server.port, sizeof p->server.port);
	peer_text(&remote, c->peer);
	full = network_full(hub, &remote, &network);
	if (hub->options.max_per_address != 0) {
		address_limit_remove(&hub->networks, c->network);
		(void)address_limit_add(&hub->networks, network);
	}
	c->network = network;
	if (full) {
		client_end(hub, c);
		return;
	}
	free(c->proxy);
	c->scan = (struct http_scan){0};
	c->stage = STAGE_HEAD;
}

/* A connection that is closed before its first byte is a health check. */
static void
client_unknown(struct hub *hub, struct client *c, const char *why)
{
	if (c->proxy->taken != 0 || hub->options.verbose)
		warn("%s: no PROXY header: %s", client_name(c).text, why);
	client_end(hub, c);
}

/* Return the number of bytes of the PROXY header. */
static size_t
proxy_header_take(struct hub *hub, struct client *c, const unsigned char *bytes, size_t n)
{
	size_t used;

	switch (proxy_take(c->proxy, bytes, n, &used)) {
	case PROXY_MORE:
		break;
	case PROXY_DONE:
		client_known(hub, c);
		break;
	case PROXY_BAD:
		warn("%s: PROXY header: %s", client_name(c).text, c->proxy->why);
		client_end(hub, c);
		break;
	}
	return used;
}

/* Process bytes of a PROXY header or a request. authorized: the authorization program has accepted the
 * client. Return the number of bytes used. */
size_t
upgrade_take(struct hub *hub, struct client *c, const unsigned char *bytes, size_t n, bool authorized)
{
	size_t used = 0;

	if (c->stage == STAGE_PROXY)
		used = proxy_header_take(hub, c, bytes, n);
	if (c->stage == STAGE_HEAD)
		used += head_take(hub, c, (const char *)bytes + used, n - used, authorized);
	return used;
}

/* EOF from a client that is not open yet. */
void
upgrade_eof(struct hub *hub, struct client *c)
{
	if (c->stage == STAGE_PROXY)
		client_unknown(hub, c, "end of file");
	else if (c->stage == STAGE_HEAD && c->partial_size != 0)
		client_refuse(hub, c, HTTP_BAD_REQUEST, "incomplete request");
	else
		client_end(hub, c);
}

void
head_late(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);
	struct client *c = client_of(deadline);

	auth_requests_drop(&hub->auth_requests, c);
	if (c->stage <= STAGE_HEAD && hub->backpressure)
		client_refuse(hub, c, HTTP_SERVICE_UNAVAILABLE, "program does not read");
	else if (c->stage == STAGE_PROXY)
		client_unknown(hub, c, strerror(ETIMEDOUT));
	else if (c->stage == STAGE_HEAD && c->partial_size != 0)
		client_refuse(hub, c, HTTP_REQUEST_TIMEOUT, "request timed out");
	else if (c->stage == STAGE_AUTHORIZING || c->stage == STAGE_WAITING)
		partial_refuse(hub, c, HTTP_INTERNAL_ERROR, "authorization program timed out");
	else if (c->stage < STAGE_ANSWERED)
		client_end(hub, c);
	else
		client_timeout(loop, deadline);
}

/* The authorization program has ended. Return whether it has accepted the client, whose head is
 * then processed again. */
bool
upgrade_authorized(struct hub *hub, struct client *c, int status)
{
	if (child_status(status) == 0)
		return true;
	partial_refuse(hub, c, admission_denial(&hub->options.admission), "not authorized");
	client_mark(hub, c);
	return false;
}
