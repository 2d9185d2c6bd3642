/* Authorization and opening of a client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "hub.h"
#include "ws/cgi.h"

static void
headers_put(struct hub *hub, const struct client *c)
{
	const struct http_fields *fields = &hub->base.request.fields;
	const bool realm = hub->base.options.admission.policy.realm != NULL;

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

	if (hub->base.options.admission.policy.realm != NULL && cgi_user(&hub->base.request, user))
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

/* Write `127.0.0.1 52344`. */
static void
peer_put(const struct client *c, struct strbuf *text)
{
	struct address remote = upgrade_remote(&c->base);
	char ip[ADDRESS_IP_SIZE];

	address_ip(&remote, ip);
	strbuf_put_string(text, ip[0] == '\0' ? "unix" : ip);
	strbuf_put_char(text, ' ');
	strbuf_put_number(text, c->base.port);
}

static void
client_open(struct hub *hub, struct client *c, const struct handshake *d)
{
	struct strbuf text = scratch_text(hub);
	unsigned bits = d->extension.server_bits != 0 ? d->extension.server_bits : EXTENSION_BITS_MAX;

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
	if (hub->options.fan_out && !rooms_join(&hub->rooms, hub->base.request.path, c, &c->rooms))
		client_fail(hub, c, CLOSE_INTERNAL_ERROR, "no memory");
	peer_put(c, &text);
	strbuf_put_char(&text, ' ');
	strbuf_put(&text, hub->base.request.target);
	if (d->protocol.size != 0)
		strbuf_put_char(&text, ' ');
	strbuf_put(&text, d->protocol);
	program_put_text(hub, c, "open", &text);
	user_put(hub, c);
	headers_put(hub, c);
	if (hub->base.options.verbose)
		log_info("Connected by %s (%llu, %u of %u)", upgrade_name(&c->base).text, (unsigned long long)c->id,
		    hub->base.count, hub->base.options.max);
	/* Its request was in progress at SIGTERM. */
	if (shutdown_begun(hub))
		client_close_once(hub, c, message_close(CLOSE_GOING_AWAY, ""));
}

static struct hub *
hub_over(struct upgrade_server *s)
{
	return (struct hub *)s;
}

static void
begin(struct upgrade_server *s, struct upgrade *u)
{
	struct client *c = (struct client *)u;

	c->conn.state = WS_CLOSED;
	c->index = s->count;
	hub_over(s)->clients[c->index] = c;
}

static bool
opened(struct upgrade_server *s, struct upgrade *u, struct handshake *d, const struct proxy *proxy,
    struct span response, unsigned char *trailing, size_t n)
{
	struct hub *hub = hub_over(s);
	struct client *c = (struct client *)u;

	(void)proxy;
	if (!client_queue_bytes(hub, c, response.at, response.size)) {
		handshake_refuse(d, HTTP_SERVICE_UNAVAILABLE, "no memory");
		return false;
	}
	if (s->options.verbose)
		admission_log(upgrade_name(u).text, d, &s->request, true);
	client_open(hub, c, d);
	client_opened(hub, c, trailing, n);
	return true;
}

static void
ended(struct upgrade_server *s, struct upgrade *u)
{
	client_end(hub_over(s), (struct client *)u);
}

static enum upgrade_authorization
authorize(struct upgrade_server *s, struct upgrade *u, const struct handshake *d)
{
	struct hub *hub = hub_over(s);
	struct address remote = upgrade_remote(u), local;
	char ip[ADDRESS_IP_SIZE], port[8], called_port[8] = "";
	uint16_t called = u->proxy != NULL ? u->proxy->server.port : 0;
	struct cgi_connection ends;
	char **environment;
	pid_t pid;

	if (auth_requests_full(&hub->auth_requests))
		return AUTHORIZATION_WAITS;
	if (called == 0 && address_local(u->socket.fd, &local) == 0 && local.any.sa_family != AF_UNIX)
		called = address_port(&local);
	if (called != 0)
		(void)snprintf(called_port, sizeof called_port, "%u", called);
	(void)snprintf(port, sizeof port, "%u", u->port);
	address_ip(&remote, ip);
	ends = (struct cgi_connection){span_of(ip[0] == '\0' ? "unix" : ip), span_of(port), span_of(called_port)};
	environment = admission_environment(&s->request, d, &ends);
	pid = environment == NULL ? -1 : admission_authorize(&s->options.admission, environment, s->null);
	free(environment);
	if (pid < 0)
		return AUTHORIZATION_FAILED;
	auth_requests_add(&hub->auth_requests, pid, u);
	return AUTHORIZATION_STARTED;
}

static void
abandon(struct upgrade_server *s, struct upgrade *u)
{
	auth_requests_drop(&hub_over(s)->auth_requests, u);
}

const struct upgrade_owner hub_owner = {sizeof(struct client), begin, authorize, abandon, opened, ended};
