/* wsserve: options, reports of the helper, shutdown, main. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/option.h"
#include "base/status.h"
#include "server.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/notify.h"
#include "sys/sandbox.h"
#include "sys/signals.h"
#include "ws/cgi.h"

enum {
	MAX_DEFAULT = 1000,
	PER_CLIENT = 4,        /* descriptors: the connection, two pipes, one more during the end */
	DESCRIPTORS = 16,      /* in addition to those of clients */
	REPORTS_AT_ONCE = 64,
	GIVE_UP_MS = 1000,     /* on programs that do not end after SIGKILL */
};

enum { KEY_DRAIN = UPGRADE_OWN };

static const struct option_row rows[] = {
	UPGRADE_ROWS("1000"),
	SESSION_ROWS("max-message", "a client"),
	{KEY_DRAIN, "drain", "TIME", "grace period for sessions on SIGTERM (0s)"},
	UPGRADE_HANDSHAKE_ROWS,
	ADMISSION_TAKEOVER_ROW,
};

static const struct usage usage = {
	.program = "wsserve",
	.synopsis = "[option...] prog [arg...]",
	.summary = "Serves WebSocket clients on the inherited listening sockets: a prog for each.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

static void
options_read(struct server *s, int argc, char **argv)
{
	struct session_options *session = &s->options.session;

	*session = (struct session_options){.upgraded = true, SESSION_DEFAULTS};
	upgrade_options_begin(&s->base.options, MAX_DEFAULT);
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		if (key == KEY_DRAIN)
			s->options.drain_ms = option_duration(0, OPTION_DAY_MS);
		else if (!session_option(session, key))
			upgrade_option(&s->base.options, key);
	}
	admission_options_end(&s->base.options.admission, false);
	session_options_end(session, "--max-message");
	session->verbose = s->base.options.verbose;
	session->program = argv + optind;
	if (session->program[0] == NULL)
		usage_refuse("no program to run");
}

static void
program_find(const char *name, char path[PATH_MAX])
{
	int status = exec_locate(name, path, PATH_MAX);

	if (status != 0)
		exit(status);
}

/* Set the programs that the helper may start. It is forked while this process still has the limits,
 * signals and environment for programs. */
static void
programs_begin(struct server *s)
{
	static char program[PATH_MAX], authorize[PATH_MAX];
	static char *authorize_argv[2];
	extern char **environ;
	char **slots;

	program_find(s->options.session.program[0], program);
	notify_remember();
	listeners_forget();
	cgi_environment_clear(environ);
	slots = calloc(ucspi_slots(environ), sizeof *slots);
	if (slots == NULL)
		die(STATUS_FAILED, "no memory for the environment");
	ucspi_begin(&s->ucspi, environ, slots);
	s->programs = (struct spawner_programs){
		.each[PROGRAM] = {program, s->options.session.program, SIGTERM},
		.environment = ucspi_inherited(&s->ucspi), .entry_allowed = environment_allowed,
		.ids = s->base.options.max + AUTHORIZATIONS_MAX,
	};
	if (s->base.options.admission.authorize != NULL) {
		program_find(s->base.options.admission.authorize, authorize);
		authorize_argv[0] = (char *)(uintptr_t)s->base.options.admission.authorize;
		s->programs.each[AUTHORIZATION_PROGRAM].path = authorize;
		s->programs.each[AUTHORIZATION_PROGRAM].argv = authorize_argv;
		s->programs.each[AUTHORIZATION_PROGRAM].death_signal = SIGKILL;
	}
	if (spawner_begin(&s->spawner, &s->programs) != 0)
		die(STATUS_FAILED, "no process to start programs: %s", strerror(errno));
}

/* The first call closes all sessions, the second ends the sessions that remain after their time limits. */
static void
sessions_close(struct server *s)
{
	s->shutdown = s->shutdown < SHUTDOWN_CLOSING ? SHUTDOWN_CLOSING : SHUTDOWN_KILLING;
	deadline_drop(&s->end);
	deadline_set(&s->base.loop, &s->ends, &s->end);
	for (uint32_t i = 0; i < s->base.options.max; i++) {
		struct client *c = s->clients[i];

		if (c == NULL || c->base.stage == UPGRADE_DEAD)
			continue;
		if (c->base.stage == UPGRADE_OPEN)
			open_stop(c);
		else if (s->shutdown == SHUTDOWN_KILLING)
			client_end(c);
		else
			upgrade_stop(&s->base, &c->base);
	}
}

/* Handle a signal to stop. Connections in the backlog are established for their clients and are served. */
static void
stop(struct server *s)
{
	if (s->shutdown == SHUTDOWN_NONE) {
		notify_send("STOPPING=1");
		acceptor_drain(&s->base.loop, &s->base.acceptor);
		s->shutdown = SHUTDOWN_DRAINING;
		listeners_leave(&s->base.listeners);
		if (s->options.drain_ms != 0) {
			deadline_set(&s->base.loop, &s->drains, &s->end);
			return;
		}
	}
	sessions_close(s);
}

static void
idle_stop(struct upgrade_server *base)
{
	struct server *s = (struct server *)base;

	if (s->shutdown == SHUTDOWN_NONE)
		stop(s);
}

/* The grace period of the sessions, or the time limit of the shutdown, has passed. */
static void
end_timeout(struct loop *loop, struct deadline *deadline)
{
	struct server *s = server_of(loop);

	(void)deadline;
	if (s->shutdown == SHUTDOWN_DRAINING)
		sessions_close(s);
	else
		s->gave_up = true;
}

static void
retry_timeout(struct loop *loop, struct deadline *deadline)
{
	struct server *s = server_of(loop);

	(void)deadline;
	open_start_retry(s);
	if (s->base.options.admission.authorize != NULL && authorization_possible(s))
		upgrade_authorize_next(&s->base);
}

static void
signals_check(struct server *s)
{
	if (signals_take_stop())
		stop(s);
}

/* The programs end with the helper, so no session can continue. */
static void
helper_lost(struct server *s)
{
	warn("the process that starts programs has ended");
	watch_drop(&s->base.loop, &s->reports);
	s->status = STATUS_FAILED;
	for (uint32_t i = 0; i < s->base.options.max; i++) {
		struct client *c = s->clients[i];

		if (c == NULL)
			continue;
		if (c->base.stage == UPGRADE_OPEN)
			open_lost(c);
		else if (c->base.stage == UPGRADE_DEAD && c->start != START_NONE)
			client_program_ended(c);
	}
	if (s->shutdown < SHUTDOWN_CLOSING)
		stop(s);
}

static void
report_take(struct server *s, const struct spawner_report *r)
{
	/* A service manager may stop the programs together with this process: then its signal is the cause. */
	if (r->event == SPAWNER_ENDED) {
		signals_deliver();
		signals_check(s);
	}
	if (r->id >= s->base.options.max)
		upgrade_report(s, r->id - s->base.options.max, (enum spawner_event)r->event, r->value);
	else
		open_report(s->clients[r->id], (enum spawner_event)r->event, r->value);
	if (r->event == SPAWNER_ENDED)
		retry_timeout(&s->base.loop, &s->retry);
}

static void
reports_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct server *s = server_of(loop);
	struct spawner_report r;
	int got = 1;

	(void)watch;
	if ((events & EPOLLOUT) != 0)
		(void)spawner_flush(&s->spawner);
	for (int i = 0; i < REPORTS_AT_ONCE && got > 0; i++) {
		got = spawner_receive(&s->spawner, &r);
		if (got > 0)
			report_take(s, &r);
		else if (got < 0)
			helper_lost(s);
	}
	if (s->helper_full)
		open_start_retry(s);
}

static void
server_begin(struct server *s)
{
	static unsigned char shared[FLOWS_BUFFERS * FLOWS_SIZE];
	int64_t wait_ms = s->options.session.wait_ms;
	uint32_t max;

	s->storage = flows_storage_over(shared, FLOWS_SIZE);
	/* The buffer for program output, because data after the request is put into rx. */
	s->base.input = s->storage.from_child;
	s->base.read_most = HTTP_HEAD_MAX;
	s->base.owner = &server_owner;
	s->base.on_idle = idle_stop;
	if (!upgrade_begin(&s->base, DESCRIPTORS, PER_CLIENT))
		exit(STATUS_FAILED);
	max = s->base.options.max;
	s->clients = calloc(max, sizeof(struct client *));
	s->free_ids = calloc(max, sizeof *s->free_ids);
	if (s->clients == NULL || s->free_ids == NULL || !address_limit_begin(&s->addresses, max))
		die(STATUS_FAILED, "no memory for %u clients", max);
	while (s->free < max) {
		s->free_ids[s->free] = max - 1 - s->free;
		s->free++;
	}
	deadlines_begin(&s->base.loop, &s->drains, s->options.drain_ms, end_timeout);
	deadlines_begin(&s->base.loop, &s->ends, 3 * wait_ms + GIVE_UP_MS, end_timeout);
	deadlines_begin(&s->base.loop, &s->retries, SHORTAGE_PAUSE_MS, retry_timeout);
	for (size_t i = 0; i < DEADLINE_QUEUES; i++)
		deadlines_begin(&s->base.loop, &s->sessions[i], 1, open_deadline);
	s->unfinished.ring.next = s->unfinished.ring.before = &s->unfinished.ring;
	s->reports.ready = reports_ready;
	if (watch_begin(&s->base.loop, &s->reports, s->spawner.fd, EPOLLIN) != 0)
		die(STATUS_FAILED, "epoll_ctl: %s", strerror(errno));
}

static void
serve(struct server *s)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	if (!page_begin(&s->base.page, &s->base.options.admission))
		exit(STATUS_FAILED);
	programs_begin(s);
	(void)signal(SIGPIPE, SIG_IGN);
	/* As process 1 of a container it is the parent of processes that a program leaves: no zombies. */
	(void)signal(SIGCHLD, SIG_IGN);
	signals_catch(numbers, sizeof numbers / sizeof *numbers);
	server_begin(s);
	acceptor_start(&s->base.loop, &s->base.acceptor);
	notify_send("READY=1");
	if (s->base.page.path == NULL) /* the file is read at any time */
		sandbox_begin(SANDBOX_SERVES | SANDBOX_PIPES | SANDBOX_NAMES | SANDBOX_REOPENS, s->base.options.verbose);
	while (!s->gave_up && !(s->shutdown != SHUTDOWN_NONE && s->base.count == 0)) {
		if (loop_turn(&s->base.loop) != 0)
			die(STATUS_FAILED, "epoll_wait: %s", strerror(errno));
		signals_check(s);
		if (s->base.loop.next == s->base.loop.count)
			open_continue(s);
		clients_end_turn(s);
		if (s->reports.fd >= 0)
			watch_want(&s->base.loop, &s->reports, s->spawner.waiting != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	}
	spawner_end(&s->spawner);
}

int
main(int argc, char **argv)
{
	static struct server server; /* not on the stack: its pages are allocated on first use */
	const char *why;

	fds_open_standard();
	options_read(&server, argc, argv);
	why = listeners_find(&server.base.listeners);
	if (why != NULL)
		die(STATUS_USAGE, "%s", why);
	serve(&server);
	return server.status;
}
