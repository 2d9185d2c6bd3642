/*
 * The environment of a program that serves one connection, following UCSPI and systemd. It is built
 * in place: for each connection the same few strings are rewritten, before the inherited variables.
 *
 *     TCP:  PROTO=TCP TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT
 *           TCPCONNNUM REMOTE_ADDR REMOTE_PORT
 *     UNIX: PROTO=IPC
 *
 * TCPLOCALIP and TCPREMOTEIP include the scope of a link-local address, REMOTE_ADDR does not (RFC
 * 3875).
 */
#ifndef FITTINGS_UCSPI_H
#define FITTINGS_UCSPI_H

#include <stdbool.h>
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
	char **slots; /* the strings above, PROTO, the inherited variables, NULL */
};

/* Return the largest number of slots of an environment for a connection. */
size_t ucspi_slots(char *const *environ);

/*
 * Take over the inherited environment into slots[ucspi_slots(environ)], except the variables that
 * this module sets, and those that describe another connection (host names). The strings are not
 * copied: environ and the struct must stay valid.
 */
void ucspi_begin(struct ucspi *ucspi, char **environ, char **slots);

/* Return the environment for a connection, without TCPCONNNUM if number is 0. It is valid until the
 * next call. socket: see address_scoped(). */
char *const *ucspi_tcp(struct ucspi *ucspi, int socket, const struct address *local, const struct address *remote,
    unsigned number);
char *const *ucspi_local(struct ucspi *ucspi);

/* Return the inherited part, with which both of these vectors end. */
char *const *ucspi_inherited(const struct ucspi *ucspi);

/* Return whether `NAME=value` is set here, or names a host of another connection. */
bool ucspi_owns(const char *entry);

#endif
