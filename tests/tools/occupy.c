/*
 * Occupies TCP ports of an address, so that a scanner finds them busy:
 *
 *     occupy [-b] ADDR FIRST LAST
 *
 * With -b they are bound with SO_REUSEADDR and do not listen: another process may then bind them,
 * but not listen. Prints `occupied` when all are bound, and keeps them until it is ended by a
 * signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void
hold(const char *ip, unsigned port, bool listening)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	bool is_v4 = inet_pton(AF_INET, ip, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0), on = 1;

	if ((is_v4 || inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) && fd >= 0
	    && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
	    && bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof v4 : sizeof v6) == 0
	    && (!listening || listen(fd, 1) == 0))
		return;
	fprintf(stderr, "occupy: %s port %u: %s\n", ip, port, strerror(errno));
	exit(1);
}

int
main(int argc, char **argv)
{
	bool listening = argc < 2 || strcmp(argv[1], "-b") != 0;
	struct rlimit files;
	unsigned last;

	argv += listening ? 1 : 2;
	if (argc != (listening ? 4 : 5))
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	last = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned port = (unsigned)strtoul(argv[1], NULL, 10); port <= last; port++)
		hold(argv[0], port, listening);
	printf("occupied\n");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
