/*
 * Clients of three servers, good and bad, at random:
 *
 *     soaker SECONDS SEED CLIENTS TCP-PORT WS-PORT WS-PORT
 *
 * The first port echoes bytes, the two others echo text messages by WebSocket.
 * Each client is a process that plays one session after the other until the time
 * is up. A good one compares every byte that comes back; a bad one goes away at
 * a bad moment, or breaks the protocol and looks at the Close that it gets. A
 * session that takes longer than PATIENCE_S is stuck. What each kind of session
 * came to is told: `KIND SESSIONS MESSAGES BYTES WRONG`. Exit 1 where one was
 * wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ws/frame.h"
#include "ws/mask.h"

enum {
	PATIENCE_S = 30,
	KINDS_MAX = 40,
	SESSION_MAX = 300000, /* bytes that a good one says */
	SLOW_MAX = 30000,     /* what a narrow window lets through in a second or so */
	ROOM = 4 * SESSION_MAX,
	MESSAGES_MAX = 20,
	FLOOD_MAX = 16 << 20,
	FLOOD_MS = 200,       /* a flood ends when nothing has been taken for so long */
	TOO_BIG = 2 << 20,    /* more than -M of the servers */
};

struct address_limit {
	uint64_t sessions, messages, bytes, wrong;
};

static struct address_limit *tallies, *limit;
static const char *kind_name;
static uint64_t seed;

/* The session there is now. */
static struct {
	int fd;
	unsigned char out[ROOM], in[ROOM], want[ROOM];
	size_t said, sent;         /* of out */
	size_t got, parsed;        /* of in */
	size_t wanted, come;       /* of want: the payloads that are to come back, one behind the other */
	size_t ends[MESSAGES_MAX]; /* where they end in it */
	size_t messages, whole;
	unsigned close;            /* the code that came, 0 for none */
	bool upgraded, ended, failed;
	size_t out_step, in_step;
	uint32_t pause_us;
} s;

static uint32_t
roll(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

/* Small ones as often as large ones. */
static size_t
roll_size(size_t most)
{
	unsigned bits = 1;

	while (most >> bits != 0)
		bits++;
	size_t n = 1 + roll(1U << (1 + roll(bits)));

	return n < most ? n : most;
}

static void
nap(uint32_t us)
{
	(void)nanosleep(&(struct timespec){us / 1000000, (long)(us % 1000000) * 1000}, NULL);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
wrong(const char *what)
{
	if (!s.failed)
		fprintf(stderr, "soaker: %s: %s (sent %zu of %zu, %zu of %zu back, close %u)\n", kind_name, what, s.sent,
		    s.said, s.come, s.wanted, s.close);
	limit->wrong += !s.failed;
	s.failed = true;
}

/* From one of many addresses, or the ports that wait for their last segments would be used up. */
static void
session_connect(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002U + roll(1 << 16))};
	int on = 1;

	s.fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(s.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	if (s.fd < 0 || bind(s.fd, (struct sockaddr *)&from, sizeof from) != 0
	    || connect(s.fd, (struct sockaddr *)&to, sizeof to) != 0) {
		wrong(strerror(errno));
		exit(1);
	}
	(void)setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	s.said = s.sent = s.got = s.parsed = s.wanted = s.come = s.messages = s.whole = s.close = 0;
	s.upgraded = s.ended = s.failed = false;
	s.out_step = s.in_step = ROOM;
	s.pause_us = 0;
}

/* ---- moving bytes ---- */

static void
say_bytes(const void *bytes, size_t n)
{
	memcpy(s.out + s.said, bytes, n);
	s.said += n;
}

static void
move_out(void)
{
	size_t left = s.said - s.sent;
	ssize_t n = send(s.fd, s.out + s.sent, left < s.out_step ? left : s.out_step, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		s.sent += (size_t)n;
	else if (errno == EPIPE || errno == ECONNRESET)
		s.sent = s.said; /* what it said before is still to be read */
}

static void
move_in(void)
{
	size_t room = ROOM - s.got;
	ssize_t n = recv(s.fd, s.in + s.got, room < s.in_step ? room : s.in_step, MSG_DONTWAIT);

	if (n > 0)
		s.got += (size_t)n;
	else if (n == 0 || errno == ECONNRESET)
		s.ended = true;
}

/* Moves bytes both ways until it is enough; at the end too that is so. */
static void
talk(bool (*enough)(void))
{
	int64_t late = now_ms() + PATIENCE_S * 1000;

	while (!enough() && !s.ended && !s.failed) {
		struct pollfd p = {.fd = s.fd, .events = (short)(POLLIN | (s.sent < s.said ? POLLOUT : 0))};

		if (now_ms() > late)
			wrong("stuck");
		if (poll(&p, 1, 1000) <= 0)
			continue;
		if (p.revents & POLLOUT)
			move_out();
		if (p.revents & ~POLLOUT)
			move_in();
		if (s.pause_us != 0)
			nap(s.pause_us);
	}
}

static bool
never(void)
{
	s.parsed = s.got = 0;
	return false;
}

static void
leave(void)
{
	(void)close(s.fd);
}

static void
leave_by_reset(void)
{
	struct linger now = {.l_onoff = 1};

	(void)setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	leave();
}

/* As a machine that is switched off: nothing is said. Who may not do that resets. */
static void
leave_silently(void)
{
	int on = 1;

	if (setsockopt(s.fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0)
		leave();
	else
		leave_by_reset();
}

static void
leave_anyhow(void)
{
	static void (*const ways[])(void) = {leave, leave_by_reset, leave_silently};

	ways[roll(3)]();
}

/* Says the same again and again, and reads nothing. */
static void
flood(const unsigned char *bytes, size_t n)
{
	struct pollfd p = {.fd = s.fd, .events = POLLOUT};
	size_t total = 0, at = 0;

	while (total < FLOOD_MAX && poll(&p, 1, FLOOD_MS) == 1 && (p.revents & (POLLERR | POLLHUP)) == 0) {
		ssize_t put = send(s.fd, bytes + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0)
			break;
		total += (size_t)put;
		at = (at + (size_t)put) % n;
	}
	leave_anyhow();
}

/* How a good client goes about it: in one go, in bits, slowly. */
static void
manner_pick(size_t size)
{
	s.out_step = size / 300 + roll_size(65536);
	s.in_step = size / 300 + roll_size(65536);
	s.pause_us = roll(4) == 0 ? 1 + roll(2000) : 0;
	if (size < SLOW_MAX && roll(4) == 0)
		(void)setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
}

/* ---- bytes ---- */

static bool
tcp_enough(void)
{
	if (s.sent == s.said)
		(void)shutdown(s.fd, SHUT_WR);
	return false;
}

static void
tcp_good(void)
{
	size_t n = roll_size(SESSION_MAX);

	for (size_t i = 0; i < n; i++)
		s.out[i] = (unsigned char)roll(256);
	s.said = s.wanted = n;
	manner_pick(n);
	talk(tcp_enough);
	s.come = s.got;
	if (s.got != n || memcmp(s.in, s.out, n) != 0)
		wrong("other bytes came back");
	limit->messages++;
	limit->bytes += n;
	leave();
}

static void
tcp_leaves(void)
{
	(void)!send(s.fd, s.out, roll(2000), MSG_NOSIGNAL | MSG_DONTWAIT);
	nap(roll(3000));
	leave_anyhow();
}

static void
tcp_flood(void)
{
	flood(s.out, 1 + roll(ROOM - 1));
}

/* ---- WebSocket ---- */

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void
say_frame(enum opcode opcode, bool fin, const void *payload, size_t n)
{
	struct frame f = {.length = n, .opcode = opcode, .fin = fin, .masked = true};
	uint32_t key = roll(UINT32_MAX);

	memcpy(f.key, &key, sizeof f.key);
	s.said += frame_encode(&f, s.out + s.said);
	say_bytes(payload, n);
	(void)mask_apply(s.out + s.said - n, n, f.key, 0);
}

/* A text, in some fragments and with pings between them; it is to come back. */
static void
say_message(size_t size)
{
	static const char *const letters[] = {"a", "Z", " ", "\\", ",", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	unsigned char *text = s.want + s.wanted;
	size_t n = 0, at = 0;

	while (n < size) {
		const char *letter = letters[roll(8)];

		memcpy(text + n, letter, strlen(letter));
		n += strlen(letter);
	}
	for (enum opcode opcode = OPCODE_TEXT; at < n || opcode == OPCODE_TEXT; opcode = OPCODE_CONTINUATION) {
		size_t some = roll(2) == 0 ? n - at : roll((uint32_t)(n - at) + 1);

		some = s.said > ROOM / 2 ? n - at : some;
		say_frame(opcode, at + some == n, text + at, some);
		if (roll(16) == 0 && s.said < ROOM / 2)
			say_frame(OPCODE_PING, true, "ping", 4);
		at += some;
	}
	s.wanted += n;
	s.ends[s.messages++] = s.wanted;
}

static void
take_text(const unsigned char *payload, size_t n, bool fin)
{
	if (n > s.wanted - s.come || memcmp(payload, s.want + s.come, n) != 0) {
		wrong("another message came back");
		return;
	}
	s.come += n;
	if (fin && (s.whole == s.messages || s.ends[s.whole++] != s.come))
		wrong("a message came back cut");
}

static void
take_frame(const struct frame *f, const unsigned char *payload)
{
	size_t n = (size_t)f->length;

	if (f->masked)
		wrong("a masked frame");
	else if (f->opcode < OPCODE_BINARY)
		take_text(payload, n, f->fin);
	else if (f->opcode == OPCODE_CLOSE)
		s.close = n < 2 ? CLOSE_NO_CODE : (unsigned)payload[0] << 8 | payload[1];
	else if (f->opcode == OPCODE_PONG && (n != 4 || memcmp(payload, "ping", 4) != 0))
		wrong("another pong");
	else if (f->opcode == OPCODE_PING && s.said < ROOM - FRAME_CONTROL_MAX)
		say_frame(OPCODE_PONG, true, payload, n);
}

static void
take_head(void)
{
	static const char accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
	unsigned char *end = memmem(s.in, s.got, "\r\n\r\n", 4);

	if (end == NULL)
		return;
	s.upgraded = true;
	s.parsed = (size_t)(end - s.in) + 4;
	if (strncmp((char *)s.in, "HTTP/1.1 101 ", 13) != 0 || memmem(s.in, s.parsed, accept, sizeof accept - 1) == NULL)
		wrong("no 101");
}

/* Takes the whole frames that have come. */
static void
take_frames(void)
{
	struct frame f;
	int head;

	if (!s.upgraded)
		take_head();
	while (s.upgraded && !s.failed && (head = frame_decode(&f, s.in + s.parsed, s.got - s.parsed)) != 0) {
		if (head < 0)
			wrong(frame_error_text(head));
		else if (f.length > s.got - s.parsed - (size_t)head)
			break;
		else
			take_frame(&f, s.in + s.parsed + head);
		s.parsed += (size_t)head + (size_t)f.length;
	}
	memmove(s.in, s.in + s.parsed, s.upgraded ? s.got - s.parsed : 0);
	s.got -= s.parsed;
	s.parsed = 0;
}

static bool
all_back(void)
{
	take_frames();
	return s.whole == s.messages && s.upgraded && s.sent == s.said;
}

static bool
is_closed(void)
{
	take_frames();
	return false;
}

static void
close_expect(unsigned code)
{
	talk(is_closed);
	if (s.close != code)
		wrong("another Close");
	leave();
}

static void
ws_good(void)
{
	static const unsigned char done[2] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};

	say_bytes(request, sizeof request - 1);
	for (size_t left = roll_size(SESSION_MAX), i = 0; i < MESSAGES_MAX && left > 0; i++) {
		size_t n = roll(8) == 0 ? 0 : roll_size(left);

		say_message(n);
		left -= n;
	}
	manner_pick(s.said);
	talk(all_back);
	if (s.whole != s.messages)
		wrong("ended before all was back");
	limit->messages += s.whole;
	limit->bytes += s.come;
	say_frame(OPCODE_CLOSE, true, done, sizeof done);
	close_expect(CLOSE_NORMAL);
}

/* These are past the handshake. */
static void
upgrade(void)
{
	say_bytes(request, sizeof request - 1);
	talk(all_back);
}

static void
ws_bad_utf8(void)
{
	upgrade();
	say_frame(OPCODE_TEXT, true, "caf\xff", 4);
	close_expect(CLOSE_BAD_TEXT);
}

static void
ws_unmasked(void)
{
	upgrade();
	say_bytes("\x81\x02hi", 4);
	close_expect(CLOSE_PROTOCOL_ERROR);
}

static void
ws_reserved(void)
{
	upgrade();
	say_bytes("\xc1\x80key!", 6);
	close_expect(CLOSE_PROTOCOL_ERROR);
}

static void
ws_oversize(void)
{
	struct frame f = {.length = TOO_BIG, .opcode = OPCODE_TEXT, .fin = true, .masked = true};

	upgrade();
	s.said += frame_encode(&f, s.out + s.said);
	close_expect(CLOSE_TOO_BIG);
}

/* Part of some frames, and away. */
static void
ws_half(void)
{
	upgrade();
	say_message(roll_size(70000));
	(void)!send(s.fd, s.out + s.sent, roll((uint32_t)(s.said - s.sent)), MSG_NOSIGNAL | MSG_DONTWAIT);
	nap(roll(3000));
	leave_anyhow();
}

/* Asks for what it does not read. */
static void
ws_deaf(void)
{
	upgrade();
	say_message(200000);
	(void)!send(s.fd, s.out + s.sent, s.said - s.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	nap(roll(300000));
	leave_anyhow();
}

static void
ws_flood(void)
{
	upgrade();
	s.said = 0;
	say_message(1 + roll(100000));
	flood(s.out, s.said);
}

static void
ws_flood_pings(void)
{
	upgrade();
	s.said = 0;
	for (int i = 0; i < 1000; i++)
		say_frame(OPCODE_PING, true, "are you there?", 14);
	flood(s.out, s.said);
}

/* These never come past the handshake. */
static void
ws_garbage(void)
{
	s.said = 1 + roll(20000);
	for (size_t i = 0; i < s.said; i++)
		s.out[i] = (unsigned char)roll(256);
	talk(tcp_enough);
	leave();
}

static void
ws_slowloris(void)
{
	for (size_t i = 0, most = roll(sizeof request); i < most; i++) {
		(void)!send(s.fd, request + i, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		nap(10000);
	}
	leave_anyhow();
}

static void
ws_long_head(void)
{
	static const char field[] = "\r\nX: ";
	size_t line = strlen("GET / HTTP/1.1");

	say_bytes(request, line);
	say_bytes(field, sizeof field - 1);
	memset(s.out + s.said, 'x', 20000);
	s.said += 20000;
	say_bytes(request + line, sizeof request - 1 - line);
	talk(tcp_enough);
	if (s.got < 13 || memcmp(s.in, "HTTP/1.1 431 ", 13) != 0)
		wrong("no 431");
	leave();
}

static void
any_hello(void)
{
	nap(roll(3000));
	leave_anyhow();
}

static void
any_fin(void)
{
	(void)shutdown(s.fd, SHUT_WR);
	talk(never);
	leave();
}

static const struct kind {
	const char *name;
	void (*play)(void);
} tcp_kinds[] = {
	{"good", tcp_good}, {"leaves", tcp_leaves}, {"floods", tcp_flood}, {"says nothing", any_hello},
	{"ends at once", any_fin},
}, ws_kinds[] = {
	{"good", ws_good}, {"bad UTF-8", ws_bad_utf8}, {"unmasked", ws_unmasked}, {"reserved bit", ws_reserved},
	{"oversize", ws_oversize}, {"half a frame", ws_half}, {"deaf", ws_deaf}, {"floods", ws_flood},
	{"floods pings", ws_flood_pings}, {"garbage", ws_garbage}, {"slowloris", ws_slowloris},
	{"long head", ws_long_head}, {"says nothing", any_hello}, {"ends at once", any_fin},
};

enum { TCP_KINDS = sizeof tcp_kinds / sizeof *tcp_kinds, WS_KINDS = sizeof ws_kinds / sizeof *ws_kinds };
static const char *const services[] = {"tcpecho", "chain", "wshub"};

static struct address_limit *
address_limit_of(unsigned service, unsigned kind)
{
	return tallies + (service == 0 ? 0 : TCP_KINDS + (service - 1) * WS_KINDS) + kind;
}

/* Every other one is good. */
static void
session_play(const uint16_t ports[3])
{
	static char name[64];
	unsigned service = roll(3), count = service == 0 ? TCP_KINDS : WS_KINDS;
	unsigned kind = roll(2) == 0 ? 0 : roll(count);
	const struct kind *k = (service == 0 ? tcp_kinds : ws_kinds) + kind;

	(void)snprintf(name, sizeof name, "%s, %s", services[service], k->name);
	kind_name = name;
	limit = address_limit_of(service, kind);
	limit->sessions++;
	session_connect(ports[service]);
	k->play();
}

static void
client_run(unsigned number, uint64_t from, int64_t until, const uint16_t ports[3])
{
	/* Each has tallies of its own. */
	tallies += number * KINDS_MAX;
	seed = from * 0x9e3779b97f4a7c15U + number * 0xbf58476d1ce4e5b9U + 1;
	do
		session_play(ports);
	while (now_ms() < until);
	exit(0);
}

static bool
tallies_tell(unsigned clients)
{
	bool good = true;

	for (unsigned service = 0; service < 3; service++) {
		for (unsigned kind = 0; kind < (service == 0 ? TCP_KINDS : WS_KINDS); kind++) {
			struct address_limit sum = {0};

			for (unsigned i = 0; i < clients; i++) {
				const struct address_limit *t = address_limit_of(service, kind) + i * KINDS_MAX;

				sum = (struct address_limit){sum.sessions + t->sessions, sum.messages + t->messages,
				    sum.bytes + t->bytes, sum.wrong + t->wrong};
			}
			printf("%s\t%s\t%llu\t%llu\t%llu\t%llu\n", services[service], (service == 0 ? tcp_kinds : ws_kinds)[kind].name,
			    (unsigned long long)sum.sessions, (unsigned long long)sum.messages,
			    (unsigned long long)sum.bytes, (unsigned long long)sum.wrong);
			good = good && sum.wrong == 0;
		}
	}
	return good;
}

int
main(int argc, char **argv)
{
	unsigned clients = argc == 7 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	uint16_t ports[3];
	int64_t until = now_ms();
	bool good = true;
	int status;

	if (clients == 0)
		return 2;
	until += (int64_t)strtoul(argv[1], NULL, 10) * 1000;
	for (int i = 0; i < 3; i++)
		ports[i] = (uint16_t)strtoul(argv[4 + i], NULL, 10);
	tallies = mmap(NULL, clients * KINDS_MAX * sizeof *tallies, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < clients; i++)
		if (fork() == 0)
			client_run(i, strtoull(argv[2], NULL, 10), until, ports);
	while (wait(&status) > 0)
		good = good && status == 0;
	good = tallies_tell(clients) && good;
	return good ? 0 : 1;
}
