#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#if !SANDBOX
#define SANDBOX_ARCH 0
#elif defined __x86_64__ && !defined __ILP32__
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#else
/* An incomplete list kills the program: an architecture is listed only after the tests ran on it. */
#define SANDBOX_ARCH 0
#endif

#if SANDBOX_ARCH == 0

const char *
sandbox_enter(unsigned flags)
{
	(void)flags;
	return strerror(ENOSYS);
}

#else

enum test {
	ANY,
	NO_BITS, /* no bit of the value is set in the argument */
	IS,      /* the argument is the value */
};

struct call {
	uint32_t number;
	uint8_t keep; /* flag that must be given, 0: always allowed */
	uint8_t test;
	uint8_t argument;
	uint32_t value;
};

enum { LARGE_FILE = 0100000 }; /* set for open(2) by some libcs; in all of them the constant O_LARGEFILE is 0 */

/* The system calls of both libcs for the operations in sandbox.h, the most frequent first. Younger
 * architectures lack the older call of some pairs. */
static const struct call allowed[] = {
#ifdef __NR_epoll_wait
	{.number = __NR_epoll_wait, .keep = SANDBOX_SERVES},
#endif
	{.number = __NR_epoll_pwait, .keep = SANDBOX_SERVES},
#ifdef __NR_epoll_pwait2
	{.number = __NR_epoll_pwait2, .keep = SANDBOX_SERVES},
#endif
	{.number = __NR_ppoll}, {.number = __NR_recvfrom}, {.number = __NR_sendto},
	{.number = __NR_read}, {.number = __NR_write}, {.number = __NR_preadv2}, {.number = __NR_pwritev2},
	{.number = __NR_sendmsg}, {.number = __NR_readv}, {.number = __NR_writev},
	{.number = __NR_clock_gettime},
	{.number = __NR_epoll_ctl, .keep = SANDBOX_SERVES}, {.number = __NR_accept4, .keep = SANDBOX_SERVES},
	{.number = __NR_setsockopt, .keep = SANDBOX_SERVES}, {.number = __NR_getsockopt},
	{.number = __NR_getsockname, .keep = SANDBOX_SERVES}, {.number = __NR_getpeername, .keep = SANDBOX_SERVES},
#ifdef __NR_poll
	{.number = __NR_poll},
#endif
	{.number = __NR_close}, {.number = __NR_shutdown}, {.number = __NR_fcntl}, {.number = __NR_fstat},
	{.number = __NR_wait4, .keep = SANDBOX_PARENT}, {.number = __NR_waitid, .keep = SANDBOX_PARENT},
	{.number = __NR_kill, .keep = SANDBOX_PARENT},
	{.number = __NR_ioctl, .keep = SANDBOX_PARENT, .test = IS, .argument = 1, .value = FIONREAD},
	{.number = __NR_pipe2, .keep = SANDBOX_PIPES},
	{.number = __NR_ioctl, .keep = SANDBOX_PIPES, .test = IS, .argument = 1, .value = FIONREAD},
	{.number = __NR_ioctl, .keep = SANDBOX_NAMES, .test = IS, .argument = 1, .value = SIOCGIFNAME},
	{.number = __NR_ioctl, .keep = SANDBOX_UNSENT, .test = IS, .argument = 1, .value = TIOCOUTQ},
	{.number = __NR_openat, .keep = SANDBOX_REOPENS, .test = NO_BITS, .argument = 2,
	 .value = ~(uint32_t)(O_NONBLOCK | O_CLOEXEC | LARGE_FILE)},
	{.number = __NR_setitimer, .keep = SANDBOX_ALARM},
	{.number = __NR_brk}, {.number = __NR_munmap}, {.number = __NR_mremap}, {.number = __NR_madvise},
	{.number = __NR_mmap, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_mprotect, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_getrandom},
	{.number = __NR_rt_sigaction}, {.number = __NR_rt_sigprocmask}, {.number = __NR_rt_sigreturn},
	{.number = __NR_rt_sigtimedwait},
	{.number = __NR_restart_syscall},
	{.number = __NR_tgkill}, {.number = __NR_tkill}, {.number = __NR_getpid}, {.number = __NR_gettid},
	{.number = __NR_exit}, {.number = __NR_exit_group},
	{.number = (uint32_t)-1}, /* a debugger sets -1 for a call that it handles itself */
};

enum {
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	ANY_BIT = BPF_JMP | BPF_JSET | BPF_K,
	ANSWER = BPF_RET | BPF_K,
};

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))

struct code {
	struct sock_filter at[4 + 4 * sizeof allowed / sizeof *allowed + 3];
	size_t size;
};

/* if_so, if_not: the targets of a test; ignored by other instructions. */
static void
code_put(struct code *c, unsigned op, uint32_t value, size_t if_so, size_t if_not)
{
	bool jumps = BPF_CLASS(op) == BPF_JMP;
	size_t next = c->size + 1;

	c->at[c->size++] = (struct sock_filter){
		.code = (uint16_t)op, .k = value,
		.jt = jumps ? (uint8_t)(if_so - next) : 0, .jf = jumps ? (uint8_t)(if_not - next) : 0,
	};
}

/* Return the number of instructions for a call. */
static size_t
call_size(const struct call *call, unsigned flags)
{
	return (call->keep & ~flags) != 0 ? 0 : call->test == ANY ? 1 : 4;
}

/* If a test fails, the calls that follow are compared: one of them may have the same number. Only the lower half of
 * an argument is tested: the kernel also ignores the upper half of these arguments. */
static void
code_put_call(struct code *c, const struct call *call, size_t pass)
{
	size_t next = c->size + call_size(call, call->keep);

	code_put(c, EQUAL, call->number, call->test == ANY ? pass : c->size + 1, next);
	if (call->test == ANY)
		return;
	code_put(c, LOAD, FIELD(args) + call->argument * (uint32_t)sizeof(uint64_t), 0, 0);
	if (call->test == IS)
		code_put(c, EQUAL, call->value, pass, c->size + 1);
	else
		code_put(c, ANY_BIT, call->value, c->size + 1, pass);
	code_put(c, LOAD, FIELD(nr), 0, 0);
}

/*
 * The kernel caches the result of a filter for each system call number whose result depends on the
 * number alone. It fills this cache when the filter is installed, by one run for each number. This
 * costs more than all calls of one session. A filter that loads an argument first is not cached.
 */
static void
code_write(struct code *c, unsigned flags, uint32_t reopen_answer)
{
	const struct call *end = allowed + sizeof allowed / sizeof *allowed;
	size_t kill = (flags & SANDBOX_OFTEN) != 0 ? 4 : 3;

	c->size = 0;
	for (const struct call *call = allowed; call < end; call++)
		kill += call_size(call, flags);
	if ((flags & SANDBOX_OFTEN) != 0)
		code_put(c, LOAD, FIELD(args), 0, 0);
	code_put(c, LOAD, FIELD(arch), 0, 0);
	code_put(c, EQUAL, SANDBOX_ARCH, c->size + 1, kill);
	code_put(c, LOAD, FIELD(nr), 0, 0);
	for (const struct call *call = allowed; call < end; call++)
		if (call_size(call, flags) > 0)
			code_put_call(c, call, call->keep == SANDBOX_REOPENS ? kill + 2 : kill + 1);
	code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	code_put(c, ANSWER, SECCOMP_RET_ALLOW, 0, 0);
	code_put(c, ANSWER, reopen_answer, 0, 0);
}

/* The access rights that Landlock can restrict grow with its version. All known rights are restricted and none is
 * granted again. linux/landlock.h may be older than the kernel. */
struct ruleset {
	uint64_t files;
	uint64_t tcp;
};

static const struct ruleset rulesets[] = {
	{0x1fff, 0}, {0x3fff, 0}, {0x7fff, 0}, {0x7fff, 3}, {0xffff, 3},
};

/* Return whether files can no longer be opened. */
static bool
landlock_enter(void)
{
	const size_t known = sizeof rulesets / sizeof *rulesets;
	long version = syscall(__NR_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
	size_t best = (size_t)version < known ? (size_t)version : known;
	bool entered;
	int fd;

	if (version < 1)
		return false;
	fd = (int)syscall(__NR_landlock_create_ruleset, &rulesets[best - 1], sizeof *rulesets, 0U);
	if (fd < 0)
		return false;
	entered = syscall(__NR_landlock_restrict_self, fd, 0U) == 0;
	(void)close(fd);
	return entered;
}

const char *
sandbox_enter(unsigned flags)
{
	struct code code;
	struct sock_fprog program = {.filter = code.at};
	/* Landlock is younger than most lists of allowed system calls, and a call that is not in the list fails or
	 * kills the process. It is therefore not tried under the filter of a service manager or a container. */
	bool filtered = prctl(PR_GET_SECCOMP) != 0;
	bool no_files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return strerror(errno);
	/* Landlock restricts files with a name. It allows to reopen a pipe, also through /proc/self/fd. */
	no_files = !filtered && landlock_enter();
	code_write(&code, flags, no_files ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EACCES);
	program.len = (unsigned short)code.size;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return strerror(errno);
	return filtered ? "another seccomp filter is active (Landlock is not used)" : NULL;
}

#endif

void
sandbox_begin(unsigned keeps, bool verbose)
{
	const char *partial = sandbox_enter(keeps);

	if (partial != NULL && verbose)
		warn("sandbox: %s", partial);
}
