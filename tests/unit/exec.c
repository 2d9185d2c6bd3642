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

static bool
finds(const char *dirs, const char *name, const char *want)
{
	CHECK(setenv("PATH", dirs, 1) == 0);
	return exec_find(name, path, sizeof path) == 0 && strcmp(path, want) == 0;
}

static int
fails(const char *dirs, const char *name)
{
	CHECK(setenv("PATH", dirs, 1) == 0);
	return exec_find(name, path, sizeof path);
}

BEFORE_ALL
{
	tree_make();
}

TEST(the_first_executable_file_in_path_is_found)
{
	CHECK(finds("a:b:c", "prog", "c/prog"));
	CHECK(finds("c:a", "prog", "c/prog"));
	CHECK(finds("nowhere:here:c", "prog", "c/prog"));
}

TEST(an_empty_entry_is_the_working_directory)
{
	CHECK(finds(":a", "here", "here"));
	CHECK(finds("a:", "here", "here"));
	CHECK(finds("a::b", "here", "here"));
	CHECK(finds("", "here", "here"));
}

TEST(a_name_with_a_slash_is_the_path_itself)
{
	CHECK(finds("a", "c/prog", "c/prog"));
	CHECK(finds("a", "./here", "./here"));
	CHECK(fails("c", "a/prog") == EACCES);
	CHECK(fails("c", "b/prog") == EACCES);
	CHECK(fails("c", "./prog") == ENOENT);
	CHECK(fails("c", "here/prog") == ENOENT);
}

TEST(missing_and_not_executable_are_distinguished)
{
	CHECK(fails("a:b:c", "none") == ENOENT);
	CHECK(fails("b:a:c", "only") == EACCES);
	CHECK(fails("a:b:c", "") == ENOENT);
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
	CHECK(fails("c", name) == ENAMETOOLONG);
	CHECK(setenv("PATH", "c", 1) == 0);
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
