/*
 * The frame reader for any peer: for any cuts and any space, its events agree with a naive parser
 * of the whole input, at the same offsets. With permessage-deflate they are the same for any cuts and
 * any space.
 */
#include "ws/reader.h"

#include "fuzz.h"
#include "naive.h"

enum { COMPRESSED_MOST = 32 /* decompressed bytes of a message: an account has space for all */ };

static struct reader_inflate inflate;
static struct inflate_tables tables;
static unsigned char window[1 << 9], inflated[FUZZ_MAX];

static void
event_tell(struct account *a, const struct reader_event *e, uint64_t offset)
{
	switch (e->kind) {
	case READER_DATA:
		account_text(a, !e->chunk.first ? "" : e->chunk.binary ? "B(" : "T(");
		account_put(a, e->chunk.at, e->chunk.size);
		account_text(a, e->chunk.last ? ")" : "");
		break;
	case READER_PING:
	case READER_PONG:
		account_text(a, e->kind == READER_PING ? "[ping " : "[pong ");
		account_put(a, e->chunk.at, e->chunk.size);
		account_text(a, "]");
		break;
	case READER_CLOSE:
		account_number(a, "#", e->code);
		account_put(a, e->chunk.at, e->chunk.size);
		break;
	case READER_FAIL:
		FUZZ_CHECK(e->why != NULL);
		account_number(a, "!", e->code);
		if (offset != UINT64_MAX)
			account_number(a, "@", offset);
		break;
	default:
		break;
	}
}

/* One step according to the contract: over a copy before an unreadable page, of which the used part
 * is dropped. */
static size_t
step(struct reader *r, const unsigned char *held, size_t n, size_t room, struct reader_event *e, bool *moved)
{
	static unsigned char before[FUZZ_MAX];
	unsigned char *edge = fuzz_edge(0, held, n);
	struct reader was = *r;
	size_t used;

	memcpy(before, held, n);
	inflate.out = inflated;
	inflate.capacity = room < sizeof inflated ? room : sizeof inflated;
	used = reader_step_inflate(r, &inflate, edge, n, room, e);
	FUZZ_CHECK(used <= n);
	FUZZ_CHECK(r->over || r->broken || memcmp(edge + used, before + used, n - used) == 0);
	FUZZ_CHECK(!was.over || (used == n && e->kind == READER_MORE));
	FUZZ_CHECK(e->kind != READER_DATA || (room > 0 && e->chunk.size <= room));
	FUZZ_CHECK(e->chunk.at == NULL || (e->chunk.at == inflated && e->chunk.size <= inflate.capacity) || (e->chunk.at >= edge && e->chunk.at + e->chunk.size <= edge + n));
	*moved = used > 0 || (e->kind != READER_MORE && e->kind != READER_FULL);
	FUZZ_CHECK(*moved || room == 0 || n < READER_NEEDS);
	return used;
}

static void
read_cut(struct reader r, struct fuzz f, size_t most, struct account *a)
{
	static unsigned char held[FUZZ_MAX];
	size_t kept = 0, at = 0, offset = 0;
	bool was_full = false;

	inflate_begin(&inflate.z, 9, window, &tables);
	while (at < f.size) {
		size_t n = fuzz_cut(&f, f.size - at);
		bool moved = true;

		memcpy(held + kept, f.at + at, n);
		at += n;
		kept += n;
		while (moved) {
			struct reader_event e;
			size_t room = most == 0 ? SIZE_MAX : was_full ? 1 : fuzz_cut(&f, most) - 1;
			size_t used = step(&r, held, kept, room, &e, &moved);

			was_full = e.kind == READER_FULL;
			FUZZ_CHECK(!was_full || room == 0);
			moved |= was_full;
			offset += used;
			event_tell(a, &e, r.deflate ? UINT64_MAX : offset);
			/* The chunk is still in the copy, so the held bytes may be dropped. */
			memmove(held, held + used, kept - used);
			kept -= used;
		}
	}
}

struct naive {
	const struct reader *rules;
	const unsigned char *in;
	size_t n, at;
	struct account *a;
	bool inside, binary, over;
	size_t size;                  /* of the message, announced */
	size_t held;                  /* its payload so far */
	unsigned char text[FUZZ_MAX];
};

static void
naive_fail(struct naive *v, unsigned code, size_t offset)
{
	account_number(v->a, "!", code);
	account_number(v->a, "@", offset);
	v->over = true;
}

struct naive_head {
	unsigned op, size;
	bool fin, masked;
	uint64_t length;
	const unsigned char *key;
};

/* Parse the header as far as present. Return 0 if it is incomplete, -1 if it is invalid. */
static int
naive_head(const struct naive *v, struct naive_head *h)
{
	const unsigned char *in = v->in + v->at;
	size_t n = v->n - v->at;
	bool control;
	unsigned more;

	if (n == 0)
		return 0;
	h->op = in[0] & 15;
	h->fin = in[0] >= 128;
	control = h->op >= 8;
	if ((in[0] / 16 & 7) != 0 || (h->op > 2 && h->op != 8 && h->op != 9 && h->op != 10) || (control && !h->fin)
	    || (h->op == 0 && !v->inside) || (v->inside && (h->op == 1 || h->op == 2)))
		return -1;
	if (n < 2)
		return 0;
	h->masked = in[1] >= 128;
	h->length = in[1] & 127;
	if ((control && h->length > 125) || (v->rules->peer == READER_OF_CLIENT && !h->masked)
	    || (v->rules->peer == READER_OF_SERVER && h->masked))
		return -1;
	more = h->length == 126 ? 2 : h->length == 127 ? 8 : 0;
	if (more == 8 && n > 2 && in[2] >= 128)
		return -1;
	if (n < 2 + more)
		return 0;
	for (unsigned i = 0; i < more; i++)
		h->length = (i == 0 ? 0 : h->length << 8) + in[2 + i];
	if ((more == 2 && h->length < 126) || (more == 8 && h->length < 65536))
		return -1;
	h->size = 2 + more + (h->masked ? 4 : 0);
	h->key = in + 2 + more;
	return n < h->size ? 0 : 1;
}

static void
naive_control(struct naive *v, const struct naive_head *h)
{
	unsigned char payload[125];
	unsigned code = 1005;
	size_t n = (size_t)h->length, before = 0;
	bool whole;

	for (size_t i = 0; i < n; i++)
		payload[i] = v->in[v->at + h->size + i] ^ (h->masked ? h->key[i % 4] : 0);
	if (h->op != 8) {
		account_text(v->a, h->op == 9 ? "[ping " : "[pong ");
		account_put(v->a, payload, n);
		account_text(v->a, "]");
		return;
	}
	if (n == 1) {
		naive_fail(v, 1002, v->at);
		return;
	}
	if (n > 1) {
		code = payload[0] * 256U + payload[1];
		before = 2;
		if (code < 1000 || code == 1004 || code == 1005 || code == 1006 || (code > 1014 && code < 3000) || code > 4999) {
			naive_fail(v, 1002, v->at);
			return;
		}
	}
	if (naive_utf8(payload + before, n - before, &whole) != n - before || !whole) {
		naive_fail(v, 1007, v->at);
		return;
	}
	account_number(v->a, "#", code);
	account_put(v->a, payload + before, n - before);
	v->over = true;
}

static void
naive_data(struct naive *v, const struct naive_head *h, bool first)
{
	size_t there = v->n - v->at - h->size, n = h->length < there ? (size_t)h->length : there, good;
	bool last = h->fin && h->length <= there, whole = true;
	size_t before = v->held;
	bool text = !v->binary || v->rules->text_only;

	for (size_t i = 0; i < n; i++)
		v->text[v->held++] = v->in[v->at + h->size + i] ^ (h->masked ? h->key[i % 4] : 0);
	good = !text ? v->held : naive_utf8(v->text, v->held, &whole);
	/* A message begins with its first valid byte, or with the next event if it has none. */
	if (first && (good > 0 || (h->length == 0 && (!h->fin || whole))))
		account_text(v->a, text ? "T(" : "B(");
	account_put(v->a, v->text + before, good - before);
	if (good < v->held || (last && !whole))
		naive_fail(v, v->binary ? 1003 : 1007, v->at + h->size + good - before);
	else if (last)
		account_text(v->a, ")");
}

static void
naive_read(struct naive *v)
{
	struct naive_head h;
	int there;

	while (!v->over && (there = naive_head(v, &h)) != 0) {
		bool first = !v->inside;

		if (there < 0) {
			naive_fail(v, 1002, v->at);
			return;
		}
		if (h.op >= 8 && h.length > v->n - v->at - h.size)
			return;
		if (h.op >= 8) {
			naive_control(v, &h);
			v->at += h.size + (size_t)h.length;
			continue;
		}
		if (first)
			v->binary = h.op == 2;
		if (first)
			v->size = v->held = 0;
		if (v->rules->limit != 0 && h.length > v->rules->limit - v->size) {
			naive_fail(v, 1009, v->at);
			return;
		}
		naive_data(v, &h, first);
		if (h.length > v->n - v->at - h.size)
			return;
		v->at += h.size + (size_t)h.length;
		v->size += (size_t)h.length;
		v->inside = !h.fin;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t limits[] = {0, 1, 125, 126, 1000, 65535, 1 << 24, INT64_MAX};
	static struct account whole, cut, want;
	static struct naive v;
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f), most = fuzz_byte(&f);
	struct reader r = {.peer = (unsigned char)(choice % 3), .text_only = (choice & 64) != 0};

	r.limit = limits[choice / 4 % 8];
	whole.size = cut.size = want.size = 0;
	memset(&v, 0, offsetof(struct naive, text));
	v.rules = &r;
	v.in = f.at;
	v.n = f.size;
	v.a = &want;
	naive_read(&v);
	read_cut(r, fuzz_uncut(f), 0, &whole);
	read_cut(r, f, most, &cut);
	accounts_equal(&whole, &want);
	accounts_equal(&cut, &want);
	r.deflate = true;
	inflate.takeover = (choice & 128) != 0;
	if (r.limit == 0 || r.limit > COMPRESSED_MOST)
		r.limit = COMPRESSED_MOST;
	whole.size = cut.size = 0;
	read_cut(r, fuzz_uncut(f), 0, &whole);
	read_cut(r, f, most, &cut);
	accounts_equal(&cut, &whole);
	return 0;
}
