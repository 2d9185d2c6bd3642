#include "sys/connection.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/listen.h"

/* Return 1 for a listening socket, 0 for another socket, -1 for anything else. */
static int
is_listening(int fd)
{
	int value = -1;
	socklen_t size = sizeof value;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 ? value : -1;
}

const char *
connection_fault(void)
{
	int in = is_listening(STDIN_FILENO), handed = -1;

	if (in == 0)
		return NULL;
	if (in == 1)
		return "fd 0 is a listening socket: tcpaccept is missing";
	if (getenv("LISTEN_FDS") != NULL)
		handed = is_listening(LISTEN_FIRST);
	if (handed == 1)
		return "fd 3 is a listening socket: tcpaccept is missing";
	if (handed == 0)
		return "the connection is on fd 3, not on fd 0: StandardInput=socket or --inetd is missing";
	if (isatty(STDIN_FILENO))
		return "stdin is a terminal, not a connection; start it with portscan-bind tcpaccept wsupgrade wsframe prog";
	return NULL;
}
