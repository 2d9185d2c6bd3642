/* Socket addresses in the notations of users and of UCSPI. */
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

/* Parse a numeric IPv4 or IPv6 address, also `fe80::1%eth0` and `fe80::1%2` if the interface exists. */
bool address_parse(const char *text, struct address *address);

/* Return whether a text that is not an address looks like one with a port or brackets: `host:9000`, `[::1]`. */
bool address_like_with_port(const char *text);

/* Make an address from 4 or 16 bytes in network order. */
struct address address_v4(const unsigned char ip[4], uint16_t port);
struct address address_v6(const unsigned char ip[16], uint16_t port);

/* Return whether the address is link-local without an interface: bind() needs one. */
bool address_lacks_scope(const struct address *address);

void address_set_port(struct address *address, uint16_t port);
uint16_t address_port(const struct address *address);

/* Write the numeric address without its scope; IPv4-mapped as IPv4, "" for a UNIX socket. */
void address_ip(const struct address *address, char ip[ADDRESS_IP_SIZE]);

/* Write the numeric address with the scope of a link-local address: `fe80::1%eth0`. The kernel is asked for the
 * interface's name through socket, any socket: if_indextoname() would open one, which a sandbox forbids. */
void address_scoped(const struct address *address, int socket, char ip[ADDRESS_SCOPED_SIZE]);

/* Write `127.0.0.1:9000` or `[::1]:9000`, or the address alone if the port is empty; "" if it does not fit. */
void address_join(struct span ip, struct span port, char *text, size_t size);

/* Write the address and port like address_join(), or `unix` for a UNIX socket. */
void address_text(const struct address *address, char text[ADDRESS_TEXT_SIZE]);

/* Call getsockname() or getpeername(). */
int address_local(int fd, struct address *address);
int address_remote(int fd, struct address *address);

#endif
