/* The connection of a server that serves one: on fds 0 and 1. */
#ifndef FITTINGS_CONNECTION_H
#define FITTINGS_CONNECTION_H

/*
 * Why fd 0 is surely no connection, and which link of the chain is missing:
 * a listening socket, a connection that is on fd 3 instead, a terminal.
 * NULL if it may be one: pipes and files are.
 */
const char *connection_fault(void);

#endif
