/*
 * Ports: a descriptor tied to a buffer. Sources fill theirs, sinks drain
 * theirs; endpoints_wait() is the one place that waits, and what it waits for is
 * worked out from the buffers each time, never stored.
 *
 * A borrowed descriptor stays as it was: O_NONBLOCK lives in the open file,
 * which we share with the shell and our siblings.
 */
#ifndef FITTINGS_ENDPOINT_H
#define FITTINGS_ENDPOINT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

enum endpoint_kind {
	ENDPOINT_SOCKET, /* MSG_DONTWAIT, MSG_NOSIGNAL */
	ENDPOINT_PIPE,   /* somebody else's pipe: RWF_NOWAIT, else PIPE_BUF bytes behind poll */
	ENDPOINT_OWN,    /* a pipe end of our own making, non-blocking */
	ENDPOINT_PLAIN,  /* file, terminal, device: plain calls, which may wait */
};

struct endpoint {
	int fd;
	enum endpoint_kind kind;
	bool sink;
	bool ended;            /* source: EOF or error; sink: nobody reads it any more */
	bool nowait_unknown;   /* this kernel has no RWF_NOWAIT for such a pipe */
	bool blocked;          /* sink: it did not take all that it was last given */
	bool paused;           /* source: not read while this is set */
	bool watched;          /* source: notice its other end's end also while it is not read */
	bool hup_seen;             /* such an end was seen: only its loss can follow */
	bool hup_ignored;             /* and poll(2) would tell of it for ever */
	bool unwatched;        /* sink: that nobody reads it is soon enough seen by the next write */
	struct endpoint *same_socket;     /* sink: a source on the same socket, which tells of its end too */
	int error;             /* the errno behind the end, 0 for EOF */
	struct buffer *buffer;
	bool limited;          /* source: it ends after so many bytes more: */
	size_t most;
	size_t withheld;           /* sink: bytes at the end of its buffer that are not to go yet */
	const struct buffer *second_iov; /* sink: another buffer, whose head goes right behind what its own holds: */
	size_t second_iov_size;    /* so many bytes of it still, */
	size_t second_iov_sent;    /* and so many are written, which the owner takes from it */
	uint64_t moved;        /* bytes in all */
};

/* A port over a borrowed descriptor, of the kind that it is. */
struct endpoint endpoint_over(int fd, bool sink, struct buffer *buffer);

/* Whether a sink has anything to write. */
bool endpoint_pending(const struct endpoint *endpoint);

/* Whether the next endpoints_wait() reads a source where something comes. */
bool endpoint_readable(const struct endpoint *endpoint);

/*
 * One read into the buffer's room, or one write of what it holds (and of what
 * goes behind). Returns the bytes moved, 0
 * where nothing could be moved now, -1 where the port has ended (ended and
 * error tell how). Plain ports may block: call when poll said so.
 */
ssize_t endpoint_move(struct endpoint *endpoint);

/* One write of what a sink has pending, where that cannot block and is not known to be in vain. */
ssize_t endpoint_flush(struct endpoint *endpoint);

/*
 * Waits until a port can move bytes, and moves them, once each: sources while
 * their buffer has room (it is packed first where that costs little), sinks
 * while something is pending; an idle sink is watched for its reader's end where
 * nothing else tells of it.
 * timeout_ms as poll's; mask as ppoll's, NULL to leave signals alone. Returns
 * how many ports moved, ended or hung; 0 at the timeout; -1 with errno (EINTR).
 */
int endpoints_wait(struct endpoint *const *endpoints, size_t count, int timeout_ms, const sigset_t *mask);

#endif
