/*
 * Endpoints: a descriptor with a buffer. A source fills its buffer, a sink drains it. All waiting
 * happens in endpoints_wait(), which derives the events to wait for from the buffers each time.
 *
 * The flags of a borrowed descriptor stay unchanged: O_NONBLOCK belongs to the open file
 * description, which is shared with the shell and other programs.
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
	ENDPOINT_PIPE,   /* an inherited pipe: RWF_NOWAIT, else up to PIPE_BUF bytes after poll */
	ENDPOINT_OWN,    /* a pipe end created here, non-blocking */
	ENDPOINT_PLAIN,  /* file, terminal, device: plain calls, which may block */
};

struct endpoint {
	int fd;
	enum endpoint_kind kind;
	bool sink;
	bool ended;                         /* source: EOF or error; sink: the reader is gone */
	bool nowait_unknown;                /* the kernel has no RWF_NOWAIT for this pipe */
	bool blocked;                       /* sink: the last write was partial or failed with EAGAIN */
	bool paused;                        /* source: not read while set */
	bool watched;                       /* source: report a hangup of the other end also while not read */
	bool hup_seen;                      /* the hangup was reported: only an error can follow */
	bool hup_ignored;                   /* poll(2) would report the hangup forever: not polled */
	bool unwatched;                     /* sink: not polled while idle; the next write reports a lost reader */
	bool last;                          /* sink: shutdown(2) follows: its FIN is sent with the pending data */
	struct endpoint *same_socket;       /* sink: a source on the same socket, which also reports its end */
	int error;                          /* errno of the end, 0 for EOF */
	struct buffer *buffer;
	bool limited;                       /* source: ends after `most` more bytes */
	size_t most;
	size_t withheld;                    /* sink: bytes at the end of its buffer that must not be sent yet */
	const struct buffer *second_iov;    /* sink: another buffer, written directly after its own: */
	size_t second_iov_size;             /* bytes of it that are left, */
	size_t second_iov_sent;             /* and bytes written, which the owner consumes */
	uint64_t moved;                     /* total bytes */
};

/* Make an endpoint for a borrowed descriptor and detect its kind. */
struct endpoint endpoint_over(int fd, bool sink, struct buffer *buffer);

/* Return whether a sink has anything to write. */
bool endpoint_pending(const struct endpoint *endpoint);

/* Return whether the next endpoints_wait() reads a source when data arrives. */
bool endpoint_readable(const struct endpoint *endpoint);

/*
 * Read once into the free space of the buffer, or write once from the buffer and second_iov. Return the number of
 * bytes moved, 0 if nothing could be moved now, or -1 if the endpoint has ended (ended and error are set).
 * Endpoints of kind ENDPOINT_PLAIN may block: call this only after poll() has reported them ready.
 */
ssize_t endpoint_move(struct endpoint *endpoint);

/* Write once from a sink with pending data, unless the write could block or is known to fail with EAGAIN. */
ssize_t endpoint_flush(struct endpoint *endpoint);

/*
 * Wait until an endpoint can move bytes, then move bytes once for each ready endpoint. Sources are read while their
 * buffer has free space (it is packed first if that is cheap), sinks are written while data is pending. An idle
 * sink is polled for the loss of its reader if no other endpoint reports it.
 *
 * timeout_ms is as for poll(2); mask as for ppoll(2), NULL to leave the signal mask alone. Return how many
 * endpoints moved bytes, ended or hung up; 0 at the timeout; -1 with errno (EINTR).
 */
int endpoints_wait(struct endpoint *const *endpoints, size_t count, int timeout_ms, const sigset_t *mask);

/*
 * endpoints_wait() in two parts, for an owner that waits with a loop: the events of poll(2) to wait for, or -1 not
 * to watch it at all (not even for a hangup); and one move after the wait. got: what the wait returned, possibly for
 * another endpoint of the same descriptor. Return whether it moved, ended or hung up.
 */
int endpoint_interest(struct endpoint *endpoint);
bool endpoint_turn(struct endpoint *endpoint, int got);

#endif
