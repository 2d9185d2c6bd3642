/* How far the other end of a socket has come with what it was sent. */
#ifndef FITTINGS_PROGRESS_H
#define FITTINGS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the peer of a TCP socket was behind at the last look, and has taken more
 * since. *look keeps what the next look needs, 0 before the first one.
 *
 * It is behind while some of what was written cannot leave yet. What a peer takes that
 * is not behind says nothing of it: its kernel takes what it has room for, also for one
 * that is asleep. False where the kernel does not tell: of a UNIX socket, of a pipe.
 */
bool progress_made(int fd, uint64_t *look);

#endif
