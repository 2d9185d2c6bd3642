/* tcpecho: send back all received bytes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/split.h"
#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/address.h"
#include "sys/clock.h"
#include "sys/acceptor.h"
#include "sys/fds.h"
#include "sys/listen.h"
#include "sys/loop.h"
#include "sys/notify.h"
#include "sys/sandbox.h"
#include "sys/signals.h"

enum {
	STREAM_SIZE = 96 * 1024, /* read and sent at once: a third faster than 64 or 128 KiB */
	READS_MAX = 4,           /* reads of one connection per turn */
	MESSAGE_SIZE = 999,      /* longest message for -F and -r */
	ANSWERS_SIZE = 32 * 1024,   /* for many short answers in one send */
	JOBS_MAX = 1024,
	DRAIN_MS = 10000,        /* after SIGTERM: time limit for connections, */
	QUIET_MS = 1000,         /* and how long all of them must be idle to count as finished */
	RESPAWN_MS = 1000,
};

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "log of connections; with -F or -r, of messages"},
	{'F', "fields", "CHAR", "separator of fields, each answered (none)"},
	{'r', "reply", "TEXT", "answer to each message or field (its content)"},
	{'j', "jobs", "N", "number of processes, 0: one per core (1)"},
	{'c', "max", "N", "connections at once; later ones wait (no limit)"},
	{'i', "idle", "TIME", "time limit for an idle connection (none)"},
};

USAGE_FIRST static const struct usage usage = {
	.program = "tcpecho",
	.synopsis = "[option...]",
	.summary = "Echoes each connection to the inherited listening sockets, or fd 0 to fd 1.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

static struct {
	bool verbose;
	bool fields;    /* split each message at delimiter */
	char delimiter;
	struct span reply; /* at == NULL: answer with the message */
	size_t take;    /* longest message */
	unsigned jobs;
	uint64_t max;   /* connections, 0: no limit */
	int64_t idle_ms; /* 0: no limit */
} options = {.take = STREAM_SIZE, .jobs = 1};

/*
 * Answers.
 *
 * The answers to a message are generated while they are sent. Only the message and a position in it
 * are stored, for any length of the reply and any number of fields.
 */
struct answers {
	struct span now;     /* rest of the current answer */
	struct split fields; /* the fields after it */
};

static bool
answers_next(struct answers *a)
{
	struct span field = a->fields.rest;

	if (!a->fields.more)
		return false;
	if (options.fields)
		(void)split_next(&a->fields, &field);
	else
		a->fields.more = false;
	a->now = options.reply.at == NULL ? field : options.reply;
	return true;
}

/* Skip n bytes that were sent. */
static void
answers_take(struct answers *a, size_t n)
{
	while (n > a->now.size) {
		n -= a->now.size;
		(void)answers_next(a);
	}
	a->now.at += n;
	a->now.size -= n;
	while (a->now.size == 0 && answers_next(a))
		;
}

/* Start the answers to a message. If now.size is 0, there is nothing to send. */
static struct answers
answers_to(struct span message)
{
	struct answers a = {.now = {message.at, 0}, .fields = split_over(message, options.delimiter)};

	answers_take(&a, 0);
	return a;
}

/* Return the next bytes to send: the current answer in place if it is the last or a large one, else
 * as many answers as fit into space. */
static struct span
answers_bytes(const struct answers *answers, char *space, size_t size)
{
	struct answers a = *answers;
	size_t used = 0;

	if (!a.fields.more || a.now.size >= size / 2)
		return a.now;
	while (a.now.size != 0 && used < size) {
		size_t n = a.now.size < size - used ? a.now.size : size - used;

		memcpy(space + used, a.now.at, n);
		used += n;
		answers_take(&a, n);
	}
	return (struct span){space, used};
}

static void
log_received(struct span message, const char *name)
{
	struct split fields = split_over(message, options.delimiter);
	struct span field = message;

	if (options.fields)
		while (split_next(&fields, &field))
			log_info("Received %s from %s", quoted_bytes(field.at, field.size), name);
	else if (options.reply.at != NULL)
		log_info("Received %s from %s", quoted_bytes(field.at, field.size), name);
}

/* The server: one loop, one buffer for all connections. */
struct rest {
	struct answers answers;
	char message[];
};

struct client {
	struct watch watch;
	struct deadline idle;
	struct rest *rest; /* after a partial send, else NULL */
	char name[];       /* with -v */
};

/* A common symbol, so that it follows all other variables, which then share few pages. */
__attribute__((common)) struct server {
	char input[STREAM_SIZE]; /* first: a short message touches no additional page */

	struct loop loop;
	struct listeners listeners;
	struct acceptor acceptor;
	struct deadlines idles;
	uint64_t max;
	uint64_t clients;
	uint64_t pending; /* clients with a rest */

	/* The end: after QUIET_MS without traffic, or after the limit. */
	enum { SERVING, DRAINING, DONE } state;
	struct deadlines quiets, limits;
	struct deadline quiet, limit;

	char answers[ANSWERS_SIZE];
} server;

static void
client_end(struct loop *loop, struct client *c)
{
	if (options.verbose)
		log_info("%s disconnected", c->name);
	server.pending -= c->rest != NULL;
	free(c->rest);
	deadline_drop(&c->idle);
	watch_close(loop, &c->watch);
	free(c);
	if (server.clients-- == server.max && server.state == SERVING)
		acceptor_start(loop, &server.acceptor);
	acceptor_retry(loop, &server.acceptor);
}

/* Store what is still needed of the message: from the current answer if that is part of the
 * message, else from the fields after it. */
static bool
rest_keep(struct client *c, const struct answers *a)
{
	bool in_message = options.reply.at == NULL;
	const char *from = in_message ? a->now.at : a->fields.rest.at;
	const char *end = a->fields.more ? a->fields.rest.at + a->fields.rest.size
	    : in_message ? a->now.at + a->now.size : from;
	struct rest *rest = malloc(sizeof *rest + (size_t)(end - from));

	if (rest == NULL)
		return false;
	rest->answers = *a;
	memcpy(rest->message, from, (size_t)(end - from));
	if (in_message)
		rest->answers.now.at = rest->message;
	if (a->fields.more)
		rest->answers.fields.rest.at = rest->message + (a->fields.rest.at - from);
	c->rest = rest;
	server.pending++;
	return true;
}

/* Send once. Return false if the connection is lost. */
static bool
answers_send(const struct client *c, struct answers *a)
{
	struct span bytes = answers_bytes(a, server.answers, sizeof server.answers);
	ssize_t n = send(c->watch.fd, bytes.at, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
	answers_take(a, (size_t)n);
	return true;
}

/* Send the rest of an answer. The client is not read until all of it is sent. */
static bool
rest_send(struct loop *loop, struct client *c)
{
	if (!answers_send(c, &c->rest->answers))
		return false;
	if (c->rest->answers.now.size != 0)
		return true;
	free(c->rest);
	c->rest = NULL;
	server.pending--;
	watch_want(loop, &c->watch, EPOLLIN);
	return true;
}

/* Return false if the connection is lost. */
static bool
message_answer(struct loop *loop, struct client *c, struct span message)
{
	struct answers a;

	if (options.verbose)
		log_received(message, c->name);
	a = answers_to(message);
	if (a.now.size == 0)
		return true;
	if (!answers_send(c, &a))
		return false;
	if (a.now.size == 0)
		return true;
	if (!rest_keep(c, &a)) {
		warn("connection dropped, answer incomplete: %s", strerror(errno));
		return false;
	}
	watch_want(loop, &c->watch, EPOLLOUT);
	return true;
}

/* Read and answer. Read again if the buffer was full and all answers were sent: a wait, and another
 * connection's cold memory, would cost more than the second read. */
static bool
messages_serve(struct loop *loop, struct client *c)
{
	for (int reads = READS_MAX; reads > 0 && c->rest == NULL; reads--) {
		ssize_t n = recv(c->watch.fd, server.input, options.take, MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
		if (!message_answer(loop, c, (struct span){server.input, (size_t)n}))
			return false;
		if ((size_t)n < options.take)
			break;
	}
	return true;
}

static void
client_moved(struct loop *loop, struct client *c)
{
	if (options.idle_ms != 0)
		deadline_set(loop, &server.idles, &c->idle);
	if (server.state == DRAINING)
		deadline_set(loop, &server.quiets, &server.quiet);
}

static void
client_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct client *c = (struct client *)watch;

	(void)events; /* an error is reported by the next call on the socket */
	client_moved(loop, c);
	if (!(c->rest != NULL ? rest_send(loop, c) : messages_serve(loop, c)))
		client_end(loop, c);
}

static void
client_idle(struct loop *loop, struct deadline *idle)
{
	client_end(loop, (struct client *)((char *)idle - offsetof(struct client, idle)));
}

static void
client_accept(struct loop *loop, struct acceptor *acceptor, int fd, const struct address *remote)
{
	char name[ADDRESS_TEXT_SIZE] = "";
	struct client *c;

	if (options.verbose)
		address_text(remote, name);
	c = malloc(sizeof *c + (options.verbose ? strlen(name) + 1 : 0));
	if (c != NULL)
		*c = (struct client){.watch.ready = client_ready};
	if (c == NULL || watch_begin(loop, &c->watch, fd, EPOLLIN) != 0) {
		acceptor_pause(loop, acceptor, "connection dropped");
		free(c);
		(void)close(fd);
		return;
	}
	if (options.verbose) {
		memcpy(c->name, name, strlen(name) + 1);
		log_info("Connected by %s", name);
	}
	client_moved(loop, c);
	if (++server.clients == server.max)
		acceptor_stop(loop, acceptor);
}

/* The end of a server. Clients of an echo service need not close, so a client that has received all its bytes and
 * is silent counts as finished. */
static void
drain_quiet(struct loop *loop, struct deadline *quiet)
{
	if (server.pending == 0)
		server.state = DONE;
	else
		deadline_set(loop, &server.quiets, quiet);
}

static void
drain_limit(struct loop *loop, struct deadline *limit)
{
	(void)loop;
	(void)limit;
	server.state = DONE;
}

static void
drain_begin(struct loop *loop)
{
	server.state = DRAINING;
	deadlines_begin(loop, &server.quiets, QUIET_MS, drain_quiet);
	deadlines_begin(loop, &server.limits, DRAIN_MS, drain_limit);
	deadline_set(loop, &server.quiets, &server.quiet);
	deadline_set(loop, &server.limits, &server.limit);
	acceptor_drain(loop, &server.acceptor);
}

static void
server_begin(uint64_t max)
{
	struct loop *loop = &server.loop;

	if (loop_open(loop) != 0)
		die(STATUS_FAILED, "epoll_create1: %s", strerror(errno));
	memset(server.input, 0, sizeof server.input); /* touch the pages now, so that memory does not grow later */
	server.max = max;
	deadlines_begin(loop, &server.idles, options.idle_ms, client_idle);
	server.acceptor.on_connection = client_accept;
	server.acceptor.listeners = &server.listeners;
	acceptor_begin(loop, &server.acceptor);
	acceptor_start(loop, &server.acceptor);
}

static bool
stop_requested(void)
{
	bool terminated = signals_take(SIGTERM);

	return signals_take(SIGINT) || terminated;
}

/* Return false at the end of the service. */
static bool
server_turn(void)
{
	if (server.state == DONE || (server.state == DRAINING && server.clients == 0))
		return false;
	if (loop_turn(&server.loop) != 0)
		die(STATUS_FAILED, "epoll_wait: %s", strerror(errno));
	return true;
}

/* Remaining clients are in no list from which they could be freed: exit without exit handlers. */
static void __attribute__((noreturn))
server_end(void)
{
	if (server.clients != 0)
		_exit(STATUS_OK);
	exit(STATUS_OK);
}

/* Serve in this process. */
static void __attribute__((noreturn))
serve_alone(void)
{
	static const int numbers[] = {SIGTERM, SIGINT};

	signals_catch(numbers, sizeof numbers / sizeof *numbers);
	server_begin(options.max);
	notify_send("READY=1");
	sandbox_begin(SANDBOX_SERVES, options.verbose);
	while (server_turn()) {
		if (!stop_requested())
			continue;
		if (server.state == DRAINING)
			break;
		notify_send("STOPPING=1");
		drain_begin(&server.loop);
		listeners_leave(&server.listeners);
	}
	listeners_leave(&server.listeners);
	server_end();
}

/*
 * Several processes. SIGTERM drains a worker, however often it arrives: a service manager may send
 * it to all processes, and the parent passes it on. SIGINT, which a terminal sends to all
 * processes, is handled by the parent only. The flags of the listening sockets are restored when
 * the last worker has closed them: until then `open' has a writer.
 */
struct workers {
	pid_t pids[JOBS_MAX]; /* 0 if not running */
	unsigned alive;
	int64_t start_at; /* when to restart missing workers */
	bool stopping;
	int open[2];
};

static void
serve_as_worker(const struct workers *w, unsigned number, pid_t parent)
{
	uint64_t share = options.max / options.jobs + (number < options.max % options.jobs);

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(STATUS_OK);
	(void)close(w->open[0]);
	server_begin(share);
	sandbox_begin(SANDBOX_SERVES, options.verbose);
	while (server_turn()) {
		if (!signals_take(SIGTERM) || server.state != SERVING)
			continue;
		drain_begin(&server.loop);
		for (size_t i = 0; i < server.listeners.count; i++)
			(void)close(server.listeners.fds[i]);
		(void)close(w->open[1]);
	}
	server_end();
}

static void
workers_start(struct workers *w)
{
	if (w->stopping || clock_ms() < w->start_at)
		return;
	for (unsigned i = 0; i < options.jobs; i++) {
		pid_t parent = getpid();

		if (w->pids[i] != 0)
			continue;
		w->pids[i] = fork();
		if (w->pids[i] == 0)
			serve_as_worker(w, i, parent);
		if (w->pids[i] < 0) {
			warn("fork: %s", strerror(errno));
			w->pids[i] = 0;
			w->start_at = clock_ms() + RESPAWN_MS;
			return;
		}
		w->alive++;
	}
}

static void
workers_signal(const struct workers *w, int number)
{
	for (unsigned i = 0; i < options.jobs; i++)
		if (w->pids[i] != 0)
			(void)kill(w->pids[i], number);
}

static void
workers_stop(struct workers *w)
{
	if (w->stopping) {
		workers_signal(w, SIGKILL);
		return;
	}
	w->stopping = true;
	notify_send("STOPPING=1");
	workers_signal(w, SIGTERM);
	(void)close(w->open[1]);
}

static void
workers_reap(struct workers *w)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		unsigned i = 0;

		while (i < options.jobs && w->pids[i] != pid)
			i++;
		/* The process that executed tcpecho may have left children. */
		if (i == options.jobs)
			continue;
		w->pids[i] = 0;
		w->alive--;
		if (w->stopping)
			continue;
		warn("process %ld ended (%s %d), restarting", (long)pid,
		    WIFSIGNALED(status) ? "signal" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		w->start_at = clock_ms() + RESPAWN_MS;
	}
}

static void
workers_wait(const struct workers *w)
{
	bool gaps = !w->stopping && w->alive < options.jobs;
	int ms = clock_until(gaps ? w->start_at : CLOCK_NEVER);
	struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	struct pollfd p = {.fd = w->open[0]};

	int ready = ppoll(&p, w->stopping && server.listeners.count != 0, ms < 0 ? NULL : &limit, signals_wait_mask());

	if (ready < 0 && errno != EINTR)
		die(STATUS_FAILED, "poll: %s", strerror(errno));
	if (ready == 1)
		listeners_leave(&server.listeners);
}

static int
serve_shared(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGCHLD};
	struct workers w = {0};

	signals_catch(numbers, sizeof numbers / sizeof *numbers);
	if (pipe2(w.open, O_CLOEXEC) != 0)
		die(STATUS_FAILED, "pipe: %s", strerror(errno));
	workers_start(&w);
	notify_send("READY=1");
	while (!w.stopping || w.alive != 0) {
		workers_wait(&w);
		if (signals_take(SIGCHLD))
			workers_reap(&w);
		if (stop_requested())
			workers_stop(&w);
		workers_start(&w);
	}
	listeners_leave(&server.listeners);
	return STATUS_OK;
}

/* Without a listening socket: fd 0 to fd 1, under inetd or in a pipeline. */
struct ends {
	bool socket; /* fd 1 is a socket */
	char name[ADDRESS_TEXT_SIZE];
};

/* Wait for fd 0 or 1. Return false after -i. */
static bool
end_wait(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t deadline = options.idle_ms == 0 ? CLOCK_NEVER : clock_ms() + options.idle_ms;
	int n;

	do
		n = poll(&p, 1, clock_until(deadline));
	while (n < 0 && errno == EINTR);
	return n != 0;
}

/* Return whether an error means that the peer has closed the connection, which is a normal end. */
static bool
hung_up(const struct ends *ends)
{
	return ends->socket && (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT);
}

enum moved { MOVED, MOVED_END, MOVED_FAILED };

static enum moved
ends_write(const struct ends *ends, struct answers *a)
{
	while (a->now.size != 0) {
		struct span bytes = answers_bytes(a, server.answers, sizeof server.answers);
		int wait = options.idle_ms == 0 ? 0 : MSG_DONTWAIT;
		ssize_t n = ends->socket ? send(STDOUT_FILENO, bytes.at, bytes.size, MSG_NOSIGNAL | wait)
		    : write(STDOUT_FILENO, bytes.at, bytes.size);

		if (n >= 0) {
			answers_take(a, (size_t)n);
		} else if (errno == EAGAIN) {
			if (!end_wait(STDOUT_FILENO, POLLOUT))
				return MOVED_END;
		} else if (errno != EINTR) {
			if (hung_up(ends))
				return MOVED_END;
			warn("stdout: %s", strerror(errno));
			return MOVED_FAILED;
		}
	}
	return MOVED;
}

static enum moved
ends_move(const struct ends *ends)
{
	struct answers a;
	ssize_t n;

	if (options.idle_ms != 0 && !end_wait(STDIN_FILENO, POLLIN))
		return MOVED_END;
	n = read(STDIN_FILENO, server.input, options.take);
	if (n == 0 || (n < 0 && hung_up(ends)))
		return MOVED_END;
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && end_wait(STDIN_FILENO, POLLIN))))
		return MOVED;
	if (n < 0) {
		warn("stdin: %s", strerror(errno));
		return MOVED_FAILED;
	}
	if (options.verbose)
		log_received((struct span){server.input, (size_t)n}, ends->name);
	a = answers_to((struct span){server.input, (size_t)n});
	return ends_write(ends, &a);
}

static int
echo_ends(void)
{
	struct ends ends = {.name = "stdin"};
	struct address remote;
	struct stat s;
	bool connection = address_remote(STDIN_FILENO, &remote) == 0;
	enum moved moved;

	fds_guard_stderr();
	if (connection)
		address_text(&remote, ends.name);
	ends.socket = fstat(STDOUT_FILENO, &s) == 0 && S_ISSOCK(s.st_mode);
	if (options.verbose && connection)
		log_info("Connected by %s", ends.name);
	do
		moved = ends_move(&ends);
	while (moved == MOVED);
	if (options.verbose && connection)
		log_info("%s disconnected", ends.name);
	return moved == MOVED_END ? STATUS_OK : STATUS_FAILED;
}

static void
options_read(int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'v': options.verbose = true; break;
		case 'F':
			options.fields = true;
			options.take = MESSAGE_SIZE;
			if (!byte_parse(span_of(optarg), &options.delimiter))
				option_refuse("not one byte, \\t, \\0, \\\\ or \\xHH");
			break;
		case 'r':
			options.reply = span_of(optarg);
			options.take = MESSAGE_SIZE;
			break;
		case 'j': options.jobs = (unsigned)option_number(0, JOBS_MAX); break;
		case 'c': options.max = option_number(1, INT32_MAX); break;
		case 'i': options.idle_ms = option_duration(1, INT32_MAX); break;
		}
	}
	if (argv[optind] != NULL)
		usage_refuse("%s: tcpecho takes no program", quoted(argv[optind]));
}

static unsigned
cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

int
main(int argc, char **argv)
{
	const char *why;
	int taken;

	fds_open_standard();
	options_read(argc, argv);
	(void)signal(SIGXFSZ, SIG_IGN); /* a file at its size limit (RLIMIT_FSIZE) must fail with EFBIG */
	if (options.jobs == 0)
		options.jobs = cores();
	if (options.max != 0 && options.jobs > options.max)
		options.jobs = (unsigned)options.max;
	taken = listeners_take(&server.listeners, &why);
	if (taken < 0)
		die(STATUS_USAGE, "%s", why);
	if (taken == 0 && why != NULL)
		warn("%s", why);
	if (taken == 0)
		return echo_ends();
	(void)signal(SIGPIPE, SIG_IGN);
	fds_raise_limit();
	listeners_open(&server.listeners);
	fds_leave_stdout();
	if (options.jobs == 1)
		serve_alone();
	return serve_shared();
}
