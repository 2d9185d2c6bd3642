#include "serve/outbox.h"

#include <signal.h>
#include <sys/socket.h>

#include "unit.h"

enum { LARGE = 4 << 20 }; /* more than a socket buffers */

static struct outbox outbox;
static int sender, receiver;

BEFORE_ALL
{
	(void)signal(SIGPIPE, SIG_IGN);
}

BEFORE_EACH
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	sender = pair[0];
	receiver = pair[1];
}

AFTER_EACH
{
	outbox_clear(&outbox);
	CHECK(outbox.held == 0 && outbox.first == NULL && outbox.newest == NULL);
	(void)close(sender);
	(void)close(receiver);
}

static void
put(bool (*how)(struct outbox *, struct message *), char byte, size_t n)
{
	struct message *message = message_new(n);

	CHECK(message != NULL);
	memset(message->bytes, byte, n);
	CHECK(how(&outbox, message));
	message_release(message);
}

/* Return whether the data sent consists of a head of n bytes and this end. */
static bool
sent(size_t n, const char *text)
{
	static char bytes[LARGE + 16];
	size_t got = 0, size = strlen(text);

	do {
		ssize_t some;

		CHECK(outbox_send(&outbox, sender, false) == 0);
		some = recv(receiver, bytes + got, sizeof bytes - got, 0);
		if (some <= 0)
			break;
		got += (size_t)some;
	} while (true);
	return got == n + size && memcmp(bytes + n, text, size) == 0;
}

TEST(the_newest_replaces_the_one_before)
{
	size_t held;

	put(outbox_put, 'x', LARGE);
	CHECK(outbox_send(&outbox, sender, false) == 0 && outbox.first != NULL);
	put(outbox_put_newest, 'a', 1);
	put(outbox_put, '-', 1);
	held = outbox.held;
	put(outbox_put_newest, 'b', 1);
	put(outbox_put_newest, 'c', 2);
	put(outbox_put_newest, 'd', 1);
	CHECK(outbox.held == held);
	CHECK(sent(LARGE, "d-"));
	put(outbox_put_newest, 'e', 1);
	CHECK(sent(0, "e"));
}

TEST(a_partly_sent_message_is_sent_completely)
{
	put(outbox_put_newest, 'x', LARGE);
	CHECK(outbox_send(&outbox, sender, false) == 0 && outbox.sent != 0);
	put(outbox_put_newest, 'a', 1);
	put(outbox_put_newest, 'b', 1);
	CHECK(sent(LARGE, "b"));
}

/* Queue n bytes without a message. Return false without space. */
static bool
put_short(char byte, size_t n)
{
	unsigned char *room = outbox_reserve(&outbox, n);

	if (room != NULL)
		memset(room, byte, n);
	return room != NULL;
}

TEST(short_ones_gather_in_their_order_between_others_and_count_as_they_leave)
{
	size_t held;

	CHECK(!put_short('x', OUTBOX_SHORT + 1));
	CHECK(put_short('a', 1));
	held = outbox.held;
	CHECK(put_short('b', 2) && outbox.held == held + 2);
	put(outbox_put, '-', 1);
	CHECK(put_short('c', 2) && put_short('d', 1));
	CHECK(sent(0, "abb-ccd") && outbox.held == 0);
	put(outbox_put, 'x', LARGE);
	CHECK(!put_short('d', 1)); /* a queue that long has none of them */
}

TEST(after_a_cut_the_next_newest_message_is_queued)
{
	put(outbox_put, 'x', LARGE);
	CHECK(outbox_send(&outbox, sender, false) == 0);
	put(outbox_put_newest, 'a', 1);
	outbox_cut(&outbox);
	put(outbox_put_newest, 'b', 1);
	CHECK(sent(LARGE, "b"));
}
