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
#include <string.h>
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
sandbox_enter(unsigned keeps)
{
	(void)keeps;
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
	uint8_t keep; /* kept only where this is asked for, 0: always */
	uint8_t test;
	uint8_t argument;
	uint32_t value;
};

enum { LARGE_FILE = 0100000 }; /* some libcs set it for open(2), all of them as 0 */

/* What either libc uses for what sandbox.h keeps. The younger architectures
 * lack the older half of some pairs. */
static const struct call allowed[] = {
	{.number = __NR_read}, {.number = __NR_readv}, {.number = __NR_preadv2}, {.number = __NR_recvfrom},
	{.number = __NR_write}, {.number = __NR_writev}, {.number = __NR_pwritev2},
	{.number = __NR_sendto}, {.number = __NR_sendmsg},
	{.number = __NR_ppoll},
#ifdef __NR_poll
	{.number = __NR_poll},
#endif
	{.number = __NR_close}, {.number = __NR_shutdown}, {.number = __NR_fcntl}, {.number = __NR_fstat},
	{.number = __NR_getsockopt},
	{.number = __NR_clock_gettime},
	{.number = __NR_brk}, {.number = __NR_munmap}, {.number = __NR_mremap}, {.number = __NR_madvise},
	{.number = __NR_mmap, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_mprotect, .test = NO_BITS, .argument = 2, .value = PROT_EXEC},
	{.number = __NR_getrandom},
	{.number = __NR_rt_sigaction}, {.number = __NR_rt_sigprocmask}, {.number = __NR_rt_sigreturn},
	{.number = __NR_rt_sigtimedwait},
	{.number = __NR_restart_syscall},
	{.number = __NR_tgkill}, {.number = __NR_tkill}, {.number = __NR_getpid}, {.number = __NR_gettid},
	{.number = __NR_exit}, {.number = __NR_exit_group},
#ifdef __NR_epoll_wait
	{.number = __NR_epoll_wait, .keep = SANDBOX_SERVES},
#endif
#ifdef __NR_epoll_pwait2
	{.number = __NR_epoll_pwait2, .keep = SANDBOX_SERVES},
#endif
	{.number = __NR_epoll_pwait, .keep = SANDBOX_SERVES}, {.number = __NR_epoll_ctl, .keep = SANDBOX_SERVES},
	{.number = __NR_accept4, .keep = SANDBOX_SERVES}, {.number = __NR_setsockopt, .keep = SANDBOX_SERVES},
	{.number = __NR_getsockname, .keep = SANDBOX_SERVES}, {.number = __NR_getpeername, .keep = SANDBOX_SERVES},
	{.number = __NR_wait4, .keep = SANDBOX_PARENT}, {.number = __NR_waitid, .keep = SANDBOX_PARENT},
	{.number = __NR_kill, .keep = SANDBOX_PARENT},
	{.number = __NR_ioctl, .keep = SANDBOX_PARENT, .test = IS, .argument = 1, .value = FIONREAD},
	{.number = __NR_openat, .keep = SANDBOX_REOPENS, .test = NO_BITS, .argument = 2,
	 .value = ~(uint32_t)(O_NONBLOCK | O_CLOEXEC | LARGE_FILE)},
};

enum {
	ALLOWED = sizeof allowed / sizeof *allowed,
	NUMBERS_END = 512, /* no system call that we name is that high */
	REGIONS_MAX = 2 * ALLOWED + 3,
	CODE_SIZE = 4 + REGIONS_MAX + 3 * ALLOWED + 3,
	NO_CALL = -1,      /* what a debugger leaves of a call that it answers itself */
};

enum {
	LOAD = BPF_LD | BPF_W | BPF_ABS,
	EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
	AT_LEAST = BPF_JMP | BPF_JGE | BPF_K,
	ANY_BIT = BPF_JMP | BPF_JSET | BPF_K,
	ANSWER = BPF_RET | BPF_K,
};

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))

/* What becomes of a call: the last three, or the test of allowed[answer]. */
enum { PASS = ALLOWED, REOPEN, KILL, OUTCOMES };

/* All numbers from the first to the next region's get the same answer. */
struct region {
	uint32_t first;
	uint8_t answer;
};

struct code {
	struct sock_filter at[CODE_SIZE];
	size_t size;
	size_t place[OUTCOMES]; /* of what does an answer */
};

static void
code_put(struct code *c, size_t at, unsigned op, uint32_t value, size_t if_so, size_t if_not)
{
	bool jumps = BPF_CLASS(op) == BPF_JMP;

	c->at[at] = (struct sock_filter){
		.code = (uint16_t)op, .k = value,
		.jt = jumps ? (uint8_t)(if_so - at - 1) : 0, .jf = jumps ? (uint8_t)(if_not - at - 1) : 0,
	};
}

static size_t
regions_find(struct region *regions, unsigned keeps)
{
	uint8_t answers[NUMBERS_END];
	size_t n = 0;

	memset(answers, KILL, sizeof answers);
	for (size_t i = 0; i < ALLOWED; i++)
		if ((allowed[i].keep & ~keeps) == 0)
			answers[allowed[i].number] = allowed[i].test == ANY ? PASS : (uint8_t)i;
	for (uint32_t number = 0; number < NUMBERS_END; number++)
		if (n == 0 || answers[number] != regions[n - 1].answer)
			regions[n++] = (struct region){number, answers[number]};
	/* x32's numbers, which are of the same architecture to the kernel, are up there. */
	regions[n++] = (struct region){NUMBERS_END, KILL};
	regions[n++] = (struct region){(uint32_t)NO_CALL, PASS};
	return n;
}

/* Of n regions, n - 1 instructions; returns where they start. */
static size_t
code_put_tree(struct code *c, const struct region *regions, size_t n)
{
	size_t half = n / 2, root = c->size, below, above;

	if (n == 1)
		return c->place[regions->answer];
	c->size++;
	below = code_put_tree(c, regions, half);
	above = code_put_tree(c, regions + half, n - half);
	code_put(c, root, AT_LEAST, regions[half].first, above, below);
	return root;
}

/* Only the lower half of an argument is looked at: the kernel, too, looks at no
 * more of those that we test. */
static void
code_put_test(struct code *c, size_t at, const struct call *call)
{
	size_t good = c->place[call->keep == SANDBOX_REOPENS ? REOPEN : PASS], bad = c->place[KILL];

	code_put(c, at, LOAD, FIELD(args) + call->argument * (uint32_t)sizeof(uint64_t), 0, 0);
	if (call->test == IS)
		code_put(c, at + 1, EQUAL, call->value, good, bad);
	else
		code_put(c, at + 1, ANY_BIT, call->value, bad, good);
}

/*
 * Where the number alone decides, the kernel keeps the answer and does not run
 * this at each call; for that it walks through it once for every number there
 * is. So it is a tree of comparisons, short and not deep: wsframe starts once for
 * each connection, and each instruction costs a microsecond there.
 */
static void
code_write(struct code *c, unsigned keeps, uint32_t reopen_answer)
{
	enum { ARCH, ARCH_TEST, NUMBER, TREE };
	struct region regions[REGIONS_MAX];
	size_t n = regions_find(regions, keeps), end = TREE + n - 1;

	for (size_t i = 0; i < ALLOWED; i++) {
		c->place[i] = end;
		end += allowed[i].test != ANY && (allowed[i].keep & ~keeps) == 0 ? 2 : 0;
	}
	for (size_t i = PASS; i < OUTCOMES; i++)
		c->place[i] = end++;
	code_put(c, ARCH, LOAD, FIELD(arch), 0, 0);
	code_put(c, ARCH_TEST, EQUAL, SANDBOX_ARCH, NUMBER, c->place[KILL]);
	code_put(c, NUMBER, LOAD, FIELD(nr), 0, 0);
	c->size = TREE;
	(void)code_put_tree(c, regions, n);
	for (size_t i = 0; i < ALLOWED; i++)
		if (c->place[i] != c->place[i + 1])
			code_put_test(c, c->place[i], &allowed[i]);
	code_put(c, c->place[PASS], ANSWER, SECCOMP_RET_ALLOW, 0, 0);
	code_put(c, c->place[REOPEN], ANSWER, reopen_answer, 0, 0);
	code_put(c, c->place[KILL], ANSWER, SECCOMP_RET_KILL_PROCESS, 0, 0);
	c->size = end;
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
sandbox_enter(unsigned keeps)
{
	struct code code;
	struct sock_fprog program = {.filter = code.at};
	bool no_files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	/* Landlock is about files with a name: a pipe it lets pass, by /proc/self/fd too. */
	no_files = landlock_enter();
	code_write(&code, keeps, no_files ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EACCES);
	program.len = (unsigned short)code.size;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#endif
