#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "unit.h"

static int ends[2];
static char heard[100000];

static const char *
hear(void)
{
	size_t size = 0;

	for (ssize_t n; (n = read(ends[0], heard + size, sizeof heard - 1 - size)) > 0;)
		size += (size_t)n;
	heard[size] = '\0';
	return heard;
}

BEFORE_ALL
{
	log_name("prog");
}

/* stderr is a pipe. */
BEFORE_EACH
{
	CHECK(pipe2(ends, O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
}

AFTER_EACH
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

TEST(a_complaint_begins_with_the_program)
{
	warn("%s: %s", "what", "why");
	CHECK(strcmp(hear(), "prog: what: why\n") == 0);
	log_info("Bound to %d", 9000);
	CHECK(strcmp(hear(), "Bound to 9000\n") == 0);
}

TEST(every_line_is_one_line_of_printable_ascii)
{
	log_info("a\nb\r\x1b[31m\x7f\xc2\x9b\xe2\x80\xae %s", "\t");
	CHECK(strcmp(hear(), "a\\x0ab\\x0d\\x1b[31m\\x7f\\xc2\\x9b\\xe2\\x80\\xae \\x09\n") == 0);
}

TEST(foreign_text_is_escaped_once_and_cut_at_256_bytes)
{
	char text[300], want[300];

	memset(text, 'x', sizeof text);
	text[256] = '\0';
	CHECK(strcmp(quoted(text), text) == 0);
	text[256] = 'x';
	text[299] = '\0';
	memset(want, 'x', 256);
	memcpy(want + 256, "...", 4);
	CHECK(strcmp(quoted(text), want) == 0);
	CHECK(strcmp(quoted_bytes("a\0b", 3), "a\\x00b") == 0);
	CHECK(strcmp(quoted_bytes("", 0), "") == 0);
	CHECK(strcmp(quoted("back\\slash"), "back\\slash") == 0);
	memset(text, 1, sizeof text);
	CHECK(strlen(quoted_bytes(text, 256)) == 4 * 256 && strlen(quoted_bytes(text, 257)) == 4 * 256 + 3);
}

TEST(a_password_in_a_URL_is_not_repeated)
{
	static const char *const rows[][2] = {
		{"ws://u:p@h/x", "ws://***@h/x"}, {"see http://a@b@c:1/?d@e, and ftp://x:y@z", "see http://***@c:1/?d@e, and ftp://***@z"},
		{"ws://u:p/w@h/x@y", "ws://***@y"}, {"ws://u:p?w#@h", "ws://***@h"}, {"ws://h:80/x@y", "ws://h:80/x@y"},
		{"ws://h/a:b@c", "ws://h/a:b@c"}, {"ws://@h", "ws://@h"}, {"ws://h", "ws://h"}, {"://:@", "://***@"},
		{"ws://[::1]:80/@", "ws://[::1]:80/@"}, {"a@b: c@d", "a@b: c@d"}, {"ws://h x@y", "ws://h x@y"},
		{"\n://\x7f:\xff@\n", "\\x0a://***@\\x0a"},
	};
	char text[400] = "ws://u:";

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(strcmp(quoted(rows[i][0]), rows[i][1]) == 0);
	memset(text + 7, 'p', 350);
	memcpy(text + 357, "@h", 3);
	CHECK(strcmp(quoted(text), "ws://***...") == 0);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = "://x@"[i % 5];
	CHECK(strlen(quoted_bytes(text, sizeof text)) < 4 * 256 + 4);
}

TEST(a_line_that_is_too_long_is_cut_and_still_ends)
{
	static char text[20000];
	const char *got;

	memset(text, '\n', sizeof text - 1);
	log_info("%s", text);
	got = hear();
	CHECK(strlen(got) <= 4096 && got[strlen(got) - 1] == '\n' && strchr(got, '\n') == got + strlen(got) - 1);
}

TEST(a_full_stderr_loses_lines_and_counts_them)
{
	int lines = 0;

	for (int i = 0; i < 10000; i++)
		log_info("%0100d", i);
	for (const char *at = hear(); (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	CHECK(lines > 100 && lines < 10000);
	log_info("again");
	(void)snprintf(heard + 50000, 100, "prog: %d lines lost: stderr was full\nagain\n", 10000 - lines);
	CHECK(strcmp(hear(), heard + 50000) == 0);
	log_info("and again");
	CHECK(strcmp(hear(), "and again\n") == 0);
}

TEST(a_closed_stderr_is_no_failure_and_errno_is_kept)
{
	(void)close(STDERR_FILENO);
	errno = ENOENT;
	log_info("lost");
	CHECK(errno == ENOENT);
	CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
	log_info("heard");
	CHECK(strcmp(hear(), "prog: 1 lines lost: stderr was full\nheard\n") == 0);
}

TEST(a_log_at_its_size_limit_does_not_end_the_program)
{
	struct rlimit limit, none;
	sigset_t blocked;
	int saved = dup(STDERR_FILENO), fd = memfd_create("log", 0);

	CHECK(fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO && getrlimit(RLIMIT_FSIZE, &limit) == 0);
	none = (struct rlimit){4, limit.rlim_max};
	CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
	(void)signal(SIGXFSZ, SIG_DFL);
	log_info("what fits is written, the rest is lost");
	log_info("lost");
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(lseek(fd, 0, SEEK_END) == 4);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, SIGXFSZ) == 0);
	CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	(void)close(saved);
	(void)close(fd);
	log_info("heard");
	CHECK(strcmp(hear(), "prog: 1 lines lost: stderr was full\nheard\n") == 0);
}
