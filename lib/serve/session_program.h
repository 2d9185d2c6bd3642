/* The program's side of the end of a session, only for session.c. */
#ifndef FITTINGS_SESSION_PROGRAM_H
#define FITTINGS_SESSION_PROGRAM_H

#include "serve/session.h"

/* Terminate a program that does not end after the end of its peer. */
void session_program_push(struct session *s);

/* Take the next step of the termination: close stdin, SIGTERM, SIGKILL. */
void session_program_term(struct session *s, enum term_step step);

/* End a session whose program could not be started. status is the exit status. */
void session_not_started(struct session *s, int status);

#endif
