#include "ws/cgi.h"

#include "ws/base64.h"

static void
put_variable(struct strbuf *t, const char *name, struct span value)
{
	strbuf_put_string(t, name);
	strbuf_put_char(t, '=');
	strbuf_put(t, value);
	strbuf_put_char(t, '\0');
}

static void
put_decoded(struct strbuf *t, const char *name, struct span path)
{
	int c;

	strbuf_put_string(t, name);
	strbuf_put_char(t, '=');
	while ((c = http_path_next(&path)) >= 0)
		strbuf_put_char(t, (char)c);
	strbuf_put_char(t, '\0');
}

static bool
name_passes(struct span name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.at[i], lower = (char)(c | 0x20);

		if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && c != '-')
			return false;
	}
	return !span_equal_case(name, span_of("Proxy"));
}

static bool
has_earlier(const struct http_fields *fields, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (span_equal_case(fields->all[i].name, fields->all[index].name))
			return true;
	return false;
}

/* Join the field at index and the later fields of the same name. Cookie is not a comma-separated
 * list, because a comma would be part of a cookie's value (RFC 9113, section 8.2.3). */
static void
put_field(struct strbuf *t, const struct http_fields *fields, size_t index)
{
	struct span name = fields->all[index].name;
	const char *between = span_equal_case(name, span_of("Cookie")) ? "; " : ", ";

	strbuf_put_string(t, "HTTP_");
	for (size_t i = 0; i < name.size; i++) {
		char c = name.at[i];

		strbuf_put_char(t, c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
	}
	strbuf_put_char(t, '=');
	strbuf_put(t, fields->all[index].value);
	for (size_t i = index + 1; i < fields->count; i++) {
		if (!span_equal_case(fields->all[i].name, name))
			continue;
		strbuf_put_string(t, between);
		strbuf_put(t, fields->all[i].value);
	}
	strbuf_put_char(t, '\0');
}

/* Use the local port of the connection, or else the port of the Host field. */
static size_t
put_server_port(struct strbuf *t, const struct handshake *d, const struct cgi_connection *c)
{
	strbuf_put_string(t, "SERVER_PORT=");
	if (c->local_port.size != 0)
		strbuf_put(t, c->local_port);
	else
		strbuf_put_number(t, d->host.port < 0 ? 80 : (unsigned)d->host.port);
	strbuf_put_char(t, '\0');
	return 1;
}

size_t
cgi_environment(const struct http_request *request, const struct handshake *decision,
    const struct cgi_connection *connection, struct strbuf *out)
{
	const struct {
		const char *name;
		struct span value;
		bool may_lack;
	} rows[] = {
		{"GATEWAY_INTERFACE", span_of("CGI/1.1"), false},
		{"SERVER_SOFTWARE", span_of("fittings/" FITTINGS_VERSION), false},
		{"SERVER_PROTOCOL", span_of(request->minor == 0 ? "HTTP/1.0" : "HTTP/1.1"), false},
		{"SERVER_NAME", decision->host.host, false},
		{"REQUEST_METHOD", request->method, false},
		{"REQUEST_URI", request->target, false},
		{"SCRIPT_NAME", span_of(""), false},
		{"QUERY_STRING", request->query, false},
		{"REMOTE_ADDR", connection->remote_address, true},
		{"REMOTE_PORT", connection->remote_port, true},
		{"WEBSOCKET_PROTOCOL", decision->protocol, true},
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].may_lack && rows[i].value.size == 0)
			continue;
		put_variable(out, rows[i].name, rows[i].value);
		count++;
	}
	put_decoded(out, "PATH_INFO", request->path);
	count += 1 + put_server_port(out, decision, connection);
	if (decision->deflate) {
		strbuf_put_string(out, "WEBSOCKET_EXTENSIONS=");
		extension_put(out, &decision->extension);
		strbuf_put_char(out, '\0');
		count++;
	}
	for (size_t i = 0; i < request->fields.count; i++) {
		if (!name_passes(request->fields.all[i].name) || has_earlier(&request->fields, i))
			continue;
		put_field(out, &request->fields, i);
		count++;
	}
	return count;
}

bool
cgi_user(const struct http_request *request, char user[CGI_USER_SIZE])
{
	const struct span scheme = span_of("Basic ");
	struct span value = {"", 0};
	const char *colon;
	ptrdiff_t size;

	if (http_field_find(&request->fields, "Authorization", &value) != 1 || !span_begins_case(value, scheme))
		return false;
	for (value = span_skip(value, scheme.size); value.size != 0 && *value.at == ' ';)
		value = span_skip(value, 1);
	size = base64_decode(value, user);
	colon = size <= 0 ? NULL : memchr(user, ':', (size_t)size);
	if (colon == NULL || !http_value_valid((struct span){user, (size_t)(colon - user)})
	    || memchr(user, '\t', (size_t)(colon - user)) != NULL)
		return false;
	user[colon - user] = '\0';
	return true;
}

bool
cgi_owns(const char *entry)
{
	static const char *const names[] = {
		"AUTH_TYPE", "GATEWAY_INTERFACE", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT",
		"REMOTE_USER", "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT",
		"SERVER_PROTOCOL", "SERVER_SOFTWARE", "WEBSOCKET_EXTENSIONS", "WEBSOCKET_PROTOCOL",
	};
	const char *end = memchr(entry, '=', strlen(entry));
	size_t size = end == NULL ? 0 : (size_t)(end - entry);

	if (size >= 5 && memcmp(entry, "HTTP_", 5) == 0)
		return true;
	for (size_t i = 0; size != 0 && i < sizeof names / sizeof *names; i++)
		if (*entry == *names[i] && strlen(names[i]) == size && memcmp(entry, names[i], size) == 0)
			return true;
	return false;
}

void
cgi_environment_clear(char **environment)
{
	char **kept = environment;

	for (; *environment != NULL; environment++)
		if (!cgi_owns(*environment))
			*kept++ = *environment;
	*kept = NULL;
}
