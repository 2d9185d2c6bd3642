/* proxyhead: read the PROXY header of a connection, then run a program. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/proxy.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "sys/address.h"
#include "sys/exec.h"
#include "sys/fds.h"
#include "sys/timed_io.h"
#include "sys/ucspi.h"

enum { LIMIT_DEFAULT_MS = 5000, CHUNK = 256, SMALL_SLOTS = 256 };

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "log of clients and of silent connections"},
	{'t', "timeout", "TIME", "time limit for the header (5s)"},
};

USAGE_FIRST static const struct usage usage = {
	.program = "proxyhead",
	.synopsis = "[option...] prog [arg...]",
	.summary = "Reads the PROXY header of the connection on fd 0, then runs prog.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

/* A common symbol after all other variables, so that the path begins on a page that is in use. */
__attribute__((common)) struct job {
	bool verbose;
	struct time_limit limit;
	struct proxy header;
	bool whole;
	size_t chunk_used; /* bytes of the chunk that proxy_take() has used */
	struct ucspi environment;
	char path[PATH_MAX];
} job;

static void
options_read(int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'v': job.verbose = true; break;
		case 't': job.limit.limit_ms = option_duration(1, OPTION_DAY_MS); break;
		}
	}
	if (argv[optind] == NULL)
		usage_refuse("no program to run");
}

/* Return the end of the header, or of a full chunk. */
static int
end_find(void *unused, const char *bytes, size_t n)
{
	size_t used;
	enum proxy_result result = proxy_take(&job.header, (const unsigned char *)bytes + job.chunk_used,
	    n - job.chunk_used, &used);

	(void)unused;
	job.chunk_used += used;
	if (result == PROXY_BAD)
		return -1;
	job.whole = result == PROXY_DONE;
	return job.whole || job.chunk_used == CHUNK ? (int)job.chunk_used : 0;
}

static size_t
end_missing(const void *unused)
{
	(void)unused;
	return proxy_missing(&job.header);
}

/* Return the name of the proxy for messages. It comes from the environment first, because a
 * connection that was reset has no address. */
static const char *
peer_name(void)
{
	static char name[ADDRESS_TEXT_SIZE];
	const char *ip = getenv("TCPREMOTEIP"), *port = getenv("TCPREMOTEPORT");
	struct address peer;

	if (ip != NULL && port != NULL)
		address_join(span_of(ip), span_of(port), name, sizeof name);
	else if (address_remote(STDIN_FILENO, &peer) == 0)
		address_text(&peer, name);
	return name[0] == '\0' ? "client" : quoted(name);
}

/* A connection that is closed before its first byte is a health check. */
static void
header_missed(int error)
{
	bool silent = job.header.taken == 0 && (error == 0 || error == ECONNRESET);

	if (silent && !job.verbose)
		return;
	warn("%s: no PROXY header: %s", peer_name(), error == 0 ? "end of file" : strerror(error));
}

static bool
header_read(void)
{
	const struct read_end end = {.find = end_find, .missing = end_missing};
	char chunk[CHUNK];
	int found;

	do {
		size_t got = 0;

		job.chunk_used = 0;
		found = timed_read(STDIN_FILENO, &end, chunk, sizeof chunk, &got, &job.limit);
	} while (found > 0 && !job.whole);
	if (found == 0)
		header_missed(errno);
	if (found < 0)
		warn("%s: PROXY header: %s", peer_name(), job.header.why);
	return found > 0;
}

static struct address
end_address(const struct proxy_end *end)
{
	return job.header.family == PROXY_IPV4 ? address_v4(end->ip, end->port) : address_v6(end->ip, end->port);
}

static void
client_log(const struct address *client)
{
	char name[ADDRESS_TEXT_SIZE];

	if (!job.verbose)
		return;
	address_text(client, name);
	log_info("%s connects for %s", peer_name(), name);
}

/* Set the client's addresses if the header has any, and unset all inherited variables of the proxy's connection.
 * Otherwise keep the addresses, which the accepting program has set. */
static bool
environment_set(char *small_slots[SMALL_SLOTS])
{
	static const char *const proxys[] = {"TCPCONNNUM", "TCPREMOTEHOST", "REMOTE_HOST", "SSL_TLS_SNI_SERVERNAME"};
	const char *authority = job.header.authority;
	struct address client, server;
	extern char **environ;
	size_t count = ucspi_slots(environ);
	char **slots = small_slots;

	if (job.header.family == PROXY_NONE) {
		for (size_t i = 0; i < sizeof proxys / sizeof *proxys; i++)
			(void)unsetenv(proxys[i]);
		return true;
	}
	if (count > SMALL_SLOTS)
		slots = calloc(count, sizeof *slots);
	if (slots == NULL)
		return false;
	ucspi_begin(&job.environment, environ, slots);
	if (job.header.family == PROXY_UNIX) {
		environ = (char **)ucspi_local(&job.environment);
	} else {
		client = end_address(&job.header.client);
		server = end_address(&job.header.server);
		client_log(&client);
		environ = (char **)ucspi_tcp(&job.environment, STDIN_FILENO, &server, &client, 0);
	}
	return authority[0] == '\0' || setenv("SSL_TLS_SNI_SERVERNAME", authority, 1) == 0;
}

int
main(int argc, char **argv)
{
	char *small_slots[SMALL_SLOTS];

	job.limit.limit_ms = LIMIT_DEFAULT_MS;
	fds_open_standard();
	options_read(argc, argv);
	fds_guard_stderr();
	if (!header_read())
		return STATUS_FAILED;
	if (!environment_set(small_slots))
		die(STATUS_FAILED, "environment: %s", strerror(errno));
	return exec_with(argv + optind, job.path, sizeof job.path);
}
