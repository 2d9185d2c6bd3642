/* The readiness protocol of sd_notify(3). */
#ifndef FITTINGS_NOTIFY_H
#define FITTINGS_NOTIFY_H

/* Store $NOTIFY_SOCKET, which may then be removed from the environment. */
void notify_remember(void);

/*
 * Send a state such as "READY=1" to the stored socket, if there is one, and ignore errors. The
 * first call stores $NOTIFY_SOCKET if notify_remember() was not called, and keeps the socket that
 * it creates, because the sandbox does not allow another.
 */
void notify_send(const char *state);

#endif
