/* Authorization and opening of a connection. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server.h"

/* Return the index of a free slot for an authorization program, or AUTHORIZATIONS_MAX. */
static unsigned
slot_find(const struct server *s)
{
	unsigned i = 0;

	while (i < AUTHORIZATIONS_MAX && s->authorizations[i].runs)
		i++;
	return i;
}

bool
authorization_possible(const struct server *s)
{
	return slot_find(s) < AUTHORIZATIONS_MAX;
}

static enum upgrade_authorization
authorize(struct upgrade_server *base, struct upgrade *u, const struct handshake *d)
{
	struct server *s = (struct server *)base;
	struct client *c = (struct client *)u;
	unsigned i = slot_find(s);

	if (i < AUTHORIZATIONS_MAX) {
		size_t size = environment_make(c, u->proxy, d, AUTHORIZATION_PROGRAM);

		if (spawner_start(&s->spawner, base->options.max + i, AUTHORIZATION_PROGRAM, s->scratch, size, base->null,
		    STDERR_FILENO) == 0) {
			s->authorizations[i] = (struct authorization){.client = u, .runs = true};
			return AUTHORIZATION_STARTED;
		}
	}
	deadline_set(&base->loop, &s->retries, &s->retry);
	return AUTHORIZATION_WAITS;
}

static bool
opened(struct upgrade_server *base, struct upgrade *u, struct handshake *d, const struct proxy *proxy,
    struct span response, unsigned char *trailing, size_t n)
{
	struct server *s = (struct server *)base;

	if (s->shutdown >= SHUTDOWN_CLOSING) {
		handshake_refuse(d, HTTP_SERVICE_UNAVAILABLE, "the server is shutting down");
		return false;
	}
	if (!open_begin((struct client *)u, proxy, d, response, (struct span){(char *)trailing, n})) {
		warn("%s: %s", quoted(s->options.session.program[0]), strerror(errno));
		handshake_refuse(d, HTTP_SERVICE_UNAVAILABLE, "program cannot be started");
		return false;
	}
	if (base->options.verbose)
		admission_log(upgrade_name(u).text, d, &base->request, true);
	return true;
}

static void
ended(struct upgrade_server *base, struct upgrade *u)
{
	(void)base;
	client_end((struct client *)u);
}

const struct upgrade_owner server_owner = {
	sizeof(struct client), client_begin, authorize, authorization_abandon, opened, ended,
};

/* Handle the helper's report about an authorization program. */
void
upgrade_report(struct server *s, unsigned index, enum spawner_event event, int value)
{
	struct authorization *a = &s->authorizations[index];
	struct upgrade *u = a->client;

	if (event == SPAWNER_STARTED)
		return;
	*a = (struct authorization){0};
	if (event != SPAWNER_ENDED)
		warn("%s: %s", quoted(s->base.options.admission.authorize), strerror(value));
	if (u != NULL && event == SPAWNER_ENDED)
		upgrade_authorized(&s->base, u, value);
	else if (u != NULL)
		upgrade_authorization_failed(&s->base, u);
}
