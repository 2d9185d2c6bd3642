#include "codec/utf8.h"

#include <stdint.h>
#include <string.h>

/* What may come next, by RFC 3629 section 4. */
enum state {
	WHOLE,
	ONE_MORE,
	TWO_MORE,
	THREE_MORE,
	AFTER_E0, /* no overlong form */
	AFTER_ED, /* no surrogate */
	AFTER_F0, /* no overlong form */
	AFTER_F4, /* nothing above U+10FFFF */
	NEVER,
};

static const struct {
	unsigned char low, high, then;
} tails[] = {
	[ONE_MORE] = {0x80, 0xbf, WHOLE},
	[TWO_MORE] = {0x80, 0xbf, ONE_MORE},
	[THREE_MORE] = {0x80, 0xbf, TWO_MORE},
	[AFTER_E0] = {0xa0, 0xbf, ONE_MORE},
	[AFTER_ED] = {0x80, 0x9f, ONE_MORE},
	[AFTER_F0] = {0x90, 0xbf, TWO_MORE},
	[AFTER_F4] = {0x80, 0x8f, TWO_MORE},
};

static inline unsigned char
lead_state(unsigned char lead)
{
	if (lead < 0x80)
		return WHOLE;
	if (lead < 0xc2 || lead > 0xf4)
		return NEVER;
	if (lead < 0xe0)
		return ONE_MORE;
	if (lead < 0xf0)
		return lead == 0xe0 ? AFTER_E0 : lead == 0xed ? AFTER_ED : TWO_MORE;
	return lead == 0xf0 ? AFTER_F0 : lead == 0xf4 ? AFTER_F4 : THREE_MORE;
}

static inline unsigned char
step(unsigned char state, unsigned char byte)
{
	if (state == WHOLE)
		return lead_state(byte);
	return byte >= tails[state].low && byte <= tails[state].high ? tails[state].then : NEVER;
}

static inline size_t
ascii_run(const unsigned char *p, size_t n)
{
	const uint64_t high = 0x8080808080808080;
	size_t i = 0;

	for (uint64_t a, b; n - i >= 16; i += 16) {
		memcpy(&a, p + i, sizeof a);
		memcpy(&b, p + i + 8, sizeof b);
		if (((a | b) & high) != 0)
			break;
	}
	return i;
}

size_t
utf8_check(struct utf8 *text, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t i = 0;

	while (i < n) {
		if (text->state == WHOLE && p[i] < 0x80) {
			i += ascii_run(p + i, n - i);
			while (i < n && p[i] < 0x80)
				i++;
			continue;
		}
		unsigned char next = step(text->state, p[i]);

		if (next == NEVER)
			break;
		text->state = next;
		i++;
	}
	return i;
}
