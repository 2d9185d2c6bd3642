/* wsframe: convert WebSocket messages to and from lines, netstrings or bytes of a program. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/option.h"
#include "base/status.h"
#include "filter.h"
#include "serve/session.h"
#include "sys/address.h"
#include "sys/alarm.h"
#include "sys/clock.h"
#include "sys/connection.h"
#include "sys/fds.h"
#include "sys/sandbox.h"
#include "sys/signals.h"

enum {
	CLIENT_IN = 6, /* UCSPI: a client reads from fd 6 and writes to fd 7 */
	CLIENT_OUT = 7,
	SIGNAL_TURNS = 32, /* turns until pending signals are delivered */
};

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "log of how the session ends"},
	SESSION_ROWS("max", "the peer"),
	{'c', "client", NULL, "client mode: fds 6 and 7, masked frames"},
	{'q', "quiet-time", "TIME", "client: silence before Close, or 'never' (1s)"},
	{'m', "messages", "COUNT", "client: number of messages before Close (none)"},
	{'d', "decode", NULL, "filter: frames to records"},
	{'e', "encode", NULL, "filter: records to frames"},
	{'z', "deflate", NULL, "filter: messages compressed independently"},
};

USAGE_FIRST static const struct usage usage = {
	.program = "wsframe",
	.synopsis = "[option...] prog [arg...]\n-c [option...] [prog [arg...]]\n-d [option...]\n-e [option...]",
	.summary = "Joins a WebSocket on fds 0 and 1 to prog: each message is a line on its stdin,\n"
	           "each line of its stdout a text message.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct settings {
	struct session_options session;
	bool decode, encode, deflate;
	bool max_given;
	const char *live, *prog_less; /* a given option that requires a connection, or a client without prog */
};

static int64_t
quiet_time(void)
{
	if (strcmp(optarg, "never") == 0)
		return CLOCK_NEVER;
	return option_duration(0, OPTION_DAY_MS);
}

static void
option_take(struct settings *set, int key)
{
	if (key == 'k' || key == 'w')
		set->live = key == 'k' ? "--ping" : "--close-wait";
	if (key == 'q' || key == 'm')
		set->live = set->prog_less = key == 'q' ? "--quiet-time" : "--messages";
	set->max_given |= key == 'M';
	switch (key) {
	case 'v': set->session.verbose = true; break;
	case 'c': set->session.client = true; break;
	case 'd': set->decode = true; break;
	case 'e': set->encode = true; break;
	case 'z': set->deflate = true; break;
	case 'q':
		set->session.quiet_ms = quiet_time();
		set->session.quiet_given = true;
		break;
	case 'm': set->session.count = option_number(1, INT64_MAX); break;
	default: (void)session_option(&set->session, key); break;
	}
}

static void
options_check(const struct settings *set)
{
	bool filter = set->decode || set->encode;

	if (set->session.replace && set->decode)
		usage_refuse("--replace applies to text only");
	if (set->decode && set->encode)
		usage_refuse("--decode and --encode exclude each other");
	if (filter && set->live != NULL)
		usage_refuse("%s excludes --decode and --encode", set->live);
	if (filter && set->session.program != NULL)
		usage_refuse("--decode and --encode take no program");
	if (set->deflate && !filter)
		usage_refuse("--deflate requires --decode or --encode; wsupgrade --deflate is for connections");
	if (!filter && !set->session.client && set->session.program == NULL)
		usage_refuse("no program to run");
	if (set->prog_less != NULL && (!set->session.client || set->session.program != NULL))
		usage_refuse("%s requires --client without a program", set->prog_less);
}

static void
options_read(struct settings *set, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;)
		option_take(set, key);
	set->session.program = argv[optind] == NULL ? NULL : argv + optind;
	session_options_end(&set->session, "--max");
	options_check(set);
	if (set->session.count != 0 && !set->session.quiet_given)
		set->session.quiet_ms = CLOCK_NEVER; /* -m waits for its messages without a limit */
}

/* Close the client's connection for the program, and keep diagnostics out of the server's connection. */
static void
net_guard(const struct settings *set)
{
	const char *fault = set->session.client ? NULL : connection_fault();

	if (fault != NULL)
		usage_refuse("%s", fault);
	if (!set->session.client) {
		fds_guard_stderr();
		return;
	}
	for (int fd = CLIENT_IN; fd <= CLIENT_OUT; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			usage_refuse("no connection on fds 6 and 7; portscan-connect opens one");
}

/* Read the extension that wsupgrade has agreed on. Return false without compression. */
static bool
extension_read(struct extension *extension)
{
	const char *text = getenv("WEBSOCKET_EXTENSIONS");

	if (text != NULL && !extension_parse(span_of(text), extension))
		usage_refuse("WEBSOCKET_EXTENSIONS: %s: not an agreement on permessage-deflate", quoted(text));
	return text != NULL;
}

/* Processes of several connections share a log, so each line names the client. */
static void
client_name_lines(void)
{
	enum { FRONT = sizeof "wsframe: " - 1 };
	static char name[FRONT + ADDRESS_TEXT_SIZE] = "wsframe: ";
	const char *ip = getenv("TCPREMOTEIP"), *port = getenv("TCPREMOTEPORT");

	if (ip == NULL || port == NULL)
		return;
	address_join(span_of(ip), span_of(port), name + FRONT, ADDRESS_TEXT_SIZE);
	if (name[FRONT] != '\0')
		log_name(name);
}

static void
signals_begin(void)
{
	int numbers[5] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	size_t count = 4;

	(void)signal(SIGPIPE, SIG_IGN);
	if (alarm_take())
		numbers[count++] = SIGALRM;
	signals_catch(numbers, count);
}

/* A service manager may stop the program together with wsframe: then wsframe's signal is the cause. */
static void
signals_check(struct session *s, int64_t now)
{
	if (signals_take_stop())
		session_stop(s, now);
	if (signals_take(SIGCHLD))
		session_reap(s);
}

/* Run the session. A persistent poll() error would make this loop spin, so it is fatal. */
static void
session_run(struct session *s)
{
	struct endpoint *endpoints[SESSION_ENDPOINTS];

	session_endpoints(s, endpoints);
	for (unsigned turns = 1;; turns++) {
		int64_t now = clock_ms();
		int moved;

		signals_check(s, now);
		if (!session_step(s, now))
			return;
		moved = endpoints_wait(endpoints, SESSION_ENDPOINTS, alarm_until(session_deadline(s), now),
		    signals_wait_mask());
		if (moved < 0 && errno != EINTR)
			die(STATUS_FAILED, "poll: %s", strerror(errno));
		/* A wait that finds a ready descriptor delivers no signal. */
		if (turns % SIGNAL_TURNS == 0)
			signals_deliver();
		if (!session_moved(s, moved))
			die(STATUS_FAILED, "no memory for the connection: %s", strerror(ENOMEM));
	}
}

int
main(int argc, char **argv)
{
	static struct settings set = {
		.session = {SESSION_DEFAULTS, .quiet_ms = 1000},
	};
	static unsigned char first[FLOWS_BUFFERS * FLOWS_FIRST_SIZE];
	static struct session s;
	struct flows_storage storage = flows_storage_over(first, FLOWS_FIRST_SIZE);
	struct compression *compression = NULL;
	struct extension extension;
	bool client;

	fds_open_standard();
	options_read(&set, argc, argv);
	client = set.session.client;
	if (set.session.program == NULL)
		(void)signal(SIGXFSZ, SIG_IGN); /* stdout may be a file at its size limit: EFBIG */
	if (set.decode)
		return filter_decode(set.session.mode, set.session.max, set.deflate);
	if (set.encode)
		return filter_encode(set.session.mode, set.max_given ? set.session.max : 0, client, set.session.replace,
		    set.deflate);
	net_guard(&set);
	if (extension_read(&extension) && (compression = compression_begin(&extension, client, NULL)) == NULL)
		die(STATUS_FAILED, "no memory for compression: %s", strerror(errno));
	if (!client)
		client_name_lines();
	signals_begin();
	session_begin(&s, &set.session, client ? CLIENT_IN : STDIN_FILENO, client ? CLIENT_OUT : STDOUT_FILENO, &storage,
	    clock_ms());
	if (compression != NULL)
		flows_compress(&s.flows, compression);
	/* From here on the process only moves bytes: the program runs, or was not started. */
	sandbox_begin(SANDBOX_PARENT | SANDBOX_REOPENS | SANDBOX_ALARM | SANDBOX_OFTEN, set.session.verbose);
	session_run(&s);
	return session_result(&s);
}
