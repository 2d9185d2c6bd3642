/*
 * wsserve: all WebSocket clients in one process, with one program for each. Its files; each one
 * uses only those above it:
 *
 *     client.c       a connection, its place in the server and its end
 *     environment.c  the environment of its program
 *     open.c         an open connection: its session and program in the loop
 *     upgrade.c      authorization and opening of a connection
 *     wsserve.c      options, reports of the helper, shutdown, main
 */
#ifndef FITTINGS_WSSERVE_H
#define FITTINGS_WSSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/session.h"
#include "serve/upgrade.h"
#include "sys/address_limit.h"
#include "sys/loop.h"
#include "sys/spawner.h"
#include "sys/ucspi.h"

enum { AUTHORIZATIONS_MAX = 64, PROGRAM = 0, AUTHORIZATION_PROGRAM = 1, DEADLINE_QUEUES = 3,
	OPEN_NAME_FRONT = sizeof "wsserve: " - 1 };

struct options {
	struct session_options session;
	int64_t drain_ms;
};

enum start {
	START_NONE,        /* no program, or it has ended */
	START_WAITING,     /* for a process */
	START_REQUESTED,
	START_RUNNING,
};

struct server;

/* Data of an open connection, until its socket is closed. */
struct open {
	struct client *client;
	struct watch to_program, from_program; /* fd is -1 if not watched */
	int child_in, child_out; /* the program's pipe ends, until it has started */
	char *entries;           /* its environment, until it has started */
	size_t entries_size;
	bool cancelled;          /* it must not be started any more */
	int64_t began;
	struct compression *compression; /* NULL without permessage-deflate */
	char name[OPEN_NAME_FRONT + ADDRESS_TEXT_SIZE]; /* `wsserve: 127.0.0.1:52344`, the prefix of its diagnostics */
	struct session session;
};

struct client {
	struct upgrade base;
	struct server *server;
	struct open *open;        /* in UPGRADE_OPEN */
	struct client *next_dead;
	uint32_t id;              /* index in server->clients, and of its program for the helper */
	unsigned number;          /* its number among the connections of its address, from 1; 0: not counted */
	enum start start;
};

/* A running authorization program. Its id for the helper is --max plus its index. */
struct authorization {
	struct upgrade *client; /* NULL if the client has ended */
	bool runs;
};

enum shutdown { SHUTDOWN_NONE, SHUTDOWN_DRAINING, SHUTDOWN_CLOSING, SHUTDOWN_KILLING };

struct server {
	struct upgrade_server base;
	struct options options;
	struct spawner_programs programs;
	struct spawner spawner;
	struct watch reports;
	struct client **clients; /* by id, or NULL */
	uint32_t *free_ids;
	uint32_t free, open;     /* number of free ids, and of open clients */
	struct client *dead;     /* freed at the end of the turn */
	struct ucspi ucspi;
	struct address_limit addresses;
	struct authorization authorizations[AUTHORIZATIONS_MAX];
	bool starts_wait; /* clients wait for a program */
	bool helper_full; /* until its next report */
	enum shutdown shutdown;
	bool gave_up;             /* the time limit of the shutdown has passed */
	int status;
	struct deadlines drains, ends, retries;
	struct deadlines sessions[DEADLINE_QUEUES]; /* next deadline of each session, by its distance */
	struct deadlines unfinished; /* sessions to continue in the next turn; not a queue of the loop */
	struct deadline end, retry;
	struct flows_storage storage;
	struct compression_scratch compression;
	char scratch[SPAWNER_TEXT_MAX];
};

/* client.c */
struct server *server_of(struct loop *loop);
void client_begin(struct upgrade_server *base, struct upgrade *u);
struct client *client_of(struct deadline *deadline);
void authorization_abandon(struct upgrade_server *base, struct upgrade *u);
void watch_drop(struct loop *loop, struct watch *watch);
void open_child_ends_close(struct open *o);
void client_end(struct client *c);
void client_program_ended(struct client *c);
void clients_end_turn(struct server *s);

/* environment.c */
size_t environment_make(struct client *c, const struct proxy *proxy, const struct handshake *d, unsigned program);
bool environment_allowed(const char *entry);

/* open.c */
bool open_begin(struct client *c, const struct proxy *proxy, const struct handshake *d, struct span answer,
    struct span trailing);
void open_stop(struct client *c);
void open_lost(struct client *c);
void open_report(struct client *c, enum spawner_event event, int value);
void open_start_retry(struct server *s);
void open_continue(struct server *s);
void open_deadline(struct loop *loop, struct deadline *deadline);

/* upgrade.c */
extern const struct upgrade_owner server_owner;
void upgrade_report(struct server *s, unsigned index, enum spawner_event event, int value);
bool authorization_possible(const struct server *s);

#endif
