#include "ws/record.h"

#include <string.h>

#include "base/find.h"

enum { DIGITS_MAX = 19 };

static bool
is_netstring(enum record_mode mode)
{
	return mode == RECORD_NETSTRING || mode == RECORD_TYPED;
}

static bool
has_terminator(enum record_mode mode)
{
	return mode != RECORD_BYTES;
}

static unsigned char
terminator(enum record_mode mode)
{
	return mode == RECORD_LINE ? '\n' : mode == RECORD_NUL ? '\0' : ',';
}

size_t
record_encoder_space(const struct record_encoder *j, const struct buffer *to)
{
	size_t space = buffer_space(to), overhead = has_terminator(j->mode);

	if (is_netstring(j->mode) && j->held == 0)
		overhead += RECORD_HEAD_MAX;
	return space > overhead ? space - overhead : 0;
}

unsigned char *
record_encoder_tail(const struct record_encoder *j, const struct buffer *to)
{
	return buffer_tail(to) + (is_netstring(j->mode) && j->held == 0 ? RECORD_HEAD_MAX : 0);
}

/* Write `5:` or `6:t`. out has space for RECORD_HEAD_MAX bytes. */
static size_t
head_put(unsigned char *out, enum record_mode mode, bool binary, uint64_t size)
{
	unsigned char digits[DIGITS_MAX + 1], *first = digits + sizeof digits;
	size_t used;

	if (mode == RECORD_TYPED)
		size++;
	do
		*--first = (unsigned char)('0' + size % 10);
	while ((size /= 10) != 0);
	used = (size_t)(digits + sizeof digits - first);
	memcpy(out, first, used);
	out[used++] = ':';
	if (mode == RECORD_TYPED)
		out[used++] = binary ? 'b' : 't';
	return used;
}

static void
netstring_begin(struct record_encoder *j, struct buffer *to, const struct chunk *p, bool sized, uint64_t size)
{
	j->gap = !sized;
	j->held = sized ? head_put(buffer_tail(to), j->mode, p->binary, size) : RECORD_HEAD_MAX;
	buffer_grow(to, j->held);
}

static void
netstring_end(struct record_encoder *j, struct buffer *to, const struct chunk *p)
{
	unsigned char head[RECORD_HEAD_MAX], *start = buffer_tail(to) - j->held;
	size_t size = j->held - RECORD_HEAD_MAX, used;

	if (!j->gap)
		return;
	used = head_put(head, j->mode, p->binary, size);
	memcpy(start, head, used);
	memmove(start + used, start + RECORD_HEAD_MAX, size);
	to->end -= RECORD_HEAD_MAX - used;
}

void
record_encoder_put(struct record_encoder *j, struct buffer *to, const struct chunk *p, bool sized, uint64_t size)
{
	unsigned char mark = terminator(j->mode);

	if (p->first) {
		j->open = j->mode == RECORD_BYTES
		    || (!is_netstring(j->mode) && sized && size > RECORD_HELD_MAX);
		if (is_netstring(j->mode))
			netstring_begin(j, to, p, sized, size);
	}
	if (p->size != 0 && p->at != buffer_tail(to))
		memcpy(buffer_tail(to), p->at, p->size);
	buffer_grow(to, p->size);
	if (!j->open)
		j->held += p->size;
	if (p->last && is_netstring(j->mode))
		netstring_end(j, to, p);
	if (p->last && has_terminator(j->mode))
		buffer_put(to, &mark, 1);
	if (!is_netstring(j->mode) && j->held > RECORD_HELD_MAX)
		j->open = true;
	if (p->last || j->open)
		j->held = 0;
}

void
record_encoder_drop(struct record_encoder *j, struct buffer *to)
{
	to->end -= j->held;
	j->held = 0;
	buffer_take(to, 0);
}

static int
bad(struct record_decoder_find *find, const char *why)
{
	*find = (struct record_decoder_find){.kind = RECORD_BAD, .why = why};
	return -1;
}

/* Parse the head of a netstring. Return its size, 0 if it is incomplete, or -1 if it is invalid; find describes the
 * error. */
static int
head_read(const struct record_decoder *s, const unsigned char *bytes, size_t n, uint64_t *length, bool *binary,
    struct record_decoder_find *find)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < n && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
		value = value * 10 + (bytes[i] - (unsigned)'0');
		if (i == DIGITS_MAX - 1 && value > INT64_MAX)
			return bad(find, "netstring length is too large");
		if (i == DIGITS_MAX || (i == 1 && bytes[0] == '0'))
			return bad(find, "netstring length has too many digits");
	}
	if (i == n)
		return 0;
	if (i == 0 || bytes[i] != ':')
		return bad(find, "netstring does not begin with a length and a colon");
	i++;
	*length = value;
	*binary = false;
	if (s->mode != RECORD_TYPED)
		return (int)i;
	if (value == 0)
		return bad(find, "netstring without a type");
	if (i == n)
		return 0;
	if (bytes[i] != 't' && bytes[i] != 'b')
		return bad(find, "netstring type is not t or b");
	*length = value - 1;
	*binary = bytes[i] == 'b';
	return (int)i + 1;
}

static void
netstring_peek(struct record_decoder *s, unsigned char *bytes, size_t n, enum record_decoder_want want,
    struct record_decoder_find *find)
{
	uint64_t left = s->left;
	bool binary = s->binary;
	int head = 0;

	if (!s->headed) {
		head = head_read(s, bytes, n, &left, &binary, find);
		if (head < 0)
			return;
		if (head == 0 && want == RECORD_END && n > 0)
			(void)bad(find, "end of input inside a netstring");
		if (head == 0)
			return;
	}
	find->before = (size_t)head;
	find->left = left;
	find->chunk = (struct chunk){.at = bytes + head, .binary = binary, .first = !s->inside};
	n -= (size_t)head;
	if (n > left && find->chunk.at[left] != ',') {
		(void)bad(find, "netstring does not end with a comma");
	} else if (n > left) {
		find->kind = RECORD_CHUNK;
		find->chunk.size = (size_t)left;
		find->chunk.last = true;
		find->after = 1;
	} else if (want == RECORD_END) {
		(void)bad(find, "end of input inside a netstring");
	} else if (want == RECORD_ALL && n > 0) {
		find->kind = RECORD_CHUNK;
		find->chunk.size = n;
	}
}

static void
terminated_peek(struct record_decoder *s, unsigned char *bytes, size_t n, enum record_decoder_want want,
    struct record_decoder_find *find)
{
	bool ended;

	s->scanned += find_byte(bytes + s->scanned, n - s->scanned, terminator(s->mode));
	ended = s->scanned < n;
	find->chunk = (struct chunk){.at = bytes, .size = s->scanned, .first = !s->inside};
	find->chunk.last = ended || want == RECORD_END;
	find->after = ended;
	if (ended || (want == RECORD_ALL && n > 0) || (want == RECORD_END && (n > 0 || s->inside)))
		find->kind = RECORD_CHUNK;
}

void
record_decoder_peek(struct record_decoder *s, unsigned char *bytes, size_t n, enum record_decoder_want want,
    struct record_decoder_find *find)
{
	*find = (struct record_decoder_find){.kind = RECORD_MORE};
	if (is_netstring(s->mode)) {
		netstring_peek(s, bytes, n, want, find);
	} else if (s->mode != RECORD_BYTES) {
		terminated_peek(s, bytes, n, want, find);
	} else if (n > 0) {
		find->kind = RECORD_CHUNK;
		find->chunk = (struct chunk){bytes, n, .binary = true, .first = true, .last = true};
	}
}

void
record_decoder_take(struct record_decoder *s, const struct record_decoder_find *find)
{
	const struct chunk *p = &find->chunk;

	s->left = find->left - p->size;
	s->headed = !p->last;
	s->inside = !p->last;
	s->binary = p->binary;
	s->scanned = 0;
	s->number += p->last;
}
