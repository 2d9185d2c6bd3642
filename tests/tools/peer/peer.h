/* Declarations shared by the files of peer. */
#ifndef FITTINGS_PEER_H
#define FITTINGS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The program that is run, its connection, and the peer's copy of the program's end. */
extern struct program {
	char **argv;
	pid_t pid;
	bool client, with_stderr;
	bool listens; /* it gets a listening socket, to which the peer connects, and its stderr is log */
	char kind;    /* of the connection: u, t, s, p */
	int in, out;  /* of the program */
	int way_out;  /* the peer's second pipe */
	int log;
} program;

extern int conns[]; /* the peer's connections */
extern size_t count;
extern int room; /* SO_RCVBUF of later connections, if not 0 */

__attribute__((noreturn)) void fail(const char *what);
bool readable(int fd, int ms);
void program_start(void);

/* Return the descriptor to write to. */
int way_out(int fd);

/* Send everything, unless the connection ends. Return the number of bytes sent. */
long long send_all(int fd, const char *data, size_t size);

/* Write the bytes of a text with escapes, \A with HANDSHAKE_ACCEPT_SIZE. Return their number. */
size_t unescape_all(const char *text, unsigned char *data);

/* Perform a step of the command line. */
void step_read(char *argument);

int websocket_main(int argc, char **argv);

#endif
