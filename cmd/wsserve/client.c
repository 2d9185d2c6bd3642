#include <stdlib.h>
#include <unistd.h>

#include "server.h"

struct server *
server_of(struct loop *loop)
{
	return (struct server *)loop;
}

/* Give an accepted connection an id, and count it for its address. */
void
client_begin(struct upgrade_server *base, struct upgrade *u)
{
	struct server *s = (struct server *)base;
	struct client *c = (struct client *)u;
	struct address remote = upgrade_remote(u);

	c->server = s;
	c->id = s->free_ids[--s->free];
	s->clients[c->id] = c;
	if (!base->options.proxy && remote.any.sa_family != AF_UNIX)
		c->number = address_limit_add(&s->addresses, address_key_of(&remote));
}

struct client *
client_of(struct deadline *deadline)
{
	return (struct client *)upgrade_of(deadline);
}

/* The client and its program have ended: free it at the end of the turn. */
static void
client_retire(struct client *c)
{
	c->next_dead = c->server->dead;
	c->server->dead = c;
}

void
authorization_abandon(struct upgrade_server *base, struct upgrade *u)
{
	struct server *s = (struct server *)base;

	for (unsigned i = 0; i < AUTHORIZATIONS_MAX; i++) {
		if (s->authorizations[i].client != u)
			continue;
		s->authorizations[i].client = NULL;
		spawner_abandon(&s->spawner, s->base.options.max + i);
	}
}

void
watch_drop(struct loop *loop, struct watch *watch)
{
	if (watch->fd >= 0)
		watch_end(loop, watch);
	watch->fd = -1;
}

void
open_child_ends_close(struct open *o)
{
	if (o->child_in < 0)
		return;
	(void)close(o->child_in);
	(void)close(o->child_out);
	o->child_in = o->child_out = -1;
	free(o->entries);
	o->entries = NULL;
}

static void
open_release(struct client *c)
{
	struct open *o = c->open;
	struct loop *loop = &c->server->base.loop;

	c->server->open--;
	watch_drop(loop, &o->to_program);
	watch_drop(loop, &o->from_program);
	watch_drop(loop, &c->base.socket);
	if (o->session.conn.state != WS_CLOSED)
		(void)close(o->session.peer_in.fd);
	open_child_ends_close(o);
	session_end(&o->session);
	free(o);
	c->open = NULL;
}

/* Close the connection, and kill a running program. */
void
client_end(struct client *c)
{
	struct server *s = c->server;

	if (c->open != NULL)
		open_release(c);
	upgrade_close(&s->base, &c->base);
	if (c->number != 0) {
		struct address remote = upgrade_remote(&c->base);

		address_limit_remove(&s->addresses, address_key_of(&remote));
	}
	if (c->start == START_REQUESTED || c->start == START_RUNNING)
		spawner_abandon(&s->spawner, c->id);
	else
		client_retire(c);
}

/* The program of a client that is already closed has ended. */
void
client_program_ended(struct client *c)
{
	c->start = START_NONE;
	client_retire(c);
}

/* Free the clients that ended in this turn. Until then they remain valid. */
void
clients_end_turn(struct server *s)
{
	for (struct client *c; (c = s->dead) != NULL;) {
		s->dead = c->next_dead;
		s->clients[c->id] = NULL;
		s->free_ids[s->free++] = c->id;
		upgrade_gone(&s->base, s->shutdown == SHUTDOWN_NONE);
		free(c);
	}
}
