/* The connection on fds 0 and 1 of a server that serves one connection. */
#ifndef FITTINGS_CONNECTION_H
#define FITTINGS_CONNECTION_H

/* Return why fd 0 cannot be a connection, and which program is missing in the chain: it is a listening socket or a
 * terminal, or the connection is on fd 3. Return NULL if fd 0 may be a connection; pipes and files may. */
const char *connection_fault(void);

#endif
