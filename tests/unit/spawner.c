#include "sys/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { IDS = 300, SHELL = 0, OTHER = 1, LATEST_MS = 20000 };

static struct spawner spawner;
static int null;

/* The shell runs the commands in the variable CODE. */
static char *const shell[] = {"sh", "-c", "eval \"$CODE\"", NULL}, *const other[] = {"other", NULL};
static char *const inherited[] = {"KEPT=here", "PATH=/usr/bin:/bin", NULL};

static bool
allowed(const char *entry)
{
	return strncmp(entry, "LD_", 3) != 0;
}

static const struct spawner_programs programs = {
	.each = {{"/bin/sh", shell, SIGTERM}, {"/nowhere/other", other, SIGKILL}},
	.environment = inherited, .entry_allowed = allowed, .ids = IDS,
};

static struct spawner_report
next(void)
{
	struct pollfd p = {.fd = spawner.fd, .events = POLLIN};
	struct spawner_report r = {.id = IDS};

	CHECK(poll(&p, 1, LATEST_MS) == 1);
	CHECK(spawner_receive(&spawner, &r) == 1);
	return r;
}

static bool
reported(uint32_t id, enum spawner_event event, int *value)
{
	struct spawner_report r = next();

	*value = r.value;
	return r.id == id && r.event == (int32_t)event;
}

static int
start(uint32_t id, const char *code, int out)
{
	char entries[256];
	int n = snprintf(entries, sizeof entries, "CODE=%s%cX=1", code, '\0');

	return spawner_start(&spawner, id, SHELL, entries, (size_t)n + 1, null, out);
}

BEFORE_ALL
{
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK(open("/tmp", O_RDONLY) >= 0); /* would leak */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(spawner_begin(&spawner, &programs) == 0);
}

TEST(a_program_has_its_pipes_its_environment_a_group_of_its_own_and_no_descriptor_besides)
{
	int ends[2], pid, status;
	char text[64] = {0}, wanted[64];

	CHECK(pipe(ends) == 0);
	CHECK(start(3, "set -- $(cat /proc/$$/stat); echo $KEPT $X $5; exec ls /proc/self/fd", ends[1]) == 0);
	(void)close(ends[1]);
	CHECK(reported(3, SPAWNER_STARTED, &pid));
	CHECK(reported(3, SPAWNER_ENDED, &status) && status == 0);
	CHECK(read(ends[0], text, sizeof text - 1) > 0);
	(void)snprintf(wanted, sizeof wanted, "here 1 %d\n0\n1\n2\n3\n", pid);
	CHECK(strcmp(text, wanted) == 0);
	(void)close(ends[0]);
}

/* Under qemu-user a vfork() child has memory of its own, so that a failed exec is not reported. */
static bool
vfork_shares_memory(void)
{
	volatile bool shared = false;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = true;
		_exit(0);
	}
	return waitpid(pid, NULL, 0) == pid && shared;
}

TEST(exit_statuses_and_failures_are_reported_and_the_id_is_free_again)
{
	int value;

	if (!vfork_shares_memory()) {
		unit_skip("vfork() shares no memory");
		return;
	}
	for (int i = 0; i < 3; i++) {
		CHECK(start(0, "exit 7", null) == 0);
		CHECK(reported(0, SPAWNER_STARTED, &value));
		CHECK(reported(0, SPAWNER_ENDED, &value) && WIFEXITED(value) && WEXITSTATUS(value) == 7);
		CHECK(spawner_start(&spawner, 0, OTHER, "", 0, null, null) == 0);
		CHECK(reported(0, SPAWNER_NO_EXEC, &value) && value == ENOENT);
		CHECK(spawner_start(&spawner, 0, SHELL, "LD_PRELOAD=x", 13, null, null) == 0);
		CHECK(reported(0, SPAWNER_NO_EXEC, &value));
	}
	CHECK(spawner_start(&spawner, 0, SHELL, "", SPAWNER_TEXT_MAX + 1, null, null) == -1 && errno == E2BIG);
}

TEST(a_signal_reaches_the_group_and_a_program_that_is_abandoned_ends_at_once)
{
	int value;

	CHECK(start(1, "sleep 1000 & wait", null) == 0);
	CHECK(reported(1, SPAWNER_STARTED, &value));
	spawner_signal(&spawner, 1, SIGTERM);
	CHECK(reported(1, SPAWNER_ENDED, &value) && WIFSIGNALED(value) && WTERMSIG(value) == SIGTERM);
	spawner_signal(&spawner, 1, SIGTERM);
	CHECK(start(2, "trap '' TERM; sleep 1000", null) == 0);
	CHECK(reported(2, SPAWNER_STARTED, &value));
	spawner_abandon(&spawner, 2);
	CHECK(reported(2, SPAWNER_ENDED, &value) && WIFSIGNALED(value) && WTERMSIG(value) == SIGKILL);
}

/* The socket holds fewer reports than these. */
TEST(unread_reports_do_not_block_requests)
{
	struct pollfd p = {.fd = spawner.fd, .events = POLLOUT};
	unsigned events[4] = {0};

	for (uint32_t id = 0; id < IDS; id++) {
		while (start(id, "exit", null) != 0 && errno == EAGAIN && poll(&p, 1, LATEST_MS) == 1)
			;
	}
	for (unsigned i = 0; i < 2 * IDS; i++)
		events[next().event]++;
	CHECK(events[SPAWNER_STARTED] == IDS && events[SPAWNER_ENDED] == IDS);
}

TEST(without_descriptors_for_it_a_start_is_a_shortage)
{
	const struct rlimit few = {4, 4};
	struct spawner_report r;
	struct spawner small;
	struct pollfd p;

	CHECK(spawner_begin(&small, &programs) == 0);
	CHECK(prlimit(small.pid, RLIMIT_NOFILE, &few, NULL) == 0);
	p = (struct pollfd){.fd = small.fd, .events = POLLIN};
	CHECK(spawner_start(&small, 5, SHELL, "CODE=:", 7, null, null) == 0 && poll(&p, 1, LATEST_MS) == 1);
	CHECK(spawner_receive(&small, &r) == 1 && r.id == 5 && r.event == SPAWNER_NO_PROCESS && r.value == EMFILE);
	spawner_end(&small);
	CHECK(waitpid(small.pid, NULL, 0) == small.pid);
}

TEST(the_end_of_the_helper_is_noticed_and_ends_the_programs)
{
	struct spawner_report r;
	int ends[2], value;
	char byte;

	CHECK(pipe(ends) == 0 && start(9, "exec sleep 1000", ends[1]) == 0);
	(void)close(ends[1]);
	CHECK(reported(9, SPAWNER_STARTED, &value));
	CHECK(spawner_receive(&spawner, &r) == 0);
	CHECK(kill(spawner.pid, SIGKILL) == 0 && waitpid(spawner.pid, NULL, 0) == spawner.pid);
	/* The program also had the helper's socket until its exec. */
	CHECK(poll(&(struct pollfd){.fd = spawner.fd, .events = POLLIN}, 1, LATEST_MS) == 1);
	CHECK(spawner_receive(&spawner, &r) == -1);
	CHECK(start(9, "exit", null) == -1 && errno == EPIPE);
	CHECK(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, LATEST_MS) == 1 && read(ends[0], &byte, 1) == 0);
	(void)close(ends[0]);
}
