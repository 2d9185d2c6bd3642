#include "ws/inflate.h"

#include <string.h>

#include "base/load.h"
#include "ws/inflate_fixed.h"

enum state {
	HEAD,     /* of a block: three bits */
	STORED,   /* length of a stored block */
	COPYING,  /* bytes of a stored block */
	COUNTS,   /* of the codes of a dynamic block */
	PRECODE,
	LENGTHS,
	SYMBOL,   /* a byte, or the length of a match */
	DISTANCE,
	MATCH,    /* bytes of a match */
	BROKEN,
};

enum {
	CHUNK = 16, /* bytes of one copy */
	/* One turn of fast_run(): bytes that it may load, bits that it may consume (two literals of ten bits each and a
	 * match of 48), bytes that it may write. */
	FAST_IN = 16,
	FAST_BITS = 68,
	FAST_OUT = 2 + 258 + CHUNK,
	TAIL_MAX = 48,
};

/* One call of inflate_step(). */
struct io {
	const unsigned char *in_begin, *in, *in_end;
	unsigned char *begin, *out, *out_end;
};

/* The tables of the current block. */
struct codes {
	const uint32_t *litlen, *dist;
	unsigned litlen_bits, dist_bits;
};

void
inflate_begin(struct inflate *z, unsigned window_bits, unsigned char *window, struct inflate_tables *tables)
{
	*z = (struct inflate){.window = window, .tables = tables, .size = UINT32_C(1) << window_bits};
}

void
inflate_reset(struct inflate *z)
{
	z->position = z->history = 0;
}

/* Read as many bytes of input as z->bits has space for. Bits above bit_count are zero. */
static void
bits_fill(struct inflate *z, struct io *io)
{
	size_t space = (63U - z->bit_count) >> 3, n = (size_t)(io->in_end - io->in);

	if (n >= 8) {
		n = space;
		z->bits |= (load_64_low_first(io->in) & ((UINT64_C(1) << (8 * n)) - 1)) << z->bit_count;
	} else {
		n = n < space ? n : space;
		for (size_t i = 0; i < n; i++)
			z->bits |= (uint64_t)io->in[i] << (z->bit_count + 8 * i);
	}
	io->in += n;
	z->bit_count = (uint8_t)(z->bit_count + 8 * n);
}

/* Return whether n bits (at most 48) are available. */
static inline bool
bits_need(struct inflate *z, struct io *io, unsigned n)
{
	if (z->bit_count < n)
		bits_fill(z, io);
	return z->bit_count >= n;
}

static inline uint32_t
bits_take(struct inflate *z, unsigned n)
{
	uint32_t value = (uint32_t)(z->bits & ((UINT64_C(1) << n) - 1));

	z->bits >>= n;
	z->bit_count = (uint8_t)(z->bit_count - n);
	return value;
}

static uint32_t
entry_of(const uint32_t *table, unsigned index_bits, uint64_t bits)
{
	uint32_t e = table[bits & ((1U << index_bits) - 1)];

	if ((e & HUFFMAN_SUBTABLE) != 0)
		e = table[(e >> 16) + ((bits >> index_bits) & ((1U << (e >> 8 & 15)) - 1))];
	return e;
}

/* Find the entry of the next code without consuming it. Return false if the input ends inside the code: missing bits
 * are zero, so the entry may be that of another code. */
static inline bool
entry_peek(struct inflate *z, struct io *io, const uint32_t *table, unsigned index_bits, uint32_t *entry)
{
	if (z->bit_count < 32 && io->in < io->in_end)
		bits_fill(z, io);
	*entry = entry_of(table, index_bits, z->bits);
	return (*entry & 31) <= z->bit_count;
}

/* Consume a code and its extra bits. Return the value. */
static uint32_t
entry_take(struct inflate *z, uint32_t e)
{
	unsigned code = e >> 8 & 15;

	return (e >> 16 & 0x7fff) + (bits_take(z, e & 31) >> code);
}

static bool
tables_build(struct inflate *z)
{
	struct inflate_tables *t = z->tables;

	t->owner = z;
	if (z->state == LENGTHS) {
		t->litlen_bits = huffman_table(HUFFMAN_PRECODE, z->precode_lengths, sizeof z->precode_lengths,
		    HUFFMAN_PRECODE_BITS, t->litlen);
		return t->litlen_bits != 0;
	}
	t->litlen_bits = huffman_table(HUFFMAN_LITLEN, z->lengths, z->litlens, HUFFMAN_LITLEN_BITS, t->litlen);
	t->dist_bits = huffman_table(HUFFMAN_DIST, z->lengths + z->litlens, z->dists, HUFFMAN_DIST_BITS, t->dist);
	return t->litlen_bits != 0 && t->dist_bits != 0;
}

/* The tables of the current block. They are built again if another state has used them since. */
static struct codes
codes_of(struct inflate *z)
{
	const struct inflate_tables *t = z->tables;

	if (z->fixed)
		return (struct codes){inflate_fixed_litlen, inflate_fixed_dist, INFLATE_FIXED_LITLEN_BITS,
		    INFLATE_FIXED_DIST_BITS};
	if (t->owner != z)
		(void)tables_build(z);
	return (struct codes){t->litlen, t->dist, t->litlen_bits, t->dist_bits};
}

/* After a block with BFINAL a new stream begins at the next byte (RFC 7692 section 7.2.3.4). */
static void
block_end(struct inflate *z)
{
	z->state = HEAD;
	if (z->final)
		(void)bits_take(z, z->bit_count & 7U);
}

static bool
head_take(struct inflate *z, struct io *io)
{
	if (!bits_need(z, io, 3))
		return false;
	z->final = bits_take(z, 1) != 0;
	switch (bits_take(z, 2)) {
	case 0:
		(void)bits_take(z, z->bit_count & 7U);
		z->state = STORED;
		break;
	case 1:
		z->fixed = true;
		z->state = SYMBOL;
		break;
	case 2:
		z->fixed = false;
		z->state = COUNTS;
		break;
	default:
		z->state = BROKEN;
	}
	return true;
}

static bool
stored_take(struct inflate *z, struct io *io)
{
	uint32_t lengths;

	if (!bits_need(z, io, 32))
		return false;
	lengths = bits_take(z, 32);
	z->left = lengths & 0xffff;
	z->state = (lengths >> 16 ^ 0xffff) != z->left ? BROKEN : COPYING;
	if (z->state == COPYING && z->left == 0)
		block_end(z);
	return true;
}

/* Copy bytes of a stored block. The first bytes may already be in z->bits. */
static enum inflate_result
stored_copy(struct inflate *z, struct io *io)
{
	size_t n;

	for (; z->left > 0 && z->bit_count > 0 && io->out < io->out_end; z->left--)
		*io->out++ = (unsigned char)bits_take(z, 8);
	n = z->left;
	if (z->bit_count == 0 && n > 0) {
		size_t ready = (size_t)(io->in_end - io->in), space = (size_t)(io->out_end - io->out);

		n = n < ready ? n : ready;
		n = n < space ? n : space;
		if (n > 0)
			memcpy(io->out, io->in, n);
		io->in += n;
		io->out += n;
		z->left -= (uint32_t)n;
	}
	if (z->left == 0) {
		block_end(z);
		return INFLATE_MORE;
	}
	return io->out == io->out_end && (z->bit_count > 0 || io->in < io->in_end) ? INFLATE_FULL : INFLATE_MORE;
}

static bool
counts_take(struct inflate *z, struct io *io)
{
	unsigned precodes;

	if (!bits_need(z, io, 14))
		return false;
	z->litlens = (uint16_t)(bits_take(z, 5) + 257);
	z->dists = (uint16_t)(bits_take(z, 5) + 1);
	precodes = bits_take(z, 4) + 4;
	z->left = precodes;
	z->lengths_known = 0;
	memset(z->precode_lengths, 0, sizeof z->precode_lengths);
	z->state = z->litlens > 286 || z->dists > 30 ? BROKEN : PRECODE;
	return true;
}

static bool
precode_take(struct inflate *z, struct io *io)
{
	static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

	for (; z->lengths_known < z->left; z->lengths_known++) {
		if (!bits_need(z, io, 3))
			return false;
		z->precode_lengths[order[z->lengths_known]] = (uint8_t)bits_take(z, 3);
	}
	z->lengths_known = 0;
	z->state = LENGTHS;
	if (!tables_build(z))
		z->state = BROKEN;
	return true;
}

/* Symbol 16 repeats the last length; 17 and 18 repeat zero. */
static void
lengths_repeat(struct inflate *z, unsigned symbol, unsigned times)
{
	unsigned all = z->litlens + z->dists;

	if ((symbol == 16 && z->lengths_known == 0) || times > all - z->lengths_known) {
		z->state = BROKEN;
		return;
	}
	memset(z->lengths + z->lengths_known, symbol == 16 ? z->lengths[z->lengths_known - 1] : 0, times);
	z->lengths_known = (uint16_t)(z->lengths_known + times);
}

static bool
lengths_take(struct inflate *z, struct io *io)
{
	static const uint8_t extra[] = {2, 3, 7}, base[] = {3, 3, 11};
	unsigned all = z->litlens + z->dists;
	struct codes c = codes_of(z);
	uint32_t e;

	while (z->state == LENGTHS && z->lengths_known < all) {
		unsigned symbol, code;

		if (!entry_peek(z, io, c.litlen, c.litlen_bits, &e))
			return false;
		symbol = e >> 16 & 0xff;
		code = e & 31;
		if (symbol < 16) {
			(void)bits_take(z, code);
			z->lengths[z->lengths_known++] = (uint8_t)symbol;
			continue;
		}
		if (!bits_need(z, io, code + extra[symbol - 16]))
			return false;
		(void)bits_take(z, code);
		lengths_repeat(z, symbol, base[symbol - 16] + bits_take(z, extra[symbol - 16]));
	}
	if (z->state == LENGTHS)
		z->state = SYMBOL;
	if (z->state == SYMBOL && (z->lengths[256] == 0 || !tables_build(z)))
		z->state = BROKEN;
	return true;
}

/* Return whether the distance is within the window and within the output so far. */
static bool
distance_valid(const struct inflate *z, const struct io *io, uint32_t distance)
{
	return distance <= z->size && distance <= z->history + (size_t)(io->out - io->begin);
}

/* Copy as much of the match as fits into the output. The part of its source in the window is copied first. */
static void
match_copy(struct inflate *z, struct io *io)
{
	size_t space = (size_t)(io->out_end - io->out), n = z->left < space ? z->left : space;
	size_t made = (size_t)(io->out - io->begin);

	z->left -= (uint32_t)n;
	while (n > 0 && z->distance > made) {
		uint32_t from = (z->position + (uint32_t)made - z->distance) & (z->size - 1);
		size_t part = z->distance - made, straight = z->size - from;

		part = part < n ? part : n;
		part = part < straight ? part : straight;
		memcpy(io->out, z->window + from, part);
		io->out += part;
		made += part;
		n -= part;
	}
	for (; n > 0; n--, io->out++)
		*io->out = io->out[-(ptrdiff_t)z->distance];
	if (z->left == 0)
		z->state = SYMBOL;
}

/* Decode one symbol. Return false if more input or output space is needed; *result is the reason. */
static bool
symbol_take(struct inflate *z, struct io *io, const struct codes *c, enum inflate_result *result)
{
	uint32_t e;

	*result = INFLATE_MORE;
	if (!entry_peek(z, io, c->litlen, c->litlen_bits, &e))
		return false;
	if ((e & HUFFMAN_LITERAL) != 0) {
		*result = INFLATE_FULL;
		if (io->out == io->out_end)
			return false;
		(void)bits_take(z, e & 31);
		*io->out++ = (unsigned char)(e >> 16);
	} else if ((e & HUFFMAN_END) != 0) {
		(void)bits_take(z, e & 31);
		block_end(z);
	} else if ((e & HUFFMAN_OTHER) != 0) {
		z->state = BROKEN;
	} else {
		z->left = entry_take(z, e);
		z->state = DISTANCE;
	}
	return true;
}

static bool
distance_take(struct inflate *z, struct io *io, const struct codes *c, enum inflate_result *result)
{
	uint32_t e;

	*result = INFLATE_MORE;
	if (!entry_peek(z, io, c->dist, c->dist_bits, &e))
		return false;
	if ((e & HUFFMAN_OTHER) == 0)
		z->distance = entry_take(z, e);
	z->state = (e & HUFFMAN_OTHER) == 0 && distance_valid(z, io, z->distance) ? MATCH : BROKEN;
	return true;
}

/* Copy a match CHUNK bytes at a time. Up to CHUNK - 1 bytes after the match are overwritten. */
static inline void
copy_chunks(unsigned char *out, const unsigned char *from, uint32_t length)
{
	unsigned char *end = out + length;

	do {
		memcpy(out, from, CHUNK);
		out += CHUNK;
		from += CHUNK;
	} while (out < end);
}

/* Copy a match with a distance below CHUNK. */
static void
copy_near(unsigned char *out, uint32_t distance, uint32_t length)
{
	const unsigned char *from = out - distance;

	if (distance == 1) {
		memset(out, *from, length);
		return;
	}
	while (length-- > 0)
		*out++ = *from++;
}

/* The state of fast_run(). */
struct fast {
	const unsigned char *in;
	unsigned char *out;
	uint64_t bits; /* bits above `count` are zero or equal to the next input */
	unsigned count;
};

/* Load eight bytes. Bytes after the end of the input are zero. The input has eight bytes at least. */
static inline uint64_t
tail_load(const struct io *io, const unsigned char *in)
{
	ptrdiff_t back = 8 - (io->in_end - in);

	back = back > 0 ? back : 0;
	return load_64_low_first(in - back) >> 4 * back >> 4 * back;
}

/* Read until at least 56 bits are available, or to the end of the input. */
static inline void
fast_fill(struct fast *f, const struct io *io, bool tail)
{
	ptrdiff_t n = (ptrdiff_t)((63 - f->count) >> 3);

	f->bits |= (tail ? tail_load(io, f->in) : load_64_low_first(f->in)) << f->count;
	if (tail && n > io->in_end - f->in)
		n = io->in_end - f->in;
	f->in += n;
	f->count += 8 * (unsigned)n;
}

static inline uint32_t
fast_entry(const struct fast *f, const uint32_t *table, unsigned index_bits)
{
	return table[f->bits & ((1U << index_bits) - 1)];
}

static inline uint32_t
fast_subtable(const struct fast *f, const uint32_t *table, unsigned index_bits, uint32_t e)
{
	return table[(e >> 16) + ((f->bits >> index_bits) & ((1U << (e >> 8 & 15)) - 1))];
}

static inline void
fast_drop(struct fast *f, uint32_t e)
{
	f->bits >>= e & 31;
	f->count -= e & 31;
}

static inline void
fast_byte(struct fast *f, uint32_t e)
{
	fast_drop(f, e);
	*f->out++ = (unsigned char)(e >> 16);
}

/* A base value and its extra bits. */
static inline uint32_t
fast_value(const struct fast *f, uint32_t e)
{
	return (e >> 16) + ((uint32_t)(f->bits & ((UINT64_C(1) << (e & 31)) - 1)) >> (e >> 8 & 15));
}

/* Copy a match. Return false without a change if the match is invalid, or if its source is not in one piece. */
static inline bool
fast_match(const struct inflate *z, const struct io *io, unsigned char *out, uint32_t distance, uint32_t length)
{
	size_t made = (size_t)(out - io->begin);
	uint32_t before, from;

	/* The distance of an invalid code is 0. */
	if (distance - 1 >= z->size)
		return false;
	if (distance <= made) {
		if (distance >= CHUNK)
			copy_chunks(out, out - distance, length);
		else
			copy_near(out, distance, length);
		return true;
	}
	before = distance - (uint32_t)made;
	from = (z->position - before) & (z->size - 1);
	if (before > z->history || length > before || length + CHUNK > z->size - from)
		return false;
	copy_chunks(out, z->window + from, length);
	return true;
}

/* Give whole bytes that are not consumed back to the input, except bytes of an earlier step. */
static void
fast_end(struct inflate *z, struct io *io, const struct fast *f)
{
	ptrdiff_t back = (ptrdiff_t)(f->count >> 3);
	unsigned count;

	if (back > f->in - io->in)
		back = f->in - io->in;
	count = f->count - 8 * (unsigned)back;
	io->in = f->in - back;
	io->out = f->out;
	z->bits = f->bits & ((UINT64_C(1) << count) - 1);
	z->bit_count = (uint8_t)count;
}

/* Decode literals and matches, and stop at any other symbol and at a match that fast_match() refuses. With `tail`
 * no byte after the end of the input is loaded; without it each turn needs FAST_IN bytes. */
static inline __attribute__((always_inline)) void
fast_run(struct inflate *z, struct io *io, const struct codes *c, bool tail)
{
	const unsigned char *in_last = io->in_end - FAST_IN;
	unsigned char *out_last = io->out_end - FAST_OUT;
	struct fast f = {.in = io->in, .out = io->out, .bits = z->bits, .count = z->bit_count};

	while (f.out <= out_last
	    && (tail ? (io->in_end - f.in) * 8 + (ptrdiff_t)f.count >= FAST_BITS : f.in <= in_last)) {
		uint32_t e, length;

		fast_fill(&f, io, tail);
		e = fast_entry(&f, c->litlen, c->litlen_bits);
		if ((e & HUFFMAN_LITERAL) != 0) {
			fast_byte(&f, e);
			e = fast_entry(&f, c->litlen, c->litlen_bits);
			if ((e & HUFFMAN_LITERAL) != 0) {
				fast_byte(&f, e);
				e = fast_entry(&f, c->litlen, c->litlen_bits);
			}
			fast_fill(&f, io, tail);
		}
		if ((e & HUFFMAN_SUBTABLE) != 0)
			e = fast_subtable(&f, c->litlen, c->litlen_bits, e);
		if ((e & HUFFMAN_LITERAL) != 0) {
			fast_byte(&f, e);
			continue;
		}
		if ((e & HUFFMAN_OTHER) != 0)
			break;
		length = fast_value(&f, e);
		fast_drop(&f, e);
		e = fast_entry(&f, c->dist, c->dist_bits);
		if ((e & HUFFMAN_SUBTABLE) != 0)
			e = fast_subtable(&f, c->dist, c->dist_bits, e);
		if (!fast_match(z, io, f.out, fast_value(&f, e), length)) {
			z->left = length;
			z->state = DISTANCE;
			break;
		}
		fast_drop(&f, e);
		f.out += length;
	}
	fast_end(z, io, &f);
}

/* The loop for the tail is a quarter slower, but in a short message two loops would cost more. */
static void
symbols_fast(struct inflate *z, struct io *io, const struct codes *c)
{
	if (io->in_end - io->in >= TAIL_MAX)
		fast_run(z, io, c, false);
	if (z->state == SYMBOL && io->in_end - io->in < TAIL_MAX && io->in_end - io->in_begin >= 8)
		fast_run(z, io, c, true);
}

/* Decode until the block ends, or more input or output space is needed. */
static enum inflate_result
symbols_take(struct inflate *z, struct io *io)
{
	struct codes c = codes_of(z);
	enum inflate_result result;
	bool more = true;

	while (more) {
		if (z->state == SYMBOL && io->out_end - io->out >= FAST_OUT)
			symbols_fast(z, io, &c);
		switch (z->state) {
		case SYMBOL:
			more = symbol_take(z, io, &c, &result);
			break;
		case DISTANCE:
			more = distance_take(z, io, &c, &result);
			break;
		case MATCH:
			result = INFLATE_FULL;
			more = io->out < io->out_end;
			match_copy(z, io);
			break;
		default:
			return INFLATE_MORE;
		}
	}
	return result;
}

/* Append the output of this step to the window. */
static void
window_keep(struct inflate *z, const struct io *io)
{
	size_t made = (size_t)(io->out - io->begin), n = made < z->size ? made : z->size, first;

	if (z->window == NULL || n == 0)
		return;
	first = z->size - z->position;
	if (n == z->size)
		z->position = 0, first = n;
	if (first > n)
		first = n;
	memcpy(z->window + z->position, io->out - n, first);
	if (first < n)
		memcpy(z->window, io->out - n + first, n - first);
	z->position = (uint32_t)((z->position + n) & (z->size - 1));
	z->history = (uint32_t)(z->history + n < z->size ? z->history + n : z->size);
}

static bool
state_take(struct inflate *z, struct io *io, enum inflate_result *result)
{
	*result = INFLATE_MORE;
	switch (z->state) {
	case HEAD: return head_take(z, io);
	case STORED: return stored_take(z, io);
	case COPYING:
		*result = stored_copy(z, io);
		return z->state != COPYING;
	case COUNTS: return counts_take(z, io);
	case PRECODE: return precode_take(z, io);
	case LENGTHS: return lengths_take(z, io);
	case BROKEN:
		*result = INFLATE_BAD;
		return false;
	default:
		*result = symbols_take(z, io);
		return z->state < SYMBOL || z->state == BROKEN;
	}
}

size_t
inflate_step(struct inflate *z, const unsigned char *in, size_t n, unsigned char *out, size_t space,
    size_t *made, enum inflate_result *result)
{
	struct io io = {.in_begin = in, .in = in, .in_end = in + n, .begin = out, .out = out, .out_end = out + space};

	while (state_take(z, &io, result))
		;
	window_keep(z, &io);
	*made = (size_t)(io.out - out);
	return (size_t)(io.in - in);
}

bool
inflate_finish(struct inflate *z)
{
	static const unsigned char tail[] = {0x00, 0x00, 0xff, 0xff};
	enum inflate_result result;
	unsigned char nothing;
	size_t made;

	/* Usually the payload ends with the head of the empty stored block. It may also be empty, or end without it. */
	if (z->state <= STORED && z->bit_count == 0) {
		z->state = HEAD;
		return true;
	}
	(void)inflate_step(z, tail, sizeof tail, &nothing, 0, &made, &result);
	return z->state == HEAD && z->bit_count == 0 && result == INFLATE_MORE;
}
