/*
 * relay program [arg...]: the minimum that can replace wsframe after wsupgrade, as an upper bound
 * for the benchmarks. It assumes that each read consists of complete frames of up to 125 masked
 * bytes, or of complete lines. It validates nothing, has no timers, and ends at the client's Close.
 */
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/program.h"

enum { SIZE = 64 * 1024, CLOSE = 0x88, TEXT = 0x81, HEAD = 2, KEY = 4, LONGEST = HEAD + KEY + 127 };

static unsigned char in[SIZE + LONGEST], out[2 * SIZE];

/* Convert frames to lines. Return false at the end. */
static bool
frames_take(int to)
{
	ssize_t n = recv(STDIN_FILENO, in, SIZE, 0);
	size_t used = 0;

	if (n <= 0)
		return false;
	for (const unsigned char *f = in; f + HEAD + KEY <= in + n; f += HEAD + KEY + (f[1] & 0x7f)) {
		if (f[0] == CLOSE)
			return false;
		for (size_t i = 0; i < (f[1] & 0x7fU); i++)
			out[used++] = f[HEAD + KEY + i] ^ f[HEAD + i % KEY];
		out[used++] = '\n';
	}
	return write(to, out, used) == (ssize_t)used;
}

/* Convert lines to frames. */
static bool
lines_take(int from)
{
	ssize_t n = read(from, in, SIZE);
	const unsigned char *line = in, *end = in + (n < 0 ? 0 : n), *next;
	size_t used = 0;

	for (; line < end && (next = memchr(line, '\n', (size_t)(end - line))) != NULL; line = next + 1) {
		out[used++] = TEXT;
		out[used++] = (unsigned char)(next - line);
		memcpy(out + used, line, (size_t)(next - line));
		used += (size_t)(next - line);
	}
	return used > 0 && send(STDOUT_FILENO, out, used, MSG_NOSIGNAL) == (ssize_t)used;
}

int
main(int argc, char **argv)
{
	static const unsigned char bye[] = {CLOSE, 2, 1000 >> 8, 1000 & 0xff};
	struct pollfd polls[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	struct program_ends ends;

	if (argc < 2 || program_spawn(argv + 1, &ends) != 0)
		return 1;
	polls[1].fd = ends.from;
	while (poll(polls, 2, -1) > 0)
		if ((polls[0].revents != 0 && !frames_take(ends.to)) || (polls[1].revents != 0 && !lines_take(ends.from)))
			break;
	(void)send(STDOUT_FILENO, bye, sizeof bye, MSG_NOSIGNAL);
	(void)close(ends.to);
	return wait(NULL) > 0 ? 0 : 1; /* includes the child's CPU time in that of this process */
}
