/*
 * Any bytes as messages, compressed with input and space divided anywhere, with and without
 * takeover, some undone: they decompress to the same bytes. (fuzz/inflate compares the decoder with zlib.)
 */
#include "fuzz.h"
#include "ws/deflate.h"
#include "ws/inflate.h"

static unsigned char made_all[2 * FUZZ_MAX + 4096];

/* Compress a message. Return the size of the output. */
static size_t
message(struct deflate *z, struct fuzz *f, const unsigned char *in, size_t n, bool whole)
{
	size_t size = 0, at = 0;
	bool last;

	do {
		size_t cut = whole || n == at ? n - at : fuzz_cut(f, n - at), used = 0, made;
		enum deflate_result result;

		last = at + cut == n;
		do {
			size_t room = whole ? deflate_bound(cut) : fuzz_cut(f, FUZZ_SPACE);
			unsigned char *out = fuzz_space(0, room);

			used += deflate_step(z, fuzz_edge(1, in + at + used, cut - used), cut - used, last, out, room, &made, &result);
			FUZZ_CHECK(used <= cut && made <= room && (result == DEFLATE_FULL || used == cut));
			FUZZ_CHECK(!whole || result == DEFLATE_MORE);
			FUZZ_CHECK(size + made <= sizeof made_all - 4);
			memcpy(made_all + size, out, made);
			size += made;
		} while (result == DEFLATE_FULL);
		at += cut;
	} while (!last);
	return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct deflate_scratch scratch;
	static struct inflate_tables tables;
	static uint16_t memory[100000];
	static unsigned char window[1 << 15], back[FUZZ_MAX + 1];
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f), bits = 8 + choice % 8;
	struct deflate z;
	struct inflate i;

	FUZZ_CHECK(deflate_memory(bits) <= sizeof memory);
	deflate_begin(&z, bits, memory, &scratch);
	inflate_begin(&i, bits, window, &tables);
	while (f.size > 0) {
		bool undo = choice & 16 && f.size % 3 == 0;
		size_t n = choice & 32 ? fuzz_byte(&f) : f.size, times = choice & 64 ? 1 + f.cuts[1] % 8 : 1, made, got;
		const unsigned char *in = f.at;

		n = n < f.size ? n : f.size;
		/* A repeated message refers to itself, also across the end of the buffer. */
		for (; times > 0; times--) {
			enum inflate_result result;

			made = message(&z, &f, in, n, choice & 128);
			if (undo) {
				deflate_undo(&z);
				continue;
			}
			FUZZ_CHECK(inflate_step(&i, made_all, made, back, n, &got, &result) == made);
			FUZZ_CHECK(result == INFLATE_MORE && inflate_finish(&i) && !i.final);
			FUZZ_CHECK(got == n && memcmp(back, in, n) == 0);
			if (f.cuts[0] & 1) {
				deflate_reset(&z);
				inflate_reset(&i);
			}
		}
		f.at += n;
		f.size -= n;
	}
	return 0;
}
