/* The user's rules for a handshake, set by options of wsupgrade and wshub. Their effect on a request is described
 * in handshake.h. */
#ifndef FITTINGS_POLICY_H
#define FITTINGS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "ws/extension.h"

/* The rules of the options, in the given order. */
enum policy_kind {
	POLICY_ORIGIN,   /* server: accepted in addition to its own; client: sent */
	POLICY_HOST,     /* server: the only accepted Host names */
	POLICY_PROTOCOL, /* server: offered; client: requested */
	POLICY_PATH,     /* server: the only accepted paths, decoded */
	POLICY_FIELD,    /* `Name: value` in the 101 and the page; client: in the request */
};

enum {
	POLICY_RULES_MAX = 100,
	POLICY_OWN_MAX = 8 * 1024, /* bytes of fields and protocols */
	POLICY_REALM_MAX = 255,
};

struct policy_rule {
	enum policy_kind kind;
	struct span text; /* not copied */
};

/* The response to a GET or HEAD without Upgrade for `/` and each listed path. */
enum policy_page {
	POLICY_NO_PAGE,
	POLICY_CONSOLE, /* console_page() */
	POLICY_FILE,    /* the user's file */
};

/* All zero: every path, every Host, the server's own origin, no protocol, no page. Only
 * policy_add() needs `rules`. */
struct policy {
	struct policy_rule *rules; /* POLICY_RULES_MAX of them, in the caller's memory; unused ones are never touched */
	size_t count;
	size_t own; /* current bytes of fields and protocols */
	enum policy_page page;
	bool deflate; /* permessage-deflate: accepted by a server, offered by a client */
	struct extension extension; /* its parameters */
	const char *realm; /* realm of a 401, not copied; NULL for none */
};

/* Add the value of an option, which is not copied. Return NULL or the error. */
const char *policy_add(struct policy *policy, enum policy_kind kind, const char *text);

/* Set the realm of a 401, which asks for a user and password. Return NULL or the error. */
const char *policy_set_realm(struct policy *policy, const char *realm);

/* Check whether the rules are compatible, for a server or a client. Return NULL or the error, and set *culprit to
 * its value. Called once, after the last rule. */
const char *policy_fault(const struct policy *policy, bool client, struct span *culprit);

/* Return the number of rules of a kind. */
size_t policy_count(const struct policy *policy, enum policy_kind kind);

/* Return the rule of that kind and exact text, or an empty span. */
struct span policy_find(const struct policy *policy, enum policy_kind kind, struct span text);

/* Append the POLICY_FIELD rules as header fields. */
void policy_put_fields(const struct policy *policy, struct strbuf *out);

#endif
