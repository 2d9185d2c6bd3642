/*
 * Records are encoded and decoded: the output of a program, divided anywhere, becomes frames
 * through one small buffer, and records again through another. They agree with a naive split of the
 * input, up to the first error.
 */
#include "ws/frames_to_records.h"
#include "ws/records_to_frames.h"
#include "fuzz.h"
#include "naive.h"

enum { SMALL = 20 << 10, LARGE = FUZZ_MAX * 2 };

static const unsigned char key[] = {0x37, 0xfa, 0x21, 0x3d};

struct pipe_in {
	struct frames_to_records flow;
	struct buffer frames, records;
	struct account *out;
};

/* Convert the available frames to records, which are consumed as soon as they cannot be withdrawn. */
static void
pipe_in_run(struct pipe_in *in)
{
	struct reader_event e;
	enum reader_kind kind;

	do {
		size_t free_to_go;

		kind = frames_to_records_step(&in->flow, &in->frames, &in->records, &e);
		FUZZ_CHECK(kind == READER_MORE || kind == READER_FULL);
		FUZZ_CHECK(in->flow.records.held <= buffer_held(&in->records));
		free_to_go = buffer_held(&in->records) - in->flow.records.held;
		FUZZ_CHECK(kind != READER_FULL || free_to_go > 0);
		account_put(in->out, buffer_head(&in->records), free_to_go);
		buffer_take(&in->records, free_to_go);
	} while (kind == READER_FULL);
}

/* As many of the frames as this cut allows. */
static void
wire_move(struct fuzz *f, struct buffer *frames, struct records_to_frames *o, struct buffer *from, struct pipe_in *in)
{
	while (buffer_held(frames) > 0 || o->zero_copy_left > 0) {
		struct span part = {(char *)buffer_head(frames), buffer_held(frames)};
		bool zero_copy_left = part.size == 0;
		size_t n;

		if (zero_copy_left)
			part = (struct span){(char *)buffer_head(from), o->zero_copy_left};
		buffer_pack(&in->frames);
		n = fuzz_cut(f, part.size);
		n = n < buffer_space(&in->frames) ? n : buffer_space(&in->frames);
		FUZZ_CHECK(n > 0);
		buffer_put(&in->frames, part.at, n);
		if (zero_copy_left)
			records_to_frames_sent(o, from, n);
		else
			buffer_take(frames, n);
		pipe_in_run(in);
	}
}

static enum records_to_frames_kind
records_to_frames_run(struct fuzz *f, struct records_to_frames *o, struct buffer *from, enum record_decoder_want want, struct pipe_in *in)
{
	static unsigned char storage[SMALL];
	struct buffer frames = buffer_over(storage, sizeof storage);
	enum records_to_frames_kind kind;

	do {
		const char *why;
		size_t before = buffer_held(from);

		kind = records_to_frames_step(o, from, want, &frames, key, &why);
		FUZZ_CHECK(buffer_held(from) <= before);
		FUZZ_CHECK(kind != ENCODE_BAD_RECORD || why != NULL);
		FUZZ_CHECK(kind != ENCODE_FULL || buffer_held(&frames) > 0 || o->zero_copy_left > 0);
		if (kind != ENCODE_FRAMED || fuzz_cut(f, 2) == 1) {
			wire_move(f, &frames, o, from, in);
			buffer_pack(&frames);
		}
	} while (kind == ENCODE_FRAMED || kind == ENCODE_FULL);
	return kind;
}

static enum records_to_frames_kind
carry(struct fuzz f, struct records_to_frames o, struct pipe_in *in)
{
	static unsigned char storage[LARGE];
	struct buffer from = buffer_over(storage, sizeof storage);
	enum records_to_frames_kind kind = ENCODE_MORE;

	while (f.size > 0 && kind == ENCODE_MORE) {
		fuzz_feed(&f, &from);
		/* RECORD_ALL is always allowed, and divides records into fragments. */
		kind = records_to_frames_run(&f, &o, &from, fuzz_cut(&f, 2) == 1 ? RECORD_WHOLE : RECORD_ALL, in);
	}
	if (kind == ENCODE_MORE)
		kind = records_to_frames_run(&f, &o, &from, RECORD_END, in);
	FUZZ_CHECK(kind != ENCODE_MORE || buffer_held(&from) == 0);
	return kind;
}

struct rules {
	enum record_mode mode;
	bool replace;
	uint64_t limit;
};

/* Return how much of a record's text may be sent. Return false if it is invalid, up to that
 * position. */
static bool
naive_text(const struct rules *r, const unsigned char *text, size_t n, struct account *a)
{
	size_t at = 0;

	while (at < n) {
		bool whole;
		size_t good = naive_character(text + at, n - at, &whole);

		if (!whole && !r->replace)
			return false;
		account_put(a, whole ? text + at : (const unsigned char *)"\xef\xbf\xbd", whole ? good : 3);
		at += good == 0 ? 1 : good;
	}
	return true;
}

/* Process one record. Return false at the first invalid one. */
static bool
naive_record(const struct rules *r, struct span *in, struct account *a)
{
	static struct account text;
	bool typed = r->mode == RECORD_TYPED, netstring = typed || r->mode == RECORD_NETSTRING;
	struct span record;
	char type = 't';

	text.size = 0;
	if (!naive_record_take(in, netstring ? ':' : r->mode == RECORD_LINE ? '\n' : '\0', &record))
		return false;
	if (typed) {
		type = record.size == 0 ? '\0' : *record.at;
		if (type != 't' && type != 'b')
			return false;
		record = span_skip(record, 1);
	}
	if (r->limit != 0 && record.size > r->limit)
		return false;
	if (type == 'b')
		account_put(&text, record.at, record.size);
	else if (!naive_text(r, (const unsigned char *)record.at, record.size, &text))
		return false;
	if (netstring)
		account_number(a, "", text.size + typed);
	account_text(a, !netstring ? "" : !typed ? ":" : type == 'b' ? ":b" : ":t");
	account_put(a, text.bytes, text.size);
	account_put(a, netstring ? "," : r->mode == RECORD_LINE ? "\n" : "", 1);
	return true;
}

static bool
naive_records(const struct rules *r, const struct fuzz *f, struct account *a)
{
	struct span in = {(const char *)f->at, f->size};

	if (r->mode == RECORD_BYTES) {
		account_put(a, in.at, in.size);
		return true;
	}
	while (in.size > 0)
		if (!naive_record(r, &in, a))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t limits[] = {0, 0, 0, 3, 100, 1 << 24, 0, 0};
	static unsigned char frames[SMALL], records[LARGE];
	static struct account got, want;
	struct fuzz f = fuzz_over(bytes, size);
	unsigned choice = fuzz_byte(&f), limit = fuzz_byte(&f) % 8;
	struct rules rules = {.mode = choice % 5, .replace = (choice & 64) != 0};
	bool masked = (choice & 128) != 0, good;
	struct records_to_frames o = {
		.records.mode = rules.mode, .masked = masked, .replace = rules.replace,
	};
	struct pipe_in in = {
		.flow = {.reader.peer = masked ? READER_OF_CLIENT : READER_OF_SERVER, .records.mode = rules.mode},
		.frames = buffer_over(frames, 256 + limit * 1024), .records = buffer_over(records, sizeof records),
		.out = &got,
	};

	/* Without records, the cuts determine the messages. */
	if (rules.mode != RECORD_BYTES)
		rules.limit = o.limit = limits[limit];
	got.size = want.size = 0;
	good = naive_records(&rules, &f, &want);
	FUZZ_CHECK((carry(f, o, &in) == ENCODE_MORE) == good);
	/* An invalid record may have been sent partly. */
	FUZZ_CHECK(got.size >= want.size);
	if (!good)
		got.size = want.size;
	accounts_equal(&got, &want);
	return 0;
}
