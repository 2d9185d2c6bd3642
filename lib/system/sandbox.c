#include "system/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if !SANDBOX
#define SANDBOX_ARCH 0
#elif defined __x86_64__ && defined __ILP32__
#define SANDBOX_ARCH 0
#elif defined __x86_64__
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__ && !defined __AARCH64EB__
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define SANDBOX_ARCH AUDIT_ARCH_RISCV64
#else
#define SANDBOX_ARCH 0
#endif

#if SANDBOX_ARCH == 0

int
sandbox_enter(bool own_pipes)
{
	(void)own_pipes;
	errno = ENOSYS;
	return -1;
}

#else

enum test {
	ANY,
	NO_BITS, /* of the value may be in the argument */
	IS,      /* the argument is the value */
};

struct call {
	uint16_t number;
	uint8_t test;
	uint8_t argument;
	uint32_t value;
};

/* What either libc uses for what sandbox.h keeps. The younger architectures
 * lack the older half of some pairs. */
static const struct call allowed[] = {
	{.number = __NR_read}, {.number = __NR_readv}, {.number = __NR_preadv2},
	{.number = __NR_recvfrom}, {.number = __NR_recvmsg},
	{.number = __NR_write}, {.number = __NR_writev}, {.number = __NR_pwritev2},
	{.number = __NR_sendto}, {.number = __NR_sendmsg},
	{.number = __NR_ppoll}, {.number = __NR_epoll_pwait}, {.number = __NR_epoll_ctl},
#ifdef __NR_poll
	{.number = __NR_poll},
#endif
#ifdef __NR_epoll_wait
	{.number = __NR_epoll_wait},
#endif
#ifdef __NR_epoll_pwait2
	{.number = __NR_epoll_pwait2},
#endif
	{.number = __NR_close}, {.number = __NR_shutdown}, {.number = __NR_fcntl}, {.number = __NR_fstat},
	{.number = __NR_ioctl, .test = IS, .argument = 1, .value = FIONREAD},
	{.number = __NR_accept4}, {.number = __NR_setsockopt}, {.number = __NR_getsockopt},
	{.number = __NR_getsockname}, {.number = __NR_getpeername},
	{.number = __NR_clock_gettime}, {.number = __NR_gettimeofday},
	{.number = __NR_clock_nanosleep}, {.number = __NR_nanosleep},
	{.number = __NR_brk}, {.number = __NR_munmap}, {.number = __NR_mremap}, {.number = __NR_madvise},
	{.number = __NR_mmap, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_mprotect, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_futex}, {.number = __NR_getrandom},
	{.number = __NR_rt_sigaction}, {.number = __NR_rt_sigprocmask}, {.number = __NR_rt_sigreturn},
	{.number = __NR_restart_syscall},
	{.number = __NR_wait4}, {.number = __NR_waitid},
	{.number = __NR_kill}, {.number = __NR_tgkill}, {.number = __NR_tkill},
	{.number = __NR_getpid}, {.number = __NR_gettid},
	{.number = __NR_exit}, {.number = __NR_exit_group},
};

enum {
	ALLOWED = sizeof allowed / sizeof *allowed,
	NUMBERS_END = 512, /* no system call that we name is that high */
	GROUP = 32,
	CALL_SIZE = 5,     /* at most, of one allowed call */
	NO_CALL = -1,      /* what a debugger leaves of a call that it answers itself */
	LARGE_FILE = 0100000, /* some libcs set it for open(2), all of them as 0 */
	CODE_SIZE = 11 + ALLOWED * CALL_SIZE + NUMBERS_END / GROUP * 2,
};

enum {
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	AT_LEAST = BPF_JMP | BPF_JGE | BPF_K,
	ANY_BIT = BPF_JMP | BPF_JSET | BPF_K,
	ANSWER = BPF_RET | BPF_K,
};

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))

struct code {
	struct sock_filter at[CODE_SIZE];
	uint16_t size;
};

static void
code_put(struct code *c, unsigned op, uint32_t value, size_t skip_if, size_t skip_if_not)
{
	c->at[c->size++] = (struct sock_filter){
		.code = (uint16_t)op, .k = value, .jt = (uint8_t)skip_if, .jf = (uint8_t)skip_if_not,
	};
}

/* Only the lower half of an argument is looked at: the kernel, too, looks at no
 * more of those that we test. */
static void
code_put_call(struct code *c, const struct call *call, uint32_t answer)
{
	code_put(c, EQUAL, call->number, 0, call->test == ANY ? 1 : 4);
	if (call->test != ANY) {
		code_put(c, LOAD, FIELD(args) + call->argument * (uint32_t)sizeof(uint64_t), 0, 0);
		code_put(c, call->test == IS ? EQUAL : ANY_BIT, call->value, call->test == IS, call->test != IS);
		code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	}
	code_put(c, ANSWER, answer, 0, 0);
}

/* The allowed ones of a group of numbers, behind a jump over them all. */
static void
code_put_group(struct code *c, uint32_t first)
{
	uint16_t start = c->size;

	code_put(c, AT_LEAST, first + GROUP, 0, 0);
	for (size_t i = 0; i < ALLOWED; i++)
		if (allowed[i].number >= first && allowed[i].number < first + GROUP)
			code_put_call(c, &allowed[i], SECCOMP_RET_ALLOW);
	if (c->size == start + 1) {
		c->size = start;
		return;
	}
	code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	c->at[start].jt = (uint8_t)(c->size - start - 1);
}

/*
 * Where the number alone decides, the kernel keeps the answer and does not run
 * this at each call; for that it walks through it once for every number there
 * is. With the groups that is a third of the work of one list, and as wsframe
 * starts once for each connection, it counts. x32's numbers, which are of the
 * same architecture to the kernel, are above all groups.
 */
static void
code_write(struct code *c, const struct call *reopen, uint32_t reopen_answer)
{
	code_put(c, LOAD, FIELD(arch), 0, 0);
	code_put(c, EQUAL, SANDBOX_ARCH, 1, 0);
	code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	code_put(c, LOAD, FIELD(nr), 0, 0);
	if (reopen != NULL)
		code_put_call(c, reopen, reopen_answer);
	for (uint32_t first = 0; first < NUMBERS_END; first += GROUP)
		code_put_group(c, first);
	code_put(c, EQUAL, (uint32_t)NO_CALL, 0, 1);
	code_put(c, ANSWER, SECCOMP_RET_ALLOW, 0, 0);
	code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

/*
 * What Landlock can take away grows with its version; we take all that we know
 * and give nothing back. linux/landlock.h may be older than the kernel.
 */
struct ruleset {
	uint64_t files;
	uint64_t tcp;
};

static const struct ruleset rulesets[] = {
	{0x1fff, 0}, {0x3fff, 0}, {0x7fff, 0}, {0x7fff, 3}, {0xffff, 3},
};

/* Returns whether no file can be opened any more. */
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

int
sandbox_enter(bool own_pipes)
{
	/* Landlock is about files with a name: a pipe it lets pass, by /proc/self/fd too. */
	static const struct call reopen = {
		.number = __NR_openat, .test = NO_BITS, .argument = 2,
		.value = ~(uint32_t)(O_NONBLOCK | O_CLOEXEC | LARGE_FILE),
	};
	struct code code = {.size = 0};
	struct sock_fprog program = {.filter = code.at};
	bool no_files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	no_files = landlock_enter();
	code_write(&code, own_pipes ? &reopen : NULL, no_files ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EACCES);
	program.len = code.size;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
