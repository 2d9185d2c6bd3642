/*
 * inflate with any bytes as messages of permessage-deflate: with input and space divided anywhere,
 * output and verdict agree with the naive decoder, and with zlib if it is installed. Two states
 * share one set of tables.
 */
#include "ws/inflate.h"
#include "fuzz.h"
#include "naive_inflate.h"

#ifdef ZLIB
#include <zlib.h>

/* zlib's verdict on a message, with a window of 32 KiB and the history of the naive decoder. */
static bool
zlib_message(const struct naive_inflate *before, const unsigned char *payload, size_t n, struct account *out)
{
	size_t history = before->size - before->floor, whole = n + 4, used = 0;
	static unsigned char in[FUZZ_MAX + 4];
	z_stream z = {0};
	bool good, between;

	history = history > 32768 ? 32768 : history;
	memcpy(in, payload, n);
	memcpy(in + n, (const unsigned char[4]){0x00, 0x00, 0xff, 0xff}, 4);
	FUZZ_CHECK(inflateInit2(&z, -15) == Z_OK);
	FUZZ_CHECK(inflateSetDictionary(&z, before->out + before->size - history, (unsigned)history) == Z_OK);
	z.next_out = out->bytes;
	z.avail_out = FUZZ_MAX;
	do {
		int result;
		static unsigned char last[32768];
		unsigned n_last = 0;

		z.next_in = in + used;
		/* The message may end between two blocks at a byte boundary: the four bytes are a
		 * step of their own. */
		z.avail_in = (unsigned)((used < n ? n : whole) - used);
		result = inflate(&z, Z_SYNC_FLUSH);
		used = (size_t)(z.next_in - in);
		good = result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END;
		if (result == Z_STREAM_END) {
			(void)inflateGetDictionary(&z, last, &n_last);
			(void)inflateReset(&z);
			(void)inflateSetDictionary(&z, last, n_last);
		}
		between = result == Z_STREAM_END || (z.data_type & 191) == 128;
		if (used == n && between)
			break;
		good = good && (used < whole || between);
	} while (good && used < whole && z.avail_out > 0);
	out->size = (size_t)(z.next_out - out->bytes);
	(void)inflateEnd(&z);
	return good;
}

/* zlib accepts a single literal code, which RFC 1951 allows only for distances, so its acceptance
 * is no proof. */
static void
zlib_compare(const struct naive_inflate *before, const struct naive_inflate *after, const unsigned char *payload,
    size_t n, bool good)
{
	static struct account out;

	if (n == 0 || before->window < 32768 || after->size == FUZZ_MAX)
		return;
	if (!zlib_message(before, payload, n, &out)) {
		FUZZ_CHECK(!good);
	} else if (good) {
		FUZZ_CHECK(out.size == after->size - before->size);
		FUZZ_CHECK(memcmp(out.bytes, after->out + before->size, out.size) == 0);
	}
}
#else
#define zlib_compare(before, after, payload, n, good) ((void)(before), (void)(good))
#endif

/* Overwrites the tables with those of another state. */
static void
tables_disturb(struct inflate_tables *tables)
{
	/* Dynamic: 'a' and the end of the block, with one bit each. */
	static const unsigned char in[] = {0x04, 0xc0, 0x81, 0x08, 0x00, 0x00, 0x00, 0x00, 0x20, 0xd6, 0xfd, 0x25, 0x4e, 0x00};
	static unsigned char window[256];
	static struct inflate other;
	unsigned char out[8];
	size_t made;
	enum inflate_result result;

	inflate_begin(&other, 8, window, tables);
	(void)inflate_step(&other, in, sizeof in, out, sizeof out, &made, &result);
	FUZZ_CHECK(result == INFLATE_MORE && made == 1 && out[0] == 'a');
}

struct target {
	struct inflate z;
	struct inflate_tables tables;
	unsigned char window[1 << 15];
	unsigned disturbed; /* number of steps before which another state uses the tables */
};

/* Return whether the message is valid. At most `most` bytes of output are appended to a. */
static bool
message(struct target *t, struct fuzz *f, const unsigned char *payload, size_t n, size_t most, struct account *a)
{
	enum inflate_result result = INFLATE_MORE;

	while (n > 0 && result != INFLATE_BAD && a->size < most) {
		size_t cut = fuzz_cut(f, n), used = 0;

		do {
			size_t capacity = f->cuts[0] == 255 ? FUZZ_SPACE : fuzz_cut(f, FUZZ_SPACE) - (result != INFLATE_FULL), made, took;
			unsigned char *out = fuzz_space(0, capacity);

			if (t->disturbed > 0) {
				tables_disturb(&t->tables);
				t->disturbed--;
			}
			took = inflate_step(&t->z, fuzz_edge(1, payload + used, cut - used), cut - used, out, capacity, &made, &result);
			FUZZ_CHECK(took <= cut - used && made <= capacity);
			FUZZ_CHECK(result != INFLATE_MORE || took == cut - used);
			FUZZ_CHECK(result != INFLATE_FULL || made == capacity);
			if (made > most - a->size)
				made = most - a->size;
			account_put(a, out, made);
			used += took;
		} while (result == INFLATE_FULL && a->size < most);
		payload += cut;
		n -= cut;
	}
	return result != INFLATE_BAD && inflate_finish(&t->z);
}

static void
messages(struct target *t, struct fuzz f, unsigned choice)
{
	static unsigned char out[FUZZ_MAX], payload[FUZZ_MAX + 4];
	struct naive_inflate naive = {.window = (size_t)1 << (8 + choice % 8), .out = out, .capacity = sizeof out}, before;
	static struct account got;

	inflate_begin(&t->z, 8 + choice % 8, t->window, &t->tables);
	t->disturbed = choice & 16 ? 100 : 0;
	while (f.size > 0) {
		size_t n = choice & 32 ? fuzz_byte(&f) : f.size;
		enum naive_end end;
		bool good;

		n = n < f.size ? n : f.size;
		before = naive;
		memcpy(payload, f.at, n);
		end = naive_message(&naive, payload, n);
		got.size = 0;
		good = message(t, &f, f.at, n, naive.size - before.size + (end != NAIVE_LONG), &got);
		FUZZ_CHECK(got.size == naive.size - before.size);
		FUZZ_CHECK(memcmp(got.bytes, naive.out + before.size, got.size) == 0);
		if (end == NAIVE_LONG)
			return;
		FUZZ_CHECK(good == (end == NAIVE_BETWEEN_BLOCKS));
		zlib_compare(&before, &naive, f.at, n, good);
		if (!good)
			return;
		if (choice & 64) {
			inflate_reset(&t->z);
			naive.floor = naive.size;
		}
		f.at += n;
		f.size -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct target target;
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f);

	messages(&target, fuzz_uncut(f), choice);
	messages(&target, f, choice);
	return 0;
}
