#include "sys/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "base/log.h"
#include "sys/accept.h"
#include "sys/fds.h"

__attribute__((format(printf, 2, 3))) static int
refuse(const char **why, const char *format, ...)
{
	static char text[200];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	*why = text;
	return -1;
}

static int
option_get(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

static int
socket_option(int fd, int name)
{
	return option_get(fd, SOL_SOCKET, name);
}

static void
option_set(int fd, int level, int name, int value)
{
	if (value >= 0)
		(void)setsockopt(fd, level, name, &value, sizeof value);
}

/* Return why a descriptor cannot be a listening stream socket ("is not a socket"), or NULL. */
static const char *
listener_fault(int fd)
{
	int type = socket_option(fd, SO_TYPE), domain = socket_option(fd, SO_DOMAIN);

	if (type < 0)
		return errno == EBADF ? "is not open" : "is not a socket";
	if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
		return "is not an IPv4, IPv6 or UNIX socket";
	if (type != SOCK_STREAM)
		return "is not a stream socket";
	if (socket_option(fd, SO_ACCEPTCONN) != 1)
		return "is not a listening socket";
	return NULL;
}

static void
add(struct listeners *l, int fd)
{
	l->flags[l->count] = fcntl(fd, F_GETFL);
	l->nodelay[l->count] = option_get(fd, IPPROTO_TCP, TCP_NODELAY);
	l->keepalive[l->count] = l->nodelay[l->count] < 0 ? -1 : socket_option(fd, SO_KEEPALIVE);
	l->fds[l->count++] = fd;
}

/* Return 1 if LISTEN_FDS is for this process, 0 if not, -1 if LISTEN_PID is invalid. */
static int
listen_pid_matches(const char *pid_text, const char **why)
{
	uint64_t pid;

	if (!number_parse(span_of(pid_text), 1, INT32_MAX, &pid))
		return refuse(why, "LISTEN_PID: %s: not a process ID", quoted(pid_text));
	if (pid == (uint64_t)getpid())
		return 1;
	(void)refuse(why, "LISTEN_PID is %s, not this process: sockets ignored", quoted(pid_text));
	return 0;
}

int
listeners_named(const char **why)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t count;
	int matches;

	*why = NULL;
	if (fds == NULL)
		return 0;
	if (pid == NULL) {
		(void)refuse(why, "LISTEN_FDS without LISTEN_PID: sockets ignored");
		return 0;
	}
	matches = listen_pid_matches(pid, why);
	if (matches <= 0)
		return matches;
	if (!number_parse(span_of(fds), 0, LISTEN_MAX, &count))
		return refuse(why, "LISTEN_FDS: %s: not a number from 0 to %d", quoted(fds), LISTEN_MAX);
	return (int)count;
}

static int
take_named(struct listeners *l, const char **why)
{
	int count = listeners_named(why);

	for (int fd = LISTEN_FIRST; fd < LISTEN_FIRST + count; fd++) {
		const char *wrong = listener_fault(fd);

		if (wrong != NULL)
			return refuse(why, "fd %d of LISTEN_FDS %s", fd, wrong);
		add(l, fd);
	}
	return count;
}

int
listeners_take(struct listeners *l, const char **why)
{
	int taken = take_named(l, why);

	if (taken == 0 && socket_option(STDIN_FILENO, SO_ACCEPTCONN) == 1) {
		const char *wrong = listener_fault(STDIN_FILENO);

		if (wrong != NULL)
			return refuse(why, "fd 0 %s", wrong);
		add(l, STDIN_FILENO);
		taken = 1;
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_PIDFDID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return taken;
}

const char *
listeners_find(struct listeners *l)
{
	static char text[256];
	const char *why;
	int taken = listeners_take(l, &why);

	if (taken == 0 && why != NULL)
		(void)snprintf(text, sizeof text, "no listening socket: %s", why);
	else if (taken == 0)
		(void)snprintf(text, sizeof text,
		    "no listening socket: LISTEN_FDS is not set, and fd 0 %s (portscan-bind opens one)",
		    listener_fault(STDIN_FILENO));
	return taken > 0 ? NULL : taken < 0 ? why : text;
}

void
listeners_open(const struct listeners *l)
{
	fds_guard_stderr();
	for (size_t i = 0; i < l->count; i++) {
		(void)fcntl(l->fds[i], F_SETFD, FD_CLOEXEC);
		(void)fcntl(l->fds[i], F_SETFL, l->flags[i] | O_NONBLOCK);
		if (l->nodelay[i] >= 0) {
			option_set(l->fds[i], SOL_SOCKET, SO_KEEPALIVE, 1);
			option_set(l->fds[i], IPPROTO_TCP, TCP_NODELAY, 1);
		}
	}
}

size_t
listeners_queued(const struct listeners *l)
{
	size_t queued = 0;

	for (size_t i = 0; i < l->count; i++)
		queued += accept_queued(l->fds[i], 0);
	return queued;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++) {
		(void)fcntl(l->fds[i], F_SETFL, l->flags[i]);
		option_set(l->fds[i], SOL_SOCKET, SO_KEEPALIVE, l->keepalive[i]);
		option_set(l->fds[i], IPPROTO_TCP, TCP_NODELAY, l->nodelay[i]);
		(void)close(l->fds[i]);
	}
	l->count = 0;
}

void
listeners_leave(struct listeners *l)
{
	size_t queued = listeners_queued(l);

	if (queued != 0)
		warn("backlog: %zu connections not served", queued);
	listeners_close(l);
}

static int
set_number(const char *name, long value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%ld", value);
	return setenv(name, text, 1);
}

/* LISTEN_FDNAMES contains one name for each socket, in order. */
static int
names_extend(size_t count, const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t used, size;
	char *longer;
	int result;

	if (names == NULL)
		return 0;
	used = strlen(names);
	size = used + count * (strlen(name) + 1) + 1;
	longer = malloc(size);
	if (longer == NULL)
		return -1;
	memcpy(longer, names, used + 1);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(longer + used, size - used, ":%s", name);
	result = setenv("LISTEN_FDNAMES", longer, 1);
	free(longer);
	return result;
}

int
listeners_give(size_t named, const int *fds, size_t count, const char *name)
{
	if (named == 0)
		(void)unsetenv("LISTEN_FDNAMES");
	/* systemd's pidfd id of the process in LISTEN_PID: optional, and wrong after LISTEN_PID changes. */
	(void)unsetenv("LISTEN_PIDFDID");
	if (fds_place(fds, count, LISTEN_FIRST + (int)named) != 0 || set_number("LISTEN_PID", (long)getpid()) != 0
	    || set_number("LISTEN_FDS", (long)(named + count)) != 0)
		return -1;
	return names_extend(count, name);
}

static bool
has_prefix(const char *variable, const char *with)
{
	return strncmp(variable, with, strlen(with)) == 0;
}

void
listeners_forget(void)
{
	extern char **environ;
	char **kept = environ;

	for (char **at = environ; at != NULL && *at != NULL; at++)
		if (!has_prefix(*at, "LISTEN_") && !has_prefix(*at, "WATCHDOG_") && !has_prefix(*at, "NOTIFY_SOCKET="))
			*kept++ = *at;
	if (kept != NULL)
		*kept = NULL;
}
