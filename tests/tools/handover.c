/*
 * Passes descriptors of all kinds to a program, as a service manager does:
 *
 *     handover [-0] [-n COUNT] [-p PID] KIND... -- prog [arg...]
 *
 * The kinds become fd 3 and up, in order, with LISTEN_PID and LISTEN_FDS. With -0 the first becomes
 * fd 0 (with -01 and -012 also fd 1 and 2, as with some inetds), and neither variable is set. -n
 * and -p set LISTEN_FDS and LISTEN_PID to another value. Addresses to connect to are printed first,
 * one line each: `port N` or `path P`.
 *
 *     tcp  tcp6     a listening socket on 127.0.0.1, ::1
 *     any  dual     on 0.0.0.0, on :: for IPv4 too
 *     unix:PATH     a listening UNIX socket
 *     packet:PATH   a listening UNIX socket of type SEQPACKET
 *     bound         a TCP socket that does not listen
 *     connected     one end of a TCP connection
 *     udp           a UDP socket
 *     file  pipe    /etc/passwd, the read end of a pipe
 *     closed        nothing
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/address.h"

enum { FDS_MAX = 64, FIRST = 3, APART = 100 };

static void
fail(const char *what)
{
	fprintf(stderr, "handover: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
checked(int result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static int
bound(int type, const char *ip, int only_v6)
{
	struct address at;
	int fd;

	(void)address_parse(ip, &at);
	fd = checked(socket(at.any.sa_family, type, 0), "socket");
	if (at.any.sa_family == AF_INET6)
		checked(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6), "IPV6_V6ONLY");
	checked(bind(fd, &at.any, at.size), "bind");
	return fd;
}

static int
listening(const char *ip, int only_v6)
{
	int fd = bound(SOCK_STREAM, ip, only_v6);
	struct address at;

	checked(listen(fd, SOMAXCONN), "listen");
	checked(address_local(fd, &at), "getsockname");
	printf("port %u\n", address_port(&at));
	return fd;
}

static int
listening_local(int type, const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = checked(socket(AF_UNIX, type, 0), "socket");

	(void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	checked(bind(fd, (struct sockaddr *)&at, sizeof at), path);
	checked(listen(fd, SOMAXCONN), "listen");
	printf("path %s\n", path);
	return fd;
}

static int
connected(void)
{
	int listener = bound(SOCK_STREAM, "127.0.0.1", 0), fd = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
	struct address at;

	checked(listen(listener, 1), "listen");
	checked(address_local(listener, &at), "getsockname");
	checked(connect(fd, &at.any, at.size), "connect");
	return fd;
}

static int
piped(void)
{
	int ends[2];

	checked(pipe(ends), "pipe");
	return ends[0];
}

/* -1 for a closed descriptor. */
static int
of_kind(const char *kind)
{
	if (strcmp(kind, "tcp") == 0)
		return listening("127.0.0.1", 0);
	if (strcmp(kind, "any") == 0)
		return listening("0.0.0.0", 0);
	if (strcmp(kind, "tcp6") == 0)
		return listening("::1", 1);
	if (strcmp(kind, "dual") == 0)
		return listening("::", 0);
	if (strncmp(kind, "unix:", 5) == 0)
		return listening_local(SOCK_STREAM, kind + 5);
	if (strncmp(kind, "packet:", 7) == 0)
		return listening_local(SOCK_SEQPACKET, kind + 7);
	if (strcmp(kind, "bound") == 0)
		return bound(SOCK_STREAM, "127.0.0.1", 0);
	if (strcmp(kind, "connected") == 0)
		return connected();
	if (strcmp(kind, "udp") == 0)
		return bound(SOCK_DGRAM, "127.0.0.1", 0);
	if (strcmp(kind, "file") == 0)
		return checked(open("/etc/passwd", O_RDONLY), "/etc/passwd");
	if (strcmp(kind, "pipe") == 0)
		return piped();
	if (strcmp(kind, "closed") == 0)
		return -1;
	errno = EINVAL;
	fail(kind);
	return -1;
}

static void
place(int fd, int at)
{
	if (fd < 0)
		(void)close(at);
	else
		checked(dup2(fd, at), "dup2");
}

int
main(int argc, char **argv)
{
	const char *pid = NULL, *count = NULL;
	int zero = 0, one = 0, two = 0, fds[FDS_MAX], n = 0;
	char number[24];

	for (int key; (key = getopt(argc, argv, "+012n:p:")) != -1;) {
		zero |= key == '0';
		one |= key == '1';
		two |= key == '2';
		count = key == 'n' ? optarg : count;
		pid = key == 'p' ? optarg : pid;
	}
	for (argv += optind; *argv != NULL && strcmp(*argv, "--") != 0 && n < FDS_MAX; argv++, n++) {
		int fd = of_kind(*argv);

		fds[n] = fd < 0 ? -1 : checked(fcntl(fd, F_DUPFD_CLOEXEC, APART), "dup");
		if (fd >= 0)
			(void)close(fd);
	}
	if (*argv == NULL || argv[1] == NULL || fflush(stdout) != 0) {
		fprintf(stderr, "usage: handover [-012] [-n COUNT] [-p PID] KIND... -- prog [arg...]\n");
		return 2;
	}
	for (int i = 0; i < n; i++)
		place(fds[i], zero ? i : FIRST + i);
	if (one)
		place(fds[0], STDOUT_FILENO);
	if (two)
		place(fds[0], STDERR_FILENO);
	(void)snprintf(number, sizeof number, "%d", n);
	if (!zero)
		(void)setenv("LISTEN_FDS", count == NULL ? number : count, 1);
	(void)snprintf(number, sizeof number, "%ld", (long)getpid());
	if (!zero)
		(void)setenv("LISTEN_PID", pid == NULL ? number : pid, 1);
	(void)execvp(argv[1], argv + 1);
	fail(argv[1]);
}
