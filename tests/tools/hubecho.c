/*
 * hubecho: the program behind `wshub -n` in tests: reads records as netstrings
 * and writes those whose word is text or binary back as they are, so that each
 * client hears itself.
 *
 * usage: hubecho
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 64 << 20 };

static void
write_all(const char *bytes, size_t n)
{
	while (n != 0) {
		ssize_t put = write(STDOUT_FILENO, bytes, n);

		if (put <= 0)
			exit(1);
		bytes += put;
		n -= (size_t)put;
	}
}

/* The size of the record that begins at bytes, 0 while it is not whole; *head is its netstring's head. */
static size_t
record_size(const char *bytes, size_t n, size_t *head)
{
	const char *colon = memchr(bytes, ':', n);
	size_t size;

	if (colon == NULL)
		return 0;
	size = strtoul(bytes, NULL, 10);
	*head = (size_t)(colon - bytes) + 1;
	return *head + size + 1 <= n ? *head + size + 1 : 0;
}

static bool
is_message(const char *record, size_t n)
{
	const char *word = memchr(record, ' ', n);

	return word != NULL && (strncmp(word, " text ", 6) == 0 || strncmp(word, " binary ", 8) == 0);
}

int
main(void)
{
	static char bytes[ROOM + 1];
	size_t held = 0, used, size, head;
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes + held, ROOM - held)) > 0) {
		held += (size_t)n;
		bytes[held] = '\0';
		for (used = 0; (size = record_size(bytes + used, held - used, &head)) != 0; used += size)
			if (is_message(bytes + used + head, size - head - 1))
				write_all(bytes + used, size);
		memmove(bytes, bytes + used, held - used);
		held -= used;
	}
	return 0;
}
