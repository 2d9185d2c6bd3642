/* Valid PROXY headers. Other valid and invalid ones are seeds of the fuzz target proxy. */
#include "http/proxy.h"

#include <arpa/inet.h>

#include "unit.h"

enum { HEADER_MAX = 1024 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"

/* Process a header in pieces, the first of `first` bytes, the others of `then`. Return the number
 * of bytes used, 0 if it is invalid or incomplete. */
static size_t
take(struct proxy *p, const char *header, size_t n, size_t first, size_t then)
{
	static const unsigned char zeros[HEADER_MAX];
	static unsigned char *at;
	size_t done = 0, piece = first;

	if (at == NULL)
		at = unit_at_edge(zeros, HEADER_MAX) + HEADER_MAX;
	*p = (struct proxy){0};
	while (done < n) {
		size_t used, missing = proxy_missing(p), give = piece < n - done ? piece : n - done;
		enum proxy_result result;

		/* The input ends at an unreadable page. */
		memcpy(at - give, header + done, give);
		result = proxy_take(p, at - give, give, &used);
		done += used;
		if (result == PROXY_DONE)
			return used >= missing ? done : 0;
		if (result == PROXY_BAD || used != give)
			return 0;
		piece = then;
	}
	return 0;
}

/* Check that it is used up to its end and no byte further, whole, byte by byte, and divided at
 * every byte. */
static bool
is_header(struct proxy *p, const char *header, size_t n)
{
	char longer[HEADER_MAX];
	bool good = true;

	memcpy(longer, header, n);
	memcpy(longer + n, "PROXY", 5);
	for (size_t split = 1; split <= n + 5; split++)
		good &= take(p, longer, n + 5, split, n + 5) == n;
	return take(p, longer, n + 5, 1, 1) == n && good;
}

#define HEADER(p, text) is_header(p, text, sizeof text - 1)

/* Return the end as text: `192.0.2.1 443`. */
static bool
end_is(const struct proxy *p, const struct proxy_end *end, const char *text)
{
	char ip[INET6_ADDRSTRLEN], all[INET6_ADDRSTRLEN + 8];

	inet_ntop(p->family == PROXY_IPV4 ? AF_INET : AF_INET6, end->ip, ip, sizeof ip);
	snprintf(all, sizeof all, "%s %u", ip, end->port);
	return strcmp(all, text) == 0;
}

TEST(version_1_gives_both_ends)
{
	struct proxy p;

	CHECK(HEADER(&p, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"));
	CHECK(p.family == PROXY_IPV4 && end_is(&p, &p.client, "192.168.0.1 56324") && end_is(&p, &p.server, "192.168.0.11 443"));
	CHECK(HEADER(&p, "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"));
	CHECK(end_is(&p, &p.client, "255.255.255.255 65535") && end_is(&p, &p.server, "0.0.0.0 0"));
	CHECK(HEADER(&p, "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"));
	CHECK(p.family == PROXY_IPV6 && end_is(&p, &p.client, "2001:db8::1 1") && end_is(&p, &p.server, "::1 2"));
	CHECK(HEADER(&p, "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			 "FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFE 65535 65535\r\n"));
	CHECK(end_is(&p, &p.server, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535"));
	CHECK(HEADER(&p, "PROXY TCP6 ::ffff:192.0.2.1 1:2:3:4:5:6:1.2.3.4 1 2\r\n"));
	CHECK(end_is(&p, &p.client, "::ffff:192.0.2.1 1") && end_is(&p, &p.server, "1:2:3:4:5:6:102:304 2"));
}

TEST(version_2_gives_both_ends)
{
	struct proxy p;
	char unix_header[16 + 216 + 4] = SIGNATURE "\x21\x31\x00\xdc";

	CHECK(HEADER(&p, SIGNATURE "\x21\x11\x00\x0c" V4_BLOCK));
	CHECK(p.family == PROXY_IPV4 && end_is(&p, &p.client, "192.0.2.1 56324") && end_is(&p, &p.server, "198.51.100.2 443"));
	CHECK(HEADER(&p, SIGNATURE "\x21\x21\x00\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\2" "\x00\x01\xff\xff"));
	CHECK(p.family == PROXY_IPV6 && end_is(&p, &p.client, "2001:db8::1 1") && end_is(&p, &p.server, "fe80::2 65535"));
	memcpy(unix_header + 16 + 216, "\x04\x00\x01", 4);
	CHECK(is_header(&p, unix_header, sizeof unix_header) && p.family == PROXY_UNIX);
}

TEST(version_2_may_be_as_long_as_its_length_field)
{
	static unsigned char header[16 + 65535] = SIGNATURE "\x21\x11\xff\xff" V4_BLOCK "\xe0\xff\xf0";
	struct proxy p = {0};
	size_t used;

	CHECK(proxy_take(&p, header, sizeof header, &used) == PROXY_DONE && used == sizeof header);
	CHECK(p.family == PROXY_IPV4);
}
