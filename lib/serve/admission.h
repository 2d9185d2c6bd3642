/*
 * What wsupgrade and wshub share of a server's opening handshake: its options, and what
 * answering takes besides the codec (the environment, the user's own authorization program,
 * the log).
 */
#ifndef FITTINGS_ADMISSION_H
#define FITTINGS_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/option.h"
#include "base/span.h"
#include "http/head.h"
#include "ws/cgi.h"
#include "ws/handshake.h"
#include "ws/policy.h"

enum {
	ADMISSION_HEAD_MS = 10 * 1000,
	ADMISSION_HEAD_MS_MAX = 24 * 60 * 60 * 1000,
	ADMISSION_PAGE_MAX = 16 * 1024 * 1024,
	ADMISSION_LINGER_MS = 1000, /* how long an answer may take to arrive before we go */
};

enum { ADMISSION_HOST = OPTION_LONG, ADMISSION_CONSOLE, ADMISSION_PAGE, ADMISSION_REALM,
	ADMISSION_WINDOW, ADMISSION_NO_TAKEOVER, ADMISSION_OWN /* the first long option of a program's own */ };

/* The rows of these options, for a program's table. */
#define ADMISSION_ROWS \
	{'o', "origin", "ORIGIN", "foreign origin to allow, null, or * (same host)"}, \
	{ADMISSION_HOST, "host", "NAME", "host name to serve, repeatable (any)"}, \
	{'s', "protocol", "NAME", "subprotocol to offer, or to ask for (none)"}, \
	{'P', "path", "PATH", "path to serve, repeatable (any)"}, \
	{'a', "authorize", "PROGRAM", "program that admits a client by exit status 0"}, \
	{ADMISSION_REALM, "realm", "NAME", "realm for Basic authentication, with -a (none)"}, \
	{'H', "header", "FIELD", "'Name: value' for the response or the request"}, \
	{'t', "timeout", "TIME", "time limit for the head of the request (10s)"}, \
	{ADMISSION_CONSOLE, "console", NULL, "a WebSocket console as the page for browsers"}, \
	{ADMISSION_PAGE, "page", "FILE", "HTML page for browsers"}

/* And those of permessage-deflate, if the program has it. */
#define ADMISSION_DEFLATE_ROWS \
	{'z', "deflate", NULL, "compressed messages (permessage-deflate)"}, \
	{ADMISSION_WINDOW, "window", "BITS", "limit of both windows in bits, 9-15 (15)"}

#define ADMISSION_TAKEOVER_ROW \
	{ADMISSION_NO_TAKEOVER, "no-takeover", NULL, "no context between messages, with -z"}

struct admission {
	const char *authorize; /* program, NULL for none */
	const char *page;      /* file, NULL for none */
	int64_t limit_ms;
	bool console;
	bool no_takeover;
	unsigned char window_bits; /* 0 without --window */
	struct policy policy;
};

/* Takes one of its options; the others are the program's. */
void admission_option(struct admission *admission, int key);

/* Once, behind the last option: whether they go together. */
void admission_options_end(struct admission *admission, bool client);

/*
 * Our environment without what any request sets, with what this one does, put
 * together in a room of *size bytes, aligned as a pointer is; *size then is
 * what it takes up. NULL where it does not fit.
 */
char **admission_environment_in(void *room, size_t *size, const struct http_request *request,
    const struct handshake *decision, const struct cgi_connection *ends);

/* The same in room of its own, to free. NULL where there is no memory. */
char **admission_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *ends);

/* Starts the authorization program, in a process group of its own, with null as its stdin. Returns its
 * pid, or -1, having said why. */
pid_t admission_authorize(const struct admission *admission, char *const *environment, int null);

/*
 * Decides about a request whose head stands in bytes. Returns the size of the head, 0 if it is not complete. A head
 * that cannot be taken uses all n bytes: *request is all zero then, and the decision the refusal.
 */
size_t admission_request(const struct admission *admission, struct http_scan *scan, const char *bytes, size_t n,
    struct http_request *request, struct handshake *decision);

/* What the authorization program's refusal is answered with. */
enum http_status admission_denial(const struct admission *admission);

/* The subprotocols that a client was let in without, because none of them is on offer; or empty. */
struct span admission_protocols_missed(const struct handshake *d, const struct http_request *request);

/* The log line of an answer: a refusal always, the others where verbose. */
void admission_log(const char *who, const struct handshake *d, const struct http_request *request, bool verbose);

#endif
