#include "sys/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/number.h"
#include "base/strbuf.h"

/* Return the number of the interface in `%eth0` or `%2`, or 0 if it does not exist. */
static unsigned
scope_parse(const char *text)
{
	char name[IF_NAMESIZE];
	uint64_t number;

	if (number_parse(span_of(text), 1, UINT32_MAX, &number))
		return if_indextoname((unsigned)number, name) == NULL ? 0 : (unsigned)number;
	return if_nametoindex(text);
}

/* Only link-local addresses need a scope. */
static bool
scoped(const struct address *address)
{
	const struct in6_addr *ip = &address->v6.sin6_addr;

	return address->any.sa_family == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MC_LINKLOCAL(ip));
}

bool
address_lacks_scope(const struct address *address)
{
	return scoped(address) && address->v6.sin6_scope_id == 0;
}

static bool
scoped_parse(const char *text, const char *percent, struct address *address)
{
	char ip[ADDRESS_IP_SIZE];
	size_t size = (size_t)(percent - text);

	if (size >= sizeof ip)
		return false;
	memcpy(ip, text, size);
	ip[size] = '\0';
	if (!address_parse(ip, address) || !scoped(address))
		return false;
	address->v6.sin6_scope_id = scope_parse(percent + 1);
	return address->v6.sin6_scope_id != 0;
}

bool
address_parse(const char *text, struct address *address)
{
	const char *percent = strchr(text, '%');

	*address = (struct address){0};
	if (percent != NULL)
		return scoped_parse(text, percent, address);
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->size = sizeof address->v4;
		return true;
	}
	if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->size = sizeof address->v6;
		return true;
	}
	return false;
}

bool
address_like_with_port(const char *text)
{
	const char *colon = strchr(text, ':');

	return text[0] == '[' || (colon != NULL && strchr(colon + 1, ':') == NULL);
}

struct address
address_v4(const unsigned char ip[4], uint16_t port)
{
	struct address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}, .size = sizeof address.v4};

	memcpy(&address.v4.sin_addr, ip, 4);
	return address;
}

struct address
address_v6(const unsigned char ip[16], uint16_t port)
{
	struct address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}, .size = sizeof address.v6};

	memcpy(&address.v6.sin6_addr, ip, 16);
	return address;
}

void
address_set_port(struct address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else
		address->v6.sin6_port = htons(port);
}

uint16_t
address_port(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

/* inet_ntop() uses snprintf() in musl, which takes several times as long. */
static void
v4_text(const unsigned char bytes[4], char ip[ADDRESS_IP_SIZE])
{
	struct strbuf t = {.at = ip, .capacity = ADDRESS_IP_SIZE};

	for (int i = 0; i < 4; i++) {
		strbuf_put_number(&t, bytes[i]);
		strbuf_put_char(&t, i < 3 ? '.' : '\0');
	}
}

void
address_ip(const struct address *address, char ip[ADDRESS_IP_SIZE])
{
	const struct in6_addr *v6 = &address->v6.sin6_addr;

	ip[0] = '\0';
	if (address->any.sa_family == AF_INET)
		v4_text((const unsigned char *)&address->v4.sin_addr, ip);
	else if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		v4_text(v6->s6_addr + 12, ip);
	else if (address->any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, v6, ip, ADDRESS_IP_SIZE);
}

void
address_scoped(const struct address *address, int socket, char ip[ADDRESS_SCOPED_SIZE])
{
	struct ifreq interface = {.ifr_ifindex = (int)address->v6.sin6_scope_id};
	size_t size;

	address_ip(address, ip);
	if (!scoped(address) || address->v6.sin6_scope_id == 0)
		return;
	size = strlen(ip);
	if (ioctl(socket, SIOCGIFNAME, &interface) == 0)
		(void)snprintf(ip + size, ADDRESS_SCOPED_SIZE - size, "%%%s", interface.ifr_name);
	else
		(void)snprintf(ip + size, ADDRESS_SCOPED_SIZE - size, "%%%u", address->v6.sin6_scope_id);
}

void
address_join(struct span ip, struct span port, char *text, size_t size)
{
	struct strbuf t = {.at = text, .capacity = size - 1};
	bool v6 = port.size != 0 && memchr(ip.at, ':', ip.size) != NULL;
	const struct span pieces[] = {{"[", v6}, ip, {"]", v6}, {":", port.size != 0}, port};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
		strbuf_put(&t, pieces[i]);
	text[t.cut ? 0 : t.size] = '\0';
}

void
address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	char ip[ADDRESS_IP_SIZE], digits[sizeof "65535"];
	struct strbuf port = {.at = digits, .capacity = sizeof digits};

	address_ip(address, ip);
	if (ip[0] != '\0')
		strbuf_put_number(&port, address_port(address));
	address_join(span_of(ip[0] == '\0' ? "unix" : ip), (struct span){digits, port.size}, text, ADDRESS_TEXT_SIZE);
}

int
address_local(int fd, struct address *address)
{
	address->size = sizeof address->local;
	return getsockname(fd, &address->any, &address->size);
}

int
address_remote(int fd, struct address *address)
{
	address->size = sizeof address->local;
	return getpeername(fd, &address->any, &address->size);
}
