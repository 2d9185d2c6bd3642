/* usage: nonblocking CMD...: runs it with O_NONBLOCK on stdin and stdout, as another process may
 * leave them. */
#include <fcntl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	for (int fd = 0; fd <= 1; fd++)
		if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
			return 1;
	(void)execvp(argv[1], argv + 1);
	return 127;
}
