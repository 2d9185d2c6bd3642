/* The parts of a server's opening handshake that wsupgrade, wsserve and wshub share in addition to the codec:
 * options, environment, authorization program and log. */
#ifndef FITTINGS_ADMISSION_H
#define FITTINGS_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/option.h"
#include "http/head.h"
#include "ws/cgi.h"
#include "ws/handshake.h"
#include "ws/policy.h"

enum {
	ADMISSION_HEAD_MS = 10 * 1000,
	ADMISSION_PAGE_MAX = 16 * 1024 * 1024,
	ADMISSION_LINGER_MS = 1000, /* time limit for the delivery of a response before the connection is closed */
};

enum { ADMISSION_HOST = OPTION_LONG, ADMISSION_CONSOLE, ADMISSION_PAGE, ADMISSION_REALM,
	ADMISSION_WINDOW, ADMISSION_NO_TAKEOVER, ADMISSION_OWN /* the first long option of the program itself */ };

/* Rows of these options for the program's table. */
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

/* Rows for permessage-deflate. */
#define ADMISSION_DEFLATE_ROWS \
	{'z', "deflate", NULL, "compressed messages (permessage-deflate)"}, \
	{ADMISSION_WINDOW, "window", "BITS", "limit of both windows in bits, 9-15 (15)"}

#define ADMISSION_TAKEOVER_ROW \
	{ADMISSION_NO_TAKEOVER, "no-takeover", NULL, "no context between messages, with -z"}

struct admission {
	const char *authorize; /* program, or NULL */
	const char *page;      /* file, or NULL */
	int64_t limit_ms;
	bool console;
	bool no_takeover;
	unsigned char window_bits; /* 0 without --window */
	struct policy policy;
};

/* Set one of these options. Other keys belong to the program. */
void admission_option(struct admission *admission, int key);

/* Check the options after the last one. Incompatible options end the program. */
void admission_options_end(struct admission *admission, bool client);

/* Build the environment in space, which has *size bytes and the alignment of a pointer: the inherited variables
 * except those of a request, and those of this request. Set *size to the used size. Return NULL if it does not fit. */
char **admission_environment_in(void *space, size_t *size, const struct http_request *request,
    const struct handshake *decision, const struct cgi_connection *ends);

/* Build the environment on the heap; the caller frees it. Return NULL without memory. */
char **admission_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *ends);

/* Start the authorization program in a new process group, with the descriptor null as its stdin.
 * Return its pid, or -1 after an error, which is logged. */
pid_t admission_authorize(const struct admission *admission, char *const *environment, int null);

/* Decide about the request whose head begins at bytes. Return the size of the head, or 0 if it is incomplete. An
 * invalid head uses all n bytes: *request is then all zero, and the decision is a refusal. */
size_t admission_request(const struct admission *admission, struct http_scan *scan, const char *bytes, size_t n,
    struct http_request *request, struct handshake *decision);

/* Return the status of a refusal by the authorization program. */
enum http_status admission_denial(const struct admission *admission);

/* Log a refusal; if verbose, also any other decision. */
void admission_log(const char *who, const struct handshake *d, const struct http_request *request, bool verbose);

#endif
