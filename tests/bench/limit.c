/*
 * Upper bounds: the work without its processing:
 *
 *     limit accept PORT   accepts on 127.0.0.1 and closes, until killed
 *     limit read FILE     reads a file like csvsplit and discards it
 *     limit copy FILE     and copies it in memory
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 256 * 1024 };

static char from[ROOM], to[ROOM];

static int
accept_all(const char *port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&here, sizeof here) != 0 || listen(fd, SOMAXCONN) != 0)
		return 1;
	for (int client; (client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == ECONNABORTED;)
		(void)close(client);
	return 1;
}

static int
read_all(const char *path, int copies)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, from, ROOM)) > 0) {
		if (copies)
			memcpy(to, from, (size_t)n);
		__asm__ volatile("" : : "r"(to) : "memory"); /* or the copy would be optimized away */
	}
	return n < 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "accept") == 0)
		return accept_all(argv[2]);
	if (argc == 3 && (strcmp(argv[1], "read") == 0 || strcmp(argv[1], "copy") == 0))
		return read_all(argv[2], argv[1][0] == 'c');
	fputs("usage: limit accept PORT | limit read FILE | limit copy FILE\n", stderr);
	return 2;
}
