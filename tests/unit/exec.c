#include "sys/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "unit.h"

static char path[PATH_MAX];

static void
file_make(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && fchmod(fd, mode) == 0 && close(fd) == 0);
}

/* Directories a, b and c: a/prog is not executable, b/prog is a directory, c/prog is a program. */
static void
tree_make(void)
{
	char dir[] = "/tmp/fittings-exec-XXXXXX";

	CHECK(mkdtemp(dir) != NULL && chdir(dir) == 0);
	CHECK(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0 && mkdir("c", 0700) == 0 && mkdir("b/prog", 0700) == 0);
	file_make("a/prog", 0600);
	file_make("a/only", 0600);
	file_make("c/prog", 0700);
	file_make("here", 0700);
}

static void
tree_drop(void)
{
	static const char *const names[] = {"a/prog", "a/only", "c/prog", "here", "b/prog", "a", "b", "c"};
	char dir[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		CHECK(remove(names[i]) == 0);
	CHECK(getcwd(dir, sizeof dir) != NULL && rmdir(dir) == 0);
}

BEFORE_ALL
{
	tree_make();
}

TEST(a_program_is_found_as_by_execvp)
{
	static const struct {
		const char *dirs, *name, *found;
		int error;
	} rows[] = {
		/* The first executable file. */
		{"a:b:c", "prog", "c/prog", 0}, {"c:a", "prog", "c/prog", 0}, {"nowhere:here:c", "prog", "c/prog", 0},
		/* An empty entry is the working directory. */
		{":a", "here", "here", 0}, {"a:", "here", "here", 0}, {"a::b", "here", "here", 0}, {"", "here", "here", 0},
		/* A name with a slash is the path. */
		{"a", "c/prog", "c/prog", 0}, {"a", "./here", "./here", 0}, {"c", "a/prog", NULL, EACCES},
		{"c", "b/prog", NULL, EACCES}, {"c", "./prog", NULL, ENOENT}, {"c", "here/prog", NULL, ENOENT},
		/* Missing, or not executable. */
		{"a:b:c", "none", NULL, ENOENT}, {"b:a:c", "only", NULL, EACCES}, {"a:b:c", "", NULL, ENOENT},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CHECK(setenv("PATH", rows[i].dirs, 1) == 0);
		CHECK(exec_find(rows[i].name, path, sizeof path) == rows[i].error);
		CHECK(rows[i].found == NULL || strcmp(path, rows[i].found) == 0);
	}
}

TEST(no_path_at_all_is_the_usual_directories)
{
	CHECK(unsetenv("PATH") == 0);
	CHECK(exec_find("sh", path, sizeof path) == 0 && strcmp(path, "/bin/sh") == 0);
}

TEST(a_name_that_is_too_long_is_refused_not_cut)
{
	static char name[PATH_MAX + 1];
	char small[8];

	memset(name, 'x', PATH_MAX);
	CHECK(setenv("PATH", "c", 1) == 0);
	CHECK(exec_find(name, path, sizeof path) == ENAMETOOLONG);
	CHECK(exec_find("c/prog", small, 6) == ENAMETOOLONG);
	CHECK(exec_find("c/prog", small, 7) == 0);
	CHECK(exec_find("prog", small, 6) == ENOENT);
}

TEST(statuses_are_those_of_env)
{
	CHECK(exec_status(ENOENT) == 127 && exec_status(ENAMETOOLONG) == 127);
	CHECK(exec_status(EACCES) == 126 && exec_status(ENOEXEC) == 126 && exec_status(EPERM) == 126);
	CHECK(exec_status(E2BIG) == 1 && exec_status(ENOMEM) == 1);
}

AFTER_ALL
{
	tree_drop();
}
