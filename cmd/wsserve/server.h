/*
 * wsserve: all WebSocket clients in one process, with one program for each. Its files; each one
 * uses only those above it:
 *
 *     client.c       a connection, its place in the server and its end
 *     environment.c  the environment of its program
 *     open.c         an open connection: its session and program in the loop
 *     upgrade.c      from the accepted connection to the response of its handshake
 *     wsserve.c      options, reports of the helper, shutdown, main
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
	uint32_t max, max_per_address; /* clients; max_per_address 0: no limit */
	int64_t drain_ms;
};

enum stage {
	STAGE_PROXY,       /* with --proxy: reading its PROXY header */
	STAGE_HEAD,        /* reading its request */
	STAGE_WAITING,     /* for a free slot for its authorization program */
	STAGE_AUTHORIZING,
	STAGE_OPEN,        /* the stages above belong to the handshake */
	STAGE_LINGERING,   /* refused or served the page: the response is sent, and input is discarded */
	STAGE_DEAD,        /* closed; its program has not ended yet */
};

enum start {
	START_NONE,        /* no program, or it has ended */
	START_WAITING,     /* for a process */
	START_REQUESTED,
	START_RUNNING,
};

struct server;

/* Data of an open connection. */
struct open {
	struct client *client;
	struct watch to_program, from_program; /* fd is -1 if not watched */
	int child_in, child_out; /* the program's pipe ends, until it has started */
	char *entries;           /* its environment, until it has started */
	size_t entries_size;
	bool cancelled;          /* it must not be started any more */
	int64_t began;
	struct compression *compression; /* NULL without permessage-deflate */
	struct session session;
};

struct client {
	struct watch socket; /* fd is -1 if not watched */
	struct deadline deadline;
	struct server *server;
	struct open *open;        /* in STAGE_OPEN */
	struct http_scan scan;
	struct proxy *proxy;      /* with --proxy, until the connection is open */
	unsigned char *partial;   /* incomplete head */
	uint32_t partial_size;
	uint32_t id;              /* index in server->clients, and of its program for the helper */
	struct outbox out;        /* in STAGE_LINGERING */
	uint64_t progress;        /* for progress_made() */
	struct address_key address;
	uint64_t network_low;     /* of its network; the high half is that of the address */
	unsigned number;          /* its number among the connections of its address, from 1; 0: not counted */
	unsigned char stage, start;
	bool shut, ended;         /* STAGE_LINGERING: output was shut down; EOF from the client */
	struct client *next_dead;
	char name[];              /* `wsserve: 127.0.0.1:52344`, the prefix of its diagnostics */
};

enum { NAME_FRONT = sizeof "wsserve: " - 1, NAME_SIZE = NAME_FRONT + ADDRESS_TEXT_SIZE };

/* A running authorization program. Its id for the helper is options.max plus its index. */
struct authorization {
	struct client *client; /* NULL if the client has ended */
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
	struct client **clients; /* by id, or NULL */
	uint32_t *free_ids;
	uint32_t free, count, open; /* number of free ids, of clients, and of open clients */
	struct client *dead;     /* freed at the end of the turn */
	struct ucspi ucspi;
	struct address_limit addresses, networks;
	struct authorization authorizations[AUTHORIZATIONS_MAX];
	bool authorizations_wait, starts_wait; /* clients wait for one */
	bool helper_full; /* until its next report */
	int null; /* /dev/null, stdin of authorization programs */
	struct page page;
	int64_t over_log_after;  /* when the next message about --max-per-address may be logged */
	enum shutdown shutdown;
	bool exited;             /* the time limit of the shutdown has passed */
	int status;
	struct deadlines heads, lingers, drains, ends, retries;
	struct deadlines sessions[DEADLINE_QUEUES]; /* next deadline of each session, by its distance */
	struct deadline end, retry;
	struct flows_storage storage;
	struct compression_scratch compression;
	struct http_request request; /* current request */
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
bool open_begin(struct client *c, const struct handshake *d, struct span answer, struct span trailing);
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
