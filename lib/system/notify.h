/* The readiness protocol of sd_notify(3). */
#ifndef FITTINGS_NOTIFY_H
#define FITTINGS_NOTIFY_H

/*
 * Sends e.g. "READY=1" to $NOTIFY_SOCKET, where there is one; best effort. The
 * socket that the first call makes is kept, for in the sandbox there is no other.
 */
void notify_send(const char *state);

#endif
