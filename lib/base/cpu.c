#include "base/cpu.h"

#include <stdatomic.h>

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

/* Both halves of the wide registers must survive a task switch. */
static int
wide_registers_kept(void)
{
	unsigned low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

/* Not by __builtin_cpu_supports(): the compiler's library then asks at every
 * program's start, three times as much, whether or not there will be much work. */
static enum cpu_vectors
cpu_ask(void)
{
	const unsigned wide = bit_OSXSAVE | bit_AVX | bit_POPCNT;
	unsigned a, b, c, d;

	if (__get_cpuid_max(0, 0) < 7)
		return CPU_BASE;
	__cpuid(1, a, b, c, d);
	if ((c & bit_SSSE3) == 0)
		return CPU_BASE;
	if ((c & wide) != wide || !wide_registers_kept())
		return CPU_SSSE3;
	__cpuid_count(7, 0, a, b, c, d);
	return (b & bit_AVX2) != 0 && (b & bit_BMI) != 0 ? CPU_AVX2 : CPU_SSSE3;
}

#else

static enum cpu_vectors
cpu_ask(void)
{
	return CPU_BASE;
}

#endif

enum cpu_vectors
cpu_vectors(void)
{
	static atomic_uint known; /* one more than the answer, 0 before there is one */
	unsigned answer = atomic_load_explicit(&known, memory_order_relaxed);

	if (answer == 0) {
		answer = (unsigned)cpu_ask() + 1;
		atomic_store_explicit(&known, answer, memory_order_relaxed);
	}
	return (enum cpu_vectors)(answer - 1);
}
