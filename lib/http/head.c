#include "http/head.h"

#include "base/number.h"

const char *
http_reason(enum http_status status)
{
	switch (status) {
	case HTTP_SWITCHING_PROTOCOLS: return "Switching Protocols";
	case HTTP_OK: return "OK";
	case HTTP_NO_CONTENT: return "No Content";
	case HTTP_BAD_REQUEST: return "Bad Request";
	case HTTP_UNAUTHORIZED: return "Unauthorized";
	case HTTP_FORBIDDEN: return "Forbidden";
	case HTTP_NOT_FOUND: return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED: return "Method Not Allowed";
	case HTTP_REQUEST_TIMEOUT: return "Request Timeout";
	case HTTP_URI_TOO_LONG: return "URI Too Long";
	case HTTP_UPGRADE_REQUIRED: return "Upgrade Required";
	case HTTP_FIELDS_TOO_LARGE: return "Request Header Fields Too Large";
	case HTTP_INTERNAL_ERROR: return "Internal Server Error";
	case HTTP_SERVICE_UNAVAILABLE: return "Service Unavailable";
	case HTTP_VERSION_NOT_SUPPORTED: return "HTTP Version Not Supported";
	}
	return "";
}

/* States of the scan. A head ends with CRLFCRLF. */
enum {
	AT_START,      /* no byte yet */
	AT_START_CR,   /* in an empty line before the first line */
	AT_FIRST_LINE, /* after that empty line */
	IN_LINE,
	AT_LINE_CR,
	AT_NEXT_LINE,  /* after CRLF */
	AT_LAST_CR,    /* after CRLFCR */
	AT_END,
};

/* The first byte from a client that uses https: or wss:. */
enum { TLS_HANDSHAKE = 0x16 };

static bool
is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Return why the byte is not allowed in this state, or NULL. */
static const char *
scan_fault(unsigned state, unsigned char c)
{
	bool after_cr = state == AT_START_CR || state == AT_LINE_CR || state == AT_LAST_CR;

	if (c == '\n')
		return after_cr ? NULL : "line ends with LF without CR";
	if (after_cr)
		return "CR without LF";
	if (c == '\r')
		return state == AT_FIRST_LINE ? "empty lines instead of a request" : NULL;
	if (state == AT_NEXT_LINE && (c == ' ' || c == '\t'))
		return "line begins with a blank";
	if (state == AT_START && c == TLS_HANDSHAKE)
		return "TLS instead of HTTP";
	return is_control(c) ? "control byte in the head" : NULL;
}

static unsigned
scan_after(unsigned state, unsigned char c)
{
	if (c == '\r')
		return state == AT_START ? AT_START_CR
		    : state == AT_NEXT_LINE ? AT_LAST_CR : AT_LINE_CR;
	if (c == '\n')
		return state == AT_START_CR ? AT_FIRST_LINE
		    : state == AT_LAST_CR ? AT_END : AT_NEXT_LINE;
	return IN_LINE;
}

static int
scan_refuse(struct http_scan *scan, enum http_status status, const char *why)
{
	scan->why = why;
	return -(int)status;
}

int
http_scan(struct http_scan *scan, const char *bytes, size_t n)
{
	for (; scan->examined < n && scan->examined < HTTP_HEAD_MAX; scan->examined++) {
		unsigned char c = (unsigned char)bytes[scan->examined];
		const char *why = scan_fault(scan->state, c);

		if (why != NULL)
			return scan_refuse(scan, HTTP_BAD_REQUEST, why);
		scan->state = scan_after(scan->state, c);
		if (scan->state == AT_END)
			return (int)++scan->examined;
		scan->lines += scan->state == AT_NEXT_LINE;
		if (scan->state == IN_LINE && scan->lines == 1 + HTTP_FIELDS_MAX)
			return scan_refuse(scan, HTTP_FIELDS_TOO_LARGE, "more than 100 fields");
	}
	if (scan->examined < HTTP_HEAD_MAX)
		return 0;
	if (scan->lines == 0)
		return scan_refuse(scan, HTTP_URI_TOO_LONG, "first line is longer than 16 KiB");
	return scan_refuse(scan, HTTP_FIELDS_TOO_LARGE, "head is longer than 16 KiB");
}

size_t
http_scan_missing(const struct http_scan *scan)
{
	switch (scan->state) {
	case AT_LINE_CR: return 3;
	case AT_NEXT_LINE: return 2;
	case AT_LAST_CR: return 1;
	default: return 4;
	}
}

static bool
is_token(unsigned char c)
{
	/* ! # $ % & ' * + - . 0-9 A-Z ^ _ ` a-z | ~ */
	static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

	return c < 0x80 && (set[c / 32] >> (c % 32) & 1) != 0;
}

bool
http_token_valid(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if (!is_token((unsigned char)text.at[i]))
			return false;
	return text.size != 0;
}

bool
http_value_valid(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if (is_control((unsigned char)text.at[i]))
			return false;
	return true;
}

static struct span
trimmed(struct span text)
{
	while (text.size != 0 && (*text.at == ' ' || *text.at == '\t'))
		text = span_skip(text, 1);
	while (text.size != 0 && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
		text.size--;
	return text;
}

/* Remove the text up to the separator, or all of it, from *text and return it. The separator is removed too. */
static struct span
take_until(struct span *text, char separator)
{
	const char *end = text->size == 0 ? NULL : memchr(text->at, separator, text->size);
	struct span chunk = {text->at, end == NULL ? text->size : (size_t)(end - text->at)};

	*text = span_skip(*text, chunk.size + (end != NULL));
	return chunk;
}

/* Remove the next line and store it without its CRLF. Return false if no complete line is left. */
static bool
take_line(struct span *head, struct span *line)
{
	size_t before = head->size;

	*line = take_until(head, '\n');
	if (line->size == before || line->size == 0 || line->at[line->size - 1] != '\r')
		return false;
	line->size--;
	return true;
}

static const char *
fields_parse(struct span head, struct http_fields *fields)
{
	struct span line;

	fields->count = 0;
	while (take_line(&head, &line)) {
		struct http_field *field = &fields->all[fields->count];
		size_t before = line.size;

		if (line.size == 0)
			return head.size == 0 ? NULL : "bytes after the head";
		if (fields->count == HTTP_FIELDS_MAX)
			return "more than 100 fields";
		field->name = take_until(&line, ':');
		field->value = trimmed(line);
		if (field->name.size == before)
			return "field without a colon";
		if (!http_token_valid(field->name))
			return "invalid field name";
		if (!http_value_valid(field->value))
			return "control byte in a field";
		fields->count++;
	}
	return "no end";
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
version_parse(struct span text, unsigned *major, unsigned *minor)
{
	if (text.size != sizeof "HTTP/1.1" - 1 || memcmp(text.at, "HTTP/", 5) != 0
	    || !is_digit(text.at[5]) || text.at[6] != '.' || !is_digit(text.at[7]))
		return false;
	*major = (unsigned)(text.at[5] - '0');
	*minor = (unsigned)(text.at[7] - '0');
	return true;
}

/* Return the size of the scheme and `://` of an absolute target, or 0. */
static size_t
absolute_prefix(struct span target)
{
	static const char *const prefixes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		struct span prefix = span_of(prefixes[i]);

		if (span_begins_case(target, prefix))
			return prefix.size;
	}
	return 0;
}

/* Check the four forms of RFC 9112, section 3.2. Browsers send some bytes unescaped in a query that
 * RFC 3986 forbids, so only a fragment is refused. */
static bool
target_parse(struct http_request *r)
{
	struct span rest = r->target;
	size_t prefix = absolute_prefix(rest);
	struct http_authority unused;

	for (size_t i = 0; i < rest.size; i++)
		if (rest.at[i] <= ' ' || rest.at[i] > '~' || rest.at[i] == '#')
			return false;
	if (span_equal(r->method, span_of("CONNECT")))
		return http_authority_parse(rest, &unused);
	if (prefix != 0) {
		r->authority = rest = span_skip(rest, prefix);
		while (rest.size != 0 && *rest.at != '/' && *rest.at != '?')
			rest = span_skip(rest, 1);
		r->authority.size -= rest.size;
		if (!http_authority_parse(r->authority, &unused))
			return false;
	}
	r->path = take_until(&rest, '?');
	r->query = rest;
	if (prefix != 0 && r->path.size == 0)
		r->path = span_of("/");
	if (span_equal(r->target, span_of("*")))
		return span_equal(r->method, span_of("OPTIONS"));
	return r->path.size != 0 && *r->path.at == '/';
}

const char *
http_request_parse(const char *head, size_t n, struct http_request *request)
{
	struct span rest = {head, n}, line;

	request->authority = request->path = request->query = (struct span){head, 0};
	if (!take_line(&rest, &line) || (line.size == 0 && !take_line(&rest, &line)))
		return "no request line";
	request->method = take_until(&line, ' ');
	request->target = take_until(&line, ' ');
	if (!http_token_valid(request->method)
	    || !version_parse(line, &request->major, &request->minor))
		return "not an HTTP request";
	/* The HTTP/2 preface (RFC 9113, section 3.4). */
	if (request->major == 2 && span_equal(request->method, span_of("PRI")) && span_equal(request->target, span_of("*")))
		return "HTTP/2 instead of HTTP/1.1";
	if (!target_parse(request))
		return "malformed request target";
	return fields_parse(rest, &request->fields);
}

static bool
status_parse(struct span text, unsigned *status)
{
	uint64_t value;

	if (text.size != 3 || !number_parse(text, 100, 999, &value))
		return false;
	*status = (unsigned)value;
	return true;
}

const char *
http_response_parse(const char *head, size_t n, struct http_response *response)
{
	struct span rest = {head, n}, line, version, status;

	if (!take_line(&rest, &line))
		return "no status line";
	response->line = line;
	version = take_until(&line, ' ');
	status = take_until(&line, ' ');
	if (!version_parse(version, &response->major, &response->minor)
	    || !status_parse(status, &response->status) || line.at != status.at + sizeof "101"
	    || !http_value_valid(line))
		return "not an HTTP response";
	return fields_parse(rest, &response->fields);
}

const struct http_field *
http_field_next(const struct http_fields *fields, const char *name, size_t *from)
{
	while (*from < fields->count) {
		const struct http_field *field = &fields->all[(*from)++];

		if (span_equal_case(field->name, span_of(name)))
			return field;
	}
	return NULL;
}

size_t
http_field_find(const struct http_fields *fields, const char *name, struct span *value)
{
	const struct http_field *field;
	size_t count = 0;

	for (size_t from = 0; (field = http_field_next(fields, name, &from)) != NULL; count++)
		if (count == 0)
			*value = field->value;
	return count;
}

bool
http_list_next(struct span *list, struct span *item)
{
	while (list->size != 0) {
		*item = trimmed(take_until(list, ','));
		if (item->size != 0)
			return true;
	}
	return false;
}

bool
http_list_has(const struct http_fields *fields, const char *name, const char *token)
{
	const struct http_field *field;

	for (size_t from = 0; (field = http_field_next(fields, name, &from)) != NULL;) {
		struct span list = field->value, item;

		while (http_list_next(&list, &item))
			if (span_equal_case(item, span_of(token)))
				return true;
	}
	return false;
}

static bool
is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Check the characters of an address in brackets. Its meaning is checked when it is used. */
static bool
literal_valid(struct span text)
{
	size_t colons = 0;

	for (size_t i = 1; i < text.size - 1; i++) {
		if (!is_hex(text.at[i]) && text.at[i] != ':' && text.at[i] != '.')
			return false;
		colons += text.at[i] == ':';
	}
	return colons >= 2 && text.at[text.size - 1] == ']';
}

/* Check for unreserved, sub-delims and escapes of RFC 3986. */
static bool
name_valid(struct span text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if (c == '%') {
			if (text.size - i < 3 || !is_hex(text.at[i + 1]) || !is_hex(text.at[i + 2]))
				return false;
		} else if ((!is_token(c) && memchr("(),;=", c, 5) == NULL)
		    || memchr("#^`|", c, 4) != NULL) {
			return false;
		}
	}
	return true;
}

bool
http_authority_parse(struct span text, struct http_authority *authority)
{
	size_t size = text.size;
	uint64_t port;

	while (size != 0 && is_digit(text.at[size - 1]))
		size--;
	authority->port = -1;
	if (size == 0 || text.at[size - 1] != ':') {
		size = text.size;
	} else {
		struct span digits = span_skip(text, size);

		if (digits.size != 0 && !number_parse(digits, 0, UINT16_MAX, &port))
			return false;
		if (digits.size != 0)
			authority->port = (int)port;
		size--;
	}
	authority->host = (struct span){text.at, size};
	if (size == 0)
		return false;
	return *text.at == '[' ? literal_valid(authority->host) : name_valid(authority->host);
}

static int
hex_value(char c)
{
	return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

int
http_path_next(struct span *path)
{
	unsigned char c;
	size_t used = 1;

	if (path->size == 0)
		return HTTP_PATH_END;
	c = (unsigned char)*path->at;
	if (c == '%') {
		if (path->size < 3 || !is_hex(path->at[1]) || !is_hex(path->at[2]))
			return HTTP_PATH_BAD;
		c = (unsigned char)(hex_value(path->at[1]) << 4 | hex_value(path->at[2]));
		used = 3;
	}
	if (c == '\0')
		return HTTP_PATH_BAD;
	*path = span_skip(*path, used);
	return c;
}

static struct span
without_brackets(struct span host)
{
	if (host.size > 2 && *host.at == '[')
		return (struct span){host.at + 1, host.size - 2};
	return host;
}

bool
http_host_equal(struct span a, struct span b)
{
	return span_equal_case(without_brackets(a), without_brackets(b));
}

void
http_put_field(struct strbuf *out, struct span name, struct span value)
{
	strbuf_put(out, name);
	strbuf_put_string(out, ": ");
	strbuf_put(out, value);
	strbuf_put_string(out, "\r\n");
}
