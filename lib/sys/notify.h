/* The readiness protocol of sd_notify(3). */
#ifndef FITTINGS_NOTIFY_H
#define FITTINGS_NOTIFY_H

/* Remembers $NOTIFY_SOCKET, which may then leave the environment. */
void notify_remember(void);

/*
 * Sends e.g. "READY=1" there, where there is one; best effort. It remembers
 * first, where nobody has. The socket that the first call makes is kept, for in
 * the sandbox there is no other.
 */
void notify_send(const char *state);

#endif
