/*
 * A helper process that starts programs for a process that cannot do so itself: in the
 * sandbox there is no fork, and waiting for exec would stop its loop. The helper is the
 * parent of the programs and reports their ends. When the helper ends, every program gets
 * SIGTERM; it ends with the process that it works for, whatever ended that.
 *
 *     spawner_begin(&s, &programs);                       before the sandbox and any thread
 *     spawner_start(&s, id, 0, entries, size, in, out);
 *     while (spawner_receive(&s, &report) > 0)            when s.fd is readable
 *         ...
 */
#ifndef FITTINGS_SPAWNER_H
#define FITTINGS_SPAWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SPAWNER_PROGRAMS = 2, SPAWNER_ENTRIES_MAX = 512, SPAWNER_TEXT_MAX = 128 << 10 };

/* What the helper may start, and with which environment. */
struct spawner_programs {
	struct {
		const char *path;   /* found already (exec_find) */
		char *const *argv;
		int death_signal;   /* when the helper ends */
	} each[SPAWNER_PROGRAMS];
	char *const *environment;             /* of every program */
	bool (*entry_allowed)(const char *entry); /* `NAME=value` that a request may add; others refuse the start */
	uint32_t ids;                         /* ids are below this */
};

struct spawner {
	int fd;    /* a socket to the helper */
	pid_t pid; /* the helper's */
};

enum spawner_event {
	SPAWNER_STARTED,    /* value: the pid, which is also its process group */
	SPAWNER_NO_PROCESS, /* value: the errno, of a shortage. The id is free again */
	SPAWNER_NO_EXEC,    /* value: the errno of execve(). The id is free again */
	SPAWNER_ENDED,      /* value: as waitpid(2) reports it. The id is free again */
};

struct spawner_report {
	uint32_t id;
	int32_t event; /* enum spawner_event */
	int32_t value;
};

/* Starts the helper, which has its socket and fds 0, 1 and 2 alone. *programs stays as it is. Returns 0, or -1 with errno. */
int spawner_begin(struct spawner *s, const struct spawner_programs *programs);

/*
 * Asks for one of the programs, with fds `in` and `out` as its stdin and stdout. They stay the caller's, and
 * can be closed at once. entries: additions to the environment, each with its NUL, size bytes in all.
 * Returns 0, or -1 with errno: EAGAIN until s->fd is writable, E2BIG, EPIPE without a helper.
 */
int spawner_start(const struct spawner *s, uint32_t id, unsigned program, const char *entries, size_t size, int in,
    int out);

/* Sends a signal to the process group of a program. No effect after its end. */
void spawner_signal(const struct spawner *s, uint32_t id, int number);

/* Sends SIGKILL, and the program counts as ended: a program of another user (setuid) cannot be killed. */
void spawner_abandon(const struct spawner *s, uint32_t id);

/* Returns 1 and a report, 0 if there is none now, -1 if the helper has ended. */
int spawner_receive(const struct spawner *s, struct spawner_report *report);

#endif
