/* An open connection: its session and its program in the loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server.h"
#include "sys/clock.h"

enum {
	TURN_SIZE = 2 << 20, /* the shares of all sessions in a turn */
	CONTINUE_MS = 10,    /* of a turn, for sessions that have spent their share */
};

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
    "the loop's events are those of poll(2)");

/* EPOLLRDHUP differs from POLLRDHUP on some architectures. */
static uint32_t
loop_events(int interest)
{
	return (uint32_t)(interest & ~POLLRDHUP) | ((interest & POLLRDHUP) != 0 ? (uint32_t)EPOLLRDHUP : 0);
}

static int
poll_events(uint32_t events)
{
	return (int)(events & ~(uint32_t)EPOLLRDHUP) | ((events & EPOLLRDHUP) != 0 ? POLLRDHUP : 0);
}

/* A session ran out of memory or descriptors. */
static void
open_abort(struct client *c, const char *what)
{
	warn("%s: %s", what, strerror(errno));
	client_end(c);
}

static int
watch_update(struct loop *loop, struct watch *watch, int fd, int interest)
{
	if (interest < 0) {
		watch_drop(loop, watch);
		return 0;
	}
	if (watch->fd >= 0) {
		watch_want(loop, watch, loop_events(interest));
		return 0;
	}
	if (watch_begin(loop, watch, fd, loop_events(interest)) == 0)
		return 0;
	watch->fd = -1;
	return -1;
}

/* Watch for the events that the session waits for. Return -1 with errno. */
static int
watches_update(struct client *c)
{
	struct open *o = c->open;
	struct session *session = &o->session;
	struct loop *loop = &c->server->base.loop;
	int in = endpoint_interest(&session->peer_in), out = endpoint_interest(&session->peer_out);
	int both = in < 0 ? out : out < 0 ? in : in | out;

	if (watch_update(loop, &c->base.socket, session->peer_in.fd, both) != 0)
		return -1;
	if (watch_update(loop, &o->to_program, session->prog.in.fd, endpoint_interest(&session->prog.in)) != 0)
		return -1;
	return watch_update(loop, &o->from_program, session->prog.out.fd, endpoint_interest(&session->prog.out));
}

/* If the session's deadline moves to a later time, the timer is not moved: its early expiry costs
 * one step of the session. */
static void
deadline_update(struct client *c)
{
	static const int64_t lengths[DEADLINE_QUEUES - 1] = {1000, 10000};
	struct server *s = c->server;
	int64_t at = session_deadline(&c->open->session), left = at - s->base.loop.now;
	size_t queue = 0;

	if (c->open->session.unfinished) {
		deadline_drop(&c->base.deadline);
		deadline_set(&s->base.loop, &s->unfinished, &c->base.deadline);
		return;
	}
	/* The deadline passes in the next turn at the earliest, after the data that has arrived is
	 * read. */
	if (at <= s->base.loop.before)
		at = s->base.loop.before + 1;
	if (at == CLOCK_NEVER || (c->base.deadline.next != NULL && c->base.deadline.at <= at))
		return;
	while (queue < DEADLINE_QUEUES - 1 && left >= lengths[queue])
		queue++;
	deadline_set_at(&s->sessions[queue], &c->base.deadline, at);
}

static void
log_disconnected(const struct client *c, int status)
{
	int64_t ms = c->server->base.loop.now - c->open->began;

	log_info("%s disconnected (exit %d, %lld.%03d s)", upgrade_name(&c->base).text, status, (long long)ms / 1000,
	    (int)(ms % 1000));
}

/* Finish the session's turn. alive: result of session_step(). */
static void
open_turn_end(struct client *c, bool alive)
{
	struct open *o = c->open;

	/* A signal for a program that could not be started yet. */
	if (alive && o->cancelled && c->start == START_WAITING) {
		c->start = START_NONE;
		session_program_ended(&o->session, SIGTERM);
		alive = session_step(&o->session, c->server->base.loop.now);
	}
	if (!alive) {
		int status = session_result(&o->session);

		if (c->server->base.options.verbose)
			log_disconnected(c, status);
		client_end(c);
	} else if (!flows_return(&o->session.flows)) {
		open_abort(c, "the connection's buffers");
	} else if (watches_update(c) != 0) {
		open_abort(c, "epoll_ctl");
	} else {
		deadline_update(c);
	}
	log_name("wsserve");
}

/* Set the share of a session in this turn, so that no client waits long for the messages of other clients. */
static void
share_set(struct flows *f, const struct loop *loop)
{
	size_t share = TURN_SIZE / (size_t)(loop->count + 1);

	f->in.share = f->out.share = share > FLOWS_SIZE ? FLOWS_SIZE : share;
}

static struct session *
open_turn_begin(struct client *c)
{
	struct session *session = &c->open->session;

	log_name(c->open->name);
	flows_lend(&session->flows);
	share_set(&session->flows, &c->server->base.loop);
	return session;
}

static void
open_step(struct client *c)
{
	open_turn_end(c, session_step(&c->open->session, c->server->base.loop.now));
}

/* moved: 0 if the session has read all that has arrived. */
static void
open_moved(struct client *c, int moved)
{
	if (session_moved(&c->open->session, moved)) {
		open_step(c);
	} else {
		open_abort(c, "the connection's buffers");
		log_name("wsserve");
	}
}

/* Move bytes, unless the session has spent its share: then open_continue() does that. */
static void
endpoints_ready(struct client *c, uint32_t events, struct endpoint *first, struct endpoint *second)
{
	if (c->open->session.unfinished)
		return;
	(void)open_turn_begin(c);
	(void)endpoint_turn(first, poll_events(events));
	if (second != NULL)
		(void)endpoint_turn(second, poll_events(events));
	open_moved(c, 1);
}

static void
socket_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct client *c = (struct client *)watch;

	(void)loop;
	endpoints_ready(c, events, &c->open->session.peer_in, &c->open->session.peer_out);
}

static void
to_program_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct open *o = (struct open *)((char *)watch - offsetof(struct open, to_program));

	(void)loop;
	endpoints_ready(o->client, events, &o->session.prog.in, NULL);
}

static void
from_program_ready(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct open *o = (struct open *)((char *)watch - offsetof(struct open, from_program));

	(void)loop;
	endpoints_ready(o->client, events, &o->session.prog.out, NULL);
}

/* Everything that arrived until loop->before has been read. Run a step with that time first,
 * because the session's deadlines are relative to it. */
void
open_deadline(struct loop *loop, struct deadline *deadline)
{
	struct client *c = client_of(deadline);
	struct session *session = open_turn_begin(c);
	bool alive = loop->before <= session->now || session_step(session, loop->before);

	if (alive)
		open_moved(c, 0);
	else
		open_turn_end(c, false);
}

/* Continue the sessions that have spent their share, after the events of all other sessions: each once, but for a limited
 * time. So clients that flood delay each other, but no other client. */
void
open_continue(struct server *s)
{
	int64_t until = clock_ms() + CONTINUE_MS;
	struct deadline *first, *last = s->unfinished.ring.before;

	while (s->base.loop.reported == 0 && (first = deadlines_first(&s->unfinished)) != NULL) {
		struct client *c = client_of(first);
		struct endpoint *endpoints[SESSION_ENDPOINTS];

		deadline_drop(first);
		session_endpoints(open_turn_begin(c), endpoints);
		open_moved(c, endpoints_wait(endpoints, SESSION_ENDPOINTS, 0, NULL));
		if (first == last || clock_ms() >= until)
			break;
	}
	s->base.loop.no_wait = deadlines_first(&s->unfinished) != NULL;
}

static void
program_signal_send(struct program *program, int number)
{
	struct open *o = (struct open *)((char *)program - offsetof(struct open, session.prog));
	struct client *c = o->client;

	if (c->start == START_WAITING)
		o->cancelled = true;
	else if (c->start != START_NONE)
		spawner_signal(&c->server->spawner, c->id, number);
}

/* Processes or memory are exhausted. The client waits for its program, and accepting is paused. */
static void
start_wait(struct client *c, int error)
{
	struct server *s = c->server;

	c->start = START_WAITING;
	s->starts_wait = true;
	errno = error;
	acceptor_pause(&s->base.loop, &s->base.acceptor, quoted(s->options.session.program[0]));
	deadline_set(&s->base.loop, &s->retries, &s->retry);
}

static void
start_request(struct client *c)
{
	struct server *s = c->server;
	const struct open *o = c->open;

	if (spawner_start(&s->spawner, c->id, PROGRAM, o->entries, o->entries_size, o->child_in, o->child_out) == 0) {
		c->start = START_REQUESTED;
	} else if (errno == EAGAIN) {
		/* The helper's socket is full: retry after its next report. */
		c->start = START_WAITING;
		s->starts_wait = s->helper_full = true;
	} else {
		start_wait(c, errno);
	}
}

void
open_start_retry(struct server *s)
{
	if (!s->starts_wait)
		return;
	s->starts_wait = s->helper_full = false;
	for (uint32_t i = 0; i < s->base.options.max && !s->starts_wait; i++)
		if (s->clients[i] != NULL && s->clients[i]->start == START_WAITING && s->clients[i]->base.stage == UPGRADE_OPEN)
			start_request(s->clients[i]);
}

static void
started(struct client *c, pid_t pid)
{
	const struct server *s = c->server;

	c->start = START_RUNNING;
	c->open->session.prog.pid = pid;
	open_child_ends_close(c->open);
	if (s->base.options.verbose)
		log_info("Connected by %s (pid %ld, %u of %u)", upgrade_name(&c->base).text, (long)pid, s->open,
		    s->base.options.max);
}

/* Handle the helper's report about the program. */
void
open_report(struct client *c, enum spawner_event event, int value)
{
	bool failed = event == SPAWNER_NO_PROCESS || event == SPAWNER_NO_EXEC;

	if (c->base.stage != UPGRADE_OPEN) {
		if (event != SPAWNER_STARTED)
			client_program_ended(c);
	} else if (event == SPAWNER_STARTED) {
		started(c, value);
	} else if (failed && (event == SPAWNER_NO_PROCESS || shortage_passes(value))) {
		start_wait(c, value);
		(void)open_turn_begin(c);
		open_step(c);
	} else {
		struct session *session = open_turn_begin(c);

		c->start = START_NONE;
		open_child_ends_close(c->open);
		if (failed)
			session_program_failed(session, value);
		else
			session_program_ended(session, value);
		open_step(c);
	}
}

static struct open *
open_new(struct client *c, const struct proxy *proxy, const struct handshake *d, struct program_ends *ends)
{
	size_t size = environment_make(c, proxy, d, PROGRAM);
	struct open *o = calloc(1, sizeof *o);
	struct address remote = upgrade_remote(&c->base);
	char *entries = malloc(size);
	struct compression *z = d->deflate ? compression_begin(&d->extension, false, &c->server->compression) : NULL;

	if (o == NULL || entries == NULL || (d->deflate && z == NULL) || program_pipes(ends, &o->child_in, &o->child_out) != 0) {
		if (z != NULL)
			compression_end(z);
		free(o);
		free(entries);
		return NULL;
	}
	memcpy(entries, c->server->scratch, size);
	o->client = c;
	o->entries = entries;
	o->entries_size = size;
	o->began = c->server->base.loop.now;
	o->compression = z;
	memcpy(o->name, "wsserve: ", OPEN_NAME_FRONT);
	address_text(&remote, o->name + OPEN_NAME_FRONT);
	o->to_program = (struct watch){.ready = to_program_ready, .fd = -1};
	o->from_program = (struct watch){.ready = from_program_ready, .fd = -1};
	return o;
}

/* Open the connection. The program is requested first, so that it starts while the response, a 101,
 * is sent. trailing: data after the request. Return false with errno and no changes if resources are
 * missing. */
bool
open_begin(struct client *c, const struct proxy *proxy, const struct handshake *d, struct span answer,
    struct span trailing)
{
	struct server *s = c->server;
	struct program_ends ends;
	struct open *o = open_new(c, proxy, d, &ends);

	if (o == NULL)
		return false;
	c->open = o;
	c->base.socket.ready = socket_ready;
	deadline_drop(&c->base.deadline);
	s->open++;
	log_name(c->open->name);
	session_begin_apart(&o->session, &s->options.session, c->base.socket.fd, &s->storage, s->base.loop.now, &ends,
	    program_signal_send);
	if (o->compression != NULL)
		flows_compress(&o->session.flows, o->compression);
	start_request(c);
	session_handshake(&o->session, answer, trailing);
	open_step(c);
	return true;
}

void
open_stop(struct client *c)
{
	session_stop(open_turn_begin(c), c->server->base.loop.now);
	open_step(c);
}

/* The helper and its programs have ended. */
void
open_lost(struct client *c)
{
	struct session *session = open_turn_begin(c);

	open_child_ends_close(c->open);
	if (c->start != START_NONE)
		session_program_ended(session, SIGTERM);
	c->start = START_NONE;
	open_step(c);
}
