/* wsupgrade: the WebSocket opening handshake, then the program that speaks on. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/cgi.h"
#include "codec/client.h"
#include "codec/console.h"
#include "codec/frame.h"
#include "codec/handshake.h"
#include "codec/http.h"
#include "codec/policy.h"
#include "ground/option.h"
#include "ground/say.h"
#include "ground/status.h"
#include "system/address.h"
#include "system/child.h"
#include "system/exec.h"
#include "system/fds.h"
#include "system/listen.h"
#include "system/signals.h"
#include "system/talk.h"

enum {
	CLIENT_IN = 6, /* UCSPI: a client's connection, read and write */
	CLIENT_OUT = 7,
	HEAD_MS = 10 * 1000,
	HEAD_MS_MAX = 24 * 60 * 60 * 1000,
	LEAVE_MS = 1000, /* how long an answer may take to arrive before we go */
	PAGE_MAX = 16 * 1024 * 1024,
	PORT_SIZE = sizeof "65535",
	PAGE_PIECE = 64 * 1024, /* what must be taken within the time limit */
};

enum { KEY_HOST = OPTION_LONG, KEY_CONSOLE, KEY_PAGE };

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "say each connection let in, and those that ask nothing"},
	{'o', "origin", "ORIGIN", "let in pages of this origin too, null, or * for any"},
	{KEY_HOST, "host", "NAME", "serve only this Host name (several: repeat)"},
	{'s', "protocol", "NAME", "a subprotocol on offer (client: to ask for)"},
	{'P', "path", "PATH", "serve only this path"},
	{'a', "authorize", "PROGRAM", "let in only whom this program lets in (exit 0)"},
	{'H', "header", "FIELD", "add `Name: value' to the 101 and the page (client: the request)"},
	{'t', "timeout", "TIME", "for the whole head (10s)"},
	{KEY_CONSOLE, "console", NULL, "answer a browser with a WebSocket console"},
	{KEY_PAGE, "page", "FILE", "answer a browser with this page"},
	{'c', "client", "URL", "be the client, on fds 6 and 7: ask for this ws:// URL"},
};

static const struct usage usage = {
	.program = "wsupgrade",
	.synopsis = "[option...] prog [arg...]\n-c URL [option...] prog [arg...]",
	.summary = "Does the WebSocket opening handshake on fds 0 and 1, then runs prog.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct job {
	struct policy policy;
	const char *authorize; /* program, NULL for none */
	const char *page;      /* file, NULL for none */
	const char *url;       /* of a client, NULL on a server */
	struct client_url target;
	int64_t limit_ms;
	bool console;
	bool verbose;
	char **next;
};

/* The other side's head. */
struct head {
	struct http_scan scan;
	size_t size;
	char bytes[HTTP_HEAD_MAX];
};

static int
head_find(void *state, const char *bytes, size_t n)
{
	return http_scan(state, bytes, n);
}

static size_t
head_missing(const void *state)
{
	return http_scan_missing(state);
}

/* As talk_read() says. */
static int
head_read(struct head *head, int fd, struct talk_limit *limit)
{
	struct talk_end end = {.find = head_find, .missing = head_missing, .state = &head->scan};

	return talk_read(fd, &end, head->bytes, sizeof head->bytes, &head->size, limit);
}

/* A server's connection. */
struct connection {
	struct cgi_connection ends;
	struct address remote;
	char remote_ip[ADDRESS_IP_SIZE];
	char remote_port[PORT_SIZE];
	char local_port[PORT_SIZE];
};

static void
port_text(char text[PORT_SIZE], const struct address *address)
{
	(void)snprintf(text, PORT_SIZE, "%u", address_port(address));
}

static struct span
inherited(const char *name)
{
	const char *value = getenv(name);

	return span_of(value == NULL ? "" : value);
}

/* Who is there: as the accepting program says (UCSPI, systemd), else as the socket does. */
static void
connection_learn(struct connection *c)
{
	struct address local;

	c->ends.remote_address = inherited("TCPREMOTEIP");
	c->ends.remote_port = inherited("TCPREMOTEPORT");
	if (c->ends.remote_address.size == 0) {
		c->ends.remote_address = inherited("REMOTE_ADDR");
		c->ends.remote_port = inherited("REMOTE_PORT");
	}
	if (c->ends.remote_address.size == 0 && address_remote(STDIN_FILENO, &c->remote) == 0
	    && c->remote.any.sa_family != AF_UNIX) {
		address_ip(&c->remote, c->remote_ip);
		port_text(c->remote_port, &c->remote);
		c->ends.remote_address = span_of(c->remote_ip);
		c->ends.remote_port = span_of(c->remote_port);
	}
	c->ends.local_port = inherited("TCPLOCALPORT");
	if (c->ends.local_port.size == 0 && address_local(STDIN_FILENO, &local) == 0
	    && local.any.sa_family != AF_UNIX) {
		port_text(c->local_port, &local);
		c->ends.local_port = span_of(c->local_port);
	}
}

/* The client's name for a log line. */
static const char *
client_name(const struct connection *c)
{
	static char name[128];
	const struct span ip = c->ends.remote_address, port = c->ends.remote_port;
	bool v6 = ip.size != 0 && memchr(ip.at, ':', ip.size) != NULL && port.size != 0;

	if (ip.size == 0)
		return "client";
	(void)snprintf(name, sizeof name, "%s%.64s%s%s%.8s", v6 ? "[" : "", ip.at, v6 ? "]" : "",
	    port.size == 0 ? "" : ":", port.at);
	return name;
}

/* One request on a server, and what becomes of it. */
struct session {
	const struct job *job;
	struct talk_limit limit; /* for the head, and what is left of it for -a */
	struct connection connection;
	struct head head;
	struct http_request request;
	bool whole; /* request is one */
	struct handshake decision;
	int status; /* ours, at the end */
};

static void
session_decide(struct session *s, int found)
{
	const char *why;

	if (found < 0) {
		handshake_refuse(&s->decision, (enum http_status)-found, s->head.scan.why);
		return;
	}
	if (found == 0 && errno == ETIMEDOUT) {
		handshake_refuse(&s->decision, HTTP_REQUEST_TIMEOUT, "a request that takes too long");
		return;
	}
	if (found == 0) {
		handshake_refuse(&s->decision, HTTP_BAD_REQUEST, "a request that ends in its head");
		return;
	}
	why = http_request_parse(s->head.bytes, s->head.size, &s->request);
	if (why != NULL) {
		handshake_refuse(&s->decision, HTTP_BAD_REQUEST, why);
		return;
	}
	s->whole = true;
	handshake_check(&s->job->policy, &s->request, &s->decision);
}

/* Our environment becomes prog's: without what any request sets, with what this one does. */
static bool
environment_make(const struct session *s)
{
	extern char **environ;
	static char strings[CGI_SIZE];
	struct text text = {.at = strings, .room = sizeof strings};
	size_t added = cgi_environment(&s->request, &s->decision, &s->connection.ends, &text);
	size_t kept = 0;
	char **all, *entry = strings;

	for (size_t i = 0; environ[i] != NULL; i++)
		if (!cgi_owns(environ[i]))
			environ[kept++] = environ[i];
	environ[kept] = NULL;
	all = malloc((kept + added + 1) * sizeof *all);
	if (all == NULL || text.cut)
		return false;
	memcpy(all, environ, kept * sizeof *all);
	for (size_t i = 0; i < added; i++, entry += strlen(entry) + 1)
		all[kept + i] = entry;
	all[kept + added] = NULL;
	environ = all;
	return true;
}

/* The end of a program within the time limit: its wait status, or -1 where it had to be killed. */
static int
child_wait(pid_t pid, struct talk_limit *limit)
{
	int status = 0;

	for (;;) {
		int left = talk_left(limit);
		struct timespec wait = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000L};

		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (left == 0)
			break;
		(void)signals_take(SIGCHLD);
		(void)ppoll(NULL, 0, &wait, signals_wait_mask());
	}
	(void)kill(-pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return -1;
}

/* Asks the user's own program, and refuses where it does. */
static void
session_authorize(struct session *s)
{
	extern char **environ;
	static const int child_signal = SIGCHLD;
	const char *name = s->job->authorize;
	char path[PATH_MAX], *const argv[] = {(char *)(uintptr_t)name, NULL};
	int error = exec_find(name, path, sizeof path), status;
	struct child_start start = {
		.path = path, .argv = argv, .envp = environ, .out = STDERR_FILENO,
		.own_group = true, .death_signal = SIGKILL,
	};
	bool exec_failed;
	pid_t pid = -1;

	signals_catch(&child_signal, 1);
	start.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (error == 0 && start.in >= 0) {
		pid = child_begin(&start, &exec_failed);
		error = pid < 0 ? errno : 0;
	}
	if (pid < 0) {
		complain("%s: %s", quoted(name), strerror(error == 0 ? errno : error));
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "cannot ask who is let in");
		return;
	}
	(void)close(start.in);
	status = child_wait(pid, &s->limit);
	if (status == -1)
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "not known in time who is let in");
	else if (child_status(status) != 0)
		handshake_refuse(&s->decision, HTTP_FORBIDDEN, "not let in");
}

/* The page's bytes: the console, or all of the user's file, which may be a pipe. */
static bool
page_load(const struct job *job, struct span *page)
{
	char *bytes = NULL;
	size_t size = 0, room = 0;
	ssize_t n = 1;
	int fd;

	*page = console_page();
	if (job->page == NULL)
		return true;
	fd = open(job->page, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n != 0 && size <= PAGE_MAX) {
		if (size == room) {
			room = room == 0 ? PAGE_PIECE : 2 * room;
			bytes = realloc(bytes, room);
			if (bytes == NULL)
				break;
		}
		n = read(fd, bytes + size, room - size);
		if (n < 0 && errno != EINTR)
			break;
		size += n > 0 ? (size_t)n : 0;
	}
	if (size > PAGE_MAX)
		errno = EFBIG;
	*page = (struct span){bytes, size};
	return fd >= 0 && n == 0 && size <= PAGE_MAX;
}

static void
session_log(const struct session *s)
{
	const struct handshake *d = &s->decision;
	bool accepted = d->status == HTTP_SWITCHING_PROTOCOLS || d->status == HTTP_OK;
	const char *who = client_name(&s->connection);

	if (!accepted)
		complain("%s: %u %s%s%s", who, d->status, d->why, d->culprit.size == 0 ? "" : ": ",
		    quoted_bytes(d->culprit.at, d->culprit.size));
	else if (s->job->verbose)
		complain("%s: %u %s%s%s", who, d->status,
		    quoted_bytes(s->request.target.at, s->request.target.size),
		    d->protocol.size == 0 ? "" : ", protocol ",
		    quoted_bytes(d->protocol.at, d->protocol.size));
}

/* False where the client did not take it, having said so. */
static bool
session_send(const struct session *s, struct span bytes)
{
	while (bytes.size != 0) {
		size_t piece = bytes.size < PAGE_PIECE ? bytes.size : PAGE_PIECE;
		struct talk_limit limit = {.limit_ms = s->job->limit_ms};

		if (talk_write(STDOUT_FILENO, bytes.at, piece, &limit) != 0) {
			complain("%s: write: %s", client_name(&s->connection), strerror(errno));
			return false;
		}
		bytes = span_behind(bytes, piece);
	}
	return true;
}

static bool
session_answer(const struct session *s, size_t page_size)
{
	char answer[HANDSHAKE_ANSWER_SIZE];
	size_t n = handshake_answer(&s->job->policy, s->whole ? &s->request : NULL, &s->decision,
	    page_size, answer);

	session_log(s);
	return session_send(s, (struct span){answer, n});
}

/* The answer that ends it: a refusal, or the page. */
static int
session_end(struct session *s)
{
	struct talk_limit limit = {.limit_ms = LEAVE_MS};
	struct span page = {"", 0};
	bool sent;

	if (s->decision.status == HTTP_OK && !page_load(s->job, &page)) {
		complain("%s: %s", quoted(s->job->page), strerror(errno));
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "cannot read the page");
	}
	sent = session_answer(s, page.size);
	if (s->decision.status != HTTP_OK)
		s->status = s->status != 0 ? s->status : STATUS_FAILED;
	else if (sent && span_equal(s->request.method, span_of("GET")))
		sent = session_send(s, page);
	talk_leave(STDIN_FILENO, STDOUT_FILENO, &limit);
	return sent ? s->status : STATUS_FAILED;
}

/* Too late for an HTTP answer: the WebSocket is open, so it is closed as one. */
static int
close_unstarted(int fd, int status, const unsigned char *key)
{
	unsigned char frame[FRAME_CONTROL_MAX];
	struct talk_limit limit = {.limit_ms = LEAVE_MS};
	size_t n = frame_close(CLOSE_INTERNAL_ERROR, "", key, frame);

	(void)talk_write(fd, (const char *)frame, n, &limit);
	return status;
}

/* 101, and prog takes over. It is looked up first: behind the 101 a missing one
 * could no longer be told as HTTP. */
static int
session_hand_over(struct session *s)
{
	char path[PATH_MAX];
	char **next = s->job->next;
	int error = exec_find(next[0], path, sizeof path);

	if (error != 0) {
		complain("%s: %s", quoted(next[0]), strerror(error));
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "the service does not start");
		s->status = exec_status(error);
		return session_end(s);
	}
	if (!session_answer(s, 0))
		return STATUS_FAILED;
	return close_unstarted(STDOUT_FILENO, exec_found(path, next), NULL);
}

/* Nothing, or nothing that could still be answered, came in. */
static int
session_without_request(const struct session *s, int error)
{
	const char *who = client_name(&s->connection);

	if (error != 0 && error != ETIMEDOUT && error != ECONNRESET)
		complain("%s: read: %s", who, strerror(error));
	else if (s->head.size != 0 || s->job->verbose)
		complain("%s: no request: %s", who, error == 0 ? "end of file" : strerror(error));
	return STATUS_FAILED;
}

static int
serve(const struct job *job)
{
	static struct session s;
	int found, error;

	s.job = job;
	s.limit.limit_ms = job->limit_ms;
	fds_guard_stderr();
	found = head_read(&s.head, STDIN_FILENO, &s.limit);
	error = errno;
	connection_learn(&s.connection);
	if (found == 0 && (s.head.size == 0 || (error != 0 && error != ETIMEDOUT)))
		return session_without_request(&s, error);
	errno = error;
	session_decide(&s, found);
	if (s.decision.status == HTTP_SWITCHING_PROTOCOLS || s.decision.status == HTTP_OK) {
		listeners_forget();
		if (!environment_make(&s))
			handshake_refuse(&s.decision, HTTP_INTERNAL_ERROR, "no memory");
		else if (job->authorize != NULL)
			session_authorize(&s);
	}
	if (s.decision.status == HTTP_SWITCHING_PROTOCOLS)
		return session_hand_over(&s);
	return session_end(&s);
}

static void
random_fill(unsigned char *bytes, size_t n)
{
	ssize_t got;

	do
		got = getrandom(bytes, n, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)n)
		die(STATUS_FAILED, "getrandom: %s", strerror(errno));
}

static void
client_send(const struct job *job, const char *request, size_t n, struct talk_limit *limit)
{
	if (talk_write(CLIENT_OUT, request, n, limit) == 0)
		return;
	if (errno == EBADF)
		usage_refuse("no connection on fds 6 and 7: portscan-connect makes one");
	die(STATUS_FAILED, "%s: write: %s", quoted(job->url), strerror(errno));
}

static void
client_receive(const struct job *job, struct head *head, struct talk_limit *limit)
{
	int found = head_read(head, CLIENT_IN, limit);

	if (found > 0)
		return;
	if (found < 0)
		die(STATUS_FAILED, "%s: not an HTTP answer: %s", quoted(job->url), head->scan.why);
	die(STATUS_FAILED, "%s: no whole answer: %s", quoted(job->url),
	    errno == 0 ? "end of file" : strerror(errno));
}

/* The subprotocol agreed on, for prog. */
static void
client_check(const struct job *job, const struct head *head, const unsigned char *nonce)
{
	static struct http_response response;
	struct span protocol, culprit;
	const char *why = http_response_parse(head->bytes, head->size, &response), *chosen;

	if (why != NULL)
		die(STATUS_FAILED, "%s: %s", quoted(job->url), why);
	why = client_response_fault(&job->policy, &response, nonce, &protocol, &culprit);
	if (why != NULL)
		die(STATUS_FAILED, "%s: %s%s%s", quoted(job->url), why,
		    culprit.size == 0 ? "" : ": ", quoted_bytes(culprit.at, culprit.size));
	/* Of our own arguments, so it ends in a NUL. */
	chosen = protocol.size == 0 ? NULL : protocol.at;
	if (unsetenv("WEBSOCKET_PROTOCOL") != 0
	    || (chosen != NULL && setenv("WEBSOCKET_PROTOCOL", chosen, 1) != 0))
		die(STATUS_FAILED, "WEBSOCKET_PROTOCOL: %s", strerror(errno));
	if (job->verbose)
		complain("%s: connected%s%s", quoted(job->url), chosen == NULL ? "" : ", protocol ",
		    chosen == NULL ? "" : chosen);
}

static int
ask(const struct job *job)
{
	static struct head head;
	char request[CLIENT_REQUEST_SIZE], path[PATH_MAX];
	unsigned char nonce[CLIENT_NONCE_SIZE], key[FRAME_KEY_SIZE];
	struct talk_limit limit = {.limit_ms = job->limit_ms};
	size_t n;
	int error = exec_find(job->next[0], path, sizeof path);

	if (error != 0)
		die(exec_status(error), "%s: %s", quoted(job->next[0]), strerror(error));
	random_fill(nonce, sizeof nonce);
	random_fill(key, sizeof key);
	n = client_request(&job->policy, &job->target, nonce, request);
	if (n == 0)
		usage_refuse("the request would be longer than 16 KiB");
	client_send(job, request, n, &limit);
	client_receive(job, &head, &limit);
	client_check(job, &head, nonce);
	return close_unstarted(CLIENT_OUT, exec_found(path, job->next), key);
}

static void
rule_add(struct job *job, enum policy_kind kind)
{
	const char *why = policy_add(&job->policy, kind, optarg);

	if (why != NULL)
		option_refuse(why);
}

static void
url_set(struct job *job)
{
	const char *why = client_url_parse(optarg, &job->target);

	if (why != NULL)
		option_refuse(why);
	job->url = optarg;
}

static void
option_take(struct job *job, int key)
{
	switch (key) {
	case 'v': job->verbose = true; break;
	case 'o': rule_add(job, POLICY_ORIGIN); break;
	case KEY_HOST: rule_add(job, POLICY_HOST); break;
	case 's': rule_add(job, POLICY_PROTOCOL); break;
	case 'P': rule_add(job, POLICY_PATH); break;
	case 'H': rule_add(job, POLICY_FIELD); break;
	case 'a': job->authorize = optarg; break;
	case 't': job->limit_ms = (int64_t)option_duration(1, HEAD_MS_MAX); break;
	case KEY_CONSOLE: job->console = true; break;
	case KEY_PAGE: job->page = optarg; break;
	case 'c': url_set(job); break;
	}
}

static void
options_read(struct job *job, int argc, char **argv)
{
	const char *why;
	struct span culprit;

	for (int key; (key = option_next(&usage, argc, argv)) != -1;)
		option_take(job, key);
	why = policy_fault(&job->policy, job->url != NULL, &culprit);
	if (why != NULL)
		usage_refuse("%s: %s", quoted_bytes(culprit.at, culprit.size), why);
	if (job->console && job->page != NULL)
		usage_refuse("--console and --page: there is one page");
	job->policy.page = job->console ? POLICY_CONSOLE : job->page != NULL ? POLICY_FILE : POLICY_NO_PAGE;
	if (job->url != NULL && (job->authorize != NULL || job->policy.page != POLICY_NO_PAGE))
		usage_refuse("--authorize, --console and --page are for a server");
	job->next = argv + optind;
	if (job->next[0] == NULL)
		usage_refuse("no program to run");
}

int
main(int argc, char **argv)
{
	static struct job job = {.limit_ms = HEAD_MS};

	fds_open_standard();
	options_read(&job, argc, argv);
	return job.url == NULL ? serve(&job) : ask(&job);
}
