/* The fake server: the handshake with a client and the end. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "ws/handshake.h"
#include "wsprobe.h"

/* The requirements for a client's request (RFC 6455, section 4.1). Sets the key. */
static bool
check_request(const struct link *l, struct names *names)
{
	static char last_key[32];
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char key[32] = "", host[300] = "";

	if (strncmp((const char *)l->in.at, "GET /", 5) != 0 || memmem(l->in.at, l->in.size, " HTTP/1.1\r\n", 11) == NULL)
		return wrong("the request line is `%s'", quoted_bytes(l->in.at, strcspn((char *)l->in.at, "\r")));
	if (head_size(&l->in) != l->in.size)
		return wrong("something was sent behind the request, before the answer");
	if (head_field(&l->in, "Host", host, sizeof host) != 1 || host[0] == '\0')
		return wrong("wanted one Host");
	if (!field_has(&l->in, "Upgrade", "websocket") || !field_has(&l->in, "Connection", "upgrade")
	    || !field_is(&l->in, "Sec-WebSocket-Version", "13"))
		return false;
	if (head_field(&l->in, "Sec-WebSocket-Key", key, sizeof key) != 1 || strlen(key) != 24
	    || strspn(key, base64) != 22 || strcmp(key + 22, "==") != 0 || strchr("AQgw", key[21]) == NULL)
		return wrong("the key is `%s'", quoted(key));
	if (settings.offer != NULL && !field_is(&l->in, "Sec-WebSocket-Extensions", settings.offer))
		return false;
	if (strcmp(key, last_key) == 0)
		return wrong("the key is the same as before");
	memcpy(last_key, key, sizeof key);
	handshake_accept(key, names->accept);
	return true;
}

static bool
take_request(struct link *l, struct names *names)
{
	while (head_size(&l->in) == 0)
		if (!link_wait(l, "a request"))
			return false;
	if (!check_request(l, names))
		return false;
	l->in.size = 0;
	return true;
}

static pid_t
run_prog(const int errors[2])
{
	pid_t pid = fork();

	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(null, 1);
	dup2(errors[1], 2);
	execvp(settings.prog[0], settings.prog);
	fprintf(stderr, "%s: %s\n", settings.prog[0], strerror(errno));
	_exit(STATUS_NOT_FOUND);
}

/* Check the end of the client: its status, and one line on stderr after a failure. */
static bool
reap_prog(pid_t pid, const int errors[2], int wanted)
{
	char text[4096];
	size_t n = 0;
	int status, lines = 0;
	ssize_t got;

	close(errors[1]);
	while (n < sizeof text && (got = read(errors[0], text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	close(errors[0]);
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		return wrong("wanted exit status %d, got %d, and: %s", wanted,
		             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), quoted_bytes(text, n));
	if (lines != (wanted == 0 ? 0 : 1))
		return wrong("wanted %s, got %d lines: %s", wanted == 0 ? "no line on stderr" : "one line on stderr", lines,
		             quoted_bytes(text, n));
	return true;
}

static bool
accept_client(struct link *l)
{
	struct pollfd p = {.fd = settings.listener, .events = POLLIN};
	int on = 1;

	*l = (struct link){.fd = -1};
	if (poll(&p, 1, settings.prog != NULL ? settings.timeout_ms : -1) <= 0)
		die(STATUS_FAILED, "no client connected");
	l->fd = accept4(settings.listener, NULL, NULL, SOCK_CLOEXEC);
	if (l->fd < 0)
		return wrong("accept: %s", strerror(errno));
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return true;
}

/* Send a response to the client's request, then a Hello if the response is valid. */
static bool
play_answer(struct link *l, const struct answer_case *c, bool *orderly)
{
	struct names names = {.host = settings.host};

	if (!take_request(l, &names))
		return false;
	expand(&l->out, c->send, &names);
	if (c->good)
		return play_script(l, "text Hello =text Hello", orderly);
	*orderly = false;
	if (!link_flush(l))
		return false;
	/* A head without an end must be refused too. */
	if (strstr(c->send, "{x*") == NULL)
		shutdown(l->fd, SHUT_WR);
	while (!l->ended)
		if (!link_wait(l, "the end of the connection"))
			return false;
	return l->in.size == 0 ? true : wrong("the client went on: %s", quoted_bytes(l->in.at, l->in.size));
}

/* Data sent before the first frames of a script in the same segment: the 101. */
static bool
play_frames_as_server(struct link *l, const char *script, bool *orderly)
{
	struct names names = {.host = settings.host};

	if (!take_request(l, &names))
		return false;
	expand(&l->out, SWITCHING UPGRADE CONNECTION ACCEPT, &names);
	if (settings.agreed != NULL) {
		bytes_say(&l->out, "Sec-WebSocket-Extensions: ");
		bytes_say(&l->out, settings.agreed);
		bytes_say(&l->out, END);
	}
	bytes_say(&l->out, END);
	return play_script(l, script, orderly);
}

/* Play one case with the next client: a response or a script. */
bool
play_as_server(const struct answer_case *answer, const char *script)
{
	int errors[2];
	bool orderly = false;
	pid_t pid = -1;
	struct link l;
	bool good;

	if (settings.prog != NULL) {
		if (pipe2(errors, O_CLOEXEC) != 0)
			die(STATUS_FAILED, "pipe: %s", strerror(errno));
		pid = run_prog(errors);
	}
	good = accept_client(&l) && (answer != NULL ? play_answer(&l, answer, &orderly)
	                                             : play_frames_as_server(&l, script, &orderly));
	link_close(&l);
	if (pid < 0)
		return good;
	if (good)
		return reap_prog(pid, errors, orderly ? 0 : 1);
	char first[sizeof why];

	memcpy(first, why, sizeof first);
	kill(pid, SIGTERM);
	reap_prog(pid, errors, -1);
	return wrong("%.600s; then %.400s", first, why);
}
