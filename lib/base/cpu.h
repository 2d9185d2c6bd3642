/* What vectors this CPU has, and the kernel keeps across task switches. */
#ifndef FITTINGS_CPU_H
#define FITTINGS_CPU_H

enum cpu_vectors {
	CPU_BASE,   /* what every CPU of this architecture has */
	CPU_SSSE3,
	CPU_AVX2,   /* and POPCNT, BMI1 */
	CPU_AVX512, /* F, BW and VBMI2; and PCLMULQDQ, BMI2, LZCNT */
};

/* The first call costs some 10 us where a hypervisor answers for the CPU: only for much work. */
enum cpu_vectors cpu_vectors(void);

#endif
