/* portscan-bind: bind the first free port and pass the listening socket on. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/address.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/listen.h"

/* BACKLOG: SOMAXCONN of Linux; the constant of the C library may be older (128 in musl). */
enum { RANGES_MAX = 1024, KERNEL_CHOICES = 100, BACKLOG = 4096 };

static const struct option_row rows[] = {
	{'1', "print-port", NULL, "port number on stdout when it listens"},
	{'q', "quiet", NULL, "no 'Bound to PORT' message"},
	{'r', "reuse-port", NULL, "port shared with others that set SO_REUSEPORT"},
	{'a', "address", "ADDR", "numeric address to bind, repeatable (127.0.0.1)"},
	{'p', "ports", "LIST", "ports to try in order, 0: any (9000-9998)"},
	{'b', "backlog", "N", "limit of connections not yet accepted (4096)"},
};

static const struct usage usage = {
	.program = "portscan-bind",
	.synopsis = "[option...] [prog [arg...]]",
	.summary = "Binds the first free port and runs prog with the listening socket.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct scan {
	struct address addresses[LISTEN_MAX];
	int sockets[LISTEN_MAX]; /* one for each address */
	size_t count;
	size_t named; /* sockets inherited from an earlier program of the chain, which come first */
	const char *names[LISTEN_MAX];
	const char *ports;
	struct port_range ranges[RANGES_MAX];
	size_t range_count;
	int backlog;
	bool reuse_port;
	bool print_port;
	bool quiet;
};

static int
listener_open(const struct scan *scan, const struct address *address)
{
	int on = 1, error;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
	    && (!scan->reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0)
	    && (address->any.sa_family != AF_INET6
	        || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0)
	    && bind(fd, &address->any, address->size) == 0
	    /* With SO_REUSEADDR two scanners may bind the same port, but only one of them can
	     * listen. */
	    && listen(fd, scan->backlog) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

/* Return the port that the kernel chose, or 0 with errno. */
static unsigned
port_chosen(int fd)
{
	struct address bound;

	return address_local(fd, &bound) == 0 ? address_port(&bound) : 0;
}

/* Listen on this port at every address, or at none. Return the port, or 0 with errno; *failed is then the address
 * with the error. */
static unsigned
port_take(struct scan *scan, unsigned port, size_t *failed)
{
	for (size_t i = 0; i < scan->count; i++) {
		int *fd = &scan->sockets[i], error;

		*failed = i;
		address_set_port(&scan->addresses[i], (uint16_t)port);
		*fd = listener_open(scan, &scan->addresses[i]);
		if (*fd >= 0 && port == 0)
			port = port_chosen(*fd);
		if (*fd >= 0 && port != 0)
			continue;
		error = errno;
		for (size_t open = i + (*fd >= 0); open > 0;)
			(void)close(scan->sockets[--open]);
		errno = error;
		return 0;
	}
	return port;
}

/* If the kernel's choice for one address is in use at another, let the kernel choose again. */
static unsigned
port_try(struct scan *scan, unsigned port, size_t *failed)
{
	unsigned taken = 0;

	for (int turn = 0; taken == 0 && turn < (port == 0 ? KERNEL_CHOICES : 1); turn++) {
		taken = port_take(scan, port, failed);
		if (taken == 0 && errno != EADDRINUSE)
			break;
	}
	return taken;
}

/* Continue with the other addresses. */
static void
address_drop(struct scan *scan, size_t i)
{
	warn("%s: %s (continuing with the other addresses)", quoted(scan->names[i]), strerror(errno));
	for (scan->count--; i < scan->count; i++) {
		scan->addresses[i] = scan->addresses[i + 1];
		scan->names[i] = scan->names[i + 1];
	}
}

/* Return the port, or 0 after logging the error. */
static unsigned
ports_scan(struct scan *scan)
{
	bool denied = false;
	size_t failed = 0;

	for (size_t r = 0; r < scan->range_count; r++) {
		for (unsigned port = scan->ranges[r].first; port <= scan->ranges[r].last; port++) {
			unsigned taken = port_try(scan, port, &failed);

			/* The kernel does not support this address family. */
			while (taken == 0 && errno == EAFNOSUPPORT && scan->count > 1) {
				address_drop(scan, failed);
				taken = port_try(scan, port, &failed);
			}
			if (taken != 0)
				return taken;
			denied |= errno == EACCES;
			if (errno != EADDRINUSE && errno != EACCES) {
				warn(strchr(scan->names[failed], ':') != NULL ? "[%s]:%u: %s" : "%s:%u: %s",
				    scan->names[failed], address_port(&scan->addresses[failed]), strerror(errno));
				return 0;
			}
		}
	}
	if (denied)
		warn("%s: no free port in %s: %s", quoted(scan->names[failed]), quoted(scan->ports),
		    strerror(EACCES));
	else
		warn("%s: no free port in %s", quoted(scan->names[failed]), quoted(scan->ports));
	return 0;
}

static void
address_add(struct scan *scan, const char *name)
{
	if (scan->count == LISTEN_MAX)
		option_refuse("more than 64 addresses");
	if (!address_parse(name, &scan->addresses[scan->count]))
		option_refuse(address_like_with_port(name) ? "not a numeric IPv4 or IPv6 address (-p sets the port)"
		    : strchr(name, '%') != NULL
		    ? "not a link-local address with an interface of this host (for example fe80::1%eth0)"
		    : "not a numeric IPv4 or IPv6 address (names are not resolved)");
	if (address_lacks_scope(&scan->addresses[scan->count]))
		option_refuse("a link-local address needs an interface (for example fe80::1%eth0)");
	scan->names[scan->count++] = name;
}

static void
options_read(struct scan *scan, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case '1': scan->print_port = true; break;
		case 'q': scan->quiet = true; break;
		case 'r': scan->reuse_port = true; break;
		case 'a': address_add(scan, optarg); break;
		case 'p':
			scan->ports = optarg;
			scan->range_count = port_list_parse(span_of(optarg), scan->ranges, RANGES_MAX);
			if (scan->range_count == 0)
				option_refuse("not a list of ports and ranges from 1 to 65535 (for example 8080,9000-9998)");
			break;
		case 'b': scan->backlog = (int)option_number(1, INT32_MAX); break;
		}
	}
}

/* Set the variables that describe the socket of prog, with several addresses the first one. */
static bool
environment_set(const struct scan *scan, unsigned port)
{
	char ip[ADDRESS_SCOPED_SIZE], number[12];

	address_scoped(&scan->addresses[0], LISTEN_FIRST, ip);
	(void)snprintf(number, sizeof number, "%u", port);
	return setenv("PROTO", "TCP", 1) == 0 && setenv("TCPLOCALIP", ip, 1) == 0
	    && setenv("TCPLOCALPORT", number, 1) == 0 && setenv("PORT", number, 1) == 0;
}

/* A file at its size limit (RLIMIT_FSIZE) is an error and must not end the program. */
static void
port_print(unsigned port, bool say_it, bool print_it)
{
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);

	if (say_it)
		log_info("Bound to %u", port);
	if (print_it && (printf("%u\n", port) < 0 || fflush(stdout) != 0))
		die(STATUS_FAILED, "stdout: %s", strerror(errno));
	(void)signal(SIGXFSZ, before);
}

/* The descriptors after the inherited sockets must be closed: an open one has another purpose. */
static void
inherited_find(struct scan *scan)
{
	const char *why;
	int named = listeners_named(&why);

	if (named < 0)
		die(STATUS_USAGE, "%s", why);
	/* A script may have closed the inherited socket without unsetting the variables. */
	if (named > 0 && fcntl(LISTEN_FIRST, F_GETFD) < 0)
		named = 0;
	if (named + (int)scan->count > LISTEN_MAX)
		die(STATUS_USAGE, "LISTEN_FDS: %d inherited and %d new sockets exceed the limit of %d", named,
		    (int)scan->count, LISTEN_MAX);
	for (int fd = LISTEN_FIRST + named; named > 0 && fd < LISTEN_FIRST + named + (int)scan->count; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			die(STATUS_FAILED, "fd %d: already open, but needed for the listening socket", fd);
	scan->named = (size_t)named;
}

static void
sockets_give(const struct scan *scan, unsigned port)
{
	char name[sizeof "port-4294967295"];

	(void)snprintf(name, sizeof name, "port-%u", port);
	if (listeners_give(scan->named, scan->sockets, scan->count, name) != 0 || !environment_set(scan, port))
		die(STATUS_FAILED, "cannot pass the sockets on: %s", strerror(errno));
}

/* Refuse a port list in place of the program, before a socket is bound. */
static void
operand_check(const char *name)
{
	struct port_range range;
	char path[PATH_MAX];

	if (port_list_parse(span_of(name), &range, 1) != 0 && exec_find(name, path, sizeof path) == ENOENT)
		usage_refuse("%s: not found in PATH; -p sets the ports", quoted(name));
}

int
main(int argc, char **argv)
{
	static struct scan scan = {.backlog = BACKLOG, .ports = "9000-9998"};
	unsigned port;

	fds_open_standard();
	scan.range_count = port_list_parse(span_of(scan.ports), scan.ranges, RANGES_MAX);
	options_read(&scan, argc, argv);
	if (scan.count == 0)
		address_add(&scan, "127.0.0.1");
	if (argv[optind] != NULL) {
		operand_check(argv[optind]);
		inherited_find(&scan);
	}
	port = ports_scan(&scan);
	if (port == 0)
		return STATUS_FAILED;
	port_print(port, !scan.quiet, scan.print_port || argv[optind] == NULL);
	if (argv[optind] == NULL)
		return STATUS_OK;
	sockets_give(&scan, port);
	return exec_next(argv + optind);
}
