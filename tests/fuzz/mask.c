/* Masking: at any alignment, phase and size what a loop over bytes gives, and nothing beside it. */
#include "ws/mask.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned char masked[4096 + 64];
	struct fuzz f = fuzz_over(bytes, size);
	unsigned offset = fuzz_byte(&f) % 32, phase = fuzz_byte(&f) % 8;
	unsigned char *edge, together = 0;
	size_t at = 0;

	if (f.size > 4096)
		f.size = 4096;
	memset(masked, 0x5a, sizeof masked);
	if (f.size != 0)
		memcpy(masked + offset, f.at, f.size);
	edge = fuzz_edge(0, f.at, f.size);
	together = mask_apply(edge, f.size, f.cuts, phase);
	while (at < f.size) {
		size_t n = fuzz_cut(&f, f.size - at);

		(void)mask_apply(masked + offset + at, n, f.cuts, phase + at);
		at += n;
	}
	for (size_t i = 0; i < f.size; i++) {
		unsigned char want = f.at[i] ^ f.cuts[(phase + i) % 4];

		FUZZ_CHECK(masked[offset + i] == want && edge[i] == want);
		FUZZ_CHECK((want & ~together) == 0);
	}
	for (size_t i = 0; i < sizeof masked; i++)
		FUZZ_CHECK((i >= offset && i < offset + f.size) || masked[i] == 0x5a);
	return 0;
}
