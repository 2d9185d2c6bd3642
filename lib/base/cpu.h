/* Vector extensions that the CPU has and the kernel saves across task switches. */
#ifndef FITTINGS_CPU_H
#define FITTINGS_CPU_H

enum cpu_vectors {
	CPU_BASE,   /* the baseline of the architecture */
	CPU_SSSE3,
	CPU_AVX2,   /* and POPCNT, BMI1 */
	CPU_AVX512, /* F, BW and VBMI2; and PCLMULQDQ, BMI2, LZCNT */
};

/* Return the best available extensions. The first call costs about 10 us on a virtual machine whose
 * hypervisor traps CPUID: call it only for large inputs. */
enum cpu_vectors cpu_vectors(void);

#endif
