/*
 * wsserve: one process for all WebSocket clients, one program for each of them. Its files, the lower ones first:
 *
 *     client.c       a connection, its place among the others and its end
 *     environment.c  the environment of its program
 *     open.c         an open connection: its session and its program in the loop
 *     upgrade.c      from the accepted connection to the answer of its handshake
 *     wsserve.c      options, the helper's reports, shutdown, main
 */
#ifndef FITTINGS_WSSERVE_H
#define FITTINGS_WSSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"
#include "http/proxy.h"
#include "serve/admission.h"
#include "serve/outbox.h"
#include "serve/page.h"
#include "serve/session.h"
#include "sys/acceptor.h"
#include "sys/address.h"
#include "sys/address_limit.h"
#include "sys/listen.h"
#include "sys/loop.h"
#include "sys/spawner.h"
#include "sys/ucspi.h"

enum { AUTHORIZATIONS_MAX = 64, PROGRAM = 0, AUTHORIZATION_PROGRAM = 1, DEADLINE_QUEUES = 3 };

struct options {
	struct admission admission;
	struct session_options session;
	bool verbose, binary, nul, netstring, types, proxy;
	uint32_t max, max_per_address; /* clients; of one address 0: any number */
	int64_t drain_ms;
};

enum stage {
	STAGE_PROXY,       /* with --proxy: its PROXY header is read */
	STAGE_HEAD,        /* its request is read */
	STAGE_WAITING,     /* for an authorization program to be started for it */
	STAGE_AUTHORIZING,
	STAGE_OPEN,        /* the stages above are of the handshake */
	STAGE_LINGERING,   /* it was refused or got the page: that is sent, and what it sends is discarded */
	STAGE_DEAD,        /* closed; its program has not ended yet */
};

enum start {
	START_NONE,        /* no program, or no longer */
	START_WAITING,     /* for a process */
	START_REQUESTED,
	START_RUNNING,
};

struct server;

/* What only an open connection needs. */
struct open {
	struct client *client;
	struct watch to_program, from_program; /* fd is -1 while it is not watched */
	int child_in, child_out; /* the program's ends of its pipes, until it is started */
	char *entries;           /* its environment, likewise */
	size_t entries_size;
	bool cancelled;          /* it is not to be started any more */
	int64_t began;
	struct compression *compression; /* NULL without permessage-deflate */
	struct session session;
};

struct client {
	struct watch socket; /* fd is -1 while it is not watched */
	struct deadline deadline;
	struct server *server;
	struct open *open;        /* STAGE_OPEN */
	struct http_scan scan;
	struct proxy *proxy;      /* with --proxy, before it is open */
	unsigned char *kept;      /* the part of a head that has come in */
	uint32_t kept_size;
	uint32_t id;              /* in server->clients, and of its program for the helper */
	struct outbox out;        /* STAGE_LINGERING */
	uint64_t progress;        /* for progress_made() */
	struct address_key address;
	uint64_t network_low;     /* of its network, which begins as its address does */
	unsigned number;          /* of the connections of its address, from 1; 0: it has none */
	unsigned char stage, start;
	bool shut, ended;         /* STAGE_LINGERING: this side of the connection has ended, the client's has */
	struct client *next_dead;
	char name[];              /* `wsserve: 127.0.0.1:52344`, before each of its diagnostics */
};

enum { NAME_FRONT = sizeof "wsserve: " - 1, NAME_SIZE = NAME_FRONT + ADDRESS_TEXT_SIZE };

/* An authorization program that runs; its id for the helper is options.max and its index. */
struct authorization {
	struct client *client; /* NULL if nobody waits for it any more */
	bool runs;
};

enum shutdown { SHUTDOWN_NONE, SHUTDOWN_DRAINING, SHUTDOWN_CLOSING, SHUTDOWN_KILLING };

struct server {
	struct options options;
	struct loop loop;
	struct acceptor acceptor;
	struct listeners listeners;
	struct spawner_programs programs;
	struct spawner spawner;
	struct watch reports;
	struct client **clients; /* by id, NULL for none */
	uint32_t *free_ids;
	uint32_t free, count, open; /* free ids; clients, and the open ones among them */
	struct client *dead;     /* freed at the turn's end */
	struct ucspi ucspi;
	struct address_limit addresses, networks;
	struct authorization authorizations[AUTHORIZATIONS_MAX];
	bool authorizations_wait, starts_wait; /* clients wait for one */
	int null; /* /dev/null, stdin of authorization programs */
	struct page page;
	int64_t over_log_after;  /* of --max-per-address */
	enum shutdown shutdown;
	bool exited;             /* the shutdown has lasted long enough */
	int status;
	struct deadlines heads, lingers, drains, ends, retries;
	struct deadlines sessions[DEADLINE_QUEUES]; /* the next deadline of each session, by how far away it is */
	struct deadline end, retry;
	struct flows_storage storage;
	struct compression_scratch compression;
	struct http_request request; /* that is looked at */
	char scratch[SPAWNER_TEXT_MAX];
};

/* client.c */
struct client *client_new(struct server *s, int fd, const struct address *remote,
    void (*ready)(struct loop *, struct watch *, uint32_t));
void client_set_name(struct client *c, const struct address *remote);
const char *client_name(const struct client *c);
void client_count(struct client *c, const struct address *remote);
void client_uncount(struct client *c);
void client_deadline(struct client *c, struct deadlines *queue);
struct client *client_of(struct deadline *deadline);
void authorization_abandon(struct client *c);
void watch_drop(struct loop *loop, struct watch *watch);
void open_child_ends_close(struct open *o);
void client_end(struct client *c);
void client_program_ended(struct client *c);
void clients_end_turn(struct server *s);

/* environment.c */
size_t environment_make(struct client *c, const struct handshake *d, unsigned program);
bool environment_allowed(const char *entry);

/* open.c */
bool open_begin(struct client *c, const struct handshake *d, struct span answer, struct span behind);
void open_stop(struct client *c);
void open_lost(struct client *c);
void open_report(struct client *c, enum spawner_event event, int value);
void open_start_again(struct server *s);
void open_deadline(struct loop *loop, struct deadline *deadline);

/* upgrade.c */
struct server *server_of(struct loop *loop);
void upgrade_accept(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote);
void upgrade_late(struct loop *loop, struct deadline *deadline);
void upgrade_report(struct server *s, unsigned index, enum spawner_event event, int value);
void upgrade_authorize_next(struct server *s);

#endif
