#include "sys/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un to;
static size_t path_size; /* 0: no socket */
static int fd = -1;

void
notify_remember(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t size = path == NULL ? 0 : strlen(path);

	to.sun_family = AF_UNIX;
	if (size < 2 || size > sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	path_size = size;
	memcpy(to.sun_path, path, size);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
}

void
notify_send(const char *state)
{
	if (to.sun_family == AF_UNSPEC)
		notify_remember();
	if (path_size == 0)
		return;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_size));
}
