/*
 * ASCII is skipped by words. Other bytes go through an automaton whose states are shift counts: the class of a byte
 * selects a row of 64 bits, which holds the next state at the position of each state. A step is one shift that
 * depends on the step before it, without a branch. Long pieces are validated with vector instructions; the
 * automaton then handles only their ends, and finds the exact byte in a block with an error.
 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8_vector.h"

enum {
#ifdef __AARCH64EL__
	VECTOR_MIN = 64, /* one block */
#else
	VECTOR_MIN = 4096, /* a shorter piece does not repay the cost of cpu_vectors() */
#endif
	STRIDE = 16,
};

/* What may come next (RFC 3629, section 4). */
enum state {
	WHOLE = 0,
	ONE_MORE = 6,
	TWO_MORE = 12,
	THREE_MORE = 18,
	AFTER_E0 = 24, /* no overlong form */
	AFTER_ED = 30, /* no surrogate */
	AFTER_F0 = 36, /* no overlong form */
	AFTER_F4 = 42, /* nothing above U+10FFFF */
	NEVER = 48,
	STATE_BITS = 63,
};

enum class { ASCII, T_80, T_90, T_A0, L_BAD, L_2, L_E0, L_3, L_ED, L_F0, L_4, L_F4, CLASSES };

static const unsigned char class_of[256] = {
	[0x80] = T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80, T_80,
	[0x90] = T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90, T_90,
	[0xa0] = T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0,
	[0xb0] = T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0, T_A0,
	[0xc0] = L_BAD, L_BAD, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2,
	[0xd0] = L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2, L_2,
	[0xe0] = L_E0, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_3, L_ED, L_3, L_3,
	[0xf0] = L_F0, L_4, L_4, L_4, L_F4, L_BAD, L_BAD, L_BAD,
	[0xf8] = L_BAD, L_BAD, L_BAD, L_BAD, L_BAD, L_BAD, L_BAD, L_BAD,
};

/* The states that follow WHOLE, ONE_MORE ... AFTER_F4, in this order; NEVER stays. */
#define ROW(whole, one, two, three, e0, ed, f0, f4) \
	((uint64_t)(whole) << WHOLE | (uint64_t)(one) << ONE_MORE | (uint64_t)(two) << TWO_MORE \
	 | (uint64_t)(three) << THREE_MORE | (uint64_t)(e0) << AFTER_E0 | (uint64_t)(ed) << AFTER_ED \
	 | (uint64_t)(f0) << AFTER_F0 | (uint64_t)(f4) << AFTER_F4 | (uint64_t)NEVER << NEVER)
#define LEAD(then) ROW(then, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER)

static const uint64_t rows[CLASSES] = {
	[ASCII] = LEAD(WHOLE),
	[T_80] = ROW(NEVER, WHOLE, ONE_MORE, TWO_MORE, NEVER, ONE_MORE, NEVER, TWO_MORE),
	[T_90] = ROW(NEVER, WHOLE, ONE_MORE, TWO_MORE, NEVER, ONE_MORE, TWO_MORE, NEVER),
	[T_A0] = ROW(NEVER, WHOLE, ONE_MORE, TWO_MORE, ONE_MORE, NEVER, TWO_MORE, NEVER),
	[L_BAD] = LEAD(NEVER),
	[L_2] = LEAD(ONE_MORE),
	[L_E0] = LEAD(AFTER_E0),
	[L_3] = LEAD(TWO_MORE),
	[L_ED] = LEAD(AFTER_ED),
	[L_F0] = LEAD(AFTER_F0),
	[L_4] = LEAD(THREE_MORE),
	[L_F4] = LEAD(AFTER_F4),
};

static inline uint64_t
step(uint64_t state, unsigned char byte)
{
	return rows[class_of[byte]] >> (state & STATE_BITS);
}

/* Return the size of the ASCII text at the beginning, in whole strides. */
static inline size_t
skip_ascii(const unsigned char *p, size_t n)
{
	const uint64_t high = 0x8080808080808080;
	uint64_t w[4];
	size_t i = 0;

	for (; n - i >= sizeof w; i += sizeof w) {
		memcpy(w, p + i, sizeof w);
		if (((w[0] | w[1] | w[2] | w[3]) & high) != 0)
			break;
	}
	for (; n - i >= STRIDE; i += STRIDE) {
		memcpy(w, p + i, STRIDE);
		if (((w[0] | w[1]) & high) != 0)
			break;
	}
	return i;
}

/* Validate byte by byte. Return the index of the first invalid byte, or n. */
static size_t
walk(struct utf8 *text, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char next = step(text->state, p[i]) & STATE_BITS;

		if (next == NEVER)
			return i;
		text->state = next;
	}
	return n;
}

static size_t
check_portable(struct utf8 *text, const unsigned char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= STRIDE; i += STRIDE) {
		if (text->state == WHOLE) {
			i += skip_ascii(p + i, n - i);
			if (n - i < STRIDE)
				break;
		}
		uint64_t state = text->state;

		for (size_t k = 0; k < STRIDE; k++)
			state = step(state, p[i + k]);
		state &= STATE_BITS;
		if (state == NEVER)
			break;
		text->state = (unsigned char)state;
	}
	return i + walk(text, p + i, n - i);
}

/* Return how many of the last bytes belong to a character that the end of n valid bytes splits. */
static size_t
cut_off(const unsigned char *p, size_t n)
{
	if (n >= 1 && p[n - 1] >= 0xc0)
		return 1;
	if (n >= 2 && p[n - 2] >= 0xe0)
		return 2;
	if (n >= 3 && p[n - 3] >= 0xf0)
		return 3;
	return 0;
}

size_t
utf8_check_by(enum utf8_path path, struct utf8 *text, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t i = 0;

	if (path != UTF8_PORTABLE) {
		while (text->state != WHOLE && i < n && walk(text, p + i, 1) == 1)
			i++;
		if (text->state == WHOLE) {
			size_t scanned = utf8_vector_scan(path, p + i, n - i);

			i += scanned - cut_off(p + i, scanned);
		}
	}
	return i + check_portable(text, p + i, n - i);
}

size_t
utf8_check(struct utf8 *text, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t i = text->state == WHOLE ? skip_ascii(p, n) : 0;
	enum utf8_path path = n - i < VECTOR_MIN ? UTF8_PORTABLE : utf8_best_path();

	return i + utf8_check_by(path, text, p + i, n - i);
}

size_t
utf8_tail(const unsigned char *bytes, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = bytes[n - back];
		size_t needs = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if ((c & 0xc0) == 0x80)
			continue;
		return c >= 0xc2 && c <= 0xf4 && needs > back ? back : 0;
	}
	return 0;
}

size_t
utf8_replace(const void *bytes, size_t n, unsigned char *out)
{
	const unsigned char *in = bytes;
	size_t size = 0;

	while (n > 0) {
		struct utf8 text = {0};
		size_t good = utf8_check(&text, in, n), broken = utf8_tail(in, good), used = good;

		if (out != NULL)
			memcpy(out + size, in, good - broken);
		size += good - broken;
		if (good < n && broken == 0)
			used++;
		if (broken > 0 || good < n) {
			if (out != NULL)
				memcpy(out + size, "\xef\xbf\xbd", UTF8_REPLACED_MAX);
			size += UTF8_REPLACED_MAX;
		}
		in += used;
		n -= used;
	}
	return size;
}
