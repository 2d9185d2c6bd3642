#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

/* Allocate a watched client in server->clients. Return NULL with errno. */
struct client *
client_new(struct server *s, int fd, const struct address *remote,
    void (*ready)(struct loop *, struct watch *, uint32_t))
{
	struct client *c = malloc(sizeof *c + NAME_SIZE);

	if (c == NULL)
		return NULL;
	*c = (struct client){.socket.ready = ready, .server = s, .stage = STAGE_HEAD};
	client_set_name(c, remote);
	if (watch_begin(&s->loop, &c->socket, fd, EPOLLIN) != 0) {
		free(c);
		return NULL;
	}
	c->id = s->free_ids[--s->free];
	s->clients[c->id] = c;
	if (++s->count == s->options.max)
		acceptor_full(&s->loop, &s->acceptor, s->count);
	return c;
}

void
client_set_name(struct client *c, const struct address *remote)
{
	memcpy(c->name, "wsserve: ", NAME_FRONT);
	address_text(remote, c->name + NAME_FRONT);
}

const char *
client_name(const struct client *c)
{
	return c->name + NAME_FRONT;
}

/* Count the client for its address. */
void
client_count(struct client *c, const struct address *remote)
{
	struct server *s = c->server;
	struct address_key network;

	if (remote->any.sa_family == AF_UNIX)
		return;
	network = address_key_of_network(remote);
	c->address = address_key_of(remote);
	c->network_low = network.low;
	c->number = address_limit_add(&s->addresses, c->address);
	(void)address_limit_add(&s->networks, network);
}

void
client_uncount(struct client *c)
{
	struct server *s = c->server;

	if (c->number == 0)
		return;
	c->number = 0;
	address_limit_remove(&s->addresses, c->address);
	address_limit_remove(&s->networks, (struct address_key){c->address.high, c->network_low});
}

void
client_deadline(struct client *c, struct deadlines *queue)
{
	deadline_drop(&c->deadline);
	deadline_set(&c->server->loop, queue, &c->deadline);
}

struct client *
client_of(struct deadline *deadline)
{
	return (struct client *)((char *)deadline - offsetof(struct client, deadline));
}

/* The client and its program have ended: free it at the end of the turn. */
static void
client_retire(struct client *c)
{
	c->next_dead = c->server->dead;
	c->server->dead = c;
}

void
authorization_abandon(struct client *c)
{
	struct server *s = c->server;

	for (unsigned i = 0; i < AUTHORIZATIONS_MAX; i++) {
		if (s->authorizations[i].client != c)
			continue;
		s->authorizations[i].client = NULL;
		spawner_abandon(&s->spawner, s->options.max + i);
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
	struct loop *loop = &c->server->loop;

	c->server->open--;
	watch_drop(loop, &o->to_program);
	watch_drop(loop, &o->from_program);
	watch_drop(loop, &c->socket);
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

	if (c->stage == STAGE_AUTHORIZING)
		authorization_abandon(c);
	c->stage = STAGE_DEAD;
	deadline_drop(&c->deadline);
	outbox_clear(&c->out);
	free(c->partial);
	free(c->proxy);
	c->partial = NULL;
	c->proxy = NULL;
	client_uncount(c);
	if (c->open != NULL)
		open_release(c);
	else
		watch_close(&s->loop, &c->socket);
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
		if (s->count-- == s->options.max && s->shutdown == SHUTDOWN_NONE)
			acceptor_start(&s->loop, &s->acceptor);
		acceptor_retry(&s->loop, &s->acceptor);
		free(c);
	}
}
