/*
 * Occupies TCP ports of an address, so that a scanner finds them busy:
 *
 *     occupy [-b] ADDR FIRST LAST
 *
 * With -b they are bound with SO_REUSEADDR and do not listen: another process may then bind them,
 * but not listen. Prints `occupied` when all are bound, and keeps them until it is ended by a
 * signal.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sys/address.h"

static void
hold(struct address *at, unsigned port, bool listening)
{
	int fd = socket(at->any.sa_family, SOCK_STREAM, 0), on = 1;

	address_set_port(at, (uint16_t)port);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd, &at->any, at->size) == 0
	    && (!listening || listen(fd, 1) == 0))
		return;
	fprintf(stderr, "occupy: port %u: %s\n", port, strerror(errno));
	exit(1);
}

int
main(int argc, char **argv)
{
	bool listening = argc < 2 || strcmp(argv[1], "-b") != 0;
	struct rlimit files;
	struct address at;
	unsigned last;

	argv += listening ? 1 : 2;
	if (argc != (listening ? 4 : 5) || !address_parse(argv[0], &at))
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	last = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned port = (unsigned)strtoul(argv[1], NULL, 10); port <= last; port++)
		hold(&at, port, listening);
	printf("occupied\n");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
