/* The options of sessions that wsframe and wsserve share: records, limits and keepalive. */
#ifndef FITTINGS_SESSION_OPTIONS_H
#define FITTINGS_SESSION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/option.h"
#include "ws/record.h"

enum { SESSION_REPLACE = 2 * OPTION_LONG }; /* no long option of a program has this key */

#define SESSION_KEEPALIVE_ROWS \
	{'k', "ping", "TIME", "silence before a Ping, 0: never (30s)"}, \
	{'w', "close-wait", "TIME", "limit for the Close and each shutdown step (2s)"}
#define SESSION_REPLACE_ROW {SESSION_REPLACE, "replace", NULL, "U+FFFD for invalid UTF-8 from the program"}
#define SESSION_ROWS(max, peer) /* max: the name of -M */ \
	{'b', "binary", NULL, "byte stream instead of records"}, \
	{'0', "nul", NULL, "records that end with NUL instead of newline"}, \
	{'n', "netstring", NULL, "records as netstrings"}, \
	{'T', "types", NULL, "with -n: type t or b before each payload"}, \
	{'M', max, "SIZE", "largest message from " peer ", 0: any (16M)"}, \
	SESSION_KEEPALIVE_ROWS, SESSION_REPLACE_ROW

#define SESSION_DEFAULTS .max = 16 << 20, .ping_ms = 30000, .wait_ms = 2000

/* Shared by sessions. */
struct session_options {
	bool client, verbose, replace;
	bool binary, nul, netstring, types; /* as given; session_options_end() derives the mode */
	bool upgraded;     /* the owner has answered the handshake */
	bool quiet_given;  /* quiet_ms was set by the user */
	enum record_mode mode;
	uint64_t max;      /* largest message from the peer, 0: no limit */
	uint64_t count;    /* messages before a client without a program closes, 0: no limit */
	int64_t ping_ms;   /* 0: no keepalive */
	int64_t wait_ms;   /* time limit of each shutdown step */
	int64_t quiet_ms;  /* -q of a client without a program; CLOCK_NEVER: the peer ends the session */
	char **program;    /* NULL: records go to stdout and come from stdin */
};

/* Set the option of one of the rows above. Return false for other keys, which belong to the program. */
bool session_option(struct session_options *options, int key);

/* Check the options after the last one. Incompatible options end the program. max: the name of -M. */
void session_options_end(struct session_options *options, const char *max);

#endif
