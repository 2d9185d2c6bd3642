/*
 * relay program [arg...]: the least that can stand in wsframe's place behind
 * wsupgrade, as a limit for the benchmarks. It takes each read to hold whole
 * frames of up to 125 masked bytes, or whole lines; it checks nothing, times
 * nothing, and ends at the client's Close.
 */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 * 1024, CLOSE = 0x88, TEXT = 0x81, HEAD = 2, KEY = 4, LONGEST = HEAD + KEY + 127 };

static unsigned char in[SIZE + LONGEST], out[2 * SIZE];

/* Frames to lines. False at the end. */
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

/* Lines to frames. */
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

static int
program_start(char **argv, int *to, int *from)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int down[2], up[2];
	pid_t pid;

	if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0
	    || posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO) != 0
	    || posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO) != 0
	    || posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) != 0)
		return 1;
	(void)close(down[0]);
	(void)close(up[1]);
	*to = down[1];
	*from = up[0];
	return 0;
}

int
main(int argc, char **argv)
{
	static const unsigned char bye[] = {CLOSE, 2, 1000 >> 8, 1000 & 0xff};
	struct pollfd polls[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	int to;

	if (argc < 2 || program_start(argv + 1, &to, &polls[1].fd) != 0)
		return 1;
	while (poll(polls, 2, -1) > 0)
		if ((polls[0].revents != 0 && !frames_take(to)) || (polls[1].revents != 0 && !lines_take(polls[1].fd)))
			break;
	(void)send(STDOUT_FILENO, bye, sizeof bye, MSG_NOSIGNAL);
	(void)close(to);
	return wait(NULL) > 0 ? 0 : 1; /* its processor's time counts with ours */
}
