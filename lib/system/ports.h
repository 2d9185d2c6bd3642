/*
 * Ports: a descriptor tied to a buffer. Sources fill theirs, sinks drain
 * theirs; ports_wait() is the one place that waits, and what it waits for is
 * worked out from the buffers each time, never stored.
 *
 * A borrowed descriptor stays as it was: O_NONBLOCK lives in the open file,
 * which we share with the shell and our siblings.
 */
#ifndef FITTINGS_PORTS_H
#define FITTINGS_PORTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ground/buffer.h"

enum port_kind {
	PORT_SOCKET, /* MSG_DONTWAIT, MSG_NOSIGNAL */
	PORT_PIPE,   /* somebody else's pipe: RWF_NOWAIT, else PIPE_BUF bytes behind poll */
	PORT_OWN,    /* a pipe end of our own making, non-blocking */
	PORT_PLAIN,  /* file, terminal, device: plain calls, which may wait */
};

struct port {
	int fd;
	enum port_kind kind;
	bool sink;
	bool ended;            /* source: EOF or error; sink: nobody reads it any more */
	bool nowait_unknown;   /* this kernel has no RWF_NOWAIT for such a pipe */
	int error;             /* the errno behind the end, 0 for EOF */
	struct buffer *buffer;
};

/* A port over a borrowed descriptor, of the kind that it is. */
struct port port_over(int fd, bool sink, struct buffer *buffer);

/*
 * One read into the buffer's room, or one write of what it holds. Returns the
 * bytes moved, 0 where nothing could be moved now, -1 where the port has ended
 * (ended and error tell how). Plain ports may block: call when poll said so.
 */
ssize_t port_move(struct port *port);

/*
 * Waits until a port can move bytes, and moves them, once each: sources while
 * their buffer has room (packed first), sinks while theirs holds something; an
 * idle sink is watched for its reader's end. timeout_ms as poll's; mask as
 * ppoll's, NULL to leave signals alone. Returns how many ports moved or ended;
 * 0 at the timeout; -1 with errno (EINTR).
 */
int ports_wait(struct port *const *ports, size_t count, int timeout_ms, const sigset_t *mask);

#endif
