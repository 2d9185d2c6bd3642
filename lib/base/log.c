#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_SIZE = 4096,       /* PIPE_BUF: a write of this size is atomic */
	FOREIGN_MAX = 256,
	QUOTED_SIZE = FOREIGN_MAX * 4 + sizeof "...",
	LAST_WORD_MS = 200,     /* how long die() waits for stderr */
};

static const char *program = "fittings";
static unsigned long lost;

void
log_name(const char *name)
{
	program = name;
}

static size_t
escape(char *out, size_t size, const unsigned char *in, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		bool printable = in[i] >= 0x20 && in[i] < 0x7f;

		if (used + (printable ? 1 : 4) > size)
			break;
		if (printable) {
			out[used++] = (char)in[i];
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = hex[in[i] >> 4];
			out[used++] = hex[in[i] & 15];
		}
	}
	return used;
}

/* A common symbol: the linker places it after all other variables. A program that quotes nothing
 * then never touches its pages, and it leaves no gap between the variables that are used. */
__attribute__((common)) char quoted_texts[4][QUOTED_SIZE];

/* Return the size up to and including the next `://`, or n. */
static size_t
scheme_size(const unsigned char *in, size_t n)
{
	static const char end[] = "://";
	const unsigned char *found = memmem(in, n, end, sizeof end - 1);

	return found == NULL ? n : (size_t)(found - in) + sizeof end - 1;
}

/* Return the size of the user and password before the `@` of an authority, or 0 without them. An unescaped slash in
 * the password ends the authority early; the text that looks like a port is then not a number. */
static size_t
userinfo_size(const unsigned char *in, size_t n)
{
	size_t size = 0;
	bool authority = true, colon = false, number = true, literal = n != 0 && in[0] == '[';

	for (size_t i = 0; i < n && in[i] > ' '; i++) {
		authority = authority && memchr("/?#", in[i], 3) == NULL;
		if (in[i] == '@' && (authority || !number))
			size = i;
		else if (authority && colon && (in[i] < '0' || in[i] > '9'))
			number = false;
		colon = colon || (in[i] == ':' && !literal);
		literal = literal && in[i] != ']';
	}
	return size;
}

const char *
quoted_bytes(const void *bytes, size_t size)
{
	static unsigned turn;
	char *text = quoted_texts[turn++ % 4];
	const unsigned char *in = bytes;
	size_t used = 0, at = 0, most = size < FOREIGN_MAX ? size : FOREIGN_MAX;

	while (at < most) {
		size_t n = scheme_size(in + at, most - at), secret;

		used += escape(text + used, FOREIGN_MAX * 4 - used, in + at, n);
		at += n;
		secret = at < most ? userinfo_size(in + at, size - at) : 0;
		memcpy(text + used, "***", secret == 0 ? 0 : 3);
		used += secret == 0 ? 0 : 3;
		at += secret;
	}
	memcpy(text + used, at < size ? "..." : "", at < size ? 4 : 1);
	return text;
}

const char *
quoted(const char *text)
{
	return quoted_bytes(text, strlen(text));
}

/* POLLOUT on a pipe means that PIPE_BUF bytes fit, so the write does not block. */
static bool
stderr_writable(int wait_ms)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	int ready;

	do
		ready = poll(&p, 1, wait_ms);
	while (ready < 0 && errno == EINTR);
	return ready == 1 && (p.revents & (POLLERR | POLLNVAL)) == 0;
}

/* A log file at its size limit (RLIMIT_FSIZE) must not end the program: block SIGXFSZ during the
 * write, and after EFBIG remove the pending signal. */
static ssize_t
write_without_sigxfsz(const char *line, size_t size)
{
	const struct timespec at_once = {0};
	sigset_t too_large, before;
	ssize_t n;

	(void)sigemptyset(&too_large);
	(void)sigaddset(&too_large, SIGXFSZ);
	(void)sigprocmask(SIG_BLOCK, &too_large, &before);
	do
		n = write(STDERR_FILENO, line, size);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EFBIG)
		(void)sigtimedwait(&too_large, NULL, &at_once);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}

static void
put_line(const char *line, size_t size, int wait_ms)
{
	ssize_t n = -1;

	if (stderr_writable(wait_ms))
		n = write_without_sigxfsz(line, size);
	if (n < 0)
		lost++;
}

static void
put_dropped(void)
{
	char line[128];
	unsigned long count = lost;
	int n = snprintf(line, sizeof line, "%s: %lu lines lost: stderr was full\n", program, count);

	if (n <= 0 || (size_t)n >= sizeof line)
		return;
	lost = 0;
	put_line(line, (size_t)n, 0);
	if (lost != 0)
		lost += count - 1;
}

__attribute__((format(printf, 3, 0))) static void
put_formatted(const char *before, int wait_ms, const char *format, va_list args)
{
	int saved = errno;
	char raw[LINE_SIZE], line[LINE_SIZE];
	int head = before == NULL ? 0 : snprintf(raw, sizeof raw, "%s: ", before);
	int body;
	size_t n;

	errno = saved;
	if (head < 0 || (size_t)head >= sizeof raw)
		return;
	body = vsnprintf(raw + head, sizeof raw - (size_t)head, format, args);
	if (body < 0)
		return;
	n = (size_t)head + (size_t)body;
	n = escape(line, sizeof line - 1, (unsigned char *)raw, n < sizeof raw ? n : sizeof raw - 1);
	line[n++] = '\n';
	if (lost != 0)
		put_dropped();
	put_line(line, n, wait_ms);
	errno = saved;
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted(NULL, 0, format, args);
	va_end(args);
}

void
warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted(program, 0, format, args);
	va_end(args);
}

void
die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted(program, LAST_WORD_MS, format, args);
	va_end(args);
	exit(status);
}
