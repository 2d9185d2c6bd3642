#include "http/proxy.h"

#include <stdbool.h>
#include <string.h>

#include "base/number.h"
#include "base/span.h"

enum {
	SIGNATURE_SIZE = 12,
	FIXED_SIZE = 16,
	LEAST = 15, /* "PROXY UNKNOWN\r\n", the shortest header */
	IPV4_SIZE = 12,
	IPV6_SIZE = 36,
	UNIX_SIZE = 216,
	TLV_SIZE = 3,
	TLV_AUTHORITY = 0x02,
};

static const unsigned char line_start[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const unsigned char signature[SIGNATURE_SIZE] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static enum proxy_result
bad(struct proxy *p, const char *why)
{
	p->why = why;
	return PROXY_BAD;
}

/* Version 1: one line. */

/* Remove the text up to the next space, or the rest, from the line. Return it without the space. */
static struct span
word_next(struct span *line)
{
	const char *space = memchr(line->at, ' ', line->size);
	size_t size = space == NULL ? line->size : (size_t)(space - line->at);
	struct span word = {line->at, size};

	*line = span_skip(*line, space == NULL ? size : size + 1);
	return word;
}

/* Parse a decimal number without leading zeros. */
static bool
decimal_parse(struct span text, uint64_t most, uint64_t *value)
{
	return number_parse(text, 0, most, value) && (text.size == 1 || text.at[0] != '0');
}

static bool
ipv4_parse(struct span text, unsigned char ip[4])
{
	for (int i = 0; i < 4; i++) {
		const char *dot = memchr(text.at, '.', text.size);
		struct span number = {text.at, dot == NULL || i == 3 ? text.size : (size_t)(dot - text.at)};
		uint64_t value;

		if (!decimal_parse(number, 255, &value) || (i < 3 && dot == NULL))
			return false;
		ip[i] = (unsigned char)value;
		text = span_skip(text, i < 3 ? number.size + 1 : number.size);
	}
	return true;
}

/* Return 16 or more if the character is not a hexadecimal digit. */
static unsigned
digit_value(char c)
{
	unsigned byte = (unsigned char)c, letter = (byte | 0x20U) - 'a';

	if (byte - '0' < 10)
		return byte - '0';
	return letter < 6 ? letter + 10 : 16;
}

/* Parse up to four hexadecimal digits at the beginning of text. Return their number. */
static size_t
group_parse(struct span text, unsigned *group)
{
	size_t n = 0;

	*group = 0;
	while (n < text.size && n < 4 && digit_value(text.at[n]) < 16)
		*group = *group << 4 | digit_value(text.at[n++]);
	return n;
}

/* Parse RFC 4291, section 2.2: groups, one `::`, and an IPv4 address instead of the last two groups. */
static bool
ipv6_parse(struct span text, unsigned char ip[16])
{
	unsigned char bytes[16];
	size_t size = 0, gap = sizeof bytes + 1;

	if (text.size >= 2 && memcmp(text.at, "::", 2) == 0) {
		gap = 0;
		text = span_skip(text, 2);
	}
	while (text.size != 0) {
		unsigned group;
		size_t n = group_parse(text, &group);

		if (size <= 12 && n < text.size && text.at[n] == '.') {
			if (!ipv4_parse(text, bytes + size))
				return false;
			size += 4;
			break;
		}
		if (n == 0 || size == sizeof bytes)
			return false;
		bytes[size++] = (unsigned char)(group >> 8);
		bytes[size++] = (unsigned char)group;
		text = span_skip(text, n);
		if (text.size == 0)
			break;
		if (text.at[0] != ':' || text.size == 1)
			return false;
		text = span_skip(text, 1);
		if (text.at[0] == ':') {
			if (gap <= sizeof bytes)
				return false;
			gap = size;
			text = span_skip(text, 1);
		}
	}
	if (gap > sizeof bytes ? size != sizeof bytes : size > sizeof bytes - 2)
		return false;
	if (gap > sizeof bytes)
		gap = size;
	memset(ip, 0, sizeof bytes);
	memcpy(ip, bytes, gap);
	memcpy(ip + sizeof bytes - (size - gap), bytes + gap, size - gap);
	return true;
}

static bool
address_parse(const struct proxy *p, struct span text, unsigned char ip[16])
{
	return p->family == PROXY_IPV4 ? ipv4_parse(text, ip) : ipv6_parse(text, ip);
}

/* Parse the text between `PROXY ` and CRLF. */
static enum proxy_result
line_parse(struct proxy *p, struct span line)
{
	struct span family = word_next(&line);
	uint64_t client_port, server_port;

	if (span_equal(family, span_of("UNKNOWN")))
		return PROXY_DONE;
	p->family = span_equal(family, span_of("TCP4")) ? PROXY_IPV4 : PROXY_IPV6;
	if (p->family == PROXY_IPV6 && !span_equal(family, span_of("TCP6")))
		return bad(p, "protocol is not TCP4, TCP6 or UNKNOWN");
	if (!address_parse(p, word_next(&line), p->client.ip) || !address_parse(p, word_next(&line), p->server.ip))
		return bad(p, "invalid address");
	if (!decimal_parse(word_next(&line), UINT16_MAX, &client_port) || !decimal_parse(line, UINT16_MAX, &server_port))
		return bad(p, "invalid port");
	p->client.port = (uint16_t)client_port;
	p->server.port = (uint16_t)server_port;
	return PROXY_DONE;
}

/* CRLF ends the line. CR and LF are not allowed separately. */
static enum proxy_result
line_take(struct proxy *p, unsigned char byte)
{
	bool after_cr = p->held[p->held_size - 1] == '\r';

	if ((byte == '\n') != after_cr)
		return bad(p, "line does not end with CRLF");
	if (byte == '\n')
		return line_parse(p, (struct span){(const char *)p->held + sizeof line_start,
			p->held_size - 1 - sizeof line_start});
	if (p->held_size == PROXY_LINE_MAX - 1)
		return bad(p, "line is longer than 107 bytes");
	p->held[p->held_size++] = byte;
	return PROXY_MORE;
}

/* Version 2: a fixed part, the addresses, TLVs. Each stage first collects its bytes. */
static size_t
number_of(const unsigned char bytes[2])
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* Start a stage that takes size of the remaining bytes. */
static enum proxy_result
stage_begin(struct proxy *p, enum proxy_stage stage, size_t size)
{
	p->stage = stage;
	p->part = size;
	p->left -= size;
	p->held_size = 0;
	return PROXY_MORE;
}

static enum proxy_result
tlv_begin(struct proxy *p)
{
	if (p->left == 0)
		return PROXY_DONE;
	if (p->left < TLV_SIZE)
		return bad(p, "incomplete TLV");
	return stage_begin(p, PROXY_TLV, TLV_SIZE);
}

static enum proxy_result
skip(struct proxy *p, size_t size)
{
	return size == 0 ? tlv_begin(p) : stage_begin(p, PROXY_SKIP, size);
}

static enum proxy_result
fixed_parse(struct proxy *p)
{
	static const size_t sizes[] = {0, IPV4_SIZE, IPV6_SIZE, UNIX_SIZE};
	unsigned version = p->held[12] >> 4, command = p->held[12] & 15;
	unsigned family = p->held[13] >> 4, transport = p->held[13] & 15;

	p->left = number_of(p->held + 14);
	if (version != 2)
		return bad(p, "unknown version");
	if (command > 1)
		return bad(p, "unknown command");
	if (command == 0)
		return p->left == 0 ? PROXY_DONE : skip(p, p->left);
	if (family > 3 || transport > 2)
		return bad(p, "unknown address family or protocol");
	if (family == 0 || transport == 0)
		return p->left == 0 ? PROXY_DONE : skip(p, p->left);
	if (transport == 2)
		return bad(p, "datagram protocol");
	if (p->left < sizes[family])
		return bad(p, "incomplete addresses");
	p->family = (enum proxy_family)family;
	return p->family == PROXY_UNIX ? skip(p, UNIX_SIZE) : stage_begin(p, PROXY_ADDRESSES, sizes[family]);
}

static enum proxy_result
addresses_parse(struct proxy *p)
{
	size_t size = p->family == PROXY_IPV4 ? 4 : 16;

	memcpy(p->client.ip, p->held, size);
	memcpy(p->server.ip, p->held + size, size);
	p->client.port = (uint16_t)number_of(p->held + 2 * size);
	p->server.port = (uint16_t)number_of(p->held + 2 * size + 2);
	return tlv_begin(p);
}

static enum proxy_result
tlv_parse(struct proxy *p)
{
	size_t size = number_of(p->held + 1);

	if (size > p->left)
		return bad(p, "incomplete TLV");
	if (p->held[0] != TLV_AUTHORITY)
		return skip(p, size);
	if (size == 0 || size > PROXY_AUTHORITY_MAX)
		return bad(p, "authority is not a host name");
	memset(p->authority, 0, sizeof p->authority);
	return stage_begin(p, PROXY_VALUE, size);
}

/* The authority comes from the client and becomes an environment variable: refuse bytes that could
 * end or disguise it. */
static enum proxy_result
authority_take(struct proxy *p, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] <= ' ' || bytes[i] == 0x7f)
			return bad(p, "authority is not a host name");
		p->authority[p->held_size++] = (char)bytes[i];
	}
	return p->part == 0 ? tlv_begin(p) : PROXY_MORE;
}

/* Take n bytes of this stage, at most the number that it still needs. */
static enum proxy_result
part_take(struct proxy *p, const unsigned char *bytes, size_t n)
{
	p->part -= n;
	if (p->stage == PROXY_SKIP)
		return p->part == 0 ? tlv_begin(p) : PROXY_MORE;
	if (p->stage == PROXY_VALUE)
		return authority_take(p, bytes, n);
	memcpy(p->held + p->held_size, bytes, n);
	p->held_size += n;
	if (p->part != 0)
		return PROXY_MORE;
	return p->stage == PROXY_FIXED ? fixed_parse(p) : p->stage == PROXY_ADDRESSES ? addresses_parse(p) : tlv_parse(p);
}

/* The first bytes determine the version. The first invalid byte is an error. */
static enum proxy_result
start_take(struct proxy *p, unsigned char byte)
{
	size_t at = p->held_size;
	bool line = at == 0 ? byte == line_start[0] : p->held[0] == line_start[0];

	if (byte != (line ? line_start[at] : signature[at]))
		return bad(p, "not a PROXY header");
	p->held[p->held_size++] = byte;
	if (line && p->held_size == sizeof line_start)
		p->stage = PROXY_LINE;
	if (!line && p->held_size == SIGNATURE_SIZE) {
		p->stage = PROXY_FIXED;
		p->part = FIXED_SIZE - SIGNATURE_SIZE;
	}
	return PROXY_MORE;
}

enum proxy_result
proxy_take(struct proxy *p, const unsigned char *bytes, size_t n, size_t *used)
{
	enum proxy_result result = PROXY_MORE;
	size_t at = 0;

	while (result == PROXY_MORE && at < n) {
		size_t chunk = p->part < n - at ? p->part : n - at;

		if (p->stage == PROXY_START || p->stage == PROXY_LINE)
			chunk = 1;
		if (p->stage == PROXY_START)
			result = start_take(p, bytes[at]);
		else if (p->stage == PROXY_LINE)
			result = line_take(p, bytes[at]);
		else
			result = part_take(p, bytes + at, chunk);
		at += chunk;
	}
	p->taken += at;
	*used = at;
	return result;
}

size_t
proxy_missing(const struct proxy *p)
{
	if (p->taken < LEAST)
		return LEAST - p->taken;
	if (p->stage == PROXY_LINE)
		return p->held[p->held_size - 1] == '\r' ? 1 : 2;
	return p->part + p->left;
}
