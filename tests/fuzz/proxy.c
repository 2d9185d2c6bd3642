/* PROXY headers in any pieces, compared with a naive parser of the whole. */
#include <arpa/inet.h>

#include "http/proxy.h"
#include "fuzz.h"

enum { V2_FIXED = 16 };

struct reading {
	size_t size; /* 0: no header */
	enum proxy_family family;
	struct proxy_end client, server;
	char authority[256];
};

static struct reading
naive_line(const uint8_t *bytes, size_t n)
{
	static const char pattern[] = "^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9][0-9]*) (0|[1-9][0-9]*)$";
	char line[PROXY_LINE_MAX + 1];
	struct reading r = {0};
	unsigned long ports[2];
	size_t size = 0;
	regmatch_t g[6];
	int family;

	while (size < n && size < PROXY_LINE_MAX && bytes[size] != '\n')
		size++;
	if (size == n || size == PROXY_LINE_MAX || bytes[size - 1] != '\r' || memchr(bytes, '\r', size) != bytes + size - 1)
		return r;
	memcpy(line, bytes, size - 1);
	line[size - 1] = '\0';
	if (memcmp(line, "PROXY UNKNOWN", size == 14 ? 14 : 13) == 0 && (size == 14 || line[13] == ' '))
		return (struct reading){.size = size + 1};
	if (strlen(line) != size - 1 || !fuzz_matches(pattern, line, g, 6))
		return r;
	family = line[g[1].rm_so] == '4' ? AF_INET : AF_INET6;
	line[g[2].rm_eo] = line[g[3].rm_eo] = '\0';
	ports[0] = strtoul(line + g[4].rm_so, NULL, 10);
	ports[1] = strtoul(line + g[5].rm_so, NULL, 10);
	if (inet_pton(family, line + g[2].rm_so, r.client.ip) == 1 && inet_pton(family, line + g[3].rm_so, r.server.ip) == 1
	    && ports[0] <= 65535 && ports[1] <= 65535) {
		r.size = size + 1;
		r.family = family == AF_INET ? PROXY_IPV4 : PROXY_IPV6;
		r.client.port = (uint16_t)ports[0];
		r.server.port = (uint16_t)ports[1];
	}
	return r;
}

static unsigned
two(const uint8_t *at)
{
	return at[0] * 256U + at[1];
}

static bool
naive_tlvs(const uint8_t *at, const uint8_t *end, char authority[256])
{
	for (; at < end; at += 3 + two(at + 1)) {
		if (end - at < 3 || end - at - 3 < (ptrdiff_t)two(at + 1))
			return false;
		if (at[0] != 2)
			continue;
		if (two(at + 1) == 0 || two(at + 1) > 255)
			return false;
		memset(authority, 0, 256);
		for (unsigned i = 0; i < two(at + 1); i++) {
			authority[i] = (char)at[3 + i];
			if (at[3 + i] < 0x21 || at[3 + i] == 0x7f)
				return false;
		}
	}
	return true;
}

static struct reading
naive_binary(const uint8_t *b, size_t n)
{
	struct reading r = {0};
	size_t ip, block;

	if (n < V2_FIXED || n < V2_FIXED + two(b + 14) || memcmp(b, "\r\n\r\n\0\r\nQUIT\n", 12) != 0)
		return r;
	r.size = V2_FIXED + two(b + 14);
	if (b[12] == 0x20 || (b[12] == 0x21 && (b[13] <= 2 || b[13] == 0x10 || b[13] == 0x20 || b[13] == 0x30)))
		return r;
	if (b[12] != 0x21 || (b[13] != 0x11 && b[13] != 0x21 && b[13] != 0x31))
		return (struct reading){0};
	r.family = (enum proxy_family)(b[13] >> 4);
	ip = r.family == PROXY_IPV4 ? 4 : 16;
	block = r.family == PROXY_UNIX ? 216 : 2 * ip + 4;
	if (two(b + 14) < block || !naive_tlvs(b + V2_FIXED + block, b + r.size, r.authority))
		return (struct reading){0};
	if (r.family == PROXY_UNIX)
		return r;
	memcpy(r.client.ip, b + V2_FIXED, ip);
	memcpy(r.server.ip, b + V2_FIXED + ip, ip);
	r.client.port = (uint16_t)two(b + V2_FIXED + 2 * ip);
	r.server.port = (uint16_t)two(b + V2_FIXED + 2 * ip + 2);
	return r;
}

static void
compare(const struct proxy *p, const struct reading *r)
{
	size_t ip = r->family == PROXY_IPV4 ? 4 : 16;

	FUZZ_CHECK(p->taken == r->size && p->family == r->family && strcmp(p->authority, r->authority) == 0);
	if (r->family == PROXY_IPV4 || r->family == PROXY_IPV6)
		FUZZ_CHECK(memcmp(p->client.ip, r->client.ip, ip) == 0 && memcmp(p->server.ip, r->server.ip, ip) == 0
		    && p->client.port == r->client.port && p->server.port == r->server.port);
}

/* Return whether no following byte can change the result. */
static bool
naive_whole(const uint8_t *bytes, size_t n)
{
	if (n > 0 && *bytes == 'P')
		return n >= PROXY_LINE_MAX || memchr(bytes, '\n', n) != NULL;
	return n >= V2_FIXED && n >= V2_FIXED + two(bytes + 14);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz f = fuzz_over(bytes, size);
	struct proxy p = {0};
	struct reading want = f.size != 0 && *f.at == 'P' ? naive_line(f.at, f.size) : naive_binary(f.at, f.size);
	bool whole = naive_whole(f.at, f.size);
	enum proxy_result result = PROXY_MORE;

	for (size_t at = 0, used; result == PROXY_MORE && at < f.size; at += used) {
		size_t cut = fuzz_cut(&f, f.size - at), missing = proxy_missing(&p);

		FUZZ_CHECK(missing >= 1 && (want.size == 0 || missing <= want.size - at));
		result = proxy_take(&p, fuzz_edge(0, f.at + at, cut), cut, &used);
		FUZZ_CHECK(result == PROXY_MORE ? used == cut : used <= cut);
	}
	FUZZ_CHECK((result == PROXY_DONE) == (want.size != 0) && (result != PROXY_MORE || !whole));
	FUZZ_CHECK((result == PROXY_BAD) == (p.why != NULL));
	if (result == PROXY_DONE)
		compare(&p, &want);
	return 0;
}
