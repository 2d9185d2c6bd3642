/* UTF-8: every path, at any cuts, gives what the naive reading gives. */
#include "base/utf8.h"

#include "fuzz.h"
#include "naive.h"

static size_t
check_cut(struct fuzz f, enum utf8_path path, struct utf8 *text)
{
	size_t at = 0;

	while (at < f.size) {
		size_t n = fuzz_cut(&f, f.size - at);
		size_t good = utf8_check_by(path, text, fuzz_edge(0, f.at + at, n), n);

		FUZZ_CHECK(good <= n);
		at += good;
		if (good < n)
			break;
	}
	return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct fuzz f = fuzz_over(bytes, size);
	bool whole;
	size_t good = naive_utf8(f.at, f.size, &whole);

	for (unsigned path = 0; path <= (unsigned)utf8_best_path(); path++) {
		struct utf8 text = {0}, piecewise = {0};

		FUZZ_CHECK(utf8_check_by(path, &text, fuzz_edge(0, f.at, f.size), f.size) == good);
		FUZZ_CHECK(utf8_whole(&text) == whole);
		FUZZ_CHECK(check_cut(f, path, &piecewise) == good);
		FUZZ_CHECK(utf8_whole(&piecewise) == whole);
	}
	return 0;
}
