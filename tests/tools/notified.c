/*
 * usage: notified PATH Plays the service manager: receives datagrams on a UNIX socket
 * (NOTIFY_SOCKET=PATH) and prints each as a line. A PATH that begins with `@` is in the abstract
 * namespace.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char state[4096];

	if (argc != 2 || strlen(argv[1]) >= sizeof at.sun_path)
		return 2;
	memcpy(at.sun_path, argv[1], strlen(argv[1]));
	if (at.sun_path[0] == '@')
		at.sun_path[0] = '\0';
	if (bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(argv[1]))) != 0) {
		perror("notified");
		return 1;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	for (ssize_t n; (n = recv(fd, state, sizeof state, 0)) >= 0;)
		printf("%.*s\n", (int)n, state);
	return 1;
}
