/* DEFLATE (RFC 1951) in messages (RFC 7692 section 7.2.2). The streams are built bit by bit. */
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

/* Appends a number, lowest bit first. */
static void
put(unsigned value, unsigned n)
{
	for (unsigned i = 0; i < n; i++, stream_bits++)
		stream[stream_bits / 8] |= (unsigned char)((value >> i & 1) << stream_bits % 8);
}

/* Appends a Huffman code, highest bit first (3.1.1). */
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

/* Each length has a code of 4 bits; nothing is repeated. */
static void
put_dynamic(struct code *c)
{
	static const unsigned char order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

	codes_make(c);
	put(0, 1);
	put(2, 2);
	put(c->litlens - 257, 5);
	put(c->dists - 1, 5);
	put(19 - 4, 4);
	for (int i = 0; i < 19; i++)
		put(order[i] < 16 ? 4 : 0, 3);
	for (unsigned i = 0; i < c->litlens + c->dists; i++)
		put_code(c->lengths[i], 4);
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

/* Appends the head of the empty stored block whose last four bytes are not sent. */
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
static struct run one, another;

static void
run_begin(struct run *r, unsigned bits)
{
	inflate_begin(&r->z, bits, r->window, &r->tables);
	r->size = 0;
	r->bad = r->ended = false;
}

/* Input and room end before an unreadable page. */
static unsigned char *in_end, *out_end;

static void
edges_make(void)
{
	static const unsigned char nothing[OUT_MAX];

	in_end = unit_at_edge(nothing, sizeof nothing) + sizeof nothing;
	out_end = unit_at_edge(nothing, sizeof nothing) + sizeof nothing;
}

/* Steps until the input is used: first with this room, then with about the room of a match. Used input is overwritten. */
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

/* Checks the output of a message: whole, at every cut of its input, and at every cut of its room. */
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

/* Checks that the stream fails, whole and byte by byte, and that later steps fail. want: the output before. */
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

/* Ends the block and appends enough bytes that the symbol before END is decoded by the fast loop. */
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

TEST(matches_that_overlap_themselves)
{
	for (unsigned distance = 1; distance <= 20; distance++) {
		unsigned char want[OUT_MAX / 64];
		size_t n = 0;

		stream_begin();
		put_fixed(false);
		for (; n < distance; n++)
			put_symbol(&fixed, want[n] = (unsigned char)('a' + n));
		for (unsigned length = 3; length < 40; length++) {
			put_match(&fixed, length, distance);
			for (unsigned i = 0; i < length; i++, n++)
				want[n] = want[n - distance];
		}
		put_symbol(&fixed, END);
		good(stream, message_end(), want, n);
	}
}

TEST(invalid_symbols)
{
	static const char before[] = "a text that is longer than any output that the bits of an invalid code could produce";

	for (unsigned symbol = 286; symbol < 288 + 32; symbol += symbol == 287 ? 31 : 1) {
		stream_begin();
		put_fixed(false);
		for (const char *c = before; *c != '\0'; c++)
			put_symbol(&fixed, (unsigned char)*c);
		if (symbol >= 288)
			put_symbol(&fixed, 257);
		put_symbol(&fixed, symbol);
		BAD(before);
	}
	stream_begin();
	put(3, 1);
	put(3, 2);
	BAD("");
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

/* After a block with BFINAL inside a message the next block begins at a byte (7.2.3.4); it may refer back. */
TEST(a_final_block_inside_a_message)
{
	stream_begin();
	put_fixed(true);
	put_symbol(&fixed, 'a');
	put_symbol(&fixed, 'b');
	put_symbol(&fixed, END);
	put_bytes("", 0);
	put_stored("c", 1, true);
	put_fixed(true);
	put_match(&fixed, 4, 3);
	put_symbol(&fixed, END);
	put_bytes("", 0);
	put_fixed(true);
	put_symbol(&fixed, END);
	put_bytes("", 0);
	GOOD("abcabca");
}

/* A code for 'a', 'b' and the end of the block, with lengths 1, 2 and 2. */
static struct code
small_code(unsigned litlens, unsigned dists)
{
	struct code c = {.litlens = litlens, .dists = dists};

	c.lengths['a'] = 1;
	c.lengths['b'] = c.lengths[END] = 2;
	return c;
}

TEST(dynamic_codes)
{
	struct code c = small_code(257, 1);

	/* No distance code, and no match. */
	stream_begin();
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_symbol(&c, 'b');
	put_symbol(&c, END);
	GOOD("ab");

	/* A single distance code: its bit is 0. */
	c = small_code(286, 1);
	c.lengths['b'] = 3;
	c.lengths[257] = 3;
	c.lengths[286] = 1;
	stream_begin();
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_match(&c, 3, 1);
	put_symbol(&c, 'b');
	put_match(&c, 3, 1);
	put_symbol(&c, END);
	GOOD("aaaabbbb");
	/* 1 is invalid. */
	stream_begin();
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_symbol(&c, 257);
	put(1, 1);
	BAD("a");
	/* Any symbol may be the single one. */
	c = small_code(258, 30);
	c.lengths['b'] = c.lengths[257] = 3;
	c.lengths[258 + 29] = 1;
	stream_begin();
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_symbol(&c, END);
	GOOD("a");

	/* No distance code, and a match. */
	c = small_code(258, 1);
	c.lengths['b'] = c.lengths[257] = 3;
	stream_begin();
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_symbol(&c, 257);
	BAD("a");
}

/* Literal, length and distance codes of up to 15 bits. */
TEST(long_codes)
{
	struct code c = {.litlens = 286, .dists = 16};
	unsigned char want[1000];
	size_t n = 0;

	for (unsigned i = 0; i < 14; i++)
		c.lengths['a' + i] = (unsigned char)(i + 1);
	c.lengths[END] = c.lengths[285] = 15;
	for (unsigned i = 0; i < 16; i++)
		c.lengths[286 + i] = (unsigned char)(i < 15 ? i + 1 : 15);
	stream_begin();
	put_dynamic(&c);
	for (unsigned i = 0; i < 14; i++)
		put_symbol(&c, want[n++] = (unsigned char)('a' + i));
	for (unsigned d = 0; d < 16; d++) {
		put_match(&c, 258, dist_base[d] <= n ? dist_base[d] : 1);
		for (unsigned i = 0; i < 258 && n < sizeof want; i++, n++)
			want[n] = want[n - (dist_base[d] <= n - i ? dist_base[d] : 1)];
		if (n == sizeof want)
			break;
		put_symbol(&c, want[n++] = (unsigned char)('a' + d % 14));
	}
	put_symbol(&c, END);
	run_begin(&one, 15);
	feed(&one, stream, message_end(), 1);
	finish(&one);
	CHECK(!one.bad && one.ended && one.size >= n && memcmp(one.out, want, n) == 0);
	memcpy(another.out, one.out, one.size);
	good(stream, stream_bits / 8, another.out, one.size);
}

/* Over-subscribed and incomplete codes (3.2.7). */
TEST(invalid_codes)
{
	static const struct {
		unsigned char lengths[4];
		bool distances;
	} wrong[] = {
		{{1, 1, 2}, false},       /* over-subscribed */
		{{1, 2, 2, 15}, false},
		{{2, 2, 2}, false},       /* incomplete */
		{{1, 2, 3}, false},
		{{1, 0, 0}, false},
		{{0, 0, 1, 0}, false},    /* a single code is valid only for distances */
		{{1, 1, 1}, true},
		{{1, 2, 2, 15}, true},
		{{2, 2, 2}, true},
		{{1, 2, 0}, true},
		{{2, 0, 0}, true},        /* a single code must have one bit */
		{{15, 0, 0}, true},
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct code c = small_code(257, 4);

		if (wrong[i].distances) {
			memcpy(c.lengths + 257, wrong[i].lengths, 4);
		} else {
			c.lengths['a'] = wrong[i].lengths[0];
			c.lengths['b'] = wrong[i].lengths[1];
			c.lengths[END] = wrong[i].lengths[2];
			c.lengths['c'] = wrong[i].lengths[3];
		}
		stream_begin();
		put_dynamic(&c);
		BAD("");
	}
}

TEST(invalid_heads_of_dynamic_blocks)
{
	struct code c = small_code(257, 1);

	/* No code for the end of the block. */
	c.lengths[END] = 0;
	c.lengths['c'] = 2;
	stream_begin();
	put_dynamic(&c);
	BAD("");
	/* 287 and 288 codes, 31 and 32 distances. */
	for (unsigned i = 0; i < 4; i++) {
		stream_begin();
		put(4, 3);
		put(i < 2 ? 30 + i : 0, 5);
		put(i < 2 ? 0 : 28 + i, 5);
		put(0, 4);
		put(1 | 1 << 3, 12);
		BAD("");
	}
}

/* Begins a dynamic block. lengths: the code lengths of the symbols 16, 17, 18, 0, 8, 7, ... */
static void
put_precode(const char *lengths, unsigned litlens, unsigned dists)
{
	unsigned count = (unsigned)strlen(lengths);

	stream_begin();
	put(4, 3);
	put(litlens - 257, 5);
	put(dists - 1, 5);
	put(count - 4, 4);
	for (unsigned i = 0; i < count; i++)
		put((unsigned)(lengths[i] - '0'), 3);
}

TEST(codes_of_lengths)
{
	/* 18: 1 bit (0), 1: 2 bits (10), 16: 3 (110), 17: 3 (111). A block of two codes, END and 'a', and no distance. */
	static const char precode[] = "331000000000000002";

	put_precode(precode, 257, 1);
	put_code(0, 1), put(97 - 11, 7);            /* 97 zeros */
	put_code(2, 2);                             /* 'a' */
	put_code(0, 1), put(138 - 11, 7);
	put_code(7, 3), put(10 - 3, 3);             /* 10 zeros */
	put_code(7, 3), put(10 - 3, 3);
	put_code(2, 2);                             /* 256 */
	put_code(2, 2);                             /* a distance, of 1 */
	put_code(0, 1), put_code(0, 1), put_code(1, 1);
	GOOD("aa");

	/* A repetition may continue from one code into the other. */
	put_precode(precode, 257, 3);
	put_code(0, 1), put(138 - 11, 7);
	put_code(0, 1), put(117 - 11, 7);
	put_code(2, 2);                             /* 255 */
	put_code(6, 3), put(3 - 3, 2);              /* 256, and two distances; the third is zero */
	put_code(7, 3), put(0, 0);
	put(0, 3);
	BAD("");
	put_precode(precode, 257, 2);
	put_code(0, 1), put(138 - 11, 7);
	put_code(0, 1), put(117 - 11, 7);
	put_code(2, 2);
	put_code(6, 3), put(3 - 3, 2);
	put_code(0, 1), put_code(1, 1);
	GOOD("\xff");

	/* A repetition beyond the last length, without a length before it; incomplete codes, no code. */
	put_precode(precode, 257, 1);
	put_code(0, 1), put(138 - 11, 7);
	put_code(0, 1), put(121 - 11, 7);
	BAD("");
	put_precode(precode, 257, 1);
	put_code(6, 3), put(0, 2);
	BAD("");
	put_precode("1000", 257, 1);
	BAD("");
	put_precode("2222222", 257, 1);
	BAD("");
	put_precode("0000", 257, 1);
	BAD("");
	put_precode("11700", 257, 1);
	BAD("");
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

/* A message fails at every cut, except between two blocks and at a byte. */
TEST(a_message_that_ends_too_early)
{
	struct code c = small_code(257, 1);
	size_t n, whole;

	stream_begin();
	put_stored("abc", 3, false);
	whole = stream_bits / 8;
	put_fixed(false);
	put_symbol(&fixed, 'd');
	put_symbol(&fixed, END);
	put_dynamic(&c);
	put_symbol(&c, 'a');
	put_symbol(&c, 'b');
	put_symbol(&c, END);
	n = message_end();
	for (size_t cut = 0; cut <= n; cut++) {
		run_begin(&one, 15);
		feed(&one, stream, cut, 100);
		CHECK(!one.bad);
		finish(&one);
		/* The first byte alone is an empty message. */
		CHECK(one.ended == (cut == 0 || cut == 1 || cut == whole || cut == n));
	}
	/* The four bytes that are not sent cannot be data of a stored block. */
	run_begin(&one, 15);
	feed(&one, (const unsigned char *)"\0\x04\0\xfb\xff", 5, 100);
	CHECK(!inflate_finish(&one.z) && one.size == 0);
}

/* Two states share tables and take turns at each byte. */
TEST(shared_tables)
{
	static unsigned char in[2][400];
	struct code c = small_code(258, 1), d = small_code(257, 2);
	size_t n[2];

	c.lengths['b'] = c.lengths[257] = 3;
	c.lengths[258] = 1;
	for (int which = 0; which < 2; which++) {
		stream_begin();
		put_dynamic(which == 0 ? &c : &d);
		for (int i = 0; i < 10; i++)
			put_symbol(which == 0 ? &c : &d, i % 3 == which ? 'b' : 'a');
		if (which == 0)
			put_match(&c, 3, 1);
		put_symbol(which == 0 ? &c : &d, END);
		n[which] = message_end();
		memcpy(in[which], stream, n[which]);
	}
	run_begin(&one, 15);
	run_begin(&another, 15);
	another.z.tables = &one.tables;
	for (size_t i = 0; i < n[0] || i < n[1]; i++) {
		if (i < n[0])
			feed(&one, in[0] + i, 1, 3);
		if (i < n[1])
			feed(&another, in[1] + i, 1, 3);
	}
	finish(&one);
	finish(&another);
	CHECK(gave(&one, "baabaabaabbbb", 13));
	CHECK(gave(&another, "abaabaabaa", 10));
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
