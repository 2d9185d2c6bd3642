/* tcpaccept: run a program for each connection. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/accept.h"
#include "sys/address.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/listen.h"
#include "sys/notify.h"
#include "sys/signals.h"
#include "sys/terminate.h"
#include "sys/address_limit.h"
#include "sys/ucspi.h"

enum {
	MAX_DEFAULT = 1024,
	MAX_LIMIT = 1000000,
	DRAIN_DEFAULT_MS = 5 * 1000,
	KILL_AFTER_MS = 3 * 1000, /* with the drain 8 s, because container runtimes allow 10 s */
	GIVE_UP_AFTER_MS = 1000, /* on a program that does not end after SIGKILL */
};

enum { KEY_EXIT_IDLE = OPTION_LONG };

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "log of connections and their ends"},
	{'c', "max", "N", "connections at once; later ones wait (1024)"},
	{'C', "max-per-address", "N", "limit per address; excess is closed (none)"},
	{'t', "drain", "TIME", "grace period for connections on SIGTERM (5s)"},
	{'n', "connections", "N", "connections to accept before exit (no limit)"},
	{KEY_EXIT_IDLE, "exit-idle-time", "TIME", "exit after this time without connections (never)"},
};

static const struct usage usage = {
	.program = "tcpaccept",
	.synopsis = "[option...] prog [arg...]",
	.summary = "Runs prog for each connection to the inherited listening sockets.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

/* A running program with its connection. */
struct session {
	pid_t pid;
	bool over_ip;
	struct address remote;
	int64_t began;
};

/* An accepted connection without a process. */
struct waiting {
	int fd;
	struct address remote;
};

struct service {
	bool verbose;
	size_t max;
	unsigned max_per_address; /* 0: no limit */
	int64_t drain_ms;
	int64_t idle_ms;   /* 0: no exit without connections */
	uint64_t limit;    /* total number of connections, 0: no limit */
	uint64_t accepted; /* connections, without those closed because of --max-per-address */
	int status;        /* exit status of the program if the limit is 1 */
	struct listeners listeners;
	struct child_start start;
	struct ucspi environment;
	struct session *sessions; /* running ones, in no particular order */
	size_t running;
	struct address_limit addresses;
	struct address_limit networks;
	struct shortage shortage;
	struct shortage failure; /* failure to start prog */
	struct waiting held;     /* a connection for which no process could be created, */
	struct waiting *waiting; /* or at the end of the service all connections from the backlog */
	size_t waiting_first, waiting_end;
	bool full_logged;         /* the message about --max was logged; reset when a connection ends */
	int64_t full_log_after;
	int64_t over_log_after; /* when the next message about --max-per-address may be logged */
	bool stopped;           /* no more connections are accepted */
	int64_t idle_until;     /* when to exit without connections */
	struct terminate end;   /* of the sessions; the last ones of --connections are awaited without a limit */
};

static void
options_read(struct service *s, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'v': s->verbose = true; break;
		case 'c': s->max = (size_t)option_number(1, MAX_LIMIT); break;
		case 'C': s->max_per_address = (unsigned)option_number(1, MAX_LIMIT); break;
		case 't': s->drain_ms = option_duration(0, OPTION_DAY_MS); break;
		case 'n': s->limit = option_number(1, INT32_MAX); break;
		case KEY_EXIT_IDLE: s->idle_ms = option_duration(1, OPTION_DAY_MS); break;
		}
	}
	if (argv[optind] == NULL)
		usage_refuse("no program to run");
	s->start.argv = argv + optind;
}

static void
storage_get(struct service *s)
{
	extern char **environ;

	char **slots = calloc(ucspi_slots(environ), sizeof *slots);

	s->sessions = calloc(s->max, sizeof *s->sessions);
	if (s->sessions == NULL || !address_limit_begin(&s->addresses, s->max) || !address_limit_begin(&s->networks, s->max)
	    || slots == NULL)
		die(STATUS_FAILED, "no memory for %zu connections: %s", s->max, strerror(errno));
	ucspi_begin(&s->environment, environ, slots);
}

/* Count a session. Return the number of connections of its address, including this one. */
static unsigned
session_add(struct service *s, const struct session *session)
{
	s->running++;
	s->idle_until = CLOCK_NEVER;
	if (!session->over_ip)
		return 0;
	(void)address_limit_add(&s->networks, address_key_of_network(&session->remote));
	return address_limit_add(&s->addresses, address_key_of(&session->remote));
}

static void
idle_begin(struct service *s)
{
	s->idle_until = s->idle_ms == 0 ? CLOCK_NEVER : clock_ms() + s->idle_ms;
}

/* The last session moves to the place of the one that has ended. */
static void
session_remove(struct service *s, struct session *session)
{
	if (session->over_ip) {
		address_limit_remove(&s->addresses, address_key_of(&session->remote));
		address_limit_remove(&s->networks, address_key_of_network(&session->remote));
	}
	*session = s->sessions[--s->running];
	s->full_logged = false;
	if (s->running == 0)
		idle_begin(s);
}

static void
log_began(const struct service *s, const struct session *session)
{
	char name[ADDRESS_TEXT_SIZE];

	address_text(&session->remote, name);
	log_info("Connected by %s (pid %ld, %zu of %zu)", name, (long)session->pid, s->running, s->max);
}

static void
log_ended(const struct session *session, int status)
{
	int64_t ms = clock_ms() - session->began;
	char name[ADDRESS_TEXT_SIZE];

	address_text(&session->remote, name);
	log_info("%s disconnected (%s %d, %lld.%03d s)", name, WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)ms / 1000, (int)(ms % 1000));
}

static void
sessions_reap(struct service *s)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		size_t i = 0;

		while (i < s->running && s->sessions[i].pid != pid)
			i++;
		/* The process that executed tcpaccept may have left children. */
		if (i == s->running)
			continue;
		if (s->verbose)
			log_ended(&s->sessions[i], status);
		session_remove(s, &s->sessions[i]);
		shortage_end(&s->shortage);
		if (s->limit == 1)
			s->status = child_status(status);
	}
}

static void
sessions_signal(const struct service *s, int number)
{
	for (size_t i = 0; i < s->running; i++)
		(void)kill(s->sessions[i].pid, number);
}

/* Report that prog could not be started. Return whether a later attempt may succeed. */
static bool
start_failed(struct service *s, int error, bool exec_failed)
{
	bool passes = !exec_failed || shortage_passes(error);

	if (shortage_begin(passes ? &s->shortage : &s->failure, clock_ms()))
		warn("%s: %s%s", quoted(s->start.argv[0]), strerror(error),
		    passes ? " (connection waits)" : " (connection closed)");
	if (!passes && s->limit == 1)
		s->status = exec_status(error);
	return passes;
}

/* Run prog for the connection. Return false if no process can be created now. */
static bool
session_start(struct service *s, int fd, const struct address *remote)
{
	struct session *session = &s->sessions[s->running];
	struct address local;
	bool exec_failed;
	unsigned number;

	if (address_local(fd, &local) != 0)
		return true;
	*session = (struct session){.over_ip = remote->any.sa_family != AF_UNIX, .remote = *remote};
	session->began = clock_ms();
	number = session_add(s, session);
	s->start.envp = session->over_ip ? ucspi_tcp(&s->environment, fd, &local, remote, number)
					 : ucspi_local(&s->environment);
	s->start.in = s->start.out = fd;
	session->pid = child_begin(&s->start, &exec_failed);
	if (session->pid < 0) {
		int error = errno;

		session_remove(s, session);
		return !start_failed(s, error, exec_failed);
	}
	if (s->verbose)
		log_began(s, session);
	return true;
}

/* Return whether the address has reached --max-per-address. */
static bool
address_full(struct service *s, const struct address *remote)
{
	char name[ADDRESS_TEXT_SIZE];

	if (s->max_per_address == 0 || remote->any.sa_family == AF_UNIX
	    || address_limit_count(&s->networks, address_key_of_network(remote)) < s->max_per_address)
		return false;
	s->accepted--;
	if (s->verbose || clock_ms() >= s->over_log_after) {
		s->over_log_after = clock_ms() + SHORTAGE_LOG_MS;
		address_text(remote, name);
		warn("%s: connection closed: its address has %u connections (--max-per-address)", name, s->max_per_address);
	}
	return true;
}

/* Start held connections, as far as --max and the system allow. */
static void
waiting_start(struct service *s)
{
	while (s->waiting_first < s->waiting_end && s->running < s->max) {
		const struct waiting *next = &s->waiting[s->waiting_first];

		if (!address_full(s, &next->remote) && !session_start(s, next->fd, &next->remote))
			return;
		(void)close(next->fd);
		s->waiting_first++;
	}
}

static void
connection_accept(struct service *s, int listener)
{
	struct address remote;
	int fd = accept_next(listener, 0, &remote);

	if (fd == ACCEPT_SHORTAGE) {
		int error = errno;

		if (shortage_begin(&s->shortage, clock_ms()))
			warn("accept: %s (connection waits)", strerror(error));
	}
	if (fd < 0)
		return;
	s->accepted++;
	if (!address_full(s, &remote) && !session_start(s, fd, &remote)) {
		s->held = (struct waiting){fd, remote};
		s->waiting_first = 0;
		s->waiting_end = 1;
		return;
	}
	(void)close(fd);
}

static bool
limit_reached(const struct service *s)
{
	return s->limit != 0 && s->accepted == s->limit;
}

/* Accept the queued connections. The length of the queue was read once, so that clients that arrive
 * later cannot prolong this. */
static void
queue_take(struct service *s, int listener, size_t length)
{
	for (; length > 0 && !limit_reached(s); length--) {
		struct waiting *w = &s->waiting[s->waiting_end];

		w->fd = accept_next(listener, 0, &w->remote);
		s->accepted += w->fd >= 0;
		if (w->fd >= 0)
			s->waiting_end++;
		else if (w->fd != ACCEPT_GONE)
			return;
	}
}

/* Connections in the backlog are established for their clients: serve them instead of resetting
 * them. */
static void
backlog_take(struct service *s)
{
	size_t lengths[LISTEN_MAX] = {0}, capacity = 1;
	struct waiting *waiting;

	for (size_t i = 0; i < s->listeners.count; i++)
		capacity += lengths[i] = accept_queued(s->listeners.fds[i], ACCEPT_QUEUE_MAX);
	waiting = calloc(capacity, sizeof *waiting);
	if (waiting == NULL)
		return;
	s->waiting_end -= s->waiting_first;
	s->waiting_first = 0;
	waiting[0] = s->held;
	s->waiting = waiting;
	for (size_t i = 0; i < s->listeners.count; i++)
		queue_take(s, s->listeners.fds[i], lengths[i]);
}

static void
log_unserved(size_t count)
{
	if (count != 0)
		warn("backlog: %zu connections not served", count);
}

static void
waiting_drop(struct service *s)
{
	log_unserved(s->waiting_end - s->waiting_first);
	while (s->waiting_first < s->waiting_end)
		(void)close(s->waiting[s->waiting_first++].fd);
}

static void
service_stop(struct service *s)
{
	s->stopped = true;
	s->idle_until = CLOCK_NEVER;
	notify_send("STOPPING=1");
	listeners_close(&s->listeners);
}

/* Go to the next step: drain, SIGTERM, SIGKILL, give up. */
static void
end_advance(struct service *s)
{
	const int64_t grace[] = {
		[TERM_ASKED] = s->drain_ms, [TERM_SIGTERM] = KILL_AFTER_MS, [TERM_SIGKILL] = GIVE_UP_AFTER_MS, [TERM_OVER] = 0,
	};
	enum term_step step = s->end.step + 1;
	int number = terminate_step(&s->end, step, clock_ms(), grace[step]);

	if (step != TERM_ASKED)
		waiting_drop(s);
	if (number != 0)
		sessions_signal(s, number);
	if (step != TERM_ASKED || s->stopped)
		return;
	backlog_take(s);
	log_unserved(listeners_queued(&s->listeners));
	service_stop(s);
}

/* Return the end of the next wait. */
static int64_t
deadline_of(const struct service *s)
{
	return terminate_runs(&s->end) ? s->end.deadline : s->idle_until;
}

/* Each signal and each deadline goes one step further. */
static void
end_check(struct service *s)
{
	if (signals_take_stop())
		end_advance(s);
	if (s->end.step != TERM_OVER && clock_until(deadline_of(s)) == 0)
		end_advance(s);
	if (!s->stopped && limit_reached(s))
		service_stop(s);
}

static bool
finished(const struct service *s)
{
	return s->end.step == TERM_OVER || (s->stopped && s->running == 0 && s->waiting_first == s->waiting_end);
}

/*
 * Return how many listening sockets to poll, all or none; *until may become earlier. At --max they
 * are polled until the first connection waits, to log it once.
 */
static size_t
listeners_watched(const struct service *s, int64_t *until)
{
	int64_t paused = s->shortage.until;

	if (paused == 0 && s->running == s->max && !s->full_logged && clock_ms() < s->full_log_after)
		paused = s->full_log_after;
	if (paused != 0 && paused < *until)
		*until = paused;
	if (paused != 0 || s->full_logged || s->waiting_first < s->waiting_end)
		return 0;
	return s->listeners.count;
}

/* A connection waits until another one ends. */
static void
full_log(struct service *s)
{
	s->full_logged = true;
	s->full_log_after = clock_ms() + SHORTAGE_LOG_MS;
	warn("%zu of %zu connections: the next one waits (--max)", s->running, s->max);
}

/* Wait for a connection, a signal or a deadline. */
static void
turn(struct service *s)
{
	struct pollfd polls[LISTEN_MAX];
	int64_t until = deadline_of(s);
	size_t count = listeners_watched(s, &until);
	int ms = clock_until(until);
	struct timespec limit = {ms / 1000, ms % 1000 * 1000000L};
	int ready;

	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = s->listeners.fds[i], .events = POLLIN};
	ready = ppoll(polls, count, ms < 0 ? NULL : &limit, signals_wait_mask());
	if (ready < 0 && errno != EINTR)
		die(STATUS_FAILED, "poll: %s", strerror(errno));
	if (ready <= 0)
		return;
	if (s->running == s->max)
		full_log(s);
	for (size_t i = 0; i < count; i++)
		if (polls[i].revents != 0 && s->shortage.until == 0 && s->running < s->max && !limit_reached(s))
			connection_accept(s, s->listeners.fds[i]);
	signals_deliver();
}

static void
serve(struct service *s)
{
	idle_begin(s);
	for (;;) {
		if (signals_take(SIGCHLD))
			sessions_reap(s);
		end_check(s);
		if (!shortage_lasts(&s->shortage, clock_ms()))
			waiting_start(s);
		if (finished(s))
			return;
		turn(s);
	}
}

int
main(int argc, char **argv)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	static struct service service = {
		.max = MAX_DEFAULT,
		.drain_ms = DRAIN_DEFAULT_MS,
		.waiting = &service.held,
		.idle_until = CLOCK_NEVER,
	};
	static char path[PATH_MAX];
	const char *why;
	int status;

	fds_open_standard();
	options_read(&service, argc, argv);
	why = listeners_find(&service.listeners);
	if (why != NULL)
		die(STATUS_USAGE, "%s", why);
	status = exec_locate(service.start.argv[0], path, sizeof path);
	if (status != 0)
		exit(status);
	service.start.path = path;
	fds_keep_from(STDERR_FILENO + 1);
	(void)signal(SIGPIPE, SIG_IGN);
	signals_catch(caught, sizeof caught / sizeof *caught);
	notify_remember();
	listeners_forget();
	storage_get(&service);
	listeners_open(&service.listeners);
	fds_leave_stdout();
	notify_send("READY=1");
	serve(&service);
	return service.status;
}
