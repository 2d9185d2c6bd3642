/*
 * usage: TARGET FILE... The main() of a fuzz target without a fuzzer: runs it on each file, and on
 * each file cut off in a few places.
 */
#include "fuzz.h"

static uint8_t bytes[FUZZ_MAX];

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		size_t size;

		if (file == NULL) {
			perror(argv[i]);
			return 1;
		}
		size = fread(bytes, 1, sizeof bytes, file);
		(void)fclose(file);
		(void)LLVMFuzzerTestOneInput(bytes, size);
		for (size_t part = 1; part < 8; part++)
			(void)LLVMFuzzerTestOneInput(bytes, size * part / 8);
	}
	printf("%d files\n", argc - 1);
	return 0;
}
