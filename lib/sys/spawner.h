/*
 * A helper process that starts programs for a process that cannot: the sandbox allows no fork(),
 * and waiting for execve() would block the loop. The helper is the parent of the programs and
 * reports their ends. When the helper ends, all programs get SIGTERM. The helper ends with the
 * process that uses it, for any reason.
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

/* The programs that the helper may start, and their environment. */
struct spawner_programs {
	struct {
		const char *path;   /* from exec_find() */
		char *const *argv;
		int death_signal;   /* signal for the program when the helper ends */
	} each[SPAWNER_PROGRAMS];
	char *const *environment;             /* inherited by all programs */
	bool (*entry_allowed)(const char *entry); /* `NAME=value` in a request; if false, the start fails */
	uint32_t ids;                         /* all ids are below this */
};

/* A request to the helper. A start is followed by the environment entries, and has two descriptors. */
struct spawner_request {
	uint32_t id;
	uint32_t kind;
	int32_t value; /* the program of a start, or the signal */
};

struct spawner {
	int fd;    /* socket to the helper */
	pid_t pid; /* of the helper */
	struct spawner_request *signals; /* that wait for the socket, a ring */
	size_t first, waiting, capacity;
};

enum spawner_event {
	SPAWNER_STARTED,    /* value: pid, also the process group */
	SPAWNER_NO_PROCESS, /* value: errno of a shortage. The id is free again */
	SPAWNER_NO_EXEC,    /* value: the errno of execve(). The id is free again */
	SPAWNER_ENDED,      /* value: as waitpid(2) reports it. The id is free again */
};

struct spawner_report {
	uint32_t id;
	int32_t event; /* enum spawner_event */
	int32_t value;
};

/* Start the helper. It has only its socket and fds 0, 1 and 2. *programs must stay unchanged.
 * Return 0, or -1 with errno. */
int spawner_begin(struct spawner *s, const struct spawner_programs *programs);

/*
 * Request a program with fds `in` and `out` as its stdin and stdout. The caller keeps both and may
 * close them at once. entries: additional environment variables, each with its NUL, size bytes in
 * total. Return 0, or -1 with errno: EAGAIN until s->fd is writable, E2BIG, EPIPE without a helper.
 */
int spawner_start(const struct spawner *s, uint32_t id, unsigned program, const char *entries, size_t size, int in,
    int out);

/* Send a signal to the process group of a program. No effect after its end. While the helper does not read, signals
 * wait: spawner_flush() is called when s->fd is writable, and returns whether none waits any more. */
void spawner_signal(struct spawner *s, uint32_t id, int number);
bool spawner_flush(struct spawner *s);

/* Send SIGKILL, and treat the program as ended: the program of another user (setuid) cannot be killed. */
void spawner_abandon(struct spawner *s, uint32_t id);

/* Return 1 and a report, 0 without a report, or -1 if the helper has ended. */
int spawner_receive(const struct spawner *s, struct spawner_report *report);

/* Let the helper end after its last request, and wait for that, at most for 10 s. Otherwise a service
 * manager would kill it as a process that is left over. */
void spawner_end(struct spawner *s);

#endif
