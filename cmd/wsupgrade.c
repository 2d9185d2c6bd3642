/* wsupgrade: perform the WebSocket opening handshake, then run the program that uses the connection. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ws/url.h"
#include "ws/console.h"
#include "ws/frame.h"
#include "ws/handshake.h"
#include "http/head.h"
#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/address.h"
#include "sys/child.h"
#include "sys/connection.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/file.h"
#include "sys/listen.h"
#include "sys/signals.h"
#include "sys/timed_io.h"

#include "serve/admission.h"

enum {
	CLIENT_IN = 6, /* UCSPI: a client reads from fd 6 and writes to fd 7 */
	CLIENT_OUT = 7,
	CLIENT_INTERIM_MAX = 10, /* limit of interim responses from a server */
	PORT_SIZE = sizeof "65535",
	PAGE_PIECE = 64 * 1024, /* must be written within the time limit */
	SLOTS = 2048, /* of an environment that needs no heap */
	ENVIRONMENT_SIZE = SLOTS * sizeof(char *) + CGI_SIZE,
	ARENA_SIZE = HTTP_HEAD_MAX + sizeof(struct http_request) + ENVIRONMENT_SIZE + PATH_MAX
	    + HANDSHAKE_ANSWER_SIZE + 64,
};

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "log of accepted and of silent clients"},
	ADMISSION_ROWS,
	ADMISSION_DEFLATE_ROWS,
	ADMISSION_TAKEOVER_ROW,
	{'c', "client", "URL", "client mode on fds 6 and 7: the ws:// URL"},
};

USAGE_FIRST static const struct usage usage = {
	.program = "wsupgrade",
	.synopsis = "[option...] prog [arg...]\n-c URL [option...] prog [arg...]",
	.summary = "Performs the WebSocket opening handshake on fds 0 and 1, then runs prog.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct job {
	const char *url; /* of a client, NULL on a server */
	struct client_url target;
	bool verbose;
	char **next;
	struct admission admission;
};

/* The head of the peer's message. */
struct head {
	struct http_scan scan;
	char *bytes; /* HTTP_HEAD_MAX bytes */
	size_t size;
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

/* Return as timed_read(). */
static int
head_read(struct head *head, int fd, struct time_limit *limit)
{
	struct read_end end = {.find = head_find, .missing = head_missing, .state = &head->scan};

	return timed_read(fd, &end, head->bytes, HTTP_HEAD_MAX, &head->size, limit);
}

/* The connection of a server. */
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

/* Addresses in RFC 3875 have no scope. */
static struct span
scope_cut(struct span ip)
{
	const char *percent = ip.size == 0 ? NULL : memchr(ip.at, '%', ip.size);

	return percent == NULL ? ip : (struct span){ip.at, (size_t)(percent - ip.at)};
}

/* Determine the addresses: from the environment (UCSPI, systemd), or else from the socket, unless
 * that is the connection of a proxy whose client uses a UNIX socket. */
static void
connection_addresses(struct connection *c)
{
	bool local_client = span_equal(inherited("PROTO"), span_of("IPC"));
	struct address local;

	c->ends.remote_address = scope_cut(inherited("TCPREMOTEIP"));
	c->ends.remote_port = inherited("TCPREMOTEPORT");
	if (c->ends.remote_address.size == 0) {
		c->ends.remote_address = inherited("REMOTE_ADDR");
		c->ends.remote_port = inherited("REMOTE_PORT");
	}
	if (c->ends.remote_address.size == 0 && !local_client && address_remote(STDIN_FILENO, &c->remote) == 0
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

/* Return the client's name for log lines. */
static const char *
client_name(const struct connection *c)
{
	static char name[128];

	address_join(c->ends.remote_address, c->ends.remote_port, name, sizeof name);
	return name[0] == '\0' ? "client" : name;
}

/* A request on a server and its result. Its data (head, fields, environment, path, response) is stored sequentially
 * in the arena, because a touched page costs more than all other work here. */
struct session {
	struct time_limit limit; /* for the head, the rest of it for -a */
	struct connection connection;
	struct head head;
	struct handshake decision;
	struct http_request *request; /* in the arena, cut after its last field; NULL if incomplete */
	int status; /* exit status */
	struct job job;
	size_t used;
	char arena[ARENA_SIZE];
	struct policy_rule rules[POLICY_RULES_MAX]; /* untouched without options */
};

_Static_assert(ARENA_SIZE >= PATH_MAX + CLIENT_REQUEST_SIZE + HTTP_HEAD_MAX, "space for the request of a client");
_Static_assert(CGI_USER_SIZE <= PATH_MAX + HANDSHAKE_ANSWER_SIZE, "space for a user name, before these are used");

/* Return the free part of the arena. */
static char *
session_space(struct session *s)
{
	return s->arena + s->used;
}

/* Allocate its first n bytes, rounded up to keep the alignment. */
static void
session_take(struct session *s, size_t n)
{
	s->used += (n + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
}

/* Set the environment for prog. If it is too large for the arena, it is allocated on the heap. */
static bool
session_environment(struct session *s)
{
	extern char **environ;
	size_t size = ENVIRONMENT_SIZE;
	char **all = admission_environment_in(session_space(s), &size, s->request, &s->decision,
	    &s->connection.ends);

	if (all != NULL)
		session_take(s, size);
	else
		all = admission_environment(s->request, &s->decision, &s->connection.ends);
	if (all == NULL)
		return false;
	environ = all;
	return true;
}

/* Parse the head and allocate as many fields as it has. Return NULL or the error. */
static const char *
session_parse(struct session *s)
{
	struct http_request *request = (struct http_request *)(void *)session_space(s);
	const char *why = http_request_parse(s->head.bytes, s->head.size, request);

	if (why != NULL)
		return why;
	session_take(s, offsetof(struct http_request, fields.all) + request->fields.count * sizeof(struct http_field));
	s->request = request;
	return NULL;
}

static void
session_decide(struct session *s, int found)
{
	const char *why;

	if (found < 0) {
		handshake_refuse(&s->decision, (enum http_status)-found, s->head.scan.why);
		return;
	}
	if (found == 0 && errno == ETIMEDOUT) {
		handshake_refuse(&s->decision, HTTP_REQUEST_TIMEOUT, "request timed out");
		return;
	}
	if (found == 0) {
		handshake_refuse(&s->decision, HTTP_BAD_REQUEST, "incomplete request");
		return;
	}
	why = session_parse(s);
	if (why != NULL)
		handshake_refuse(&s->decision, HTTP_BAD_REQUEST, why);
	else
		handshake_check(&s->job.admission.policy, s->request, &s->decision);
}

/* Wait for the end of a program within the time limit. Return its wait status, or -1 if it had to
 * be killed. It is then not awaited, because a program of another user (setuid) cannot be killed. */
static int
child_wait(pid_t pid, struct time_limit *limit)
{
	int status = 0;

	for (;;) {
		int left = time_left(limit);
		struct timespec wait = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000L};

		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (left == 0)
			break;
		(void)signals_take(SIGCHLD);
		(void)ppoll(NULL, 0, &wait, signals_wait_mask());
	}
	child_signal(pid, SIGKILL);
	return -1;
}

/* With a realm prog gets the user's name. Only the program of -a gets the password. */
static bool
session_identify(struct session *s)
{
	char *user = session_space(s);

	if (s->job.admission.policy.realm == NULL)
		return true;
	return unsetenv("HTTP_AUTHORIZATION") == 0 && (!cgi_user(s->request, user)
	    || (setenv("AUTH_TYPE", "Basic", 1) == 0 && setenv("REMOTE_USER", user, 1) == 0));
}

/* Run the authorization program, and refuse the request if the program does not accept it. */
static void
session_authorize(struct session *s)
{
	extern char **environ;
	static const int child_signal = SIGCHLD;
	int status, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	signals_catch(&child_signal, 1);
	if (null < 0)
		warn("/dev/null: %s", strerror(errno));
	pid = null < 0 ? -1 : admission_authorize(&s->job.admission, environ, null);
	(void)close(null);
	if (pid < 0) {
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "authorization program cannot be started");
		return;
	}
	status = child_wait(pid, &s->limit);
	if (status == -1)
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "authorization program timed out");
	else if (child_status(status) != 0)
		handshake_refuse(&s->decision, admission_denial(&s->job.admission), "not authorized");
	else if (!session_identify(s))
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "no memory");
}

/* Return false after an error, which is logged. */
static bool
session_send(const struct session *s, struct span bytes)
{
	while (bytes.size != 0) {
		size_t chunk = bytes.size < PAGE_PIECE ? bytes.size : PAGE_PIECE;
		struct time_limit limit = {.limit_ms = s->job.admission.limit_ms};

		if (timed_write(STDOUT_FILENO, bytes.at, chunk, &limit) != 0) {
			warn("%s: write: %s", client_name(&s->connection), strerror(errno));
			return false;
		}
		bytes = span_skip(bytes, chunk);
	}
	return true;
}

static bool
session_answer(struct session *s, size_t page_size)
{
	char *answer = session_space(s);
	size_t n = handshake_answer(&s->job.admission.policy, s->request, &s->decision, page_size, answer);

	if (s->job.verbose || s->decision.status >= HTTP_BAD_REQUEST)
		admission_log(client_name(&s->connection), &s->decision, s->request, true);
	return session_send(s, (struct span){answer, n});
}

/* Send the last response: a refusal, the page, or the response to OPTIONS. */
static int
session_end(struct session *s)
{
	struct time_limit limit = {.limit_ms = ADMISSION_LINGER_MS};
	const char *path = s->job.admission.page;
	struct span page = console_page();
	struct file file = {0};
	bool sent;

	if (s->decision.status == HTTP_OK && path != NULL && file_read(path, ADMISSION_PAGE_MAX, &s->limit, &file) != 0) {
		warn("%s: %s", quoted(path), strerror(errno));
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "page cannot be read");
	}
	if (path != NULL)
		page = (struct span){file.bytes, file.size};
	sent = session_answer(s, page.size);
	if (s->decision.status >= HTTP_BAD_REQUEST)
		s->status = s->status != 0 ? s->status : STATUS_FAILED;
	else if (sent && span_equal(s->request->method, span_of("GET")))
		sent = session_send(s, page);
	free(file.bytes);
	timed_linger(STDIN_FILENO, STDOUT_FILENO, &limit);
	return sent ? s->status : STATUS_FAILED;
}

/* After the 101 an HTTP response is too late: close the WebSocket instead. */
static int
close_unstarted(int fd, int status, const unsigned char *key)
{
	unsigned char frame[FRAME_CONTROL_MAX];
	struct time_limit limit = {.limit_ms = ADMISSION_LINGER_MS};
	size_t n = frame_close(CLOSE_INTERNAL_ERROR, "", key, frame);

	(void)timed_write(fd, (const char *)frame, n, &limit);
	return status;
}

/* Send 101 and execute prog. It is searched before, because after the 101 a missing program could
 * not be reported by HTTP. */
static int
session_hand_over(struct session *s)
{
	char *path = session_space(s), **next = s->job.next;

	s->status = exec_locate(next[0], path, PATH_MAX);
	if (s->status != 0) {
		handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "program cannot be started");
		return session_end(s);
	}
	session_take(s, strlen(path) + 1);
	if (!session_answer(s, 0))
		return STATUS_FAILED;
	return close_unstarted(STDOUT_FILENO, exec_found(path, next), NULL);
}

/* No input arrived, or it cannot be answered any more. */
static int
session_no_request(const struct session *s, int error)
{
	const char *who = client_name(&s->connection);

	if (error != 0 && error != ETIMEDOUT && error != ECONNRESET)
		warn("%s: read: %s", who, strerror(error));
	else if (s->head.size != 0 || s->job.verbose)
		warn("%s: no request: %s", who, error == 0 ? "end of file" : strerror(error));
	return STATUS_FAILED;
}

static int
serve(struct session *s)
{
	int found, error;

	s->limit.limit_ms = s->job.admission.limit_ms;
	s->head.bytes = s->arena;
	fds_guard_stderr();
	found = head_read(&s->head, STDIN_FILENO, &s->limit);
	error = errno;
	session_take(s, s->head.size);
	connection_addresses(&s->connection);
	if (found == 0 && (s->head.size == 0 || (error != 0 && error != ETIMEDOUT)))
		return session_no_request(s, error);
	errno = error;
	session_decide(s, found);
	if (s->decision.status == HTTP_SWITCHING_PROTOCOLS || s->decision.status == HTTP_OK) {
		listeners_forget();
		if (!session_environment(s))
			handshake_refuse(&s->decision, HTTP_INTERNAL_ERROR, "no memory");
		else if (s->job.admission.authorize != NULL)
			session_authorize(s);
	}
	if (s->decision.status == HTTP_SWITCHING_PROTOCOLS)
		return session_hand_over(s);
	return session_end(s);
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
client_send(const struct job *job, const char *request, size_t n, struct time_limit *limit)
{
	if (timed_write(CLIENT_OUT, request, n, limit) == 0)
		return;
	if (errno == EBADF)
		usage_refuse("no connection on fds 6 and 7; portscan-connect opens one");
	die(STATUS_FAILED, "%s: write: %s", quoted(job->url), strerror(errno));
}

static void
client_read_head(const struct job *job, struct head *head, struct time_limit *limit)
{
	int found = head_read(head, CLIENT_IN, limit);

	if (found > 0)
		return;
	if (found < 0)
		die(STATUS_FAILED, "%s: not an HTTP response: %s", quoted(job->url), head->scan.why);
	die(STATUS_FAILED, "%s: incomplete response: %s", quoted(job->url),
	    errno == 0 ? "end of file" : strerror(errno));
}

/* Read the final response. Interim responses may come before it (RFC 9110, section 15.2) and are ignored. */
static void
client_receive(const struct job *job, struct head *head, struct http_response *response, struct time_limit *limit)
{
	unsigned interim = 0;
	const char *why;

	do {
		*head = (struct head){.bytes = head->bytes};
		client_read_head(job, head, limit);
		why = http_response_parse(head->bytes, head->size, response);
		if (why != NULL)
			die(STATUS_FAILED, "%s: %s", quoted(job->url), why);
	} while (response->status < HTTP_OK && response->status != HTTP_SWITCHING_PROTOCOLS
	    && interim++ < CLIENT_INTERIM_MAX);
}

static int
body_find(void *state, const char *bytes, size_t n)
{
	struct span line;

	return client_refusal_line(state, bytes, n, &line) ? (int)n : 0;
}

static size_t
body_missing(const void *state)
{
	(void)state;
	return 1;
}

/* Report a refusal with its Location, or else with the first line of a text body, and exit. */
static void
client_refused(const struct job *job, const struct http_response *response, const char *why)
{
	struct time_limit limit = {.limit_ms = ADMISSION_LINGER_MS};
	char body[CLIENT_BODY_MAX];
	struct client_refusal refusal;
	struct read_end end = {.find = body_find, .missing = body_missing, .state = &refusal};
	struct span more;
	size_t got = 0;

	client_refusal(response, &refusal);
	more = refusal.location;
	if (more.size == 0 && refusal.most != 0) {
		(void)timed_read(CLIENT_IN, &end, body, refusal.most, &got, &limit);
		(void)client_refusal_line(&refusal, body, got, &more);
	}
	die(STATUS_FAILED, "%s: %s: %s%s%s%s%s", quoted(job->url), why,
	    quoted_bytes(response->line.at, response->line.size), more.size == 0 ? "" : " (",
	    refusal.location.size == 0 ? "" : "Location: ", quoted_bytes(more.at, more.size), more.size == 0 ? "" : ")");
}

/* Set or unset a variable for prog. */
static void
variable_set(const char *name, const char *value)
{
	if (value == NULL ? unsetenv(name) != 0 : setenv(name, value, 1) != 0)
		die(STATUS_FAILED, "%s: %s", name, strerror(errno));
}

/* Check the response and set the variables of the agreement for prog. */
static void
client_check(const struct job *job, const struct http_response *response, const unsigned char *nonce)
{
	struct client_agreement agreed;
	struct span culprit;
	const char *why = client_response_fault(&job->admission.policy, response, nonce, &agreed, &culprit), *protocol;
	char text[EXTENSION_SIZE + 1] = "", *extensions = agreed.deflate ? text : NULL;
	struct strbuf out = {.at = text, .capacity = EXTENSION_SIZE};

	if (why != NULL && response->status != HTTP_SWITCHING_PROTOCOLS)
		client_refused(job, response, why);
	if (why != NULL)
		die(STATUS_FAILED, "%s: %s%s%s", quoted(job->url), why,
		    culprit.size == 0 ? "" : ": ", quoted_bytes(culprit.at, culprit.size));
	/* A slice of an argument, so it ends with a NUL. */
	protocol = agreed.protocol.size == 0 ? NULL : agreed.protocol.at;
	if (agreed.deflate)
		extension_put(&out, &agreed.extension);
	variable_set("WEBSOCKET_PROTOCOL", protocol);
	variable_set("WEBSOCKET_EXTENSIONS", extensions);
	if (job->verbose)
		warn("%s: connected%s%s%s%s", quoted(job->url), protocol == NULL ? "" : ", protocol ",
		    protocol == NULL ? "" : protocol, extensions == NULL ? "" : ", ", text);
}

/* Warn if the URL names the connected host, but another port: most likely a mistake. */
static void
client_compare(const struct job *job)
{
	const struct http_authority *url = &job->target.host;
	struct span ip = inherited("TCPREMOTEIP"), port = inherited("TCPREMOTEPORT");
	char ip_text[ADDRESS_IP_SIZE], port_digits[PORT_SIZE];
	struct address remote;
	uint64_t number;

	if (url->port < 0)
		return;
	if (address_remote(CLIENT_IN, &remote) == 0 && remote.any.sa_family != AF_UNIX) {
		address_ip(&remote, ip_text);
		port_text(port_digits, &remote);
		ip = span_of(ip_text);
		port = span_of(port_digits);
	}
	if (!number_parse(port, 1, UINT16_MAX, &number) || number == (uint64_t)url->port)
		return;
	if (http_host_equal(url->host, ip) || span_equal_case(url->host, inherited("TCPREMOTEHOST"))
	    || (client_host_loopback(url->host) && client_host_loopback(ip)))
		warn("%s: the connection is to port %u", quoted(job->url), (unsigned)number);
}

static int
ask(struct session *s)
{
	const struct job *job = &s->job;
	unsigned char nonce[CLIENT_NONCE_SIZE], key[FRAME_KEY_SIZE];
	struct time_limit limit = {.limit_ms = job->admission.limit_ms};
	char *path = session_space(s), *request;
	struct http_response response;
	size_t n;
	int status = exec_locate(job->next[0], path, PATH_MAX);

	if (status != 0)
		exit(status);
	session_take(s, PATH_MAX);
	request = session_space(s);
	session_take(s, CLIENT_REQUEST_SIZE);
	s->head.bytes = session_space(s);
	random_fill(nonce, sizeof nonce);
	random_fill(key, sizeof key);
	n = client_request(&job->admission.policy, &job->target, nonce, request);
	if (n == 0)
		usage_refuse("the request would be longer than 16 KiB");
	client_compare(job);
	client_send(job, request, n, &limit);
	client_receive(job, &s->head, &response, &limit);
	client_check(job, &response, nonce);
	return close_unstarted(CLIENT_OUT, exec_found(path, job->next), key);
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
options_read(struct job *job, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		if (key == 'v')
			job->verbose = true;
		else if (key == 'c')
			url_set(job);
		else
			admission_option(&job->admission, key);
	}
	admission_options_end(&job->admission, job->url != NULL);
	job->next = argv + optind;
	if (job->next[0] == NULL)
		usage_refuse("no program to run");
}

/* A common symbol after all other variables, which then share one page. */
__attribute__((common)) struct session session;

int
main(int argc, char **argv)
{
	struct session *s = &session;
	const char *fault;

	fds_open_standard();
	s->job.admission = (struct admission){.limit_ms = ADMISSION_HEAD_MS, .policy.rules = s->rules};
	options_read(&s->job, argc, argv);
	fault = s->job.url == NULL ? connection_fault() : NULL;
	if (fault != NULL)
		usage_refuse("%s", fault);
	return s->job.url == NULL ? serve(s) : ask(s);
}
