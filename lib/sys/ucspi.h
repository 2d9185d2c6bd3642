/*
 * The environment of a program that serves one connection, after UCSPI and
 * systemd, built in place: for each connection the same few strings are
 * written anew, in front of what is inherited.
 *
 *     TCP:  PROTO=TCP TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT
 *           TCPCONNNUM REMOTE_ADDR REMOTE_PORT
 *     UNIX: PROTO=IPC
 *
 * TCPLOCALIP and TCPREMOTEIP carry the scope of a link-local address, REMOTE_ADDR does not (RFC 3875).
 */
#ifndef FITTINGS_UCSPI_H
#define FITTINGS_UCSPI_H

#include <stddef.h>

#include "sys/address.h"

enum {
	UCSPI_NUMBER_SIZE = sizeof "4294967295",
};

struct ucspi {
	char number[sizeof "TCPCONNNUM=" + UCSPI_NUMBER_SIZE];
	char local_ip[sizeof "TCPLOCALIP=" + ADDRESS_SCOPED_SIZE];
	char local_port[sizeof "TCPLOCALPORT=" + UCSPI_NUMBER_SIZE];
	char remote_ip[sizeof "TCPREMOTEIP=" + ADDRESS_SCOPED_SIZE];
	char remote_port[sizeof "TCPREMOTEPORT=" + UCSPI_NUMBER_SIZE];
	char remote_addr[sizeof "REMOTE_ADDR=" + ADDRESS_IP_SIZE];
	char addr_port[sizeof "REMOTE_PORT=" + UCSPI_NUMBER_SIZE];
	char **slots; /* the above, PROTO, what is inherited, NULL */
};

/* How many slots an environment for a connection has at most. */
size_t ucspi_slots(char *const *environ);

/*
 * Takes over what we inherited into slots[ucspi_slots(environ)], without the variables
 * that it sets, and those (names of hosts) that would tell of another connection. The
 * strings are not copied: environ must stay as it is, and so must the struct.
 */
void ucspi_begin(struct ucspi *ucspi, char **environ, char **slots);

/* The environment for a connection, without TCPCONNNUM if number is 0; the result lives until the next call. */
char *const *ucspi_tcp(struct ucspi *ucspi, const struct address *local, const struct address *remote,
    unsigned number);
char *const *ucspi_local(struct ucspi *ucspi);

#endif
