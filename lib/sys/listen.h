/*
 * Listening sockets as they are handed from program to program: fd 3 up with
 * LISTEN_PID and LISTEN_FDS, see sd_listen_fds(3), or one on fd 0 (inetd wait).
 */
#ifndef FITTINGS_LISTEN_H
#define FITTINGS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

enum { LISTEN_FIRST = 3, LISTEN_MAX = 64 };

struct listeners {
	int fds[LISTEN_MAX];
	int flags[LISTEN_MAX];     /* F_GETFL as inherited, */
	int keepalive[LISTEN_MAX]; /* and SO_KEEPALIVE, */
	int nodelay[LISTEN_MAX];   /* and TCP_NODELAY; -1 for a UNIX socket */
	size_t count;
};

/* Why this descriptor cannot be accepted on ("is not a socket"); NULL where it can. */
const char *listener_fault(int fd);

/*
 * How many sockets LISTEN_PID and LISTEN_FDS hand to this process, from LISTEN_FIRST up.
 * 0 if none (*why is then NULL, or names a foreign or missing LISTEN_PID); -1 if the
 * values are invalid (*why tells, until the next call).
 */
int listeners_named(const char **why);

/*
 * Takes what we inherited. Returns how many there are; 0 where nothing was
 * handed to us (*why is then as above, and *l is not touched); -1 where what was handed over cannot be served (*why tells, until the
 * next call). *l is all zero before. LISTEN_* leave our environment.
 */
int listeners_take(struct listeners *l, const char **why);

/*
 * Makes them non-blocking and close-on-exec: several processes may share them. A stderr
 * that is the socket on fd 0 (inetd wait) becomes /dev/null: writing to it would be SIGPIPE.
 * Over TCP sets SO_KEEPALIVE and TCP_NODELAY, which what is accepted inherits.
 */
void listeners_open(const struct listeners *l);

/* How many connections wait in their queues, as far as the kernel tells (TCP). */
size_t listeners_queued(const struct listeners *l);

/* Puts them back as they were and closes them (no shutdown: others may share them). */
void listeners_close(struct listeners *l);

/*
 * Hands count sockets on, after the first `named` ones, which stay where they are: places
 * them from fd LISTEN_FIRST + named up, sets LISTEN_PID and LISTEN_FDS, and adds name to
 * LISTEN_FDNAMES for each, if the first ones have names. Returns 0, or -1 with errno.
 */
int listeners_give(size_t named, const int *fds, size_t count, const char *name);

/* Unsets what must not reach a per-connection program: LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*. */
void listeners_forget(void);

#endif
