/* Socket addresses as people write them and as UCSPI wants them. */
#ifndef FITTINGS_ADDRESS_H
#define FITTINGS_ADDRESS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/span.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t size;
};

enum {
	ADDRESS_IP_SIZE = INET6_ADDRSTRLEN,
	ADDRESS_SCOPED_SIZE = INET6_ADDRSTRLEN + sizeof "%" - 1 + IF_NAMESIZE,
	ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN + sizeof "[]:65535",
};

/* A numeric IPv4 or IPv6 address; `fe80::1%eth0` and `fe80::1%2` too, if there is such an interface. */
bool address_parse(const char *text, struct address *address);

/* An address of these 4 or 16 bytes in network order. */
struct address address_v4(const unsigned char ip[4], uint16_t port);
struct address address_v6(const unsigned char ip[16], uint16_t port);

/* Whether it is link-local, and of no interface yet: it cannot be bound. */
bool address_lacks_scope(const struct address *address);

void address_set_port(struct address *address, uint16_t port);
uint16_t address_port(const struct address *address);

/* The numeric address, without scope, an IPv4-mapped one as IPv4; "" for a UNIX socket. */
void address_ip(const struct address *address, char ip[ADDRESS_IP_SIZE]);

/* The same, with the scope of a link-local one: `fe80::1%eth0`. */
void address_scoped(const struct address *address, char ip[ADDRESS_SCOPED_SIZE]);

/* `127.0.0.1:9000`, `[::1]:9000`, or the address alone if the port is empty; cut to size. */
void address_join(struct span ip, struct span port, char *text, size_t size);

/* The same of an address; `unix` of a UNIX socket. */
void address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

/* getsockname and getpeername. */
int address_local(int fd, struct address *address);
int address_remote(int fd, struct address *address);

#endif
