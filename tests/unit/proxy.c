#include "http/proxy.h"

#include <arpa/inet.h>

#include "unit.h"

enum { HEADER_MAX = 1024 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"

/* Takes a header in pieces, the first of `first` bytes, the others of `then`; returns how many bytes it used, or
 * 0 if it is bad or not whole. */
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

/* Whether it is taken to its end, and not a byte further, whole, byte by byte, and at every split. */
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

static bool
is_bad(const char *header, size_t n)
{
	struct proxy p;
	bool bad = true;

	for (size_t split = 1; split <= n; split++)
		bad &= take(&p, header, n, split, n) == 0 && p.why != NULL;
	return bad && take(&p, header, n, 1, 1) == 0 && p.why != NULL;
}

#define HEADER(p, text) is_header(p, text, sizeof text - 1)
#define BAD(text) is_bad(text, sizeof text - 1)

/* The end, as text: `192.0.2.1 443`. */
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

TEST(version_1_unknown_gives_nobody_whatever_follows)
{
	struct proxy p;

	CHECK(HEADER(&p, "PROXY UNKNOWN\r\n") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, "PROXY UNKNOWN what ever\xff\r\n") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
}

TEST(version_1_is_at_most_107_bytes)
{
	struct proxy p;
	char line[109];

	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	CHECK(is_header(&p, line, 107));
	memcpy(line + 105, "x\r\n", 3);
	CHECK(is_bad(line, 108));
}

TEST(version_1_is_exact)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY\r\n",
		"PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
		"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UNKNOWNS\r\n", "PROXY unknown\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx\n",
		"PROXY UNKNOWN \rx\r\n", "PROXY UNKNOWN \nx\r\n",
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		CHECK(is_bad(lines[i], strlen(lines[i])));
}

TEST(version_1_addresses_and_ports_are_canonical)
{
	static const char *const v4[] = {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "256.2.3.4", "1.2.3.-4", "1.2.3.4.",
		"1..3.4", ".1.2.3.4", "0x1.2.3.4", "1.2.3.4/8", "::1", "1.2.3.1234567890123456789012"};
	static const char *const v6[] = {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1::", "1::2::3",
		"::1:", "12345::", "g::", "::1%lo", "[::1]", "1:2:3:4::5:6:7:8", "::1:2:3:4:5:6:7:8", "1.2.3.4", "::1.2.3",
		"::01.2.3.4", "1:2:3:4:5:6:7::1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5"};
	static const char *const ports[] = {"", "65536", "00", "01", "+1", "-1", "0x1", "99999999999999999999"};
	char line[HEADER_MAX];

	for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++)
		CHECK(is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP4 %s 1.2.3.4 1 2\r\n", v4[i]))
		    && is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP4 1.2.3.4 %s 1 2\r\n", v4[i])));
	for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++)
		CHECK(is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP6 %s ::1 1 2\r\n", v6[i]))
		    && is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP6 ::1 %s 1 2\r\n", v6[i])));
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		CHECK(is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP4 1.2.3.4 1.2.3.4 %s 2\r\n", ports[i]))
		    && is_bad(line, (size_t)snprintf(line, sizeof line, "PROXY TCP4 1.2.3.4 1.2.3.4 1 %s\r\n", ports[i])));
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

TEST(version_2_local_and_unspecified_give_nobody_whatever_follows)
{
	struct proxy p;

	CHECK(HEADER(&p, SIGNATURE "\x20\x00\x00\x00") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, SIGNATURE "\x20\xff\x00\x03" "\xff\xff\xff") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, SIGNATURE "\x20\x11\x00\x0c" V4_BLOCK) && p.family == PROXY_NONE);
	CHECK(HEADER(&p, SIGNATURE "\x21\x00\x00\x00") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, SIGNATURE "\x21\x01\x00\x02" "\x02\xff") && p.family == PROXY_NONE);
	CHECK(HEADER(&p, SIGNATURE "\x21\x10\x00\x0c" V4_BLOCK) && p.family == PROXY_NONE);
}

TEST(version_2_skips_tlvs_but_the_authority)
{
	struct proxy p;

	CHECK(HEADER(&p, SIGNATURE "\x21\x11\x00\x1f" V4_BLOCK "\x04\x00\x00" "\x20\x00\x02xx" "\x02\x00\x08" "a.ex.org"));
	CHECK(p.family == PROXY_IPV4 && strcmp(p.authority, "a.ex.org") == 0);
	CHECK(HEADER(&p, SIGNATURE "\x21\x11\x00\x14" V4_BLOCK "\x02\x00\x01" "a" "\xe0\x00\x01" "\0"));
	CHECK(strcmp(p.authority, "a") == 0);
	CHECK(HEADER(&p, SIGNATURE "\x21\x11\x00\x15" V4_BLOCK "\x02\x00\x02" "ab" "\x02\x00\x01" "c"));
	CHECK(strcmp(p.authority, "c") == 0);
	/* Of a connection's own addresses there is none. */
	CHECK(HEADER(&p, SIGNATURE "\x20\x11\x00\x10" V4_BLOCK "\x02\x00\x01" "a") && p.authority[0] == '\0');
}

TEST(version_2_may_be_as_long_as_its_length_says)
{
	static unsigned char header[16 + 65535] = SIGNATURE "\x21\x11\xff\xff" V4_BLOCK "\xe0\xff\xf0";
	struct proxy p = {0};
	size_t used;

	CHECK(proxy_take(&p, header, sizeof header, &used) == PROXY_DONE && used == sizeof header);
	CHECK(p.family == PROXY_IPV4);
}

TEST(version_2_is_exact)
{
	CHECK(BAD("\r\n\r\n\0\r\nQUIT\r"));
	CHECK(BAD("\r\nGET / HTTP/1.1"));
	CHECK(BAD(SIGNATURE "\x11\x11\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x31\x11\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x22\x11\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x21\x41\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x21\x13\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x21\x12\x00\x0c"));
	CHECK(BAD(SIGNATURE "\x21\x22\x00\x24"));
	CHECK(BAD(SIGNATURE "\x21\x32\x00\xd8"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x0b"));
	CHECK(BAD(SIGNATURE "\x21\x21\x00\x23"));
	CHECK(BAD(SIGNATURE "\x21\x31\x00\xd7"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x0d" V4_BLOCK "\x04"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x0e" V4_BLOCK "\x04\x00"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x10" V4_BLOCK "\x04\x00\x02" "x"));
}

TEST(an_authority_is_one_word_of_at_most_255_bytes)
{
	char header[16 + 12 + 3 + 256] = SIGNATURE "\x21\x11\x01\x0e" V4_BLOCK "\x02\x00\xff";
	struct proxy p;

	memset(header + 31, 'a', 255);
	CHECK(is_header(&p, header, 16 + 12 + 3 + 255) && strlen(p.authority) == 255);
	memcpy(header + 14, "\x01\x0f", 2);
	memcpy(header + 29, "\x01\x00", 2);
	CHECK(is_bad(header, sizeof header));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x0f" V4_BLOCK "\x02\x00\x00"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x12" V4_BLOCK "\x02\x00\x03" "a\0b"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x12" V4_BLOCK "\x02\x00\x03" "a b"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x12" V4_BLOCK "\x02\x00\x03" "a\nb"));
	CHECK(BAD(SIGNATURE "\x21\x11\x00\x12" V4_BLOCK "\x02\x00\x03" "a\x7f" "b"));
}
