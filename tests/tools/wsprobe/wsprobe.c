/*
 * wsprobe: tests the behavior of a WebSocket server or client on the wire, case by case.
 *
 *     wsprobe HOST:PORT | /SOCKET            plays a client of an echo server
 *     wsprobe --fake [prog [arg...]]         plays a server for a client that echoes
 *
 * The fake server prints its port (`Listening on 9000`) and plays the next case with the next
 * client. With prog it runs prog for each case, with the port in $PORT, and also checks its exit
 * status and stderr. Results are TAP on stdout; the exit status is 1 if a case failed.
 *
 * It is an independent implementation of the RFCs (6455, 7692, 9112). Of the tested programs it shares only options and
 * messages, and the response to a client's random key; a server must respond to the key of the RFC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "wsprobe.h"

static void
find_server(const char *where)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&settings.address;
	struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
	char host[256];
	const char *colon = strrchr(where, ':');
	int error;

	settings.where = where;
	if (strchr(where, '/') != NULL) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", where);
		settings.address_size = sizeof *un;
		snprintf(settings.host, sizeof settings.host, "localhost");
		return;
	}
	if (colon == NULL)
		usage_refuse("%s: wanted HOST:PORT or the path of a socket", where);
	snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error != 0)
		die(STATUS_FAILED, "%s: %s", where, gai_strerror(error));
	memcpy(&settings.address, found->ai_addr, found->ai_addrlen);
	settings.address_size = found->ai_addrlen;
	freeaddrinfo(found);
	snprintf(settings.host, sizeof settings.host, "%s", where);
}

static void
listen_as_server(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	char port[8];

	settings.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (settings.listener < 0 || bind(settings.listener, (struct sockaddr *)&at, size) != 0
	    || listen(settings.listener, 128) != 0 || getsockname(settings.listener, (struct sockaddr *)&at, &size) != 0)
		die(STATUS_FAILED, "listen: %s", strerror(errno));
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	setenv("PORT", port, 1);
	if (settings.prog == NULL)
		log_info("Listening on %s", port);
}

enum { FAKE = OPTION_LONG, MUTE, EARLY, OFFER, AGREED };

static const struct option_row rows[] = {
	{'c', "chunk", "BYTES", "send at most so many bytes at once"},
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
	.synopsis = "[option...] HOST:PORT | /SOCKET\n[option...] --fake [prog [arg...]]",
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
		run_answers();
	} else {
		find_server(argv[optind]);
		run_requests();
		run_offers();
		run_slow();
	}
	run_frames();
	printf("1..%u\n", case_count);
	return case_failures == 0 && case_count != 0 ? STATUS_OK : STATUS_FAILED;
}
