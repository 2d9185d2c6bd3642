/* The program behind wshub in its benchmark: what a client says goes back to it
 * (the words are the same both ways). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 8 << 20 };

static char in[ROOM], out[ROOM];

int
main(void)
{
	size_t held = 0, size;
	ssize_t n;

	while ((n = read(STDIN_FILENO, in + held, ROOM - held)) > 0) {
		char *line = in, *end;

		held += (size_t)n;
		size = 0;
		while ((end = memchr(line, '\n', held - (size_t)(line - in))) != NULL) {
			char *word = memchr(line, ' ', (size_t)(end - line));

			if (word != NULL && strncmp(word, " text ", 6) == 0) {
				memcpy(out + size, line, (size_t)(end + 1 - line));
				size += (size_t)(end + 1 - line);
			}
			line = end + 1;
		}
		held -= (size_t)(line - in);
		memmove(in, line, held);
		for (size_t put = 0; put < size; put += (size_t)n)
			if ((n = write(STDOUT_FILENO, out + put, size - put)) <= 0)
				return 1;
	}
	return 0;
}
