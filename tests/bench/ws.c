/*
 * A load generator for WebSocket servers on 127.0.0.1 that echo text. Every
 * message that comes back is compared; a wrong one, or a lost connection, is
 * exit 1.
 *
 *     ws rr       -p port [-n connections] [-s size] [-d depth] [-t seconds] [-P pid] [-u] [-z]
 *     ws sessions -p port [-n parallel] [-t seconds] [-P pid]
 *     ws idle     -p port [-n connections] -P pid
 *     ws fan      -p port [-n receivers] [-s size] [-d depth] [-t seconds] [-P pid] [-z]
 *     ws quiet    -p port [-n flooding] [-s size] [-d depth] [-t seconds] [-P pid]
 *
 * -z: compressed, each by itself. rr: each connection always has depth messages in flight; -u: of two-byte
 * characters. sessions: connect, handshake, one message there and back, Close both
 * ways. fan: one more connection sends depth messages, which all the others
 * receive, and so on. quiet: all send without end, depth messages at once, as fast
 * as they are accepted; one more connection has a single message in flight. Prints what
 * tcp.c prints, with deliveries a second for fan; for quiet that connection's times,
 * and first until when it has 99 of 100 answers, in microseconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "ws/deflate.h"
#include "ws/inflate.h"

enum { HEAD_MAX = 14, PACKED_MAX = 4096 };

struct connection {
	int fd;
	uint32_t wanted;
	char *payload;     /* of each of its messages */
	char *window;      /* depth of them, framed and masked */
	size_t window_size, sent;
	unsigned char head[HEAD_MAX]; /* of the received frame */
	size_t head_size;
	uint64_t left;     /* of its payload */
	bool fin;
	size_t at;         /* within the message */
	size_t received;   /* messages of this window */
	uint64_t sent_at;
};

static struct connection *all;
static size_t count;
static bool stopping;
static unsigned char packed[PACKED_MAX]; /* with -z */

static size_t
frame_head(unsigned char *head, unsigned opcode, size_t n)
{
	size_t size = n < 126 ? 2 : n < 65536 ? 4 : 10;

	head[0] = (unsigned char)(0x80 | opcode);
	head[1] = (unsigned char)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127));
	for (size_t i = 2; i < size; i++)
		head[i] = (unsigned char)(n >> 8 * (size - 1 - i));
	memcpy(head + size, "\x11\x22\x33\x44", 4);
	return size + 4;
}

/* Compress the payload. Return its size in `packed`. */
static size_t
payload_deflate(const struct connection *c)
{
	static struct deflate_scratch scratch;
	static void *memory;
	struct deflate z;
	enum deflate_result result;
	size_t made;

	if (memory == NULL)
		memory = malloc(deflate_memory(15));
	if (memory == NULL || deflate_bound(options.size) > sizeof packed)
		fail("memory");
	deflate_begin(&z, 15, memory, &scratch);
	(void)deflate_step(&z, (const unsigned char *)c->payload, options.size, true, packed, sizeof packed, &made, &result);
	return made;
}

/* Each connection sends its own text, so that a mix-up is detected. */
static void
message_make(struct connection *c, size_t number)
{
	unsigned char head[HEAD_MAX];
	const char *bytes;
	size_t n = options.size, size;

	c->payload = malloc(options.size + 16);
	if (c->payload == NULL)
		fail("memory");
	for (size_t i = 0; i < options.size; i++)
		c->payload[i] = options.wide ? "\xc3\xa9"[i % 2] : (char)('a' + (i * 7 + number) % 26);
	if (options.wide && options.size % 2 != 0)
		c->payload[options.size - 1] = 'x';
	if (options.deflate)
		n = payload_deflate(c);
	bytes = options.deflate ? (const char *)packed : c->payload;
	size = frame_head(head, options.deflate ? 0x41 : 1, n);
	c->window_size = options.depth * (size + n);
	c->window = malloc(c->window_size);
	if (c->window == NULL)
		fail("memory");
	for (size_t i = 0; i < options.depth; i++) {
		char *at = c->window + i * (size + n);

		memcpy(at, head, size);
		for (size_t k = 0; k < n; k++)
			at[size + k] = (char)(bytes[k] ^ "\x11\x22\x33\x44"[k % 4]);
	}
}

/* A blocking connection after the handshake. */
static int
connected(void)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
	const char *rest = options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n" : "\r\n";
	int fd = load_connect(true);
	char answer[4096];
	size_t size = 0;

	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != sizeof request - 1
	    || send(fd, rest, strlen(rest), MSG_NOSIGNAL) != (ssize_t)strlen(rest))
		fail("send");
	/* The server has sent nothing after it. */
	while (size < 4 || memcmp(answer + size - 4, "\r\n\r\n", 4) != 0) {
		ssize_t n = recv(fd, answer + size, sizeof answer - size, 0);

		if (n <= 0 || (size += (size_t)n) == sizeof answer)
			fail("handshake");
	}
	if (memcmp(answer, "HTTP/1.1 101", 12) != 0 || memmem(answer, size, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == NULL)
		wrong("handshake");
	return fd;
}

static void
want(struct connection *c, uint32_t events)
{
	if (c->wanted == events)
		return;
	watch(c->wanted == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, c, events);
	c->wanted = events;
}

static void
send_some(struct connection *c)
{
	ssize_t n = send(c->fd, c->window + c->sent, c->window_size - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		fail("send");
	c->sent += n < 0 ? 0 : (size_t)n;
}

/* Return false while the header is incomplete. */
static bool
head_take(struct connection *c, const char **at, size_t *n)
{
	size_t need = c->head_size < 2 ? 2 : (c->head[1] & 127) == 126 ? 4 : (c->head[1] & 127) == 127 ? 10 : 2;

	while (*n > 0 && c->head_size < need) {
		c->head[c->head_size++] = (unsigned char)*(*at)++;
		(*n)--;
		if (c->head_size == 2)
			need = (c->head[1] & 127) == 126 ? 4 : (c->head[1] & 127) == 127 ? 10 : 2;
	}
	if (c->head_size < need)
		return false;
	c->left = need == 2 ? c->head[1] & 127 : 0;
	for (size_t i = 2; i < need; i++)
		c->left = c->left << 8 | c->head[i];
	c->fin = (c->head[0] & 0x80) != 0;
	if ((c->head[1] & 0x80) != 0 || (c->head[0] & 0x7f) != (c->at != 0 ? 0 : options.deflate ? 0x41 : 1))
		wrong("frame");
	return true;
}

/* With -z the messages of the first receiver alone are checked: decompression would be most of the load. */
static void
packed_take(const struct connection *c, const char *at, size_t n)
{
	if (c != all)
		return;
	if (c->at + n > sizeof packed)
		wrong("size of a compressed message");
	memcpy(packed + c->at, at, n);
}

static void
packed_check(const struct connection *c, const struct connection *from)
{
	static struct inflate_tables tables;
	static unsigned char window[1 << 15], text[PACKED_MAX];
	struct inflate z;
	size_t made;
	enum inflate_result result;

	if (c != all)
		return;
	inflate_begin(&z, 15, window, &tables);
	if (inflate_step(&z, packed, c->at, text, sizeof text, &made, &result) != c->at || result != INFLATE_MORE
	    || !inflate_finish(&z) || made != options.size || memcmp(text, from->payload, made) != 0)
		wrong("compressed message");
}

/* Received data must be the message of `from`, repeated. */
static void
take(struct connection *c, const struct connection *from, const char *at, size_t n)
{
	while (n > 0 || (c->head_size > 0 && c->left == 0)) {
		size_t part;

		if (c->left == 0 && !head_take(c, &at, &n))
			return;
		part = n < c->left ? n : (size_t)c->left;
		if (options.deflate)
			packed_take(c, at, part);
		else if (c->at + part > options.size || memcmp(at, from->payload + c->at, part) != 0)
			wrong("message");
		c->at += part;
		c->left -= part;
		at += part;
		n -= part;
		if (c->left > 0)
			return;
		c->head_size = 0;
		if (!c->fin)
			continue;
		if (options.deflate)
			packed_check(c, from);
		else if (c->at != options.size)
			wrong("message");
		c->at = 0;
		c->received++;
		done++;
	}
}

static void
receive(struct connection *c, const struct connection *from)
{
	ssize_t n = recv(c->fd, taken, CHUNK, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		fail("closed by the server");
	if (n > 0)
		take(c, from, taken, (size_t)n);
}

static void
window_begin(struct connection *c)
{
	c->sent = c->received = 0;
	c->sent_at = now_ns();
	send_some(c);
	want(c, c->sent < c->window_size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
rr_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;

	if ((events & EPOLLOUT) != 0 && c->sent < c->window_size) {
		send_some(c);
		if (c->sent == c->window_size)
			want(c, EPOLLIN);
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
		receive(c, c);
	if (c->received < options.depth)
		return;
	note_time(now_ns() - c->sent_at);
	if (!stopping)
		window_begin(c);
	else
		c->received = 0;
}

static void
turns(void (*ready)(void *, uint32_t), uint64_t end, uint64_t enough)
{
	while (now_ns() < end && done < enough)
		turn(ready);
}

static void
connect_all(size_t n)
{
	count = n;
	all = calloc(n, sizeof *all);
	if (all == NULL)
		fail("memory");
	for (size_t i = 0; i < n; i++) {
		all[i].fd = connected();
		message_make(&all[i], i);
		want(&all[i], EPOLLIN);
	}
}

/* A server with a program for each client has as many to terminate, which must not overlap the next
 * measurement. */
static void
close_all(void)
{
	for (size_t i = 0; i < count; i++)
		(void)close(all[i].fd);
	server_settle();
}

static void
rr(void)
{
	connect_all(options.connections);
	for (size_t i = 0; i < count; i++)
		window_begin(&all[i]);
	turns(rr_ready, in_seconds(options.seconds / 10), UINT64_MAX);
	measure_begin();
	turns(rr_ready, in_seconds(options.seconds), UINT64_MAX);
	turns(rr_ready, in_seconds(60), 1); /* a large message may take longer */
	measure_end(1);
	close_all();
}

static void
idle(void)
{
	double before = server_memory();

	connect_all(options.connections);
	stopping = true;
	for (int round = 0; round < 2; round++) {
		measure_begin();
		for (size_t i = 0; i < count; i++)
			window_begin(&all[i]);
		turns(rr_ready, in_seconds(60), count);
	}
	measure_end_with((server_memory() - before) / (double)count);
	close_all();
}

/* The last connection is the sender. */
static void
fan_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;
	struct connection *sender = &all[count - 1];

	if (c == sender && (events & EPOLLOUT) != 0) {
		send_some(c);
		if (c->sent == c->window_size)
			want(c, EPOLLRDHUP);
	}
	if (c != sender)
		receive(c, sender);
}

static void
fan(void)
{
	uint64_t end, total = 0;

	connect_all(options.connections + 1);
	measure_begin();
	for (end = in_seconds(options.seconds); now_ns() < end;) {
		done = 0;
		window_begin(&all[count - 1]);
		turns(fan_ready, in_seconds(60), options.depth * (count - 1));
		note_time(now_ns() - all[count - 1].sent_at);
		total += done;
	}
	done = total;
	measure_end(1);
	close_all();
}

/* Received data is checked as it arrives, and sending never waits for it. */
static void
flood_ready(void *whose, uint32_t events)
{
	struct connection *c = whose;

	if ((events & EPOLLOUT) != 0)
		send_some(c);
	if (c->sent == c->window_size)
		c->sent = 0;
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
		receive(c, c);
}

/* Send and receive one message, blocking. */
static void
message_exchange(struct connection *c)
{
	c->received = 0;
	if (send(c->fd, c->window, c->window_size, MSG_NOSIGNAL) != (ssize_t)c->window_size)
		fail("send");
	while (c->received < 1) {
		ssize_t n = recv(c->fd, taken, CHUNK, 0);

		if (n <= 0)
			fail("closed by the server");
		take(c, c, taken, (size_t)n);
	}
}

/* The flood is a separate process, so that the measured connection does not wait for it. */
static void
quiet(void)
{
	struct connection c = {.fd = connected()};
	uint64_t start, end;
	int status;
	pid_t pid;

	connect_all(options.connections);
	start = in_seconds(options.seconds / 10);
	end = in_seconds(options.seconds * 1.1);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		for (size_t i = 0; i < count; i++)
			want(&all[i], EPOLLIN | EPOLLOUT);
		turns(flood_ready, end, UINT64_MAX);
		_exit(done == 0);
	}
	options.depth = 1;
	message_make(&c, count);
	while (now_ns() < start)
		message_exchange(&c);
	measure_begin();
	while (now_ns() < end) {
		uint64_t before = now_ns();

		message_exchange(&c);
		note_time(now_ns() - before);
	}
	if (wait(&status) < 0 || status != 0)
		wrong("flood");
	measure_end_with(percentile_us(0.99));
	close_all();
}

/* Sessions in sequence, blocking, until the time is over. */
static void
sessions_one(uint64_t end, uint64_t *sessions)
{
	struct connection c = {0};
	char closing[64];
	ssize_t n;

	message_make(&c, 0);
	while (now_ns() < end) {
		c.fd = connected();
		message_exchange(&c);
		if (send(c.fd, "\x88\x82\x11\x22\x33\x44\x12\xca", 8, MSG_NOSIGNAL) != 8)
			fail("send");
		for (size_t got = 0; (n = recv(c.fd, closing + got, sizeof closing - got, 0)) > 0;)
			if ((got += (size_t)n) >= 2 && closing[0] != '\x88')
				wrong("Close");
		(void)close(c.fd);
		(*sessions)++;
	}
}

static void
sessions(void)
{
	uint64_t *each = mmap(NULL, options.connections * sizeof *each, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t end = in_seconds(options.seconds);
	double rate;
	int status;

	if (each == MAP_FAILED)
		fail("memory");
	measure_begin();
	for (size_t i = 0; i < options.connections; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			sessions_one(end, &each[i]);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		if (status != 0)
			exit(1);
	for (size_t i = 0; i < options.connections; i++)
		done += each[i];
	rate = measure_rate(1);
	server_settle(); /* the costs of the programs are known after their end */
	measure_end_with(rate);
}

int
main(int argc, char **argv)
{
	static const struct load_mode modes[] = {
		{"rr", rr}, {"sessions", sessions}, {"idle", idle}, {"fan", fan}, {"quiet", quiet}, {0},
	};

	return load_main(argc, argv, modes);
}
