#include "sys/progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

bool
progress_made(int fd, uint64_t *state)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	uint64_t before = *state;

	*state = 0;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0
	    || size < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof info.tcpi_notsent_bytes)
		return false;
	if (info.tcpi_notsent_bytes != 0)
		*state = info.tcpi_bytes_acked + 1; /* so that 0 means not behind */
	return before != 0 && info.tcpi_bytes_acked + 1 != before;
}
