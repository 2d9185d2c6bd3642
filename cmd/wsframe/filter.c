#include "filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"
#include "serve/flows.h"
#include "sys/endpoint.h"

/* Wait for an endpoint. A persistent poll() error would make the caller's loop spin, so it is fatal. */
static void
wait_for(struct endpoint *endpoint)
{
	struct endpoint *const endpoints[] = {endpoint};

	if (endpoints_wait(endpoints, 1, -1, NULL) < 0 && errno != EINTR)
		die(STATUS_FAILED, "poll: %s", strerror(errno));
}

static void
filter_write(struct endpoint *to)
{
	while (endpoint_pending(to) && !to->ended)
		wait_for(to);
	if (to->ended && to->error == EPIPE)
		exit(STATUS_FAILED);
	if (to->ended)
		die(STATUS_FAILED, "stdout: %s", strerror(to->error));
}

static void
filter_read(struct flows *f, struct endpoint *from)
{
	uint64_t before = from->moved;

	while (!from->ended && from->moved == before)
		wait_for(from);
	if (from->error != 0)
		die(STATUS_FAILED, "stdin: %s", strerror(from->error));
	if (!flows_sources_grow(f))
		die(STATUS_FAILED, "no memory for the connection: %s", strerror(ENOMEM));
}

static int
decode_end(struct flows *f, struct endpoint *out, const struct reader_event *e)
{
	bool inside = e->kind == READER_MORE && frames_to_records_inside(&f->in, &f->rx);

	record_encoder_drop(&f->in.records, &f->to_child);
	out->withheld = 0;
	filter_write(out);
	if (e->kind == READER_FAIL)
		warn("byte %" PRIu64 ": %s%s", f->in.taken, e->why,
		    e->code == CLOSE_UNSUPPORTED ? " (" FLOWS_BINARY_HINT ")" : "");
	if (inside)
		warn("byte %" PRIu64 ": end of input inside a message", f->in.taken + buffer_held(&f->rx));
	return inside || e->kind == READER_FAIL ? STATUS_FAILED : STATUS_OK;
}

/* Set up compression without context takeover, which makes messages independent. */
static void
compress(struct flows *f)
{
	static const struct extension alone = {
		.server_no_takeover = true, .client_no_takeover = true,
		.server_bits = EXTENSION_BITS_MAX, .client_bits = EXTENSION_BITS_MAX,
	};

	struct compression *c = compression_begin(&alone, false, NULL);

	if (c == NULL)
		die(STATUS_FAILED, "no memory for compression: %s", strerror(errno));
	flows_compress(f, c);
}

int
filter_decode(enum record_mode mode, uint64_t max, bool deflate)
{
	unsigned char first[FLOWS_BUFFERS * FLOWS_FIRST_SIZE];
	struct flows_storage storage = flows_storage_over(first, FLOWS_FIRST_SIZE);
	struct flows f = {0};
	struct endpoint in = endpoint_over(STDIN_FILENO, false, &f.rx);
	struct endpoint out = endpoint_over(STDOUT_FILENO, true, &f.to_child);
	struct reader_event e;

	flows_begin(&f, &storage, mode, READER_OF_EITHER, false, max);
	if (deflate)
		compress(&f);
	for (;;) {
		enum reader_kind kind = frames_to_records_step(&f.in, &f.rx, &f.to_child, &e);

		if (kind == READER_PING || kind == READER_PONG)
			continue;
		if (kind == READER_CLOSE || kind == READER_FAIL || (kind == READER_MORE && in.ended))
			return decode_end(&f, &out, &e);
		out.withheld = f.in.records.held;
		filter_write(&out);
		if (kind == READER_MORE)
			filter_read(&f, &in);
		else if (flows_to_child_grow(&f) == FLOWS_NO_MEMORY)
			die(STATUS_FAILED, "byte %" PRIu64 ": %s", f.in.taken, strerror(ENOMEM));
	}
}

static int
encode_fail(const struct flows *f, enum records_to_frames_kind kind, const char *why)
{
	const char *unit = f->out.records.mode == RECORD_LINE ? "line" : "record";

	if (kind == ENCODE_BAD_TEXT)
		why = "not UTF-8";
	if (kind == ENCODE_TOO_BIG)
		why = "longer than --max";
	warn("stdin: %s %" PRIu64 ": %s", unit, f->out.records.number + 1, why);
	return STATUS_FAILED;
}

/* Write the contents of tx and the zero-copy payload after it. */
static void
frames_write(struct flows *f, struct endpoint *out)
{
	out->second_iov = &f->from_child;
	out->second_iov_size = f->out.zero_copy_left;
	if (f->tx.begin >= buffer_held(&f->tx))
		buffer_pack(&f->tx);
	filter_write(out);
	if (out->second_iov_sent > 0)
		records_to_frames_sent(&f->out, &f->from_child, out->second_iov_sent);
	out->second_iov_sent = 0;
}

int
filter_encode(enum record_mode mode, uint64_t max, bool masked, bool replace, bool deflate)
{
	unsigned char first[FLOWS_BUFFERS * FLOWS_FIRST_SIZE];
	struct flows_storage storage = flows_storage_over(first, FLOWS_FIRST_SIZE);
	struct flows f = {0};
	struct endpoint in = endpoint_over(STDIN_FILENO, false, &f.from_child);
	struct endpoint out = endpoint_over(STDOUT_FILENO, true, &f.tx);
	const char *why = NULL;

	flows_begin(&f, &storage, mode, READER_OF_EITHER, masked, 0);
	if (deflate)
		compress(&f);
	f.out.limit = max;
	f.out.replace = replace;
	for (;;) {
		int fault = 0;
		const unsigned char *key = flows_key(&f, &fault);
		enum record_decoder_want want =
		    in.ended ? RECORD_END : buffer_held(&f.from_child) == FLOWS_SIZE ? RECORD_ALL : RECORD_WHOLE;
		enum records_to_frames_kind kind = records_to_frames_step(&f.out, &f.from_child, want, &f.tx, key, &why);

		if (fault != 0)
			die(STATUS_FAILED, "getrandom: %s", strerror(fault));
		if (kind == ENCODE_FRAMED) {
			flows_key_used(&f);
			continue;
		}
		if (kind == ENCODE_FULL && flows_tx_grow(&f) == FLOWS_GROWN)
			continue;
		frames_write(&f, &out);
		if (kind == ENCODE_MORE && in.ended)
			return STATUS_OK;
		if (kind == ENCODE_MORE) {
			if (buffer_space(&f.from_child) == 0)
				buffer_pack(&f.from_child);
			filter_read(&f, &in);
		} else if (kind != ENCODE_FULL) {
			return encode_fail(&f, kind, why);
		}
	}
}
