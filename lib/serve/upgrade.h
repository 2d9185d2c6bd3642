/*
 * A server with many connections on one loop, from accepting a connection to the response of its
 * opening handshake: PROXY header, request, authorization, page or refusal, and their time limits.
 * The owner opens the admitted connections, and embeds both structs as the first members of its own structs.
 */
#ifndef FITTINGS_UPGRADE_H
#define FITTINGS_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/head.h"
#include "http/proxy.h"
#include "serve/admission.h"
#include "serve/outbox.h"
#include "serve/page.h"
#include "sys/acceptor.h"
#include "sys/address.h"
#include "sys/address_limit.h"
#include "sys/listen.h"
#include "sys/loop.h"

enum { UPGRADE_KEY_PROXY = ADMISSION_OWN, UPGRADE_KEY_EXIT_IDLE, UPGRADE_OWN /* for the program */ };

/* Rows of these options for the program's table. max: the default of --max. */
#define UPGRADE_ROWS(max) \
	{'v', "verbose", NULL, "log of connections and their ends"}, \
	{'c', "max", "N", "connections at once; later ones wait (" max ")"}, \
	{'C', "max-per-address", "N", "limit per address; excess is closed (none)"}, \
	{UPGRADE_KEY_EXIT_IDLE, "exit-idle-time", "TIME", "exit after this time without connections (never)"}

#define UPGRADE_HANDSHAKE_ROWS \
	{UPGRADE_KEY_PROXY, "proxy", NULL, "PROXY header before each request"}, \
	ADMISSION_ROWS, \
	ADMISSION_DEFLATE_ROWS

struct upgrade_options {
	struct admission admission;
	bool verbose, proxy;
	uint32_t max, max_per_address; /* connections; max_per_address 0: no limit */
	int64_t idle_ms; /* 0: no exit without connections */
	struct policy_rule rules[POLICY_RULES_MAX]; /* of the admission; untouched without options */
};

enum upgrade_stage {
	UPGRADE_PROXY,       /* with --proxy: reading its PROXY header */
	UPGRADE_HEAD,        /* reading its request */
	UPGRADE_WAITING,     /* for a free slot for its authorization program */
	UPGRADE_AUTHORIZING,
	UPGRADE_LINGERING,   /* refused or served the page: the response is sent, and input is discarded */
	UPGRADE_OPEN,        /* belongs to the owner */
	UPGRADE_DEAD,        /* closed; freed by the owner */
};

/* A connection. From UPGRADE_OPEN on, the owner uses the fields. */
struct upgrade {
	struct watch socket;
	struct deadline deadline;
	union {
		struct {                    /* before the response */
			struct proxy *proxy;    /* NULL without --proxy */
			struct http_scan scan;
		};
		struct {                    /* from the response on */
			struct outbox out;
			uint64_t progress;      /* for progress_made() */
		};
	};
	unsigned char *partial;         /* incomplete head */
	uint32_t partial_size;
	uint16_t port;                  /* of the client, and its address as IPv6; all zero without one (UNIX socket) */
	unsigned char ip[16];
	unsigned char stage;
	bool counted : 1;               /* for --max-per-address */
	bool shut : 1, ended : 1;       /* UPGRADE_LINGERING: output was shut down; EOF from the client */
};

struct upgrade_server;

enum upgrade_authorization { AUTHORIZATION_STARTED, AUTHORIZATION_WAITS, AUTHORIZATION_FAILED };

/* Calls to the owner. None of them frees the connection during the call. */
struct upgrade_owner {
	size_t size; /* of a connection with the data of the owner, which is all zero initially */
	/* A new connection. The owner frees it after end(). */
	void (*begin)(struct upgrade_server *s, struct upgrade *u);
	/* Start the authorization program for s->request. May log an error. */
	enum upgrade_authorization (*authorize)(struct upgrade_server *s, struct upgrade *u, const struct handshake *d);
	/* End that program, because its result is not needed any more. */
	void (*abandon)(struct upgrade_server *s, struct upgrade *u);
	/* Open the connection with the response to s->request, a 101. trailing: n bytes that followed the request.
	 * Log the decision. Return false after handshake_refuse() if resources are missing. */
	bool (*open)(struct upgrade_server *s, struct upgrade *u, struct handshake *d, const struct proxy *proxy,
	    struct span response, unsigned char *trailing, size_t n);
	/* Close the connection (upgrade_close()). */
	void (*end)(struct upgrade_server *s, struct upgrade *u);
};

struct upgrade_server {
	struct loop loop; /* the first member: handlers find the server by it */
	struct upgrade_options options;
	struct acceptor acceptor;
	struct listeners listeners;
	const struct upgrade_owner *owner;
	void (*on_idle)(struct upgrade_server *s); /* begin the shutdown, if it has not begun */
	unsigned char *input;       /* HTTP_HEAD_MAX + read_most bytes, shared by all connections */
	size_t read_most;           /* by one read */
	const char *busy;           /* why requests are not read now, or NULL */
	uint32_t count;             /* connections until upgrade_gone() */
	int null;                   /* stdin of authorization programs: /dev/null */
	struct address_limit networks;
	struct page page;
	int64_t over_log_after;     /* when the next message about --max-per-address may be logged */
	struct deadlines heads, lingers, idles;
	struct deadline idle;       /* set without connections, with --exit-idle-time */
	struct deadlines waits;     /* as heads: connections in UPGRADE_WAITING, first in, first out */
	struct http_request request; /* the current request; all zero if it is incomplete */
};

/* Set the defaults of the options, which are all zero, and one option. Other keys belong to the program. */
void upgrade_options_begin(struct upgrade_options *options, uint32_t max);
void upgrade_option(struct upgrade_options *options, int key);

/* Open the listeners and set up a server whose options, page, owner, on_idle, input and read_most are set. It does not
 * accept yet. An accepted connection must not fail because of missing descriptors: lower --max if their hard limit does
 * not allow `others` and per_connection for each. Return false after an error, which is logged. */
bool upgrade_begin(struct upgrade_server *s, size_t others, size_t per_connection);

/* Return the client's address. */
struct address upgrade_remote(const struct upgrade *u);

struct upgrade_name {
	char text[ADDRESS_TEXT_SIZE];
};

/* Return `127.0.0.1:52344` for log lines. */
struct upgrade_name upgrade_name(const struct upgrade *u);

static inline struct upgrade *
upgrade_of(struct deadline *deadline)
{
	return (struct upgrade *)((char *)deadline - offsetof(struct upgrade, deadline));
}

/* Adapt the watch of a connection before UPGRADE_OPEN, after a change of s->busy. */
void upgrade_interest(struct upgrade_server *s, struct upgrade *u);

/* The authorization program of a connection in UPGRADE_AUTHORIZING has ended, or could not be started. */
void upgrade_authorized(struct upgrade_server *s, struct upgrade *u, int wait_status);
void upgrade_authorization_failed(struct upgrade_server *s, struct upgrade *u);

/* Start authorization programs for waiting connections, as far as possible. Only with --authorize. */
void upgrade_authorize_next(struct upgrade_server *s);

/* The server stops: refuse a request that waits for authorization. An incomplete one may be in flight, and has a
 * second. */
void upgrade_stop(struct upgrade_server *s, struct upgrade *u);

/* Release everything of a connection, and close its socket unless the owner has done that (the watch's fd is -1). It
 * is then in UPGRADE_DEAD. */
void upgrade_close(struct upgrade_server *s, struct upgrade *u);

/* Stop counting a closed connection. accepts: another one may be accepted in its place. */
void upgrade_gone(struct upgrade_server *s, bool accepts);

#endif
