/* portscan-connect: connect to the first port that accepts. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/sockios.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/address.h"
#include "sys/clock.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/endpoint.h"
#include "sys/sandbox.h"

enum {
	RANGES_MAX = 1024,
	RELAY_SIZE = 64 * 1024,
	REPLY_SIZE = 64 * 1024,
	UCSPI_FD = 6,          /* a UCSPI client reads from fd 6 and writes to fd 7 */
	/* After the server has closed its side: */
	LAST_STDIN_MS = 1000,  /* time limit for silence on stdin, */
	STALL_MS = 10 * 1000,  /* for a server that acknowledges no data from stdin, */
	LAST_ACK_MS = 1000,    /* and for the acknowledgement of the last bytes */
	POLL_MS = 10,
	/* First and longest pause of --wait between two scans of the list. It doubles each time. */
	PAUSE_MS = 10,
	PAUSE_MS_MAX = 500,
};

enum { KEY_WAIT = OPTION_LONG, KEY_IDLE };

static const struct option_row rows[] = {
	{'l', "lockstep", NULL, "alternation: one line out, one reply back"},
	{'q', "quiet", NULL, "no 'Bound to PORT' message"},
	{'v', "verbose", NULL, "reasons for skipped ports on stderr"},
	{'4', "ipv4", NULL, "IPv4 addresses only"},
	{'6', "ipv6", NULL, "IPv6 addresses only"},
	{'a', "host", "HOST", "name or address of the server (127.0.0.1)"},
	{'p', "ports", "LIST", "ports to try in order (9000-9998)"},
	{'t', "timeout", "TIME", "time limit for each attempt (3s)"},
	{'T', "total", "TIME", "time limit for the whole scan (none)"},
	{KEY_WAIT, "wait", "TIME", "as --total, with retries until then (none)"},
	{KEY_IDLE, "idle", "TIME", "relay: limit for silence after stdin ends (none)"},
};

static const struct usage usage = {
	.program = "portscan-connect",
	.synopsis = "[option...] [prog [arg...]]",
	.summary = "Connects to the first port that accepts and runs prog with the connection\n"
	           "on fds 6 and 7, or relays stdin and stdout.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct scan {
	const char *host;
	const char *ports;
	struct port_range ranges[RANGES_MAX];
	size_t range_count;
	int family;
	int64_t attempt_ms;
	int64_t deadline;
	int64_t idle_ms; /* 0: no limit */
	bool total, wait; /* the option that set the deadline */
	bool named; /* host is a name, not a numeric address */
	bool lockstep;
	bool quiet;
	bool verbose;

	/* Cause of a failure. */
	int resolve_error; /* result of getaddrinfo() */
	int error;         /* errno of the last attempt, */
	bool temporary;    /* whether an attempt failed for a temporary reason, */
	unsigned late_at;  /* and the port at which the deadline passed */
};

static void
ports_read(struct scan *scan, const char *list)
{
	scan->ports = list;
	scan->range_count = port_list_parse(span_of(list), scan->ranges, RANGES_MAX);
}

static void
options_read(struct scan *scan, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'l': scan->lockstep = true; break;
		case 'q': scan->quiet = true; break;
		case 'v': scan->verbose = true; break;
		case '4': scan->family = AF_INET; break;
		case '6': scan->family = AF_INET6; break;
		case 'a':
			scan->host = optarg;
			if (*optarg == '\0')
				option_refuse("not a host name or address");
			if (address_like_with_port(optarg))
				option_refuse("not a host name or address (-p sets the port)");
			break;
		case 'p':
			ports_read(scan, optarg);
			for (size_t i = 0; i < scan->range_count; i++)
				if (scan->ranges[i].first == 0)
					scan->range_count = 0;
			if (scan->range_count == 0)
				option_refuse("not a list of ports and ranges from 1 to 65535 (for example 8080,9000-9998)");
			break;
		case 't': scan->attempt_ms = option_duration(1, OPTION_DAY_MS); break;
		case 'T':
		case KEY_WAIT:
			scan->deadline = clock_ms() + option_duration(1, OPTION_DAY_MS);
			*(key == KEY_WAIT ? &scan->wait : &scan->total) = true;
			break;
		case KEY_IDLE: scan->idle_ms = option_duration(1, OPTION_DAY_MS); break;
		}
	}
}

/* Return whether the host is a numeric address of either family. */
static bool
is_address(const char *host)
{
	struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found;
	int error = getaddrinfo(host, NULL, &want, &found);

	if (error == 0)
		freeaddrinfo(found);
	return error != EAI_NONAME;
}

/* Return whether a name that failed with this error may resolve later. */
static bool
resolves_later(int error)
{
#ifdef EAI_NODATA
	if (error == EAI_NODATA)
		return true;
#endif
	return error == EAI_NONAME || error == EAI_AGAIN || error == EAI_FAIL;
}

/* Return the addresses of the host, or NULL. The error is in resolve_error, and in error if that is
 * EAI_SYSTEM. An address of the wrong family fails permanently, whatever error the C library returns. */
static struct addrinfo *
host_resolve(struct scan *scan)
{
	struct addrinfo want = {.ai_family = scan->family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	scan->named = !is_address(scan->host);
	want.ai_flags = scan->named ? 0 : AI_NUMERICHOST;
	scan->resolve_error = getaddrinfo(scan->host, NULL, &want, &found);
	scan->error = errno;
	scan->temporary = scan->named && resolves_later(scan->resolve_error);
	return scan->resolve_error == 0 ? found : NULL;
}

/* Wait for a connect() in progress. Return 0 or its errno. After EINTR the kernel continues to
 * connect, so connect() is never called again. */
static int
connect_await(int fd, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0, ready;

	do
		ready = poll(&p, 1, clock_until(deadline));
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready == 0 ? ETIMEDOUT : errno;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/* A connect() to an unused port of the ephemeral range can connect to itself. */
static bool
connected_to_itself(int fd)
{
	struct address local, remote;

	return address_local(fd, &local) == 0 && address_remote(fd, &remote) == 0
	    && local.size == remote.size && memcmp(&local.any, &remote.any, local.size) == 0;
}

/* Return a connected socket, or -1 with errno. */
static int
connect_to(const struct address *to, int64_t deadline)
{
	int on = 1, error = 0;
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, &to->any, to->size) != 0)
		error = errno == EINPROGRESS || errno == EINTR ? connect_await(fd, deadline) : errno;
	if (error == 0 && connected_to_itself(fd))
		error = ECONNREFUSED;
	if (error == 0 && fcntl(fd, F_SETFL, 0) != 0)
		error = errno;
	if (error == 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
		return fd;
	}
	(void)close(fd);
	errno = error;
	return -1;
}

/* Return whether the server may accept later: it, or its network, may not be up yet. */
static bool
is_temporary(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET || error == ETIMEDOUT || error == EHOSTUNREACH
	    || error == EHOSTDOWN || error == ENETUNREACH || error == ENETDOWN;
}

/* Try a port at each address of the host. */
static int
port_try(struct scan *scan, const struct addrinfo *hosts, uint16_t port)
{
	for (const struct addrinfo *host = hosts; host != NULL; host = host->ai_next) {
		struct address to = {.size = host->ai_addrlen};
		char text[ADDRESS_TEXT_SIZE];
		int64_t deadline = clock_ms() + scan->attempt_ms;
		int fd;

		memcpy(&to.any, host->ai_addr, host->ai_addrlen);
		address_set_port(&to, port);
		fd = connect_to(&to, deadline < scan->deadline ? deadline : scan->deadline);
		if (fd >= 0)
			return fd;
		scan->error = errno;
		scan->temporary |= is_temporary(errno);
		address_text(&to, text);
		if (scan->verbose)
			warn("%s: %s", text, strerror(scan->error));
		if (clock_until(scan->deadline) == 0) {
			scan->late_at = port;
			return -1;
		}
	}
	return -1;
}

/* Return a connected socket, or -1 if no port of the list accepts. */
static int
ports_scan(struct scan *scan, const struct addrinfo *hosts)
{
	for (size_t r = 0; r < scan->range_count; r++) {
		for (unsigned port = scan->ranges[r].first; port <= scan->ranges[r].last; port++) {
			int fd = port_try(scan, hosts, (uint16_t)port);

			if (fd >= 0 && !scan->quiet)
				log_info("Bound to %u", port);
			if (fd >= 0 || scan->late_at != 0)
				return fd;
			if (scan->error == EMFILE || scan->error == ENFILE || scan->error == ENOMEM || scan->error == ENOBUFS)
				die(STATUS_FAILED, "socket: %s", strerror(scan->error));
		}
	}
	return -1;
}

static void __attribute__((noreturn))
scan_fail(const struct scan *scan)
{
	const char *host = quoted(scan->host), *ports = quoted(scan->ports);

	if (scan->resolve_error != 0)
		die(STATUS_FAILED, "%s: %s", host,
		    scan->resolve_error == EAI_SYSTEM ? strerror(scan->error) : gai_strerror(scan->resolve_error));
	if (scan->late_at != 0 && !scan->wait)
		die(STATUS_FAILED, "%s: no open port in %s: timed out at port %u", host, ports, scan->late_at);
	die(STATUS_FAILED, "%s: no open port in %s: %s", host, ports, strerror(scan->error));
}

/* Resolve the host and scan its ports; with --wait, repeat that. */
static int
server_find(struct scan *scan)
{
	for (int pause = PAUSE_MS;; pause = pause < PAUSE_MS_MAX / 2 ? 2 * pause : PAUSE_MS_MAX) {
		struct addrinfo *hosts = host_resolve(scan);
		int fd = hosts == NULL ? -1 : ports_scan(scan, hosts), left = clock_until(scan->deadline);

		if (hosts != NULL)
			freeaddrinfo(hosts);
		if (fd >= 0)
			return fd;
		if (!scan->wait || left == 0 || !scan->temporary)
			scan_fail(scan);
		(void)poll(NULL, 0, pause < left ? pause : left);
	}
}

static bool
address_export(const char *ip_name, const char *port_name, const struct address *address, int fd)
{
	char ip[ADDRESS_SCOPED_SIZE], port[8];

	address_scoped(address, fd, ip);
	(void)snprintf(port, sizeof port, "%u", (unsigned)address_port(address));
	return setenv(ip_name, ip, 1) == 0 && setenv(port_name, port, 1) == 0;
}

/* Set the environment of a UCSPI client. Variables without a value are unset. */
static bool
environment_set(const struct scan *scan, int fd)
{
	static const char *const unknown[] = {
		"TCPLOCALHOST", "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPCONNNUM", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST",
		"WEBSOCKET_PROTOCOL", "WEBSOCKET_EXTENSIONS", "SSL_TLS_SNI_SERVERNAME",
	};
	struct address local, remote;

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		(void)unsetenv(unknown[i]);
	return address_local(fd, &local) == 0 && address_remote(fd, &remote) == 0
	    && setenv("PROTO", "TCP", 1) == 0 && address_export("TCPLOCALIP", "TCPLOCALPORT", &local, fd)
	    && address_export("TCPREMOTEIP", "TCPREMOTEPORT", &remote, fd)
	    && (!scan->named || setenv("TCPREMOTEHOST", scan->host, 1) == 0);
}

static int
program_run(const struct scan *scan, int fd, char **argv)
{
	int both[2] = {fd, -1};

	if (environment_set(scan, fd))
		both[1] = fd_above(fd, UCSPI_FD);
	if (both[1] < 0 || fds_place(both, 2, UCSPI_FD) != 0)
		die(STATUS_FAILED, "cannot pass the connection on: %s", strerror(errno));
	return exec_next(argv);
}

struct relay {
	struct endpoint in, out;             /* stdin and stdout */
	struct endpoint from_server, to_server;
	bool eof_sent;    /* EOF was sent to the server */
	bool one_socket;  /* stdin and stdout are the same connection */
	int64_t idle_ms;  /* time limit for the server's silence after EOF on stdin; 0: none */
	int64_t silent_since;
	uint64_t acked;   /* bytes that the server has acknowledged, */
	int64_t acked_at; /* and the time of the last acknowledgement */
};

/* After EOF from the server, pass it on at once, so that the reader of stdout gets EOF while stdin
 * is still relayed. If stdin is the same socket, close() would not send it: shut it down as well. */
static void
stdout_end(struct relay *r)
{
	if (r->one_socket)
		(void)shutdown(r->out.fd, SHUT_WR);
	if (close(r->out.fd) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	r->out.ended = true;
	r->acked_at = clock_ms();
}

/* Pass EOF of one side to the other, once all data before it has been sent. */
static void
ends_pass(struct relay *r)
{
	if (r->in.ended && buffer_held(r->to_server.buffer) == 0)
		r->to_server.ended = true;
	if (r->to_server.ended && !r->eof_sent) {
		/* Also after a failed send: the server may be waiting for more data. */
		(void)shutdown(r->to_server.fd, SHUT_WR);
		r->eof_sent = true;
		r->in.ended = true;
	}
	if (r->from_server.ended && !r->out.ended && buffer_held(r->out.buffer) == 0)
		stdout_end(r);
}

/* The kernel reports a reset once, to the first call on the socket in either direction. A reset
 * after the server has closed its side is EPIPE. */
static int
server_error(const struct relay *r)
{
	if (r->from_server.error != 0)
		return r->from_server.error;
	return r->to_server.error == EPIPE ? ECONNRESET : r->to_server.error;
}

/* Return the bytes that the server has not acknowledged. Its kernel may never acknowledge them. */
static size_t
server_unacked(struct relay *r)
{
	int64_t now = clock_ms();
	int unacked = 0;

	(void)ioctl(r->to_server.fd, SIOCOUTQ, &unacked);
	if (unacked == 0 || r->to_server.moved - (uint64_t)unacked != r->acked)
		r->acked_at = now;
	r->acked = r->to_server.moved - (uint64_t)unacked;
	return (size_t)unacked;
}

static bool
server_stalls(const struct relay *r, int64_t ms)
{
	return clock_ms() - r->acked_at >= ms;
}

/* The server has closed its side. That may be a half-close, so stdin is still sent; but neither a
 * silent stdin nor a server that accepts no data may keep the relay running. */
static void
server_ended(struct relay *r, bool moved)
{
	if (!moved && buffer_held(r->to_server.buffer) == 0)
		r->in.ended = true;
	if (server_unacked(r) != 0 && server_stalls(r, STALL_MS))
		r->to_server.ended = true;
}

/* Wait until the server acknowledges the last bytes and the FIN (which counts as one byte), or
 * resets the connection. Return 0 or errno. */
static int
server_acks_await(struct relay *r)
{
	for (;;) {
		socklen_t size = sizeof(int);
		size_t unacked = server_unacked(r);
		int error = 0;

		if (getsockopt(r->to_server.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
			return error == EPIPE ? ECONNRESET : error;
		if (unacked == 0)
			return 0;
		if (server_stalls(r, LAST_ACK_MS))
			return unacked > 1 ? ETIMEDOUT : 0;
		(void)poll(NULL, 0, POLL_MS);
	}
}

/* Return the exit status, or -1 while there is more to do. */
static int
relay_status(struct relay *r)
{
	int error;

	if (r->out.ended && r->out.error != 0) {
		if (r->out.error != EPIPE)
			warn("stdout: %s", strerror(r->out.error));
		return STATUS_FAILED;
	}
	if (!r->out.ended || !r->to_server.ended)
		return -1;
	error = server_error(r);
	if (error == 0)
		error = buffer_held(r->to_server.buffer) != 0 ? ETIMEDOUT : server_acks_await(r);
	if (r->in.error != 0)
		warn("stdin: %s", strerror(r->in.error));
	else if (error == ETIMEDOUT)
		warn("server: connection closed before all input was received");
	else if (error != 0)
		warn("server: %s", strerror(error));
	else
		return STATUS_OK;
	return STATUS_FAILED;
}

/* End the answer if nothing has arrived for idle_ms since EOF on stdin and since the last bytes. */
static void
server_idle(struct relay *r, bool moved)
{
	if (moved || !r->to_server.ended)
		r->silent_since = clock_ms();
	else if (clock_ms() - r->silent_since >= r->idle_ms)
		r->from_server.ended = true;
}

/* Return how long to wait for data. */
static int
relay_timeout_ms(const struct relay *r)
{
	if (r->out.ended)
		return LAST_STDIN_MS;
	return r->idle_ms != 0 && r->to_server.ended ? clock_until(r->silent_since + r->idle_ms) : -1;
}

static int
relay_run(int fd, const struct scan *scan)
{
	static unsigned char up_bytes[RELAY_SIZE], down_bytes[RELAY_SIZE];
	struct buffer up = buffer_over(up_bytes, sizeof up_bytes);
	struct buffer down = buffer_over(down_bytes, sizeof down_bytes);
	struct relay r = {
		.in = endpoint_over(STDIN_FILENO, false, &up),
		.out = endpoint_over(STDOUT_FILENO, true, &down),
		.from_server = {.fd = fd, .kind = ENDPOINT_SOCKET, .buffer = &down},
		.to_server = {.fd = fd, .kind = ENDPOINT_SOCKET, .sink = true, .same_socket = &r.from_server, .buffer = &up},
		.idle_ms = scan->idle_ms,
	};
	struct endpoint *const ports[] = {&r.in, &r.out, &r.from_server, &r.to_server};

	r.one_socket = r.out.kind == ENDPOINT_SOCKET && fds_same(STDIN_FILENO, STDOUT_FILENO);
	sandbox_begin(SANDBOX_UNSENT, scan->verbose);
	for (;;) {
		int status, moved;

		ends_pass(&r);
		status = relay_status(&r);
		if (status >= 0)
			return status;
		moved = endpoints_wait(ports, sizeof ports / sizeof *ports, relay_timeout_ms(&r), NULL);
		if (moved < 0 && errno != EINTR)
			die(STATUS_FAILED, "poll: %s", strerror(errno));
		if (moved >= 0 && r.out.ended)
			server_ended(&r, moved > 0);
		else if (moved >= 0 && r.idle_ms != 0)
			server_idle(&r, moved > 0);
	}
}

/* Flush the whole line before the next one is read. */
static void
lockstep_print(const char *reply, size_t size)
{
	if (printf("Received ") < 0 || fwrite(reply, 1, size, stdout) != size || printf(" from server\n") < 0
	    || fflush(stdout) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
}

static bool
send_all(int fd, const char *bytes, size_t size)
{
	while (size != 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return true;
}

/* Send a message and receive the reply with one recv(), like the client of the tutorial. */
static ssize_t
exchange(int fd, const char *message, size_t size, char *reply, size_t space)
{
	ssize_t got;

	if (!send_all(fd, message, size))
		return -1;
	do
		got = recv(fd, reply, space, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

/* An empty line or EOF on stdin ends the exchange. */
static int
lockstep_run(int fd)
{
	static char reply[REPLY_SIZE];
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size, got = 1;

	while (got > 0 && (size = getline(&line, &capacity, stdin)) > 0) {
		if (line[size - 1] == '\n')
			size--;
		if (size == 0)
			break;
		got = exchange(fd, line, (size_t)size, reply, sizeof reply);
		if (got > 0)
			lockstep_print(reply, (size_t)got);
	}
	if (got > 0 && size < 0 && !feof(stdin))
		die(STATUS_FAILED, "stdin: %s", strerror(errno));
	free(line);
	if (got > 0)
		return STATUS_OK;
	if (puts("server disconnected") < 0 || fflush(stdout) != 0)
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	return STATUS_FAILED;
}

/* Refuse a missing program before connecting. A host or port in its place gets a hint. */
static void
program_check(char *const *argv)
{
	struct port_range range;
	char path[PATH_MAX];

	if (strchr(argv[0], '/') != NULL || exec_find(argv[0], path, sizeof path) != ENOENT)
		return;
	if (port_list_parse(span_of(argv[argv[1] != NULL]), &range, 1) != 0 || address_like_with_port(argv[0]))
		usage_refuse("%s: not found in PATH; -a sets the host, -p the ports", quoted(argv[0]));
	die(STATUS_NOT_FOUND, "%s: %s", quoted(argv[0]), exec_find_error(argv[0], ENOENT));
}

int
main(int argc, char **argv)
{
	static struct scan scan = {
		.host = "127.0.0.1", .family = AF_UNSPEC, .attempt_ms = 3000, .deadline = CLOCK_NEVER,
	};
	int fd;

	fds_open_standard();
	ports_read(&scan, "9000-9998");
	options_read(&scan, argc, argv);
	if (scan.lockstep && argv[optind] != NULL)
		usage_refuse("--lockstep takes no program");
	if (scan.wait && scan.total)
		usage_refuse("--wait and --total exclude each other");
	if (scan.idle_ms != 0 && (scan.lockstep || argv[optind] != NULL))
		usage_refuse("--idle excludes --lockstep and a program");
	if (argv[optind] != NULL)
		program_check(argv + optind);
	fd = server_find(&scan);
	if (argv[optind] != NULL)
		return program_run(&scan, fd, argv + optind);
	/* A closed stdout must give exit status 1, whether write() or poll() reports it. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* A file at its size limit (RLIMIT_FSIZE) must fail with EFBIG. */
	(void)signal(SIGXFSZ, SIG_IGN);
	return scan.lockstep ? lockstep_run(fd) : relay_run(fd, &scan);
}
