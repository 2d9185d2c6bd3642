/*
 * wsprobe: tests the behavior of a WebSocket server or client on the wire, case by case.
 *
 *     wsprobe HOST:PORT                      plays a client of an echo server
 *     wsprobe --fake [prog [arg...]]         plays a server for a client that echoes
 *
 * HOST is a numeric address. The fake server prints its port (`Listening on 9000`) and plays the next case with the
 * next client. With prog it runs prog for each case, with the port in $PORT, and also checks its exit status and
 * stderr. Results are TAP on stdout; the exit status is 1 if a case failed.
 *
 * It is independent of the tested programs in what they decide about what it sends: the bytes of frames, scripts and
 * handshakes are written and read here, and compressed messages are decoded by the naive decoder of the fuzz target.
 * From lib/ it takes what the unit tests and fuzz targets compare with other implementations: the parser of HTTP heads,
 * the response to a client's random key (a server must respond to the key of the RFC), and the compressor.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "wsprobe.h"

static void
find_server(const char *where)
{
	const char *colon = strrchr(where, ':');
	char *host = colon == NULL ? NULL : strndup(where, (size_t)(colon - where));

	if (host == NULL || !address_parse(host, &settings.address))
		usage_refuse("%s: wanted HOST:PORT", where);
	free(host);
	address_set_port(&settings.address, (uint16_t)strtoul(colon + 1, NULL, 10));
	settings.host = where;
}

static void
listen_as_server(void)
{
	struct address *at = &settings.address;
	char port[8];

	(void)address_parse("127.0.0.1", at);
	settings.host = "localhost";
	settings.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (settings.listener < 0 || bind(settings.listener, &at->any, at->size) != 0 || listen(settings.listener, 128) != 0
	    || address_local(settings.listener, at) != 0)
		die(STATUS_FAILED, "listen: %s", strerror(errno));
	snprintf(port, sizeof port, "%u", address_port(at));
	setenv("PORT", port, 1);
	if (settings.prog == NULL)
		log_info("Listening on %s", port);
}

enum { FAKE = OPTION_LONG, MUTE, EARLY, OFFER, AGREED };

static const struct option_row rows[] = {
	{'c', "chunk", "BYTES", "limit of each send"},
	{'g', "groups", "LIST", "only these groups of cases, with commas between"},
	{'k', "names", "PATTERN", "only cases whose name matches, * is anything"},
	{'t', "timeout", "TIME", "how long an answer may take (10s)"},
	{FAKE, "fake", NULL, "play the server"},
	{MUTE, "mute", NULL, "the peer does not echo messages"},
	{EARLY, "early-close", NULL, "the peer may close before it has echoed all"},
	{OFFER, "offer", "TEXT", "the offer of permessage-deflate, sent or expected"},
	{AGREED, "agreed", "TEXT", "the answer, expected or sent: all messages are compressed"},
};

static const struct usage usage = {
	.program = "wsprobe",
	.synopsis = "[option...] HOST:PORT\n[option...] --fake [prog [arg...]]",
	.summary = "Plays hostile and harmless WebSocket cases and checks the answers.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

int
main(int argc, char **argv)
{
	bool fake = false;

	for (int key; (key = option_next(&usage, argc, argv)) != -1;) {
		switch (key) {
		case 'c': settings.chunk = (size_t)option_size(1, 1 << 30); break;
		case 'g': settings.groups = optarg; break;
		case 'k': settings.names = optarg; break;
		case 't': settings.timeout_ms = (int)option_duration(1, 3600000); break;
		case FAKE: fake = true; break;
		case MUTE: settings.mute = true; break;
		case EARLY: settings.early = true; break;
		case OFFER: settings.offer = optarg; break;
		case AGREED: settings.agreed = optarg; break;
		}
	}
	if (!fake && optind + 1 != argc)
		usage_refuse("wanted one server");
	signal(SIGPIPE, SIG_IGN);
	if (fake) {
		settings.prog = optind < argc ? argv + optind : NULL;
		listen_as_server();
	} else {
		find_server(argv[optind]);
	}
	return run_cases();
}
