/* Whether the peer of a socket makes progress receiving. */
#ifndef FITTINGS_PROGRESS_H
#define FITTINGS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Return whether the peer of a TCP socket was behind at the last check and has acknowledged more
 * since. *state is kept between two checks, 0 before the first one.
 *
 * A peer is behind if the kernel holds data that cannot be sent yet. If the peer is not behind,
 * acknowledgements prove nothing: its kernel accepts data into free buffer space, even if the
 * program is stopped. Return false if the kernel has no such information (UNIX socket, pipe).
 */
bool progress_made(int fd, uint64_t *state);

#endif
