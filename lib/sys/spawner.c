#include "sys/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"
#include "sys/child.h"
#include "sys/fds.h"
#include "sys/signals.h"

enum { HELPER_FD = 3, SIGNALS_PER_ID = 4, SOCKET_SIZE = 1 << 20, END_MS = 10000 };

enum request_kind { REQUEST_START, REQUEST_SIGNAL, REQUEST_ABANDON };

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

struct helper {
	int fd;
	const struct spawner_programs *programs;
	pid_t *pids;        /* by id, 0 if not running */
	uint32_t used;      /* all ids from this one on are unused */
	size_t inherited;   /* number of entries of programs->environment, which come first */
	char **environment; /* inherited entries, then those of a request */
	struct spawner_report *reports; /* reports that wait for the socket, a ring with space for two per id */
	size_t first, waiting;
	char bytes[sizeof(struct spawner_request) + SPAWNER_TEXT_MAX + 1];
};

static bool
report_send(const struct helper *h, const struct spawner_report *r)
{
	return send(h->fd, r, sizeof *r, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EPIPE;
}

/* Report an event without blocking, because the other process may wait until its request is received. */
static void
report(struct helper *h, uint32_t id, enum spawner_event event, int value)
{
	struct spawner_report r = {.id = id, .event = (int32_t)event, .value = value};

	if (h->waiting == 0 && report_send(h, &r))
		return;
	h->reports[(h->first + h->waiting++) % (2 * (size_t)h->programs->ids)] = r;
}

static void
reports_flush(struct helper *h)
{
	for (; h->waiting != 0 && report_send(h, &h->reports[h->first]); h->waiting--)
		h->first = (h->first + 1) % (2 * (size_t)h->programs->ids);
}

/* Append the entries of a request to the inherited ones. Return false if one is not allowed. */
static bool
environment_take(struct helper *h, size_t size)
{
	char *entry = h->bytes + sizeof(struct spawner_request), *end = h->bytes + size;
	size_t count = 0;

	for (; entry < end; entry += strlen(entry) + 1) {
		if (count == SPAWNER_ENTRIES_MAX || !h->programs->entry_allowed(entry))
			return false;
		h->environment[h->inherited + count++] = entry;
	}
	h->environment[h->inherited + count] = NULL;
	return true;
}

/* Start a program. All descriptors from 3 up are close-on-exec. */
static void
start(struct helper *h, const struct spawner_request *request, size_t size, const int fds[2])
{
	unsigned program = (unsigned)request->value;
	struct child_start child = {.envp = h->environment, .in = fds[0], .out = fds[1], .own_group = true};
	bool exec_failed = true;
	pid_t pid = -1;

	errno = EINVAL;
	if (program < SPAWNER_PROGRAMS && environment_take(h, size)) {
		child.path = h->programs->each[program].path;
		child.argv = h->programs->each[program].argv;
		child.death_signal = h->programs->each[program].death_signal;
		pid = child_begin(&child, &exec_failed);
	}
	if (pid < 0) {
		report(h, request->id, exec_failed ? SPAWNER_NO_EXEC : SPAWNER_NO_PROCESS, errno);
		return;
	}
	h->pids[request->id] = pid;
	if (request->id >= h->used)
		h->used = request->id + 1;
	report(h, request->id, SPAWNER_STARTED, pid);
}

static void
start_with(struct helper *h, const struct spawner_request *request, size_t size, const struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fds[2] = {-1, -1};

	if (c != NULL && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(sizeof fds))
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (fds[1] >= 0)
		start(h, request, size, fds);
	else
		report(h, request->id, SPAWNER_NO_PROCESS, EMFILE);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static void
signal_send(struct helper *h, const struct spawner_request *request)
{
	pid_t pid = h->pids[request->id];

	if (pid == 0)
		return;
	child_signal(pid, request->kind == REQUEST_ABANDON ? SIGKILL : request->value);
	if (request->kind != REQUEST_ABANDON)
		return;
	h->pids[request->id] = 0;
	report(h, request->id, SPAWNER_ENDED, SIGKILL);
}

/* Receive a request. Return false at the end of the requesting process. */
static bool
request_take(struct helper *h)
{
	union control control;
	struct iovec bytes = {h->bytes, sizeof h->bytes - 1};
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
	};
	ssize_t n = recvmsg(h->fd, &message, MSG_CMSG_CLOEXEC);
	struct spawner_request request;

	if (n < 0)
		return errno == EINTR;
	if ((size_t)n < sizeof request)
		return false;
	memcpy(&request, h->bytes, sizeof request);
	h->bytes[n] = '\0';
	if (request.id >= h->programs->ids)
		return false;
	if (request.kind == REQUEST_START)
		start_with(h, &request, (size_t)n, &message);
	else
		signal_send(h, &request);
	return true;
}

/* Reap ended programs. Until a program is reaped, no other process group can get its number: signal
 * the rest of its group before. */
static void
reap(struct helper *h)
{
	siginfo_t info = {0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		uint32_t id = 0;
		int status = 0;

		(void)kill(-info.si_pid, SIGTERM);
		(void)waitpid(info.si_pid, &status, 0);
		while (id < h->used && h->pids[id] != info.si_pid)
			id++;
		if (id < h->used) {
			h->pids[id] = 0;
			report(h, id, SPAWNER_ENDED, status);
		}
		info.si_pid = 0;
	}
}

/* Run the helper. Signals to the whole group or service are handled by the requesting process; the
 * helper ends after it. */
static void __attribute__((noreturn))
helper_run(struct helper *h)
{
	static const int caught[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	struct pollfd p = {.fd = h->fd};

	signals_catch(caught, sizeof caught / sizeof *caught);
	for (;;) {
		if (signals_take(SIGCHLD))
			reap(h);
		p.events = h->waiting != 0 ? POLLIN | POLLOUT : POLLIN;
		if (ppoll(&p, 1, NULL, signals_wait_mask()) <= 0)
			continue;
		reports_flush(h);
		if ((p.revents & ~POLLOUT) != 0 && !request_take(h))
			_exit(STATUS_OK);
		signals_deliver();
	}
}

static struct helper *
helper_make(int fd, const struct spawner_programs *programs)
{
	struct helper *h = calloc(1, sizeof *h);
	size_t inherited = 0;

	if (h == NULL)
		return NULL;
	while (programs->environment[inherited] != NULL)
		inherited++;
	*h = (struct helper){.fd = fd, .programs = programs, .inherited = inherited};
	h->pids = calloc(programs->ids, sizeof *h->pids);
	h->environment = calloc(inherited + SPAWNER_ENTRIES_MAX + 1, sizeof *h->environment);
	h->reports = calloc(2 * (size_t)programs->ids, sizeof *h->reports);
	if (h->pids == NULL || h->environment == NULL || h->reports == NULL)
		return NULL;
	memcpy(h->environment, programs->environment, inherited * sizeof *h->environment);
	return h;
}

int
spawner_begin(struct spawner *s, const struct spawner_programs *programs)
{
	int ends[2], size = SOCKET_SIZE;
	struct helper *h;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	fds_guard_stderr(); /* the programs get it from the helper */
	*s = (struct spawner){.fd = ends[0], .pid = fork(), .capacity = SIGNALS_PER_ID * (size_t)programs->ids};
	if (s->pid == 0) {
		h = helper_make(HELPER_FD, programs);
		if (h == NULL || (ends[1] != HELPER_FD && dup3(ends[1], HELPER_FD, O_CLOEXEC) < 0))
			_exit(STATUS_FAILED);
		/* Otherwise the listening sockets, and a pipe as stdout, would stay open. */
		fds_close_from(HELPER_FD + 1);
		fds_leave_stdout();
		(void)dup2(STDOUT_FILENO, STDIN_FILENO);
		helper_run(h);
	}
	(void)close(ends[1]);
	s->signals = calloc(s->capacity, sizeof *s->signals);
	if (s->pid > 0 && s->signals != NULL)
		return 0;
	(void)close(ends[0]);
	free(s->signals);
	return -1;
}

int
spawner_start(const struct spawner *s, uint32_t id, unsigned program, const char *entries, size_t size, int in,
    int out)
{
	struct spawner_request request = {.id = id, .kind = REQUEST_START, .value = (int32_t)program};
	struct iovec parts[] = {{&request, sizeof request}, {(void *)(uintptr_t)entries, size}};
	const int fds[] = {in, out};
	union control control = {
		.head = {.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS},
	};
	struct msghdr message = {
		.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control,
	};

	if (size > SPAWNER_TEXT_MAX) {
		errno = E2BIG;
		return -1;
	}
	memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
	return sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

bool
spawner_flush(struct spawner *s)
{
	for (; s->waiting != 0; s->waiting--) {
		if (send(s->fd, &s->signals[s->first], sizeof *s->signals, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN)
			return false;
		s->first = (s->first + 1) % s->capacity;
	}
	return true;
}

/* A program gets at most two signals before it is abandoned, so the ring is never full. */
static void
request_send(struct spawner *s, uint32_t id, enum request_kind kind, int number)
{
	struct spawner_request request = {.id = id, .kind = (uint32_t)kind, .value = number};

	if (s->waiting < s->capacity)
		s->signals[(s->first + s->waiting++) % s->capacity] = request;
	(void)spawner_flush(s);
}

void
spawner_signal(struct spawner *s, uint32_t id, int number)
{
	request_send(s, id, REQUEST_SIGNAL, number);
}

void
spawner_abandon(struct spawner *s, uint32_t id)
{
	request_send(s, id, REQUEST_ABANDON, 0);
}

int
spawner_receive(const struct spawner *s, struct spawner_report *report)
{
	ssize_t n = recv(s->fd, report, sizeof *report, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == sizeof *report ? 1 : -1;
}

void
spawner_end(struct spawner *s)
{
	struct pollfd p = {.fd = s->fd};

	(void)shutdown(s->fd, SHUT_WR);
	(void)poll(&p, 1, END_MS); /* no events: only a hangup ends it */
	(void)close(s->fd);
	free(s->signals);
}
