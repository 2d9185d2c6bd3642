/*
 * The user's say in a handshake: rules that options add, for wsupgrade and
 * wshub alike. What they mean for a request is in handshake.h.
 */
#ifndef FITTINGS_POLICY_H
#define FITTINGS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "http/head.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "ws/extension.h"

/* What the user's options say, in the order given. */
enum policy_kind {
	POLICY_ORIGIN,   /* server: let in besides our own; client: sent */
	POLICY_HOST,     /* server: the only Host names served */
	POLICY_PROTOCOL, /* server: on offer; client: asked for */
	POLICY_PATH,     /* server: the only paths served, decoded */
	POLICY_FIELD,    /* `Name: value`, into the 101 and the page; client: the request */
};

enum {
	POLICY_RULES_MAX = 100,
	POLICY_OWN_MAX = 8 * 1024, /* bytes of fields and of protocols */
	POLICY_REALM_MAX = 255,
};

struct policy_rule {
	enum policy_kind kind;
	struct span text; /* the caller's, not copied */
};

/* What is served to a GET or HEAD of `/` and each path without Upgrade. */
enum policy_page {
	POLICY_NO_PAGE,
	POLICY_CONSOLE, /* console_page() */
	POLICY_FILE,    /* the user's own */
};

/* All zero: every path, every Host, our own origin, no protocol, no page; `rules' is needed for policy_add() alone. */
struct policy {
	struct policy_rule *rules; /* the caller's, POLICY_RULES_MAX: apart, because few of them are ever touched */
	size_t count;
	size_t own; /* bytes of fields and of protocols so far */
	enum policy_page page;
	bool deflate; /* permessage-deflate: server: accepted; client: offered */
	struct extension extension; /* what this side wants of it */
	const char *realm; /* of a 401, the caller's, not copied; NULL for none */
};

/* Adds an option's value; it stays the caller's. Returns NULL, or why it cannot be. */
const char *policy_add(struct policy *policy, enum policy_kind kind, const char *text);

/* The same for the realm that a 401 asks a user and a password for. */
const char *policy_set_realm(struct policy *policy, const char *realm);

/*
 * Whether the rules go together, on a server or on a client: NULL, or why not
 * (*culprit is the value at fault). Once, behind the last rule.
 */
const char *policy_fault(const struct policy *policy, bool client, struct span *culprit);

/* How many rules of the kind there are. */
size_t policy_count(const struct policy *policy, enum policy_kind kind);

/* The rule of that kind with that very text, or an empty span. */
struct span policy_find(const struct policy *policy, enum policy_kind kind, struct span text);

/* Appends the POLICY_FIELD rules as lines of a head. */
void policy_put_fields(const struct policy *policy, struct strbuf *out);

#endif
