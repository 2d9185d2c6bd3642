/* Listening sockets passed between programs: from fd 3 with LISTEN_PID and LISTEN_FDS as in sd_listen_fds(3), or
 * one socket on fd 0 (inetd wait). */
#ifndef FITTINGS_LISTEN_H
#define FITTINGS_LISTEN_H

#include <stddef.h>

enum { LISTEN_FIRST = 3, LISTEN_MAX = 64 };

struct listeners {
	int fds[LISTEN_MAX];
	int flags[LISTEN_MAX];     /* original F_GETFL, */
	int keepalive[LISTEN_MAX]; /* SO_KEEPALIVE */
	int nodelay[LISTEN_MAX];   /* and TCP_NODELAY; -1 for a UNIX socket */
	size_t count;
};

/*
 * Return how many sockets LISTEN_PID and LISTEN_FDS pass to this process, from LISTEN_FIRST up.
 * Return 0 without sockets (*why is NULL, or describes a missing LISTEN_PID or one of another
 * process), or -1 for invalid values. *why is valid until the next call.
 */
int listeners_named(const char **why);

/*
 * Take over the inherited sockets into *l, which is all zero. Return their number; 0 without
 * sockets (*why as above, *l unchanged); -1 if a socket cannot be served (*why is valid until the
 * next call). Remove LISTEN_* from the environment.
 */
int listeners_take(struct listeners *l, const char **why);

/* As listeners_take() for a program that needs a socket. Return NULL, or the reason of the failure. */
const char *listeners_find(struct listeners *l);

/*
 * Make the sockets non-blocking, since several processes may share them, and close-on-exec. Replace
 * a stderr that is the socket on fd 0 (inetd wait) by /dev/null, because a write would raise
 * SIGPIPE. Set SO_KEEPALIVE and TCP_NODELAY on TCP sockets; accepted connections inherit them.
 */
void listeners_open(const struct listeners *l);

/* Return the number of connections in the accept queues, as far as the kernel reports it (TCP). */
size_t listeners_queued(const struct listeners *l);

/* Restore the original flags and close the sockets, without shutdown() because others may share them. */
void listeners_close(struct listeners *l);

/* As listeners_close(), and log the number of connections that remain in the accept queues. */
void listeners_leave(struct listeners *l);

/*
 * Pass count sockets on after the first `named` ones, which stay in place: move them to fd
 * LISTEN_FIRST + named and up, set LISTEN_PID and LISTEN_FDS, and append name to LISTEN_FDNAMES for
 * each of them if the variable exists. Return 0, or -1 with errno.
 */
int listeners_give(size_t named, const int *fds, size_t count, const char *name);

/* Unset the variables that a program for one connection must not see: LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*. */
void listeners_forget(void);

#endif
