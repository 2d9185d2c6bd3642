/*
 * tcpaccept: run a program for each connection.
 *
 * vfork() suspends the calling thread until the child has executed the program, which takes long if other processes
 * use the processors. Therefore several threads run the event loop in turn: a thread that starts a program leaves the
 * loop to another one.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
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
	THREADS = 4,
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
	pthread_mutex_t loop;  /* held by the thread that runs the loop; released while it starts a program */
	pthread_mutex_t state; /* protects everything below; not held during a wait */
	bool verbose;
	size_t max;
	unsigned max_per_address; /* 0: no limit */
	int64_t drain_ms;
	int64_t idle_ms;   /* 0: no exit without connections */
	uint64_t limit;    /* total number of connections, 0: no limit */
	uint64_t accepted; /* connections, without those closed because of --max-per-address */
	int status;        /* exit status of the program if the limit is 1 */
	struct listeners listeners;
	char path[PATH_MAX]; /* of prog */
	char **argv;
	struct session *sessions; /* with a pid, in no particular order */
	size_t running;           /* all sessions */
	size_t starting;          /* sessions whose program is being started */
	bool unknown_ended;       /* a child has ended that has no session, or whose session has no pid yet */
	struct address_limit addresses;
	struct address_limit networks;
	struct shortage shortage;
	struct shortage failure; /* failure to start prog */
	struct waiting held[THREADS]; /* connections for which no process could be created, */
	struct waiting *waiting;      /* followed at the end of the service by those from the backlog */
	size_t waiting_first, waiting_end;
	bool full_logged;         /* the message about --max was logged; reset when a connection ends */
	int64_t full_log_after;
	int64_t over_log_after; /* when the next message about --max-per-address may be logged */
	bool stopped;           /* no more connections are accepted */
	int64_t idle_until;     /* when to exit without connections */
	struct terminate end;   /* of the sessions; the last ones of --connections are awaited without a limit */
};

/* Of the program that the thread starts. */
static _Thread_local struct ucspi *environment;

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
	s->argv = argv + optind;
}

static void
storage_get(struct service *s)
{
	s->sessions = calloc(s->max, sizeof *s->sessions);
	if (s->sessions == NULL || !address_limit_begin(&s->addresses, s->max) || !address_limit_begin(&s->networks, s->max))
		die(STATUS_FAILED, "no memory for %zu connections: %s", s->max, strerror(errno));
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

static void
session_remove(struct service *s, const struct session *session)
{
	if (session->over_ip) {
		address_limit_remove(&s->addresses, address_key_of(&session->remote));
		address_limit_remove(&s->networks, address_key_of_network(&session->remote));
	}
	s->full_logged = false;
	if (--s->running == 0)
		idle_begin(s);
}

static void
log_began(const struct service *s, const struct session *session, size_t running)
{
	char name[ADDRESS_TEXT_SIZE];

	address_text(&session->remote, name);
	log_info("Connected by %s (pid %ld, %zu of %zu)", name, (long)session->pid, running, s->max);
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

/* Return the number of sessions with a pid. */
static size_t
sessions_count(const struct service *s)
{
	return s->running - s->starting;
}

/* The last session moves to the place of the one that has ended. */
static void
session_ended(struct service *s, struct session *session, int status)
{
	if (s->verbose)
		log_ended(session, status);
	session_remove(s, session);
	*session = s->sessions[sessions_count(s)];
	shortage_end(&s->shortage);
	if (s->limit == 1)
		s->status = child_status(status);
}

static void
sessions_reap(struct service *s)
{
	siginfo_t info = {0};
	int status;

	s->unknown_ended = false;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		size_t i = 0, count = sessions_count(s);

		while (i < count && s->sessions[i].pid != info.si_pid)
			i++;
		/* The process that executed tcpaccept may have left children: reap them if the child is not one of a start. */
		s->unknown_ended = i == count && s->starting != 0;
		if (s->unknown_ended)
			return;
		(void)waitpid(info.si_pid, &status, 0);
		if (i < count)
			session_ended(s, &s->sessions[i], status);
		info.si_pid = 0;
	}
}

static void
sessions_signal(const struct service *s, int number)
{
	for (size_t i = 0; i < sessions_count(s); i++)
		(void)kill(s->sessions[i].pid, number);
}

/* Report that prog could not be started. Return whether a later attempt may succeed. */
static bool
start_failed(struct service *s, int error, bool exec_failed)
{
	bool passes = !exec_failed || shortage_passes(error);

	if (shortage_begin(passes ? &s->shortage : &s->failure, clock_ms()))
		warn("%s: %s%s", quoted(s->argv[0]), strerror(error),
		    passes ? " (connection waits)" : " (connection closed)");
	if (!passes && s->limit == 1)
		s->status = exec_status(error);
	return passes;
}

static void
loop_take(struct service *s)
{
	(void)pthread_mutex_lock(&s->loop);
	(void)pthread_mutex_lock(&s->state);
}

/* Start prog while another thread runs the loop. Return its pid, or a negative errno. */
static pid_t
prog_start(struct service *s, const struct child_start *start, bool *exec_failed)
{
	pid_t pid;

	s->starting++;
	(void)pthread_mutex_unlock(&s->state);
	(void)pthread_mutex_unlock(&s->loop);
	pid = child_begin(start, exec_failed);
	if (pid < 0)
		pid = -errno;
	else
		(void)close(start->in);
	(void)pthread_mutex_lock(&s->state);
	s->starting--;
	return pid;
}

/* The sessions may already have been signalled. */
static void
session_started(struct service *s, const struct session *session, size_t running)
{
	s->sessions[sessions_count(s) - 1] = *session;
	if (s->verbose)
		log_began(s, session, running);
	if (s->end.step > TERM_ASKED)
		(void)kill(session->pid, s->end.step == TERM_SIGTERM ? SIGTERM : SIGKILL);
}

/* Run prog for the connection and close it, or hold it if no process can be created now. */
static void
session_start(struct service *s, const struct waiting *w)
{
	struct child_start start = {.path = s->path, .argv = s->argv, .in = w->fd, .out = w->fd};
	struct session session = {.over_ip = w->remote.any.sa_family != AF_UNIX, .remote = w->remote, .began = clock_ms()};
	struct address local;
	bool exec_failed;
	size_t running;
	unsigned number;

	if (address_local(w->fd, &local) != 0) {
		(void)close(w->fd);
		return;
	}
	number = session_add(s, &session);
	running = s->running;
	start.envp = session.over_ip ? ucspi_tcp(environment, w->fd, &local, &w->remote, number) : ucspi_local(environment);
	session.pid = prog_start(s, &start, &exec_failed);
	if (session.pid > 0) {
		session_started(s, &session, running);
	} else {
		session_remove(s, &session);
		if (start_failed(s, -session.pid, exec_failed))
			s->waiting[--s->waiting_first] = *w;
		else
			(void)close(w->fd);
	}
	/* Interrupt the wait in the loop, for a child that has ended or a deadline that has changed. */
	if (session.pid < 0 || s->unknown_ended)
		(void)kill(getpid(), SIGCHLD);
	(void)pthread_mutex_unlock(&s->state);
	loop_take(s);
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

static bool
may_start(const struct service *s)
{
	return s->running < s->max && s->shortage.until == 0 && !s->unknown_ended;
}

/* Start held connections, as far as --max and the system allow. */
static void
waiting_start(struct service *s)
{
	if (s->end.step > TERM_ASKED)
		waiting_drop(s);
	while (s->waiting_first < s->waiting_end && may_start(s)) {
		const struct waiting w = s->waiting[s->waiting_first++];

		if (address_full(s, &w.remote))
			(void)close(w.fd);
		else
			session_start(s, &w);
	}
}

static void
connection_accept(struct service *s, int listener)
{
	struct waiting w;

	w.fd = accept_next(listener, 0, &w.remote);
	if (w.fd == ACCEPT_SHORTAGE) {
		int error = errno;

		if (shortage_begin(&s->shortage, clock_ms()))
			warn("accept: %s (connection waits)", strerror(error));
	}
	if (w.fd < 0)
		return;
	s->accepted++;
	if (address_full(s, &w.remote))
		(void)close(w.fd);
	else
		session_start(s, &w);
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
	size_t lengths[LISTEN_MAX] = {0}, capacity = THREADS;
	struct waiting *waiting;

	for (size_t i = 0; i < s->listeners.count; i++)
		capacity += lengths[i] = accept_queued(s->listeners.fds[i], ACCEPT_QUEUE_MAX);
	waiting = calloc(capacity, sizeof *waiting);
	if (waiting == NULL)
		return;
	memcpy(waiting, s->held, sizeof s->held);
	s->waiting = waiting;
	for (size_t i = 0; i < s->listeners.count; i++)
		queue_take(s, s->listeners.fds[i], lengths[i]);
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
	if (signals_take_stop() && s->end.step != TERM_OVER)
		end_advance(s);
	if (s->end.step != TERM_OVER && clock_until(deadline_of(s)) == 0)
		end_advance(s);
	if (!s->stopped && limit_reached(s))
		service_stop(s);
}

static bool
finished(const struct service *s)
{
	if (s->end.step == TERM_OVER)
		return s->starting == 0;
	return s->stopped && s->running == 0 && s->waiting_first == s->waiting_end;
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
	if (paused != 0 || s->full_logged || s->unknown_ended || s->waiting_first < s->waiting_end)
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
	(void)pthread_mutex_unlock(&s->state);
	ready = ppoll(polls, count, ms < 0 ? NULL : &limit, signals_wait_mask());
	if (ready < 0 && errno != EINTR)
		die(STATUS_FAILED, "poll: %s", strerror(errno));
	(void)pthread_mutex_lock(&s->state);
	if (ready <= 0)
		return;
	if (s->running == s->max)
		full_log(s);
	/* Meanwhile other threads run the loop. */
	for (size_t i = 0; i < count; i++)
		if (polls[i].revents != 0 && may_start(s) && s->waiting_first == s->waiting_end && !s->stopped && !limit_reached(s))
			connection_accept(s, s->listeners.fds[i]);
	signals_deliver();
}

/* Run the service in turn with the other threads. */
static void *
serve(void *service)
{
	extern char **environ;

	struct service *s = service;
	struct ucspi own;
	char **slots;

	loop_take(s);
	slots = calloc(ucspi_slots(environ), sizeof *slots);
	if (slots == NULL)
		die(STATUS_FAILED, "no memory: %s", strerror(errno));
	ucspi_begin(&own, environ, slots);
	environment = &own;
	for (;;) {
		if (signals_take(SIGCHLD))
			sessions_reap(s);
		end_check(s);
		if (!shortage_lasts(&s->shortage, clock_ms()))
			waiting_start(s);
		if (finished(s))
			exit(s->status);
		turn(s);
	}
}

int
main(int argc, char **argv)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	static struct service service = {
		.loop = PTHREAD_MUTEX_INITIALIZER,
		.state = PTHREAD_MUTEX_INITIALIZER,
		.max = MAX_DEFAULT,
		.drain_ms = DRAIN_DEFAULT_MS,
		.waiting = service.held,
		.waiting_first = THREADS,
		.waiting_end = THREADS,
		.idle_until = CLOCK_NEVER,
	};
	pthread_t thread;
	const char *why;
	int status;

	fds_open_standard();
	options_read(&service, argc, argv);
	why = listeners_find(&service.listeners);
	if (why != NULL)
		die(STATUS_USAGE, "%s", why);
	status = exec_locate(argv[optind], service.path, sizeof service.path);
	if (status != 0)
		exit(status);
	fds_keep_from(STDERR_FILENO + 1);
	(void)signal(SIGPIPE, SIG_IGN);
	signals_catch(caught, sizeof caught / sizeof *caught);
	notify_remember();
	listeners_forget();
	storage_get(&service);
	listeners_open(&service.listeners);
	fds_leave_stdout();
	notify_send("READY=1");
	idle_begin(&service);
	/* A failure is not an error: fewer starts are possible at once. */
	for (int i = 1; i < THREADS; i++)
		(void)pthread_create(&thread, NULL, serve, &service);
	serve(&service);
}
