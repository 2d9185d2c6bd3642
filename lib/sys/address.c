#include "sys/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool
address_parse(const char *text, struct address *address)
{
	*address = (struct address){0};
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
	switch (address->any.sa_family) {
	case AF_INET:
		return ntohs(address->v4.sin_port);
	case AF_INET6:
		return ntohs(address->v6.sin6_port);
	default:
		return 0;
	}
}

void
address_ip(const struct address *address, char ip[ADDRESS_IP_SIZE])
{
	const struct in6_addr *v6 = &address->v6.sin6_addr;

	ip[0] = '\0';
	if (address->any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &address->v4.sin_addr, ip, ADDRESS_IP_SIZE);
	else if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		(void)inet_ntop(AF_INET, v6->s6_addr + 12, ip, ADDRESS_IP_SIZE);
	else if (address->any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, v6, ip, ADDRESS_IP_SIZE);
}

void
address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE])
{
	char ip[ADDRESS_IP_SIZE];
	unsigned port = address_port(address);

	address_ip(address, ip);
	if (ip[0] == '\0')
		memcpy(text, "unix", sizeof "unix");
	else if (strchr(ip, ':') == NULL)
		(void)snprintf(text, ADDRESS_TEXT_SIZE, "%s:%u", ip, port);
	else
		(void)snprintf(text, ADDRESS_TEXT_SIZE, "[%s]:%u", ip, port);
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
