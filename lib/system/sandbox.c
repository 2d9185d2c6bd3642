#include "system/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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
sandbox_enter(void)
{
	errno = ENOSYS;
	return -1;
}

#else

/* What either libc uses for what sandbox.h keeps. The younger architectures
 * lack the older half of some pairs. */
static const uint16_t allowed[] = {
	__NR_read, __NR_readv, __NR_preadv2, __NR_recvfrom, __NR_recvmsg,
	__NR_write, __NR_writev, __NR_pwritev2, __NR_sendto, __NR_sendmsg,
	__NR_ppoll, __NR_epoll_pwait, __NR_epoll_ctl,
#ifdef __NR_poll
	__NR_poll,
#endif
#ifdef __NR_epoll_wait
	__NR_epoll_wait,
#endif
#ifdef __NR_epoll_pwait2
	__NR_epoll_pwait2,
#endif
	__NR_close, __NR_shutdown, __NR_fcntl, __NR_fstat,
	__NR_accept4, __NR_setsockopt, __NR_getsockopt, __NR_getsockname, __NR_getpeername,
	__NR_clock_gettime, __NR_gettimeofday, __NR_clock_nanosleep, __NR_nanosleep,
	__NR_brk, __NR_mmap, __NR_munmap, __NR_mprotect, __NR_mremap, __NR_madvise, __NR_futex, __NR_getrandom,
	__NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_restart_syscall,
	__NR_wait4, __NR_waitid, __NR_kill, __NR_tgkill, __NR_tkill, __NR_getpid, __NR_gettid,
	__NR_exit, __NR_exit_group,
};

enum {
	ALLOWED = sizeof allowed / sizeof *allowed,
	NUMBERS_END = 512, /* no system call that we name is that high */
	GROUP = 32,
	CALL_SIZE = 5,     /* at most, of one allowed call */
	NO_CALL = -1,      /* what a debugger leaves of a call that it answers itself */
	CODE_SIZE = 7 + ALLOWED * CALL_SIZE + NUMBERS_END / GROUP * 2,
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

/* Memory, but none to execute. */
static void
code_put_call(struct code *c, uint16_t number)
{
	bool maps = number == __NR_mmap || number == __NR_mprotect;

	code_put(c, EQUAL, number, 0, maps ? 4 : 1);
	if (maps) {
		code_put(c, LOAD, FIELD(args[2]), 0, 0);
		code_put(c, ANY_BIT, PROT_EXEC, 0, 1);
		code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	}
	code_put(c, ANSWER, SECCOMP_RET_ALLOW, 0, 0);
}

/* The allowed ones of a group of numbers, behind a jump over them all. */
static void
code_put_group(struct code *c, uint32_t first)
{
	uint16_t start = c->size;

	code_put(c, AT_LEAST, first + GROUP, 0, 0);
	for (size_t i = 0; i < ALLOWED; i++)
		if (allowed[i] >= first && allowed[i] < first + GROUP)
			code_put_call(c, allowed[i]);
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
code_write(struct code *c)
{
	code_put(c, LOAD, FIELD(arch), 0, 0);
	code_put(c, EQUAL, SANDBOX_ARCH, 1, 0);
	code_put(c, ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	code_put(c, LOAD, FIELD(nr), 0, 0);
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

static void
landlock_enter(void)
{
	const size_t known = sizeof rulesets / sizeof *rulesets;
	long version = syscall(__NR_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
	size_t best = (size_t)version < known ? (size_t)version : known;
	int fd;

	if (version < 1)
		return;
	fd = (int)syscall(__NR_landlock_create_ruleset, &rulesets[best - 1], sizeof *rulesets, 0U);
	if (fd < 0)
		return;
	(void)syscall(__NR_landlock_restrict_self, fd, 0U);
	(void)close(fd);
}

int
sandbox_enter(void)
{
	struct code code = {.size = 0};
	struct sock_fprog program = {.filter = code.at};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	landlock_enter();
	code_write(&code);
	program.len = code.size;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
