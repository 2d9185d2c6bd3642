/* wshub: options, the end of the program, shutdown, main. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/option.h"
#include "base/status.h"
#include "hub.h"
#include "serve/session_options.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/fds.h"
#include "sys/notify.h"
#include "sys/sandbox.h"
#include "sys/signals.h"

enum {
	MAX_DEFAULT = 10000,
	QUEUE_DEFAULT = 8 << 20,
	QUEUE_LIMIT = 1 << 30,
	MESSAGE_DEFAULT = 1 << 20,
	PING_DEFAULT_MS = 30 * 1000,
	CLOSE_DEFAULT_MS = 2000,
	DESCRIPTORS = 6,       /* besides clients: epoll, two pipes, the notify socket, /dev/null, one spare */
};

enum { KEY_HEADERS = UPGRADE_OWN, KEY_FAN_OUT };

static const struct option_row rows[] = {
	UPGRADE_ROWS("10000"),
	{'n', "netstring", NULL, "records as netstrings, with binary messages"},
	{'q', "queue", "SIZE", "send queue limit of a client, then 1013 (8M)"},
	{'M', "max-message", "SIZE", "largest message from a client (1M)"},
	SESSION_KEEPALIVE_ROWS,
	{KEY_HEADERS, "headers", NULL, "fields of each request as records"},
	{KEY_FAN_OUT, "fan-out", NULL, "no program: relay within each path"},
	SESSION_REPLACE_ROW,
	UPGRADE_HANDSHAKE_ROWS,
};

static const struct usage usage = {
	.program = "wshub",
	.synopsis = "[option...] prog [arg...]\n[option...] --fan-out",
	.summary = "Serves all WebSocket clients of the inherited listening sockets with one prog.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

/* EPOLLERR: the program has closed its stdin. Other events are handled at the end of the turn. */
static void
program_in_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct hub *hub = hub_of(loop);

	(void)watch;
	if (events & EPOLLERR)
		backend_close_in(&hub->backend);
}

/* Read all clients again, first the one that has waited longest. */
static void
clients_resume(struct hub *hub)
{
	uint32_t first = hub->first_suspended != 0 ? hub->first_suspended - 1 : 0;

	hub->behind = hub->backpressure = false;
	hub->base.busy = NULL;
	unread_update(hub, hub->bytes_consumed);
	for (uint32_t i = 0; hub->suspended && i < hub->base.count; i++)
		client_interest(hub, hub->clients[(first + i) % hub->base.count]);
	hub->suspended = false;
	hub->first_suspended = 0;
}

/* At the end of a turn. */
static void
program_flush(struct hub *hub)
{
	struct pipes *p = &hub->backend.pipes;

	backend_write(&hub->backend);
	pipes_settle(p);
	if (shutdown_begun(hub) && buffer_held(&p->to) == 0)
		backend_close_in(&hub->backend);
	if (p->in_open)
		watch_want(&hub->base.loop, &p->in, buffer_held(&p->to) != 0 ? EPOLLOUT : 0);
	if (buffer_held(&p->to) > STALL_AT) {
		hub->backpressure = true;
		hub->base.busy = "program does not read";
	}
	if (hub->behind && buffer_held(&p->to) <= RESUME_AT) {
		clients_resume(hub);
	} else if (hub->behind) {
		unread_begin(hub);
		unread_update(hub, pipes_consumed(p));
	}
}

/* Begin the next step of the shutdown with its grace period. Return the signal for the program, or
 * 0. */
static int
end_step(struct hub *hub, enum term_step step)
{
	deadline_set(&hub->base.loop, &hub->ends, &hub->end);
	return terminate_step(&hub->shutdown.term, step, hub->base.loop.now, hub->options.close_ms);
}

/* Close all clients. */
static void
clients_close(struct hub *hub, unsigned code, int status)
{
	struct message *close;

	if (shutdown_begun(hub))
		return;
	if (hub->backend.malformed) {
		code = CLOSE_INTERNAL_ERROR;
		status = STATUS_FAILED;
	}
	close = message_close(code, "");
	(void)end_step(hub, TERM_ASKED);
	hub->shutdown.status = status;
	notify_send("STOPPING=1");
	if (hub->shutdown.stopped)
		acceptor_drain(&hub->base.loop, &hub->base.acceptor);
	acceptor_stop(&hub->base.loop, &hub->base.acceptor);
	listeners_leave(&hub->base.listeners);
	for (size_t i = hub->base.count; i-- > 0;) {
		struct client *c = hub->clients[i];

		if ((c->base.stage < UPGRADE_LINGERING && !hub->shutdown.stopped) || close == NULL)
			client_end(hub, c);
		else if (c->base.stage == UPGRADE_WAITING || c->base.stage == UPGRADE_AUTHORIZING)
			upgrade_stop(&hub->base, &c->base);
		else
			client_close(hub, c, close);
	}
	message_release(close);
}

/* The grace period of a step is over: end the clients, and signal the program. */
static void
clients_end(struct hub *hub, enum term_step step)
{
	int number;

	for (size_t i = hub->base.count; i-- > 0;)
		client_end(hub, hub->clients[i]);
	backend_close_in(&hub->backend);
	number = end_step(hub, hub->backend.pid == 0 || hub->shutdown.term.step == TERM_SIGKILL ? TERM_OVER : step);
	if (number != 0)
		child_signal(hub->backend.pid, number);
}

/* A time limit has passed: for the program's exit status, for its last output, or for the end of a
 * client or the program. */
static void
end_timeout(struct loop *loop, struct deadline *deadline)
{
	struct hub *hub = hub_of(loop);

	(void)deadline;
	if (shutdown_begun(hub)) {
		clients_end(hub, hub->shutdown.term.step + 1);
		return;
	}
	hub->shutdown.status_waits = !hub->shutdown.stopped;
	clients_close(hub, hub->shutdown.stopped ? CLOSE_GOING_AWAY : CLOSE_NORMAL, STATUS_OK);
}

/* Return the close code for the program's exit status. */
static unsigned
program_code(struct hub *hub)
{
	return backend_status(&hub->backend) == 0 ? CLOSE_NORMAL : CLOSE_INTERNAL_ERROR;
}

/* EOF of the program's stdout: its exit status determines the close code if it arrives in time. */
static void
program_out_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct hub *hub = hub_of(loop);

	(void)watch;
	(void)events;
	if (hub->backend.records_left)
		return;
	if (program_read(hub, clock_ms() + LOOP_TURN_MS) || hub->backend.pipes.out_open)
		return;
	if (!hub->backend.malformed && !hub->shutdown.output_waits && !shutdown_begun(hub))
		deadline_set(loop, &hub->ends, &hub->end);
}

/* The program has ended, or SIGTERM: first process its output so far, in ordinary turns. */
static void
output_end_begin(struct hub *hub)
{
	hub->shutdown.output_waits = true;
	hub->shutdown.output_end = pipes_produced(&hub->backend.pipes);
}

static void
output_end_check(struct hub *hub)
{
	const struct backend *b = &hub->backend;

	if (!hub->shutdown.output_waits
	    || (b->pipes.out_open && (b->records_left || b->pipes.bytes_read < hub->shutdown.output_end)))
		return;
	hub->shutdown.output_waits = false;
	if (b->pid == 0) {
		program_out_close(hub);
		backend_close_in(&hub->backend);
	}
	if (hub->shutdown.stopped)
		clients_close(hub, CLOSE_GOING_AWAY, STATUS_OK);
	else
		clients_close(hub, program_code(hub), backend_status(b));
}

static void
program_ended(struct hub *hub, int status)
{
	hub->backend.pid = 0;
	hub->backend.wait_status = status;
	if (hub->shutdown.status_waits)
		hub->shutdown.status = terminate_status(&hub->shutdown.term, status);
	output_end_begin(hub);
}

static void
children_reap(struct hub *hub)
{
	siginfo_t info = {0};

	for (; waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0; info.si_pid = 0) {
		pid_t pid = info.si_pid;
		bool program = pid == hub->backend.pid;
		int status = 0;
		void *client;

		/* The rest of its group. Until the program is reaped, no other group can get its number. */
		if (program)
			(void)kill(-pid, SIGTERM);
		(void)waitpid(pid, &status, 0);
		if (program)
			program_ended(hub, status);
		else if (auth_requests_end(&hub->auth_requests, pid, &client))
			upgrade_authorized(&hub->base, client, status);
	}
}

/* Handle a signal to stop. */
static void
stop(struct hub *hub)
{
	if (hub->shutdown.stopped) {
		clients_end(hub, TERM_SIGKILL);
		return;
	}
	hub->shutdown.stopped = true;
	if (shutdown_begun(hub))
		return;
	output_end_begin(hub);
	deadline_set(&hub->base.loop, &hub->ends, &hub->end);
}

static void
idle_stop(struct upgrade_server *base)
{
	struct hub *hub = (struct hub *)base;

	if (!hub->shutdown.stopped)
		stop(hub);
}

/* A service manager may stop prog together with the hub: then the hub's signal is the cause. */
static void
signals_check(struct hub *hub)
{
	if (signals_take_stop())
		stop(hub);
	if (signals_take(SIGCHLD))
		children_reap(hub);
}

static void
program_start(struct hub *hub)
{
	extern char **environ;
	int status;

	listeners_forget();
	cgi_environment_clear(environ);
	hub->backend.records.mode = hub->options.exact ? RECORD_NETSTRING : RECORD_LINE;
	/* A payload of the queue's size with escapes, plus the other words of the record. */
	hub->backend.record_max = 2 * hub->options.queue + PROGRAM_SIZE;
	hub->backend.pipes.in.ready = program_in_ready;
	hub->backend.pipes.out.ready = program_out_ready;
	status = backend_begin(&hub->backend, &hub->base.loop, hub->options.next);
	if (status != 0)
		exit(status);
}

static void
server_begin(struct hub *hub)
{
	const int64_t close_ms = hub->options.close_ms;
	size_t max, places = 2;

	hub->base.owner = &hub_owner;
	hub->base.on_idle = idle_stop;
	hub->base.input = hub->input;
	if (!upgrade_begin(&hub->base, DESCRIPTORS, 1))
		exit(STATUS_FAILED);
	max = hub->base.options.max;
	while (places < 2 * max)
		places *= 2;
	hub->id_mask = places - 1;
	hub->by_id = calloc(places, sizeof(struct client *));
	hub->clients = calloc(max, sizeof(struct client *));
	if (hub->clients == NULL || hub->by_id == NULL)
		die(STATUS_FAILED, "no memory for %zu clients", max);
	if (getrandom(&hub->rooms.secret, sizeof hub->rooms.secret, 0) < 0)
		die(STATUS_FAILED, "getrandom: %s", strerror(errno));
	client_share_set(hub, READ_MAX);
	if (hub->base.options.admission.policy.deflate)
		deflate_start(hub, hub->base.options.admission.window_bits);
	deadlines_begin(&hub->base.loop, &hub->idles, hub->options.ping_ms, client_timeout);
	deadlines_begin(&hub->base.loop, &hub->pongs, hub->options.ping_ms, client_timeout);
	deadlines_begin(&hub->base.loop, &hub->closes, close_ms, client_timeout);
	/* Limits the memory used by clients that have left. */
	deadlines_begin(&hub->base.loop, &hub->drains, close_ms < ADMISSION_LINGER_MS ? close_ms : ADMISSION_LINGER_MS,
	    client_timeout);
	deferred_closes_begin(hub);
	deadlines_begin(&hub->base.loop, &hub->ends, close_ms, end_timeout);
}

static bool
finished(const struct hub *hub)
{
	return hub->shutdown.term.step == TERM_OVER || (shutdown_begun(hub) && hub->base.count == 0 && hub->backend.pid == 0);
}

/* After the events and deadlines of a turn. */
static void
turn_end(struct hub *hub)
{
	commands_continue(hub);
	output_end_check(hub);
	if (hub->backend.malformed)
		clients_close(hub, CLOSE_INTERNAL_ERROR, STATUS_FAILED);
	deferred_closes_poll(hub);
	program_flush(hub);
	if (hub->base.options.admission.authorize != NULL && !auth_requests_full(&hub->auth_requests))
		upgrade_authorize_next(&hub->base);
	clients_end_turn(hub);
}

static int
serve(struct hub *hub)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

	/* Reading the page may take up to -t, so signals still have their default action. */
	if (!page_begin(&hub->base.page, &hub->base.options.admission))
		exit(STATUS_FAILED);
	(void)signal(SIGPIPE, SIG_IGN);
	signals_catch(numbers, sizeof numbers / sizeof *numbers);
	server_begin(hub);
	notify_remember();
	if (!hub->options.fan_out)
		program_start(hub);
	acceptor_start(&hub->base.loop, &hub->base.acceptor);
	notify_send("READY=1");
	/* With -a and --page programs are run, or the file is read, at any time. */
	if (hub->base.options.admission.authorize == NULL && hub->base.options.admission.page == NULL)
		sandbox_begin(SANDBOX_SERVES | SANDBOX_PARENT, hub->base.options.verbose);
	while (!finished(hub)) {
		turn_end(hub);
		if (finished(hub))
			break;
		if (loop_turn(&hub->base.loop) != 0)
			die(STATUS_FAILED, "epoll_wait: %s", strerror(errno));
		signals_check(hub);
	}
	listeners_close(&hub->base.listeners);
	return hub->shutdown.status;
}

static void
option_take(struct hub *hub, int key)
{
	struct options *options = &hub->options;

	switch (key) {
	case 'n': options->exact = true; break;
	case 'q': options->queue = (size_t)option_size(1, QUEUE_LIMIT); break;
	case 'M': options->message = option_size(1, QUEUE_LIMIT); break;
	case 'k': options->ping_ms = option_duration(0, OPTION_DAY_MS); break;
	case 'w': options->close_ms = option_duration(1, OPTION_DAY_MS); break;
	case KEY_HEADERS: options->headers = true; break;
	case KEY_FAN_OUT: options->fan_out = true; break;
	case SESSION_REPLACE: options->replace = true; break;
	default: upgrade_option(&hub->base.options, key); break;
	}
}

static void
options_read(struct hub *hub, int argc, char **argv)
{
	struct options *options = &hub->options;
	struct policy *policy = &hub->base.options.admission.policy;

	*options = (struct options){
		.queue = QUEUE_DEFAULT, .ping_ms = PING_DEFAULT_MS, .close_ms = CLOSE_DEFAULT_MS,
	};
	upgrade_options_begin(&hub->base.options, MAX_DEFAULT);
	for (int key; (key = option_next(&usage, argc, argv)) != -1;)
		option_take(hub, key);
	admission_options_end(&hub->base.options.admission, false);
	policy->extension.server_no_takeover = policy->extension.client_no_takeover = true;
	options->next = argv + optind;
	if (options->fan_out && options->next[0] != NULL)
		usage_refuse("--fan-out takes no program");
	if (!options->fan_out && options->next[0] == NULL)
		usage_refuse("no program to run");
	if (options->fan_out && (options->exact || options->headers || options->replace))
		usage_refuse("--netstring, --headers and --replace require a program");
	if (options->message > options->queue)
		usage_refuse("--max-message is larger than --queue");
	if (options->message == 0)
		options->message = options->queue < MESSAGE_DEFAULT ? options->queue : MESSAGE_DEFAULT;
}

int
main(int argc, char **argv)
{
	static struct hub hub; /* not on the stack: its pages are allocated on first use */
	const char *why;

	fds_open_standard();
	options_read(&hub, argc, argv);
	why = listeners_find(&hub.base.listeners);
	if (why != NULL)
		die(STATUS_USAGE, "%s", why);
	return serve(&hub);
}
