/*
 * Upper bounds: the work without its processing:
 *
 *     limit accept      accepts from the listening socket fd 3 and closes, until killed
 *     limit read FILE   reads a file like csvsplit and discards it
 *     limit copy FILE   and copies it in memory
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 256 * 1024 };

static char from[ROOM], to[ROOM];

static int
accept_all(void)
{
	for (int client; (client = accept4(3, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == ECONNABORTED;)
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
	if (argc == 2 && strcmp(argv[1], "accept") == 0)
		return accept_all();
	if (argc == 3 && (strcmp(argv[1], "read") == 0 || strcmp(argv[1], "copy") == 0))
		return read_all(argv[2], argv[1][0] == 'c');
	fputs("usage: limit accept | limit read FILE | limit copy FILE\n", stderr);
	return 2;
}
