#include "ws/deflate.h"

#include <string.h>

#include "base/load.h"

enum state {
	BETWEEN, /* messages */
	OPEN,    /* a message has begun */
	ENDING,  /* the message is compressed, but some of its output is pending */
};

enum {
	MATCH_MIN = 3,
	MATCH_MAX = 258,
	HASHED = 4,         /* bytes in the hash of a chain */
	TRIES_SMALL = 8,    /* candidates tried: in steps of less than LARGE bytes, */
	TRIES_LARGE = 20,   /* and in larger ones */
	LARGE = 4096,
	GOOD = 8,           /* to improve on a match of this length fewer candidates are tried */
	LAZY_MAX = 32,      /* after a match of this length the next position is not tried */
	NEAR_MAX = 4096,    /* a match of three bytes from further away costs more than three literals */
	MISSES_SKIP = 6,    /* 1 << 6 positions without a match make the stride longer by one */
	FIXED_MAX = 40,     /* no dynamic block is tried for up to this many tokens */
	END_OF_BLOCK = 256,
	LITLENS = 286,
	DISTS = 30,
	PRECODES = 19,
	STORED_MAX = 65535,
	OVERRUN = 8,        /* bytes after the output that may be overwritten */
	GROWTH = 16,        /* bytes that a block and the end of the message add at most, without OVERRUN */
	PART_PENDING = DEFLATE_PENDING - GROWTH - OVERRUN,
	PART_MIN = 1024,    /* a smaller part of the input is compressed later, with more output space */
};

/* A token: a literal, or the distance and length of a match. */
#define HASH UINT32_C(0x9e3779b1)
#define TOKEN_MATCH UINT32_C(0x80000000)
#define TOKEN_LENGTH_BITS 9

/* Output. */
struct writer {
	unsigned char *at;
	uint64_t bits;
	unsigned count; /* below 8 between two calls */
};

/* Append n bits, at most 48. Up to OVERRUN bytes after them are overwritten. */
static inline void
bits_put(struct writer *w, uint64_t value, unsigned n)
{
	uint64_t x;

	w->bits |= value << w->count;
	w->count += n;
	x = w->bits;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	memcpy(w->at, &x, sizeof x);
	w->at += w->count >> 3;
	w->bits >>= w->count & ~7U;
	w->count &= 7;
}

static inline void
bits_align(struct writer *w)
{
	bits_put(w, 0, (8 - w->count) & 7);
}

static inline unsigned
log_2(uint32_t x)
{
	return 31U - (unsigned)__builtin_clz(x);
}

/* Return the symbol of a length, counted from 257, and of a distance. */
static inline unsigned
length_symbol(unsigned length)
{
	unsigned n = length - MATCH_MIN, top;

	if (n < 8 || length == MATCH_MAX)
		return n < 8 ? n : 28;
	top = log_2(n);
	return (top - 1) * 4 + (n >> (top - 2) & 3);
}

static inline unsigned
dist_symbol(unsigned distance)
{
	unsigned n = distance - 1, top;

	if (n < 4)
		return n;
	top = log_2(n);
	return top * 2 + (n >> (top - 1) & 1);
}

static void
tokens_put(struct writer *w, const uint32_t *tokens, size_t n, const struct deflate_codes *c)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t token = tokens[i];
		unsigned length, distance, l, d, bits;
		uint64_t value;

		if ((token & TOKEN_MATCH) == 0) {
			bits_put(w, c->litlen[token], c->litlen_lengths[token]);
			continue;
		}
		length = token & ((1U << TOKEN_LENGTH_BITS) - 1);
		distance = (token & ~TOKEN_MATCH) >> TOKEN_LENGTH_BITS;
		l = length_symbol(length);
		d = dist_symbol(distance);
		value = c->litlen[257 + l];
		bits = c->litlen_lengths[257 + l];
		value |= (uint64_t)(length - HUFFMAN_LENGTH_BASE(l)) << bits;
		bits += HUFFMAN_LENGTH_EXTRA(l);
		value |= (uint64_t)c->dist[d] << bits;
		bits += c->dist_lengths[d];
		value |= (uint64_t)(distance - HUFFMAN_DIST_BASE(d)) << bits;
		bits_put(w, value, bits + HUFFMAN_DIST_EXTRA(d));
	}
	bits_put(w, c->litlen[END_OF_BLOCK], c->litlen_lengths[END_OF_BLOCK]);
}

static void
stored_put(struct writer *w, const unsigned char *bytes, size_t n)
{
	do {
		size_t part = n < STORED_MAX ? n : STORED_MAX;

		bits_put(w, 0, 3);
		bits_align(w);
		bits_put(w, part | (uint64_t)(~part & 0xffff) << 16, 32);
		memcpy(w->at, bytes, part);
		w->at += part;
		bytes += part;
		n -= part;
	} while (n > 0);
}

/* Blocks. */
static void
codes_make(struct deflate_codes *c)
{
	huffman_codes(c->litlen_lengths, HUFFMAN_SYMBOLS_MAX, c->litlen);
	huffman_codes(c->dist_lengths, 32, c->dist);
}

/* Make the fixed codes (RFC 1951 section 3.2.6) once. */
static const struct deflate_codes *
fixed_codes(struct deflate_scratch *s)
{
	struct deflate_codes *c = &s->fixed;

	if (c->dist_lengths[0] != 0)
		return c;
	for (unsigned i = 0; i < HUFFMAN_SYMBOLS_MAX; i++)
		c->litlen_lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	memset(c->dist_lengths, 5, sizeof c->dist_lengths);
	codes_make(c);
	return c;
}

/* The head of a dynamic block: the lengths of both codes, in runs. */
struct head {
	uint8_t lengths[HUFFMAN_SYMBOLS_MAX + 32];
	unsigned litlens, dists, precodes;
	uint8_t symbols[HUFFMAN_SYMBOLS_MAX + 32], extra[HUFFMAN_SYMBOLS_MAX + 32];
	size_t runs;
	uint16_t count[PRECODES];
	uint8_t precode_lengths[PRECODES];
};

static const uint8_t precode_order[PRECODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
static const uint8_t precode_extra[PRECODES] = {[16] = 2, [17] = 3, [18] = 7};

static void
run_put(struct head *h, unsigned symbol, unsigned extra)
{
	h->symbols[h->runs] = (uint8_t)symbol;
	h->extra[h->runs++] = (uint8_t)extra;
	h->count[symbol]++;
}

/* Append a length n times. Symbol 16 repeats the last length 3 to 6 times, 17 and 18 are 3 to 138 zeros. */
static void
runs_put(struct head *h, unsigned length, unsigned n)
{
	if (length != 0) {
		run_put(h, length, 0);
		n--;
	}
	while (n >= 3) {
		unsigned most = length != 0 ? 6 : 138, part = n < most ? n : most;

		if (length != 0)
			run_put(h, 16, part - 3);
		else if (part <= 10)
			run_put(h, 17, part - 3);
		else
			run_put(h, 18, part - 11);
		n -= part;
	}
	for (; n > 0; n--)
		run_put(h, length, 0);
}

/* Return the size of the head in bits. */
static uint64_t
head_make(struct head *h, const struct deflate_codes *c)
{
	unsigned all;
	uint64_t bits;

	for (h->litlens = LITLENS; h->litlens > 257 && c->litlen_lengths[h->litlens - 1] == 0; h->litlens--)
		;
	for (h->dists = DISTS; h->dists > 1 && c->dist_lengths[h->dists - 1] == 0; h->dists--)
		;
	memcpy(h->lengths, c->litlen_lengths, h->litlens);
	memcpy(h->lengths + h->litlens, c->dist_lengths, h->dists);
	h->runs = 0;
	memset(h->count, 0, sizeof h->count);
	all = h->litlens + h->dists;
	for (unsigned i = 0, n; i < all; i += n) {
		for (n = 1; i + n < all && h->lengths[i + n] == h->lengths[i]; n++)
			;
		runs_put(h, h->lengths[i], n);
	}
	bits = 3 + 14 + huffman_lengths(h->count, PRECODES, 7, h->precode_lengths);
	for (h->precodes = PRECODES; h->precodes > 4 && h->precode_lengths[precode_order[h->precodes - 1]] == 0; h->precodes--)
		;
	return bits + 3 * h->precodes + 2U * h->count[16] + 3U * h->count[17] + 7U * h->count[18];
}

static void
head_put(struct writer *w, const struct head *h)
{
	uint16_t codes[PRECODES];

	huffman_codes(h->precode_lengths, PRECODES, codes);
	bits_put(w, 2 << 1 | (h->litlens - 257) << 3 | (h->dists - 1) << 8 | (h->precodes - 4) << 13, 3 + 14);
	for (unsigned i = 0; i < h->precodes; i++)
		bits_put(w, h->precode_lengths[precode_order[i]], 3);
	for (size_t i = 0; i < h->runs; i++) {
		unsigned symbol = h->symbols[i], n = h->precode_lengths[symbol];

		bits_put(w, codes[symbol] | (uint64_t)h->extra[i] << n, n + precode_extra[symbol]);
	}
}

/* Return the size of the tokens with the fixed codes, without the extra bits of matches. */
static uint64_t
fixed_cost(const struct deflate_scratch *s, size_t tokens)
{
	uint64_t bits = 8 * (uint64_t)tokens + 7;

	for (unsigned i = 144; i < END_OF_BLOCK; i++)
		bits += s->litlen_count[i];
	for (unsigned i = END_OF_BLOCK + 1; i < 280; i++)
		bits -= s->litlen_count[i];
	for (unsigned i = 0; i < DISTS; i++)
		bits += 5 * s->dist_count[i];
	return bits;
}

static uint64_t
extra_cost(const struct deflate_scratch *s)
{
	uint64_t bits = 0;

	for (unsigned i = 8; i < 28; i++)
		bits += s->litlen_count[257 + i] * HUFFMAN_LENGTH_EXTRA(i);
	for (unsigned i = 4; i < DISTS; i++)
		bits += s->dist_count[i] * HUFFMAN_DIST_EXTRA(i);
	return bits;
}

/* Put the tokens of these n bytes as a block of the smallest kind. */
static void
block_put(struct writer *w, struct deflate_scratch *s, size_t tokens, const unsigned char *bytes, size_t n)
{
	struct head h;
	struct deflate_codes *c = &s->dynamic;
	uint64_t extra = extra_cost(s), fixed = 3 + fixed_cost(s, tokens) + extra, dynamic = UINT64_MAX;
	uint64_t stored = (n / STORED_MAX + 1) * (3 + 7 + 32) + 8 * (uint64_t)n;

	s->litlen_count[END_OF_BLOCK] = 1;
	if (tokens > FIXED_MAX) {
		dynamic = extra + huffman_lengths(s->litlen_count, LITLENS, HUFFMAN_LENGTH_MAX, c->litlen_lengths);
		dynamic += huffman_lengths(s->dist_count, DISTS, HUFFMAN_LENGTH_MAX, c->dist_lengths);
		dynamic = dynamic < fixed && dynamic < stored ? dynamic + head_make(&h, c) : UINT64_MAX;
	}
	if (stored <= fixed && stored <= dynamic) {
		stored_put(w, bytes, n);
	} else if (fixed <= dynamic) {
		bits_put(w, 1 << 1, 3);
		tokens_put(w, s->tokens, tokens, fixed_codes(s));
	} else {
		head_put(w, &h);
		codes_make(c);
		tokens_put(w, s->tokens, tokens, c);
	}
	memset(s->litlen_count, 0, sizeof s->litlen_count);
	memset(s->dist_count, 0, sizeof s->dist_count);
}

/* Matches. */
/* Return how many bytes are equal, at most `most`. */
static inline unsigned
match_length(const unsigned char *a, const unsigned char *b, unsigned most)
{
	unsigned n = 0;

	for (; n + 8 <= most; n += 8) {
		uint64_t differ = load_64(a + n) ^ load_64(b + n);

		if (differ != 0)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			return n + (unsigned)__builtin_clzll(differ) / 8;
#else
			return n + (unsigned)__builtin_ctzll(differ) / 8;
#endif
	}
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* The first three bytes of four. */
static inline uint32_t
three(uint32_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return bytes >> 8;
#else
	return bytes & 0xffffff;
#endif
}

/* A copy of the values that the search needs. The compiler keeps it in registers, because stores to the tables cannot
 * change it. */
struct finder {
	const unsigned char *buffer;
	uint16_t *head, *prev, *near;
	uint32_t *tokens;
	struct deflate_scratch *scratch;
	uint32_t window, floor, end, hashed;
	unsigned head_shift, near_shift, tries;
};

struct match {
	unsigned length, distance;
};

/* Return the next older position in a chain, 0 at its end. */
static inline uint32_t
chain_next(const struct finder *f, uint32_t position)
{
	uint32_t next = f->prev[position & (f->window - 1)];

	return next < position ? next : 0;
}

/* Enter a position into the tables. *candidate is the last position with the same hash, *near that of three bytes.
 * Positions from `at` on belong to a message that deflate_undo() took back. */
static inline void
enter(struct finder *f, uint32_t at, uint32_t *candidate, uint32_t *near)
{
	uint32_t bytes = load_32(f->buffer + at);
	uint16_t *head = &f->head[bytes * HASH >> f->head_shift], *close = &f->near[three(bytes) * HASH >> f->near_shift];

	*candidate = *head;
	while (*candidate >= at)
		*candidate = chain_next(f, *candidate);
	*near = *close;
	f->prev[at & (f->window - 1)] = (uint16_t)*candidate;
	*head = *close = (uint16_t)at;
}

/* Return the longest match among the candidates if it is longer than `best`. A longer match has at least best + 1
 * equal bytes. The last four of these are compared first, because they differ most often. */
static inline __attribute__((always_inline)) struct match
match_find(const struct finder *f, uint32_t at, uint32_t candidate, uint32_t near, struct match best, unsigned tries)
{
	const unsigned char *here = f->buffer + at;
	uint32_t low = at > f->window + f->floor ? at - f->window : f->floor, first = load_32(here);
	unsigned most = f->end - at < MATCH_MAX ? f->end - at : MATCH_MAX;

	if (best.length < MATCH_MIN && near >= low && near < at && at - near <= NEAR_MAX
	    && three(load_32(f->buffer + near)) == three(first))
		best = (struct match){match_length(f->buffer + near, here, most), at - near};
	for (; tries > 0 && candidate >= low && best.length < most; tries--) {
		const unsigned char *there = f->buffer + candidate;
		unsigned skip = best.length < HASHED ? 0 : best.length + 1 - HASHED;

		if (load_32(there + skip) == load_32(here + skip) && load_32(there) == first) {
			unsigned length = match_length(there, here, most);

			if (length > best.length)
				best = (struct match){length, at - candidate};
		}
		candidate = chain_next(f, candidate);
	}
	return best;
}

static inline __attribute__((always_inline)) struct match
match_at(struct finder *f, uint32_t at, struct match best)
{
	uint32_t candidate, near;

	enter(f, at, &candidate, &near);
	f->hashed = at + 1;
	return match_find(f, at, candidate, near, best, best.length < GOOD ? f->tries : f->tries / 4);
}

/* Enter the positions before `to`. The last three positions need more input. */
static inline void
enter_up_to(struct finder *f, uint32_t to)
{
	uint32_t candidate, near;

	while (f->hashed < to && f->hashed + HASHED <= f->end)
		enter(f, f->hashed++, &candidate, &near);
}

static inline void
literal_add(struct finder *f, size_t token, uint32_t at)
{
	f->scratch->litlen_count[f->buffer[at]]++;
	f->tokens[token] = f->buffer[at];
}

static inline void
match_add(struct finder *f, size_t token, struct match m)
{
	f->scratch->litlen_count[257 + length_symbol(m.length)]++;
	f->scratch->dist_count[dist_symbol(m.distance)]++;
	f->tokens[token] = TOKEN_MATCH | m.distance << TOKEN_LENGTH_BITS | m.length;
}

/* Make tokens from position *from on, until the input ends or a block is full. Return the number of tokens. */
static size_t
tokens_find(struct deflate *z, size_t tokens, uint32_t *from, unsigned tries)
{
	struct finder f = {
		.buffer = z->buffer, .head = z->head, .prev = z->prev, .near = z->near, .scratch = z->scratch,
		.tokens = z->scratch->tokens, .window = z->window, .floor = z->floor, .end = z->end, .hashed = z->hashed,
		.head_shift = 32U - z->hash_bits, .near_shift = 32U - z->near_bits, .tries = tries,
	};
	uint32_t misses = 0, at = *from;

	enter_up_to(&f, at);
	while (at < f.end && tokens < DEFLATE_TOKENS - 1) {
		struct match m = {0};

		if (at + HASHED > f.end) {
			literal_add(&f, tokens++, at++);
			continue;
		}
		m = match_at(&f, at, m);
		if (m.length < MATCH_MIN) {
			uint32_t stride = 1 + (misses++ >> MISSES_SKIP);

			for (; stride > 0 && at < f.end && tokens < DEFLATE_TOKENS - 1; stride--)
				literal_add(&f, tokens++, at++);
			f.hashed = at;
			continue;
		}
		misses = 0;
		while (m.length < LAZY_MAX && at + 1 + HASHED <= f.end && tokens < DEFLATE_TOKENS - 2) {
			struct match better = match_at(&f, at + 1, m);

			if (better.length <= m.length)
				break;
			literal_add(&f, tokens++, at++);
			m = better;
		}
		match_add(&f, tokens++, m);
		at += m.length;
		enter_up_to(&f, at);
	}
	z->hashed = f.hashed;
	*from = at;
	return tokens;
}

/* Make space at the end of a full buffer. Positions move by exactly the window, because `prev` is indexed by their
 * lower bits. Without a history the tables are cleared, because comparing old positions would be useless. */
static void
slide(struct deflate *z)
{
	uint32_t by = z->window;
	size_t count = z->window + ((size_t)1 << z->hash_bits) + ((size_t)1 << z->near_bits);

	if (z->floor >= z->end) {
		z->end = z->floor = z->hashed = z->mark = 1;
		memset(z->head, 0, (count - z->window) * sizeof *z->head);
		return;
	}
	memcpy(z->buffer, z->buffer + by, z->end - by);
	for (size_t i = 0; i < count; i++)
		z->prev[i] = (uint16_t)(z->prev[i] > by ? z->prev[i] - by : 0);
	z->end -= by;
	z->hashed -= by;
	z->mark = z->mark > by ? z->mark - by : 0;
	z->floor = z->floor > by ? z->floor - by : 1;
}

/* Compress a part of a message whose output certainly fits. Return the number of output bytes. */
static size_t
part_compress(struct deflate *z, const unsigned char *in, size_t n, bool last, unsigned char *out)
{
	struct writer w = {.at = out, .bits = z->bits, .count = z->bit_count};
	const unsigned char *block = in;
	size_t tokens = 0;
	unsigned tries = n < LARGE ? TRIES_SMALL : TRIES_LARGE;

	while (n > 0) {
		size_t part = 2 * (size_t)z->window - z->end;
		uint32_t at = z->end;

		if (part == 0) {
			slide(z);
			continue;
		}
		part = n < part ? n : part;
		memcpy(z->buffer + at, in, part);
		z->end += (uint32_t)part;
		in += part;
		n -= part;
		while (at < z->end) {
			tokens = tokens_find(z, tokens, &at, tries);
			if (tokens >= DEFLATE_TOKENS - 2) {
				const unsigned char *done = in - (z->end - at);

				block_put(&w, z->scratch, tokens, block, (size_t)(done - block));
				block = done;
				tokens = 0;
			}
		}
	}
	if (tokens > 0)
		block_put(&w, z->scratch, tokens, block, (size_t)(in - block));
	if (last) {
		/* The head of an empty stored block; its lengths, 00 00 ff ff, are not sent. */
		bits_put(&w, 0, 3);
		bits_align(&w);
	}
	z->bits = w.bits;
	z->bit_count = (uint8_t)w.count;
	return (size_t)(w.at - out);
}

/* The interface. */
static unsigned
hash_bits_of(unsigned window_bits)
{
	return window_bits < 12 ? window_bits : window_bits < 14 ? 12 : 13;
}

static unsigned
near_bits_of(unsigned window_bits)
{
	return window_bits < 11 ? 8 : 10;
}

size_t
deflate_memory(unsigned window_bits)
{
	size_t window = (size_t)1 << window_bits;

	return 2 * window + sizeof(uint16_t) * (window + ((size_t)1 << hash_bits_of(window_bits))
	    + ((size_t)1 << near_bits_of(window_bits)));
}

void
deflate_begin(struct deflate *z, unsigned window_bits, void *memory, struct deflate_scratch *scratch)
{
	uint32_t window = UINT32_C(1) << window_bits, full = 2 * window;

	/* Begin with a full buffer without a history, so that the first step clears the tables. */
	*z = (struct deflate){
		.scratch = scratch, .prev = memory, .window = window, .end = full, .floor = full, .hashed = full,
		.hash_bits = (uint8_t)hash_bits_of(window_bits), .near_bits = (uint8_t)near_bits_of(window_bits),
	};
	z->head = z->prev + window;
	z->near = z->head + ((size_t)1 << z->hash_bits);
	z->buffer = (unsigned char *)(z->near + ((size_t)1 << z->near_bits));
}

size_t
deflate_bound(size_t n)
{
	return n + n / 2048 + GROWTH + OVERRUN;
}

/* Return a number of input bytes whose output certainly fits into space bytes. */
static size_t
part_of(size_t space)
{
	return space <= GROWTH + OVERRUN ? 0 : (space - GROWTH - OVERRUN) - (space - GROWTH - OVERRUN) / 2048;
}

/* Move pending output to the caller's output. */
static size_t
pending_take(struct deflate *z, unsigned char *out, size_t space)
{
	size_t n = (size_t)(z->pending_end - z->pending_begin);

	n = n < space ? n : space;
	if (n > 0)
		memcpy(out, z->pending + z->pending_begin, n);
	z->pending_begin = (uint8_t)(z->pending_begin + n);
	return n;
}

size_t
deflate_step(struct deflate *z, const unsigned char *in, size_t n, bool last, unsigned char *out, size_t space,
    size_t *made, enum deflate_result *result)
{
	size_t used = 0;
	bool whole = false;

	if (z->state == BETWEEN) {
		z->state = OPEN;
		z->mark = z->end;
	}
	*made = pending_take(z, out, space);
	while (z->pending_begin == z->pending_end && z->state == OPEN && !whole && (used < n || last)) {
		size_t rest = n - used, part = part_of(space - *made);

		whole = deflate_bound(rest) <= space - *made;
		if (whole || part >= PART_MIN) {
			part = whole ? rest : part;
			*made += part_compress(z, in + used, part, whole && last, out + *made);
		} else if (*made > 0) {
			break;
		} else {
			part = rest < PART_PENDING ? rest : PART_PENDING;
			whole = part == rest;
			z->pending_begin = 0;
			z->pending_end = (uint8_t)part_compress(z, in + used, part, whole && last, z->pending);
			*made = pending_take(z, out, space);
		}
		used += part;
		if (whole && last)
			z->state = ENDING;
	}
	*result = used < n || z->pending_begin < z->pending_end || (last && z->state == OPEN) ? DEFLATE_FULL : DEFLATE_MORE;
	if (z->state == ENDING && *result == DEFLATE_MORE)
		z->state = BETWEEN;
	return used;
}

void
deflate_undo(struct deflate *z)
{
	z->state = BETWEEN;
	z->bits = 0;
	z->bit_count = 0;
	z->pending_begin = z->pending_end = 0;
	if (z->mark == 0) {
		deflate_reset(z);
		return;
	}
	z->end = z->mark;
	/* The last positions before the mark were entered with bytes of the message. */
	if (z->hashed + HASHED > z->end + 1)
		z->hashed = z->end >= z->floor + HASHED - 1 ? z->end - (HASHED - 1) : z->floor;
}

void
deflate_reset(struct deflate *z)
{
	z->floor = z->hashed = z->end;
}
