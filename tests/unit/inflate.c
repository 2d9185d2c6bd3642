/*
 * DEFLATE (RFC 1951) in messages (RFC 7692 section 7.2.2): examples, windows and what is kept between messages. Valid and
 * invalid blocks of each kind are seeds of the fuzz target inflate.
 */
#include "ws/inflate.h"

#include "unit.h"

enum { STREAM_MAX = 1 << 16, OUT_MAX = 1 << 17, END = 256 };

/* The current stream; its first bit is the lowest of a byte. */
static unsigned char stream[STREAM_MAX];
static size_t stream_bits;

static void
stream_begin(void)
{
	memset(stream, 0, sizeof stream);
	stream_bits = 0;
}

/* Append a number, lowest bit first. */
static void
put(unsigned value, unsigned n)
{
	for (unsigned i = 0; i < n; i++, stream_bits++)
		stream[stream_bits / 8] |= (unsigned char)((value >> i & 1) << stream_bits % 8);
}

/* Append a Huffman code, highest bit first (3.1.1). */
static void
put_code(unsigned code, unsigned n)
{
	while (n-- > 0)
		put(code >> n & 1, 1);
}

static void
put_bytes(const void *bytes, size_t n)
{
	while (stream_bits % 8 != 0)
		put(0, 1);
	for (size_t i = 0; i < n; i++)
		put(((const unsigned char *)bytes)[i], 8);
}

static void
put_stored(const void *bytes, size_t n, bool final)
{
	put(final, 3);
	put_bytes("", 0);
	put((unsigned)n, 16);
	put(~(unsigned)n & 0xffff, 16);
	put_bytes(bytes, n);
}

/* Both codes of a block: lengths, and the codes by the algorithm of 3.2.2. */
struct code {
	unsigned char lengths[288 + 32];
	unsigned codes[288 + 32];
	unsigned litlens, dists;
};

static void
codes_assign(const unsigned char *lengths, unsigned count, unsigned *codes)
{
	unsigned number[16] = {0}, next[16] = {0};

	for (unsigned i = 0; i < count; i++)
		number[lengths[i]]++;
	number[0] = 0;
	for (unsigned n = 1; n < 16; n++)
		next[n] = (next[n - 1] + number[n - 1]) << 1;
	for (unsigned i = 0; i < count; i++)
		codes[i] = lengths[i] == 0 ? 0 : next[lengths[i]]++;
}

static void
codes_make(struct code *c)
{
	codes_assign(c->lengths, c->litlens, c->codes);
	codes_assign(c->lengths + c->litlens, c->dists, c->codes + c->litlens);
}

static struct code fixed;

static void
fixed_make(void)
{
	fixed.litlens = 288;
	fixed.dists = 32;
	for (unsigned i = 0; i < 320; i++)
		fixed.lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : i < 288 ? 8 : 5;
	codes_make(&fixed);
}

static void
put_fixed(bool final)
{
	put(final, 1);
	put(1, 2);
}

static void
put_symbol(const struct code *c, unsigned symbol)
{
	put_code(c->codes[symbol], c->lengths[symbol]);
}

/* The tables of 3.2.5. */
static const unsigned length_base[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83,
	99, 115, 131, 163, 195, 227, 258};
static const unsigned length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5,
	5, 0};
static const unsigned dist_base[] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
	1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const unsigned dist_extra[] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11,
	12, 12, 13, 13};

static void
put_match(const struct code *c, unsigned length, unsigned distance)
{
	unsigned l = 28, d = 29;

	while (length_base[l] > length)
		l--;
	while (dist_base[d] > distance)
		d--;
	put_symbol(c, 257 + l);
	put(length - length_base[l], length_extra[l]);
	put_symbol(c, c->litlens + d);
	put(distance - dist_base[d], dist_extra[d]);
}

/* Append the head of the empty stored block whose last four bytes are not sent. */
static size_t
message_end(void)
{
	put(0, 3);
	put_bytes("", 0);
	return stream_bits / 8;
}

/* A decompressor and its output. */
struct run {
	struct inflate z;
	struct inflate_tables tables;
	unsigned char window[1 << 15];
	unsigned char out[OUT_MAX];
	size_t size;
	bool bad, ended;
};
static struct run one;

static void
run_begin(struct run *r, unsigned bits)
{
	inflate_begin(&r->z, bits, r->window, &r->tables);
	r->size = 0;
	r->bad = r->ended = false;
}

/* Input and output space end before an unreadable page. */
static unsigned char *in_end, *out_end;

static void
edges_make(void)
{
	static const unsigned char nothing[OUT_MAX];

	in_end = unit_at_edge(nothing, sizeof nothing) + sizeof nothing;
	out_end = unit_at_edge(nothing, sizeof nothing) + sizeof nothing;
}

/* Take steps until the input is used: the first with this output space, later ones with about that of a match. Used
 * input is overwritten. */
static void
feed(struct run *r, const unsigned char *in, size_t n, size_t room)
{
	unsigned char *at = in_end - n;
	enum inflate_result result = INFLATE_FULL;

	memcpy(at, in, n);
	while (result == INFLATE_FULL && !unit_failed) {
		size_t made, took = inflate_step(&r->z, at, n, out_end - room, room, &made, &result);

		CHECK(took <= n && made <= room && r->size + made <= OUT_MAX);
		CHECK(result != INFLATE_MORE || took == n);
		CHECK(result != INFLATE_FULL || (made == room && r->size + made < OUT_MAX));
		if (unit_failed)
			return;
		memcpy(r->out + r->size, out_end - room, made);
		memset(at, 0xaa, took);
		at += took;
		n -= took;
		r->size += made;
		room = 258 + r->size % 32;
		room = OUT_MAX - r->size < room ? OUT_MAX - r->size : room;
	}
	r->bad = result == INFLATE_BAD;
}

static void
finish(struct run *r)
{
	r->ended = inflate_finish(&r->z);
}

static bool
gave(const struct run *r, const void *bytes, size_t n)
{
	return !r->bad && r->ended && r->size == n && memcmp(r->out, bytes, n) == 0;
}

/* Check the output of a message: in one step, with the input divided at each byte, and with the output divided at each
 * byte. */
static void
good(const unsigned char *in, size_t n, const void *want, size_t size)
{
	size_t step = n > 200 ? n / 67 : 1;

	for (size_t cut = 0; cut <= n && !unit_failed; cut += step) {
		run_begin(&one, 15);
		feed(&one, in, cut, size);
		feed(&one, in + cut, n - cut, size);
		finish(&one);
		CHECK(gave(&one, want, size));
	}
	for (size_t room = 0; room <= size && !unit_failed; room += size > 300 ? size / 97 : 1) {
		run_begin(&one, 15);
		feed(&one, in, n, room);
		finish(&one);
		CHECK(gave(&one, want, size));
	}
	run_begin(&one, 15);
	for (size_t i = 0; i < n && n < 2000 && !unit_failed; i++)
		feed(&one, in + i, 1, i % 3);
	finish(&one);
	CHECK(n >= 2000 || gave(&one, want, size));
}

#define GOOD(want) good(stream, message_end(), want, sizeof want - 1)

/* Check that the stream fails, whole and byte by byte, and that later steps fail. want: the output before. */
static void
bad(const void *want, size_t size)
{
	size_t n;

	for (int i = 0; i < 64; i++)
		put(0, 8);
	n = stream_bits / 8;
	run_begin(&one, 15);
	feed(&one, stream, n, 1000);
	CHECK(one.bad && one.size == size && memcmp(one.out, want, size) == 0);
	feed(&one, (const unsigned char *)"\0", 2, 10);
	CHECK(one.bad && one.size == size && !inflate_finish(&one.z));
	run_begin(&one, 15);
	for (size_t i = 0; i < n && !one.bad; i++)
		feed(&one, stream + i, 1, 10);
	CHECK(one.bad && one.size == size && !inflate_finish(&one.z));
}

#define BAD(want) bad(want, sizeof want - 1)

/* End the block and append enough bytes that the symbol before END is decoded by the fast loop. */
static void
put_end(const struct code *c)
{
	unsigned char bytes[64] = {0};

	put_symbol(c, END);
	put_stored(bytes, sizeof bytes, false);
}

static void
message(struct run *r, const char *in, size_t n, const char *want)
{
	r->size = 0;
	feed(r, (const unsigned char *)in, n, 100);
	finish(r);
	CHECK(gave(r, want, strlen(want)));
}

#define MESSAGE(r, in, want) message(r, in, sizeof in - 1, want)

BEFORE_ALL
{
	fixed_make();
	edges_make();
}

TEST(the_examples_of_RFC_7692)
{
	static const char once[] = "\xf2\x48\xcd\xc9\xc9\x07\x00", stored[] = "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
		final[] = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", blocks[] = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";

	good((const unsigned char *)once, sizeof once - 1, "Hello", 5);
	good((const unsigned char *)stored, sizeof stored - 1, "Hello", 5);
	good((const unsigned char *)final, sizeof final - 1, "Hello", 5);
	good((const unsigned char *)blocks, sizeof blocks - 1, "Hello", 5);
	good((const unsigned char *)"", 1, "", 0);
	run_begin(&one, 15);
	MESSAGE(&one, once, "Hello");
	MESSAGE(&one, "\xf2\x00\x11\x00\x00", "Hello");
	MESSAGE(&one, final, "Hello");
	MESSAGE(&one, "\xf2\x00\x11\x00\x00", "Hello");
	MESSAGE(&one, "\x00", "");
	MESSAGE(&one, "", "");
	MESSAGE(&one, "\xf2\x00\x11\x00\x00", "Hello");
}

TEST(inflate_forget_discards_the_history)
{
	run_begin(&one, 15);
	MESSAGE(&one, "\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
	inflate_forget(&one.z);
	MESSAGE(&one, "\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
	inflate_forget(&one.z);
	one.size = 0;
	feed(&one, (const unsigned char *)"\xf2\x00\x11\x00\x00", 5, 100);
	CHECK(one.bad);
}

TEST(fixed_codes)
{
	static unsigned char want[OUT_MAX];
	size_t n = 0;

	stream_begin();
	put_fixed(false);
	for (unsigned i = 0; i < 256; i++)
		put_symbol(&fixed, want[n++] = (unsigned char)i);
	for (unsigned length = 3; length <= 258; length++) {
		put_match(&fixed, length, 256);
		for (unsigned i = 0; i < length; i++, n++)
			want[n] = want[n - 256];
	}
	for (unsigned d = 0; d < 30; d++) {
		unsigned ends[2] = {dist_base[d], dist_base[d] + (1U << dist_extra[d]) - 1};

		for (unsigned e = 0; e < 2; e++) {
			put_match(&fixed, 3 + d, ends[e]);
			for (unsigned i = 0; i < 3 + d; i++, n++)
				want[n] = want[n - ends[e]];
		}
	}
	put_symbol(&fixed, END);
	good(stream, message_end(), want, n);
}

TEST(stored_blocks)
{
	static unsigned char want[65535];

	for (size_t i = 0; i < sizeof want; i++)
		want[i] = (unsigned char)(i * 7 + i / 256);
	stream_begin();
	put_stored("", 0, false);
	put_stored("abc", 3, false);
	put_fixed(false);
	put_symbol(&fixed, 'd');
	put_symbol(&fixed, END);
	put_stored("e", 1, false);
	GOOD("abcde");
	for (size_t n = 65534; n <= 65535; n++) {
		run_begin(&one, 15);
		feed(&one, (const unsigned char *)(n == 65535 ? "\0\xff\xff\0\0" : "\0\xfe\xff\x01\0"), 5, 1);
		feed(&one, want, n, 1000);
		feed(&one, (const unsigned char *)"", 1, 0);
		finish(&one);
		CHECK(gave(&one, want, n));
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		stream_begin();
		put(0, 8);
		put(3, 16);
		put((0xffff ^ 3) ^ 1U << bit, 16);
		BAD("");
	}
}

/* A match at this distance after more bytes than the window holds, in the same message or in another one. */
static void
distance_take(unsigned bits, unsigned distance, bool apart, bool allowed)
{
	static unsigned char filler[(1 << 15) + 3];
	unsigned size = (1U << bits) + 3;

	for (size_t i = 0; i < sizeof filler; i++)
		filler[i] = (unsigned char)(i * 31 + i / 256);
	run_begin(&one, bits);
	stream_begin();
	put_stored(filler, size - 3, false);
	put_stored(filler + size - 3, 3, false);
	if (apart) {
		feed(&one, stream, message_end(), OUT_MAX);
		finish(&one);
		stream_begin();
	}
	put_fixed(false);
	put_match(&fixed, 3, distance);
	put_end(&fixed);
	feed(&one, stream, message_end(), apart ? 2 : OUT_MAX);
	CHECK(one.bad == !allowed);
	CHECK(one.bad || (one.size == size + 3 + 64 && memcmp(one.out + size, filler + 3, 3) == 0));
}

/* Each window: distances up to its size are valid, longer ones are not. */
TEST(distances)
{
	for (unsigned bits = 8; bits <= 15; bits++) {
		for (int apart = 0; apart < 2; apart++) {
			distance_take(bits, 1U << bits, apart, true);
			if (bits < 15)
				distance_take(bits, (1U << bits) + 1, apart, false);
		}
	}
	/* A distance beyond the first byte. */
	for (unsigned distance = 1; distance <= 4; distance++) {
		stream_begin();
		put_fixed(false);
		for (int i = 0; i < 3; i++)
			put_symbol(&fixed, 'a');
		put_match(&fixed, 4, distance);
		put_symbol(&fixed, END);
		if (distance == 4)
			BAD("aaa");
		else
			GOOD("aaaaaaa");
	}
}

/* The window wraps many times, with output of all sizes and matches of all distances. */
TEST(a_window_of_any_size_wraps)
{
	static unsigned char want[OUT_MAX];

	for (unsigned bits = 8; bits <= 15; bits++) {
		unsigned size = 1U << bits, seed = bits;
		size_t n = 0, begin = 0;

		run_begin(&one, bits);
		for (unsigned turn = 0; n + 600 < OUT_MAX && turn < 300 && !unit_failed; turn++) {
			stream_begin();
			put_fixed(false);
			for (unsigned i = 0; i < 40; i++)
				put_symbol(&fixed, want[n++] = (unsigned char)(turn * 3 + i));
			seed = seed * 1103515245 + 12345;
			{
				unsigned most = n < size ? (unsigned)n : size, distance = turn % 5 == 0 ? most : (seed >> 8) % most + 1;
				unsigned length = 3 + seed % 256;

				put_match(&fixed, length, distance);
				for (unsigned i = 0; i < length; i++, n++)
					want[n] = want[n - distance];
			}
			put_symbol(&fixed, END);
			begin = one.size;
			feed(&one, stream, message_end(), turn % 7 == 0 ? 1 : turn);
			finish(&one);
			CHECK(one.ended && one.size == n && memcmp(one.out + begin, want + begin, n - begin) == 0);
		}
	}
}

/* A message that is decompressed by one step needs no window. */
TEST(no_window)
{
	static unsigned char filler[600];

	memset(filler, 'x', sizeof filler);
	run_begin(&one, 15);
	one.z.window = NULL;
	for (int i = 0; i < 2; i++) {
		size_t made;
		enum inflate_result result;

		stream_begin();
		put_fixed(false);
		put_symbol(&fixed, 'x');
		put_match(&fixed, 258, 1);
		put_match(&fixed, 258, 259);
		put_symbol(&fixed, END);
		CHECK(inflate_step(&one.z, stream, message_end(), one.out, 600, &made, &result) == stream_bits / 8);
		CHECK(result == INFLATE_MORE && made == 517 && memcmp(one.out, filler, made) == 0 && inflate_finish(&one.z));
	}
	feed(&one, (const unsigned char *)"\xf2\x00\x11\x00\x00", 5, 100);
	CHECK(one.bad);
}
