/*
 * The environment of a program that serves one connection, after UCSPI and
 * systemd, built in place: for each connection the same few strings are
 * written anew, in front of what is inherited.
 *
 *     TCP:  PROTO=TCP TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT
 *           TCPCONNNUM REMOTE_ADDR REMOTE_PORT
 *     UNIX: PROTO=IPC
 */
#ifndef FITTINGS_UCSPI_H
#define FITTINGS_UCSPI_H

#include <stdbool.h>

#include "sys/address.h"

enum {
	UCSPI_NUMBER_SIZE = sizeof "4294967295",
};

struct ucspi {
	char local_ip[sizeof "TCPLOCALIP=" + ADDRESS_IP_SIZE];
	char local_port[sizeof "TCPLOCALPORT=" + UCSPI_NUMBER_SIZE];
	char remote_ip[sizeof "TCPREMOTEIP=" + ADDRESS_IP_SIZE];
	char remote_port[sizeof "TCPREMOTEPORT=" + UCSPI_NUMBER_SIZE];
	char number[sizeof "TCPCONNNUM=" + UCSPI_NUMBER_SIZE];
	char remote_addr[sizeof "REMOTE_ADDR=" + ADDRESS_IP_SIZE];
	char addr_port[sizeof "REMOTE_PORT=" + UCSPI_NUMBER_SIZE];
	char **slots; /* the above, PROTO, what is inherited, NULL */
};

/*
 * Takes over what we inherited, without the variables that it sets, and those
 * (names of hosts) that would tell of another connection. Not copied: environ
 * must stay as it is. The struct must stay where it is. False with errno.
 */
bool ucspi_begin(struct ucspi *ucspi, char **environ);

/* The environment for a connection; the result lives until the next call. */
char *const *ucspi_tcp(struct ucspi *ucspi, const struct address *local, const struct address *remote,
    unsigned number);
char *const *ucspi_local(struct ucspi *ucspi);

#endif
