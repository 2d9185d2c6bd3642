/*
 * Prints the options of the socket on a descriptor (0):
 *
 *     $ sockstate 3
 *     nodelay 0 keepalive 0 nonblock 0 backlog 4096
 *
 * `backlog` only for a listening socket.
 */
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

int
main(int argc, char **argv)
{
	int fd = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
	struct tcp_info info;
	socklen_t size = sizeof info;

	printf("nodelay %d keepalive %d nonblock %d", option(fd, IPPROTO_TCP, TCP_NODELAY),
	    option(fd, SOL_SOCKET, SO_KEEPALIVE), (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	/* tcpi_sacked of a listening socket is the backlog. */
	if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1
	    && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
		printf(" backlog %u", info.tcpi_sacked);
	putchar('\n');
	return 0;
}
