/* The program behind wshub in its benchmark: what a client says goes back to it
 * (the words are the same both ways), as it comes. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 1 << 20, WORD = sizeof " text " - 1 };

/* What is known of a line: nothing yet, or whether it goes back. */
static enum { AT_HEAD, GOES_BACK, IS_DROPPED } state;

static char room[ROOM];

/* Sees what line this is; false where too little of it is there to tell. */
static bool
head_read(const char *at, size_t n)
{
	const char *word = memchr(at, ' ', n);
	size_t left = word == NULL ? 0 : n - (size_t)(word - at);

	if (left < WORD && memchr(at, '\n', n) == NULL)
		return false;
	state = left >= WORD && memcmp(word, " text ", WORD) == 0 ? GOES_BACK : IS_DROPPED;
	return true;
}

/* Leaves what goes back at the beginning of n bytes; *rest of them, at the end, are not known yet. */
static size_t
sift(size_t n, size_t *rest)
{
	size_t kept = 0, at = 0;

	while (at < n && (state != AT_HEAD || head_read(room + at, n - at))) {
		const char *end = memchr(room + at, '\n', n - at);
		size_t size = end == NULL ? n - at : (size_t)(end + 1 - (room + at));

		if (state == GOES_BACK) {
			if (kept != at)
				memmove(room + kept, room + at, size);
			kept += size;
		}
		at += size;
		if (end != NULL)
			state = AT_HEAD;
	}
	*rest = n - at;
	return kept;
}

int
main(void)
{
	size_t held = 0;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, room + held, ROOM - held), put;
		size_t n = held + (size_t)got, kept;

		if (got <= 0)
			return 0;
		kept = sift(n, &held);
		for (size_t sent = 0; sent < kept; sent += (size_t)put)
			if ((put = write(STDOUT_FILENO, room + sent, kept - sent)) <= 0)
				return 1;
		memmove(room, room + n - held, held);
	}
}
