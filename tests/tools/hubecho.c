/*
 * hubecho: the program of wshub in tests and benchmarks. It writes each record whose word is text
 * or binary back unchanged, so that each client receives what it has sent.
 *
 * usage: hubecho [-n]      -n: the records are netstrings, as with wshub -n
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPACITY = 1 << 20, WORD = sizeof " text " - 1 };

static bool netstrings;
static char bytes[CAPACITY + 1];

/* The current record: whether it is written back, and the rest of a netstring. */
static bool inside, goes_back;
static size_t left;

/* Parse the head of the record at `at'. Return false if more bytes are needed. */
static bool
head_read(const char *at, size_t n)
{
	const char *colon = netstrings ? memchr(at, ':', n) : at, *word;
	bool named;

	if (colon == NULL)
		return false;
	if (netstrings)
		left = (size_t)(colon - at) + 1 + strtoul(at, NULL, 10) + 1;
	word = memchr(colon, ' ', (size_t)(at + n - colon));
	named = word != NULL && (size_t)(at + n - word) >= WORD;
	goes_back = named && (memcmp(word, " text ", WORD) == 0 || memcmp(word, " binar", WORD) == 0);
	return named || (netstrings ? left <= n : memchr(at, '\n', n) != NULL);
}

/* Return how many of the n bytes at `at' belong to the current record, and note its end. */
static size_t
record_part(const char *at, size_t n)
{
	const char *end = netstrings ? NULL : memchr(at, '\n', n);
	size_t size = netstrings ? (left < n ? left : n) : end != NULL ? (size_t)(end + 1 - at) : n;

	left -= netstrings ? size : 0;
	inside = netstrings ? left > 0 : end == NULL;
	return size;
}

static void
write_all(const char *from, size_t n)
{
	for (ssize_t put; n > 0; from += put, n -= (size_t)put)
		if ((put = write(STDOUT_FILENO, from, n)) <= 0)
			exit(1);
}

/* Write back the records in n bytes, adjacent ones at once. Return the number of bytes processed. */
static size_t
echo(size_t n)
{
	size_t from = 0, at = 0;

	while (at < n && (inside || head_read(bytes + at, n - at))) {
		size_t size = record_part(bytes + at, n - at);

		if (!goes_back) {
			write_all(bytes + from, at - from);
			from = at + size;
		}
		at += size;
	}
	write_all(bytes + from, at - from);
	return at;
}

int
main(int argc, char **argv)
{
	size_t held = 0, done;

	netstrings = argc > 1 && strcmp(argv[1], "-n") == 0;
	for (ssize_t n; (n = read(STDIN_FILENO, bytes + held, CAPACITY - held)) > 0;) {
		held += (size_t)n;
		bytes[held] = '\0';
		done = echo(held);
		held -= done;
		if (held > 0 && done > 0)
			memmove(bytes, bytes + done, held);
	}
	return 0;
}
