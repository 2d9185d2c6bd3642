#include "sys/address.h"

#include <arpa/inet.h>

#include "unit.h"

static bool
shows(const char *text, uint16_t port, const char *ip, const char *whole)
{
	char got_ip[ADDRESS_IP_SIZE], got[ADDRESS_TEXT_SIZE];
	struct address address;

	if (!address_parse(text, &address))
		return false;
	address_set_port(&address, port);
	address_ip(&address, got_ip);
	address_text(&address, got);
	return strcmp(got_ip, ip) == 0 && strcmp(got, whole) == 0 && address_port(&address) == port;
}

TEST(addresses_are_written_as_people_do)
{
	CHECK(shows("127.0.0.1", 9000, "127.0.0.1", "127.0.0.1:9000"));
	CHECK(shows("::1", 1, "::1", "[::1]:1"));
	CHECK(shows("2001:0db8:0:0::0001", 65535, "2001:db8::1", "[2001:db8::1]:65535"));
	CHECK(shows("::ffff:192.0.2.7", 80, "192.0.2.7", "192.0.2.7:80"));
	CHECK(shows("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"));
}

TEST(invalid_addresses_are_refused)
{
	static const char *const texts[] = {
		"", " ", "localhost", "127.1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.256", "127.0.0.01", "0x7f.0.0.1",
		"1.2.3.4.5", "::1%lo", "[::1]", ":::", "1::2::3", "12345::", "127.0.0.1:80",
	};
	struct address address;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		CHECK(!address_parse(texts[i], &address));
}

TEST(a_scope_is_left_out)
{
	char ip[ADDRESS_IP_SIZE];
	struct address address;

	CHECK(address_parse("fe80::1", &address));
	address.v6.sin6_scope_id = 2;
	address_ip(&address, ip);
	CHECK(strcmp(ip, "fe80::1") == 0);
}

TEST(a_scope_is_of_a_link_local_address_alone)
{
	static const char *const wrong[] = {"fe80::1%nosuch", "fe80::1%", "fe80::1%0", "fe80::1%4294967296", "::1%lo", "127.0.0.1%lo", "%lo"};
	char ip[ADDRESS_SCOPED_SIZE], number[ADDRESS_SCOPED_SIZE];
	int any = socket(AF_INET, SOCK_DGRAM, 0);
	struct address address, again;

	CHECK(address_parse("fe80::1%lo", &address) && address.v6.sin6_scope_id == if_nametoindex("lo"));
	CHECK(!address_lacks_scope(&address));
	address_scoped(&address, any, ip);
	CHECK(strcmp(ip, "fe80::1%lo") == 0);
	(void)snprintf(number, sizeof number, "fe80::1%%%u", address.v6.sin6_scope_id);
	CHECK(address_parse(number, &again) && memcmp(&again, &address, sizeof again) == 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!address_parse(wrong[i], &address));
	CHECK(address_parse("fe80::1", &address) && address_lacks_scope(&address));
	address_scoped(&address, any, ip);
	CHECK(strcmp(ip, "fe80::1") == 0);
	CHECK(address_parse("::1", &address) && !address_lacks_scope(&address));
	(void)close(any);
}

TEST(a_unix_socket_has_neither_address_nor_port)
{
	struct address address = {.any.sa_family = AF_UNIX};
	char ip[ADDRESS_IP_SIZE], text[ADDRESS_TEXT_SIZE];

	address_ip(&address, ip);
	address_text(&address, text);
	CHECK(ip[0] == '\0' && strcmp(text, "unix") == 0 && address_port(&address) == 0);
}

TEST(both_ends_of_a_connection_are_read)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct address at, local, remote;

	CHECK(address_parse("127.0.0.1", &at));
	CHECK(bind(listener, &at.any, at.size) == 0 && listen(listener, 1) == 0);
	CHECK(address_local(listener, &at) == 0 && address_port(&at) != 0);
	CHECK(connect(client, &at.any, at.size) == 0);
	CHECK(address_local(client, &local) == 0 && address_remote(client, &remote) == 0);
	CHECK(address_port(&remote) == address_port(&at) && address_port(&local) != 0);
	CHECK(address_remote(listener, &remote) == -1);
	(void)close(listener);
	(void)close(client);
}
