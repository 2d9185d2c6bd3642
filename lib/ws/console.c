#include "ws/console.h"

/* The assembler includes the file; its dependency is in the Makefile. */
__asm__(
    ".pushsection .rodata.console, \"a\"\n"
    "console_begin: .incbin \"lib/ws/console.html\"\n"
    "console_end: .byte 0\n"
    ".popsection\n");

extern const char console_begin[] __attribute__((visibility("hidden")));
extern const char console_end[] __attribute__((visibility("hidden")));

struct span
console_page(void)
{
	/* cppcheck-suppress comparePointers */
	return (struct span){console_begin, (size_t)(console_end - console_begin)};
}
