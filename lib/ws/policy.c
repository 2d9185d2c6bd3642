#include "ws/policy.h"

#include "http/origin.h"

static bool
has_star(struct span text)
{
	return text.size != 0 && memchr(text.at, '*', text.size) != NULL;
}

static const char *
origin_fault(struct span text)
{
	struct origin origin;

	if (span_equal(text, span_of("*")) || span_equal(text, span_of("null"))
	    || span_equal(text, span_of("file://")))
		return NULL;
	if (has_star(text))
		return origin_pattern_parse(text, &origin) ? NULL
		    : "not scheme://*.SUFFIX[:port] with a suffix of at least two labels, or localhost";
	if (origin_parse(text, &origin))
		return NULL;
	return "not scheme://host[:port] (without a final slash), file://, null or *";
}

static const char *
host_fault(struct span text)
{
	struct http_authority authority;
	char bracketed[64] = "[";

	if (http_authority_parse(text, &authority) && span_equal(authority.host, text) && !has_star(text))
		return NULL;
	if (text.size != 0 && text.size < sizeof bracketed - 2) {
		memcpy(bracketed + 1, text.at, text.size);
		bracketed[text.size + 1] = ']';
		if (http_authority_parse((struct span){bracketed, text.size + 2}, &authority))
			return NULL;
	}
	return "not a host name or address (without a port)";
}

static const char *
path_fault(struct span text)
{
	return text.size != 0 && *text.at == '/' ? NULL : "does not begin with a slash";
}

/* Parse name and value of a POLICY_FIELD rule. Return false if it is invalid. */
static bool
policy_field(struct span text, struct http_field *field)
{
	const char *colon = text.size == 0 ? NULL : memchr(text.at, ':', text.size);

	if (colon == NULL)
		return false;
	field->name = (struct span){text.at, (size_t)(colon - text.at)};
	field->value = span_skip(text, field->name.size + 1);
	while (field->value.size != 0 && *field->value.at == ' ')
		field->value = span_skip(field->value, 1);
	return http_token_valid(field->name) && http_value_valid(field->value);
}

static const char *
field_fault(struct span text)
{
	struct http_field field;

	return policy_field(text, &field) ? NULL : "not 'Name: value' on one line";
}

static const char *
rule_fault(const struct policy *policy, enum policy_kind kind, struct span text)
{
	switch (kind) {
	case POLICY_ORIGIN: return origin_fault(text);
	case POLICY_HOST: return host_fault(text);
	case POLICY_PATH: return path_fault(text);
	case POLICY_FIELD: return field_fault(text);
	case POLICY_PROTOCOL: break;
	}
	for (size_t i = 0; i < policy->count; i++)
		if (policy->rules[i].kind == kind && span_equal(policy->rules[i].text, text))
			return "given twice";
	return http_token_valid(text) ? NULL : "not a token (RFC 9110 section 5.6.2)";
}

const char *
policy_add(struct policy *policy, enum policy_kind kind, const char *text)
{
	struct span value = span_of(text);
	bool sent = kind == POLICY_FIELD || kind == POLICY_PROTOCOL;
	size_t own = sent ? value.size + sizeof ": \r\n" : 0;
	const char *why = rule_fault(policy, kind, value);

	if (why != NULL)
		return why;
	if (policy->count == POLICY_RULES_MAX)
		return "more than 100 origins, hosts, protocols, paths and fields";
	if (own > POLICY_OWN_MAX - policy->own)
		return "more than 8 KiB of fields and protocols";
	policy->own += own;
	policy->rules[policy->count++] = (struct policy_rule){kind, value};
	return NULL;
}

const char *
policy_set_realm(struct policy *policy, const char *realm)
{
	struct span text = span_of(realm);

	if (text.size > POLICY_REALM_MAX || !http_value_valid(text) || memchr(realm, '\t', text.size) != NULL)
		return "not a realm (at most 255 bytes, no control bytes)";
	policy->realm = realm;
	return NULL;
}

/* Return whether the handshake writes this field itself, or the field would change how the message is parsed. */
static bool
field_reserved(struct span name, bool client)
{
	static const char *const both[] = {
		"Connection", "Content-Length", "Host", "Origin", "Trailer", "Transfer-Encoding",
		"Upgrade",
	};
	static const char *const server[] = {
		"Allow", "Cache-Control", "Content-Encoding", "Content-Security-Policy",
		"Content-Type", "X-Content-Type-Options",
	};

	if (span_begins_case(name, span_of("Sec-WebSocket-")))
		return true;
	for (size_t i = 0; i < sizeof both / sizeof *both; i++)
		if (span_equal_case(name, span_of(both[i])))
			return true;
	for (size_t i = 0; !client && i < sizeof server / sizeof *server; i++)
		if (span_equal_case(name, span_of(server[i])))
			return true;
	return false;
}

const char *
policy_fault(const struct policy *policy, bool client, struct span *culprit)
{
	size_t origins = 0;

	for (size_t i = 0; i < policy->count; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		struct http_field field;

		*culprit = rule->text;
		if (rule->kind == POLICY_FIELD && policy_field(rule->text, &field)
		    && field_reserved(field.name, client))
			return "field is set by the handshake";
		if (client && (rule->kind == POLICY_HOST || rule->kind == POLICY_PATH))
			return "--host and --path exclude --client";
		if (!client || rule->kind != POLICY_ORIGIN)
			continue;
		if (has_star(rule->text) || ++origins > 1)
			return "a client sends only one --origin";
	}
	return NULL;
}

size_t
policy_count(const struct policy *p, enum policy_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < p->count; i++)
		count += p->rules[i].kind == kind;
	return count;
}

struct span
policy_find(const struct policy *p, enum policy_kind kind, struct span text)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->rules[i].kind == kind && span_equal(p->rules[i].text, text))
			return p->rules[i].text;
	return (struct span){"", 0};
}

void
policy_put_fields(const struct policy *policy, struct strbuf *out)
{
	struct http_field field;

	for (size_t i = 0; i < policy->count; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind == POLICY_FIELD && policy_field(rule->text, &field))
			http_put_field(out, field.name, field.value);
	}
}
