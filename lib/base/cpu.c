#include "base/cpu.h"

#include <stdatomic.h>

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>

/* Registers that survive a task switch: both halves of the AVX registers, or with the masks all of AVX-512. */
enum { SAVED_AVX = 0x06, SAVED_AVX512 = 0xe6 };

static unsigned
registers_saved(void)
{
	unsigned low, high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* __builtin_cpu_supports() is no alternative: its library code executes CPUID at every start of a
 * program, three times as often, even if there is little work. */
static enum cpu_vectors
cpu_ask(void)
{
	const unsigned wide = bit_OSXSAVE | bit_AVX | bit_POPCNT, wide_7 = bit_AVX2 | bit_BMI;
	const unsigned widest_7 = bit_BMI2 | bit_AVX512F | bit_AVX512BW;
	unsigned a, b, c, d, kept, clmul;

	if (__get_cpuid_max(0, 0) < 7)
		return CPU_BASE;
	__cpuid(1, a, b, c, d);
	if ((c & bit_SSSE3) == 0)
		return CPU_BASE;
	kept = (c & wide) == wide ? registers_saved() : 0;
	if ((kept & SAVED_AVX) != SAVED_AVX)
		return CPU_SSSE3;
	clmul = c & bit_PCLMUL;
	__cpuid_count(7, 0, a, b, c, d);
	if ((b & wide_7) != wide_7)
		return CPU_SSSE3;
	if (clmul == 0 || (b & widest_7) != widest_7 || (c & bit_AVX512VBMI2) == 0 || (kept & SAVED_AVX512) != SAVED_AVX512)
		return CPU_AVX2;
	return CPU_AVX512;
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
	static atomic_uint known; /* the result plus one, 0 before the first call */
	unsigned answer = atomic_load_explicit(&known, memory_order_relaxed);

	if (answer == 0) {
		answer = (unsigned)cpu_ask() + 1;
		atomic_store_explicit(&known, answer, memory_order_relaxed);
	}
	return (enum cpu_vectors)(answer - 1);
}
