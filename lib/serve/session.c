#include "serve/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "serve/session_peer.h"
#include "serve/session_program.h"
#include "sys/clock.h"
#include "sys/fds.h"
#include "sys/progress.h"

enum {
	FULL_READ = 64 << 10, /* initial size of a pipe; a pipe that the program fills is enlarged */
	ANSWER_STEPS = 10,    /* times -w: how long messages may delay the end after the session's Close */
};

/* The peer sends no more data. Perform the actions for that event. */
static void
peer_end(struct session *s, enum end_reason end_reason, unsigned actions)
{
	peer_input_drop(s);
	if (end_reason != END_NONE)
		s->end_reason = end_reason;
	peer_act(s, actions);
}

static void
peer_ended(struct session *s)
{
	enum end_reason end_reason = s->lost ? END_LOST : END_EOF;
	bool open = end_reason_open(s);

	if (open && s->lost)
		warn("peer: %s", s->lost_why);
	else if (open)
		warn("peer: connection closed without a Close");
	peer_end(s, open ? end_reason : END_NONE, s->lost ? ws_reset(&s->conn) : ws_eof(&s->conn));
}

static bool
messages_are_enough(const struct session *s)
{
	return s->options->count != 0 && s->flows.in.messages >= s->options->count;
}

/* Return whether the peer's Close prevents records of stdin from being sent. Records typed by a
 * user do not count. */
static bool
stdin_is_left(const struct session *s)
{
	if (has_program(s) || s->on_terminal || !end_reason_open(s) || messages_are_enough(s))
		return false;
	return s->peer_out.moved < s->records_until || buffer_held(&s->flows.from_child) > 0
	    || program_unsent(&s->prog) > 0;
}

static void
peer_closes(struct session *s, const struct reader_event *e)
{
	bool echo = close_put(s) && e->code == s->conn.code, open = end_reason_open(s);

	if (stdin_is_left(s)) {
		warn("stdin: connection closed before all input was sent");
		s->failed = true;
	}
	if (s->options->verbose || (s->options->client && !code_is_success(e->code) && !echo)) {
		if (e->code == CLOSE_NO_CODE)
			warn("peer: closed without a code");
		else
			warn("peer: closed with %u%s%s", e->code, e->chunk.size > 0 ? ": " : "",
			    quoted_bytes(e->chunk.at, e->chunk.size));
	}
	peer_end(s, open ? END_CLOSED : END_NONE, ws_event(&s->conn, e));
}

/* Return whether the peer has sent an HTTP request, which means that wsupgrade is missing. */
static bool
peer_speaks_http(const struct session *s)
{
	const struct buffer *rx = &s->flows.rx;
	size_t n = buffer_held(rx);

	return !s->options->upgraded && s->flows.in.taken == 0 && n > 0 && memcmp(buffer_head(rx), "GET ", n < 4 ? n : 4) == 0
	    && !s->options->client && getenv("GATEWAY_INTERFACE") == NULL;
}

static const char *
hint_of(const struct session *s, unsigned code)
{
	return peer_speaks_http(s) ? "; an HTTP request: is wsupgrade missing?"
	    : code == CLOSE_UNSUPPORTED ? "; " FLOWS_BINARY_HINT : "";
}

static void
peer_fails(struct session *s, const struct reader_event *e)
{
	bool open = end_reason_open(s);

	if (open || s->options->verbose)
		warn("peer: %s (%u%s)", e->why, e->code, hint_of(s, e->code));
	if (open)
		s->fault = e->why;
	peer_end(s, open ? END_PROTOCOL : END_NONE, ws_event(&s->conn, e));
}

/* Return whether the buffer has been enlarged. */
static bool
to_child_grow(struct session *s)
{
	static const struct reader_event no_memory = {
		.kind = READER_FAIL, .code = CLOSE_TOO_BIG, .why = "no memory for the message",
	};
	enum flows_growth growth = flows_to_child_grow(&s->flows);

	if (growth == FLOWS_NO_MEMORY)
		peer_fails(s, &no_memory);
	return growth != FLOWS_ENOUGH;
}

static void
share_spent(struct session *s)
{
	s->unfinished = true;
	turn_again(s);
}

/* Return whether a step of the reader would have no effect, as in most turns. This check is faster than the step. */
static bool
nothing_received(const struct session *s)
{
	return buffer_held(&s->flows.rx) == 0 && !s->flows.in.reader.in_frame && !s->peer_in.ended;
}

static void
frames_to_prog(struct session *s)
{
	struct flows *f = &s->flows;
	struct reader_event e;

	while (!peer_over(s) && !nothing_received(s)) {
		enum reader_kind kind = frames_to_records_step(&f->in, &f->rx, &f->to_child, &e);

		if (kind == READER_PING) {
			if ((ws_event(&s->conn, &e) & WS_PONG) != 0 && !s->lost)
				peer_pong(s, &e.chunk);
		} else if (kind == READER_CLOSE) {
			peer_closes(s, &e);
		} else if (kind == READER_FAIL) {
			peer_fails(s, &e);
		} else if (kind == READER_FULL) {
			if (!to_child_grow(s))
				break;
		} else if (kind == READER_DATA) {
			share_spent(s);
			break;
		} else if (kind == READER_MORE && s->peer_in.ended) {
			peer_ended(s);
		} else if (kind == READER_MORE) {
			break;
		}
	}
	s->prog.in.withheld = f->in.records.held;
	if (messages_are_enough(s)) {
		s->output_over = true;
		end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
	}
}

/* The program's output, or the part that can be sent, has ended. */
static void
output_end(struct session *s)
{
	s->output_over = true;
	s->output_at = s->now;
	if (s->prog.out.error != 0) {
		warn("%s: %s", has_program(s) ? "the program's stdout" : "stdin", strerror(s->prog.out.error));
		s->failed = true;
		end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
	}
	end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
}

/* Return whether no more output is read after a signal: never from stdin, and not from a program
 * whose record fills the buffer. */
static bool
no_more_read(const struct session *s)
{
	return !has_program(s) || buffer_space(&s->flows.from_child) == 0;
}

static void
bad_output(struct session *s, enum records_to_frames_kind kind, const char *why)
{
	const char *what = has_program(s) ? s->options->program[0] : "stdin";
	const char *unit = s->options->mode == RECORD_LINE ? "line" : "record";

	if (kind == ENCODE_BAD_TEXT)
		why = "not UTF-8";
	warn("%s: %s %" PRIu64 ": %s", quoted(what), unit, s->flows.out.records.number + 1, why);
	s->output_over = true;
	/* The end of the program may be known before its output is read. */
	if (s->end_reason == END_PROGRAM && !close_put(s))
		s->end_reason = END_NONE;
	end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
}

static enum record_decoder_want
want_of(const struct session *s)
{
	if (s->end_reason == END_SIGNAL)
		return RECORD_WHOLE;
	if (s->prog.out.ended)
		return RECORD_END;
	return buffer_held(&s->flows.from_child) == FLOWS_SIZE ? RECORD_ALL : RECORD_WHOLE;
}

static enum records_to_frames_kind
frame_next(struct session *s, const char **why)
{
	struct flows *f = &s->flows;
	enum record_decoder_want want = want_of(s);
	enum records_to_frames_kind kind;

	if (buffer_held(&f->from_child) == 0 && want == RECORD_WHOLE)
		return ENCODE_MORE;
	kind = records_to_frames_step(&f->out, &f->from_child, want, &f->tx, peer_key(s), why);
	if (kind == ENCODE_FRAMED) {
		flows_key_used(f);
		s->records_until = s->peer_out.moved + buffer_held(&f->tx) + f->out.zero_copy_left;
		s->messages_before = f->in.messages;
	}
	if (kind == ENCODE_FULL && f->out.zero_copy_left == 0 && flows_tx_grow(f) == FLOWS_GROWN)
		return ENCODE_FRAMED;
	return kind;
}

static void
prog_to_frames(struct session *s)
{
	enum records_to_frames_kind kind = ENCODE_FRAMED;
	const struct records_to_frames *out = &s->flows.out;
	struct buffer *from = &s->flows.from_child;
	const char *why = NULL;

	if (peer_controls_flush(s) || close_put(s))
		kind = ENCODE_FULL;
	while (kind == ENCODE_FRAMED && !s->output_over && out->spent < out->share)
		kind = frame_next(s, &why);
	if (s->output_over)
		return;
	if (kind == ENCODE_FRAMED) {
		share_spent(s);
		return;
	}
	/* An incomplete record needs the space before it. */
	if (kind == ENCODE_MORE && buffer_space(from) == 0)
		buffer_pack(from);
	if (kind == ENCODE_MORE && (s->prog.out.ended || (s->end_reason == END_SIGNAL && no_more_read(s))))
		output_end(s);
	if (kind != ENCODE_MORE && kind != ENCODE_FULL)
		bad_output(s, kind, why);
}

static void
stdout_failed(struct session *s)
{
	if (s->prog.in.error == 0)
		return; /* the second signal has ended the output */
	s->failed = true;
	if (s->prog.in.error == EPIPE) {
		end_reason_overrule(s, END_NO_STDOUT, CLOSE_GOING_AWAY);
	} else {
		warn("stdout: %s", strerror(s->prog.in.error));
		end_reason_overrule(s, END_NO_STDOUT, CLOSE_INTERNAL_ERROR);
	}
}

/* EPIPE on a program's stdin is not an error: the program may ignore its input. */
static void
to_child_failed(struct session *s)
{
	int error = s->prog.in.error;

	s->flows.in.discard = true;
	s->flows.in.records.held = s->prog.in.withheld = 0;
	if (!has_program(s)) {
		stdout_failed(s);
	} else if (error != 0 && error != EPIPE) {
		warn("the program's stdin: %s", strerror(error));
		s->failed = true;
		end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
	}
}

/* Discard output for a closed destination so that it cannot block the other direction. */
static void
drop_undeliverable(struct session *s)
{
	struct flows *f = &s->flows;

	if (s->conn.state != WS_CLOSED && !(s->conn.state == WS_FINISHING && s->conn.flushed)) {
		if (s->peer_in.ended && s->peer_in.error != 0)
			peer_lose(s, strerror(s->peer_in.error));
		if (s->peer_out.ended)
			peer_lose(s, s->peer_out.error == EPIPE ? "connection closed without a Close" : strerror(s->peer_out.error));
	}
	if (s->prog.in.ended && !f->in.discard)
		to_child_failed(s);
	if (f->in.discard)
		buffer_take(&f->to_child, buffer_held(&f->to_child));
	if (s->output_over && f->out.zero_copy_left == 0)
		buffer_take(&f->from_child, buffer_held(&f->from_child));
	if (s->conn.state == WS_FINISHING)
		buffer_take(&f->rx, buffer_held(&f->rx));
}

/* Return when a client without a program has waited for -q after its last record and the last message. */
static int64_t
quiet_at(const struct session *s)
{
	if (messages_are_enough(s) || s->options->quiet_ms == 0)
		return 0;
	if (s->options->quiet_ms == CLOCK_NEVER)
		return CLOCK_NEVER;
	return later(s->message_at, s->output_at) + s->options->quiet_ms;
}

/* Return when to send the session's Close; 0: at once. */
static int64_t
close_at(const struct session *s)
{
	switch (s->end_reason) {
	case END_NONE:
		return CLOCK_NEVER;
	case END_NOT_STARTED:
	case END_BAD_OUTPUT:
	case END_NO_STDOUT:
		return 0;
	case END_PROGRAM:
		if (!s->output_over)
			return CLOCK_NEVER;
		if (!has_program(s))
			return peer_over(s) ? 0 : quiet_at(s);
		return s->prog.reaped ? 0 : s->output_at + s->options->wait_ms;
	case END_SIGNAL:
		return s->output_over ? 0 : CLOCK_NEVER;
	default:
		return s->output_over || !has_program(s) ? 0 : CLOCK_NEVER;
	}
}

/* Warn if no message has arrived and -q is the default: the user may have expected an answer. */
static void
quiet_warn(const struct session *s)
{
	if (s->end_reason == END_PROGRAM && !has_program(s) && !s->options->quiet_given && s->options->count == 0
	    && !peer_over(s) && s->flows.in.messages == s->messages_before)
		warn("no message within 1 s after the end of stdin (use -q or -m to wait longer)");
}

/* Send a Close, unless the rest of a frame blocks the output: then the peer must receive some of it
 * within the time limit. */
static void
close_begin(struct session *s)
{
	s->due_at = s->due_at == 0 ? s->now : s->due_at;
	s->output_over = true;
	if (s->flows.out.zero_copy_left != 0) {
		int64_t patience = s->end_reason == END_PROGRAM || s->end_reason == END_BAD_OUTPUT
		    ? stall_ms(s) : s->options->wait_ms;
		int64_t when = later(s->due_at, s->sent_at) + patience;

		schedule(s, when);
		if (deadline_reached(s, when))
			peer_lose(s, "does not read");
		return;
	}
	quiet_warn(s);
	if (s->end_reason == END_PROGRAM && s->prog.reaped && s->prog.wait_status != 0)
		s->code = CLOSE_INTERNAL_ERROR;
	peer_act(s, ws_close(&s->conn, s->code));
}

/* Stop sending, receiving, and writing to stdout. */
static void
session_cut(struct session *s)
{
	if (s->conn.state == WS_CLOSE_SENT)
		peer_lose(s, "Close was not answered in time");
	peer_act(s, ws_reset(&s->conn));
	if (!has_program(s))
		s->prog.in.ended = true;
}

/* Continue the closing handshake. */
static void
hang_up(struct session *s)
{
	int64_t cut_at = s->signal_at == 0 ? CLOCK_NEVER : s->signal_at + s->options->wait_ms;

	schedule(s, cut_at);
	if (deadline_reached(s, cut_at))
		session_cut(s);
	if (!close_put(s) && !s->lost) {
		int64_t when = close_at(s);

		schedule(s, when);
		if (deadline_reached(s, when))
			close_begin(s);
	}
	if (close_put(s) && !s->conn.flushed && !s->lost && !endpoint_pending(&s->peer_out)) {
		s->answer_by = s->now + ANSWER_STEPS * s->options->wait_ms;
		peer_act(s, ws_flushed(&s->conn));
	}
	if (peer_over(s) && s->conn.state != WS_CLOSED) {
		if (s->lost || (s->peer_in.ended && s->peer_in.error != 0))
			peer_act(s, ws_reset(&s->conn));
		else if (s->peer_in.ended)
			peer_act(s, ws_eof(&s->conn));
	}
}

/* The peer does not answer or does not receive. */
static void
peer_gone(struct session *s, const char *why)
{
	bool open = end_reason_open(s);

	peer_lose(s, why);
	if (open)
		warn("peer: %s", s->lost_why);
	if (open)
		s->end_reason = END_LOST;
}

/* Return whether the timer of the session's Close restarts: the peer still receives earlier data, or a
 * client without a program still receives messages, until answer_by. */
static bool
close_progresses(struct session *s)
{
	bool first = s->progress == 0, takes = !has_program(s) && s->conn.state == WS_CLOSE_SENT;
	bool progress = progress_made(s->peer_out.fd, &s->progress) || (first && s->progress != 0);

	if (!s->conn.flushed)
		return progress;
	if (progress)
		s->answer_by = s->now + ANSWER_STEPS * s->options->wait_ms;
	return progress || (takes && s->message_at + peer_timer_ms(s) > s->before);
}

static void
timer_passed(struct session *s)
{
	bool close = s->conn.timer == WS_TIMER_CLOSE, flushed = s->conn.flushed, pong = s->conn.timer == WS_TIMER_PONG;
	bool progress = close ? close_progresses(s) : pong && progress_made(s->peer_out.fd, &s->progress);
	unsigned actions = ws_timeout(&s->conn, progress);

	if ((actions & WS_DISCONNECT) != 0 && pong)
		peer_gone(s, "Ping was not answered in time");
	else if ((actions & WS_DISCONNECT) != 0 && close && !flushed)
		peer_lose(s, "does not read");
	peer_act(s, actions);
	turn_again(s);
}

/* Return whether the time limit after the session's Close has passed. Until then, messages and a
 * program that does not read may delay the end. */
static bool
answer_timed_out(struct session *s)
{
	if (s->conn.state != WS_CLOSE_SENT || !s->conn.flushed)
		return false;
	schedule(s, s->answer_by);
	return deadline_reached(s, s->answer_by);
}

static void
timers_check(struct session *s)
{
	if (s->lost)
		return;
	if (answer_timed_out(s)) {
		peer_act(s, ws_reset(&s->conn));
		turn_again(s);
	} else if (s->conn.timer != WS_TIMER_NONE) {
		schedule(s, s->timer_at);
		if (deadline_reached(s, s->timer_at))
			timer_passed(s);
	}
}

/* Return whether nothing can move until the peer reads: the program's output is blocked. The
 * program's input does not count, because the program may read again only after its next write. */
static bool
output_is_blocked(const struct session *s)
{
	return has_program(s) && endpoint_pending(&s->peer_out) && !endpoint_readable(&s->prog.out);
}

/* Return whether the peer has read since the last check. poll(2) does not suffice: it reports space
 * only if much of the send buffer is free. */
static bool
peer_has_read(struct session *s)
{
	s->peer_out.blocked = false;
	return endpoint_flush(&s->peer_out) > 0 || progress_made(s->peer_out.fd, &s->progress);
}

/* Keepalive while the peer is not read, so that no answer can be received. The peer still gets a
 * Ping after each -k: if its process has ended, its host answers with a reset, even if its FIN
 * follows unread data. The peer counts as lost if two checks find no progress. */
static void
unread_peer_check(struct session *s)
{
	bool unread = s->options->ping_ms != 0 && s->conn.state == WS_OPEN && !s->lost && !s->peer_in.hup_seen
	    && !endpoint_readable(&s->peer_in);

	if (!unread || s->unread_at == 0 || s->sent_at == s->now) {
		s->unread_at = unread ? s->now : 0;
		s->stalled_checks = 0;
	}
	if (!unread)
		return;
	schedule(s, s->unread_at + s->options->ping_ms);
	if (!deadline_reached(s, s->unread_at + s->options->ping_ms))
		return;
	s->unread_at = s->now;
	turn_again(s);
	if (!endpoint_pending(&s->peer_out)) {
		s->ping_waits = true;
		(void)peer_controls_flush(s);
	} else if (!output_is_blocked(s) || peer_has_read(s)) {
		s->stalled_checks = 0;
	} else if (s->stalled_checks++ != 0) {
		peer_gone(s, "does not read");
		peer_act(s, ws_reset(&s->conn));
	}
}

/* Register what was sent and received since the last turn. */
static void
observe(struct session *s)
{
	bool reading = s->reads; /* if the peer floods, the buffer is full after each wait */
	bool received = s->peer_in.moved != s->received, sent = s->peer_out.moved != s->sent;

	if (received && s->peer_in.moved - s->received >= FULL_READ && !s->enlarged && has_program(s)) {
		program_enlarge(&s->prog);
		s->enlarged = true;
	}
	if (!s->peer_in.hup_seen && !peer_over(s) && !s->lost)
		s->read_at = s->now;
	s->received = s->peer_in.moved;
	s->sent = s->peer_out.moved;
	if (sent)
		s->sent_at = s->now;
	if (!has_program(s) && s->output_over && s->sent < s->records_until)
		s->output_at = s->now;
	if (received)
		peer_act(s, ws_received(&s->conn));
	if (!peer_over(s))
		peer_act(s, ws_pause(&s->conn, !reading));
	if (received || !reading)
		s->ping_waits = false;
	if (s->messages != s->flows.in.messages || (received && s->flows.in.reader.in_frame) || !reading)
		s->message_at = s->now;
	s->messages = s->flows.in.messages;
	/* Time during which a slow stdout prevents reading the answer does not count. */
	if (!s->reads && !has_program(s))
		s->answer_by += s->now - s->before;
	/* While the Ping or Close is still being sent, the answer cannot arrive: restart its timer. */
	if (sent && ((s->conn.timer == WS_TIMER_PONG && (s->ping_waits || endpoint_pending(&s->peer_out)))
	    || (s->conn.timer == WS_TIMER_CLOSE && !s->conn.flushed)))
		s->timer_at = s->now + peer_timer_ms(s);
}

void
session_stop(struct session *s, int64_t now)
{
	bool again = s->signal_at != 0;

	s->signal_at = s->now = now;
	end_reason_overrule(s, END_SIGNAL, CLOSE_GOING_AWAY);
	if (has_program(s)) {
		program_cut_output(&s->prog);
		if (!s->prog.in.ended)
			program_close_stdin(&s->prog);
		session_program_term(s, again ? TERM_SIGKILL : TERM_SIGTERM);
	}
	if (again)
		session_cut(s);
}

/* Offer the zero-copy bytes in from_child after tx, and keep space at the end of tx. */
static void
zero_copy_offer(struct session *s)
{
	struct buffer *tx = &s->flows.tx;

	s->peer_out.second_iov = &s->flows.from_child;
	s->peer_out.second_iov_size = s->flows.out.zero_copy_left;
	if (tx->begin >= buffer_held(tx))
		buffer_pack(tx);
}

static void
zero_copy_settle(struct session *s)
{
	if (s->peer_out.second_iov_sent > 0)
		records_to_frames_sent(&s->flows.out, &s->flows.from_child, s->peer_out.second_iov_sent);
	s->peer_out.second_iov_sent = 0;
}

/* Move everything that can be moved without blocking, within the share of a turn: the bytes in the buffers can be many
 * thousand short messages, or a message a thousand times as large. */
static void
flows_run(struct session *s)
{
	const struct frames_to_records *in = &s->flows.in;
	bool moved;

	s->flows.in.spent = s->flows.out.spent = 0;
	do {
		drop_undeliverable(s);
		flows_settle(&s->flows);
		frames_to_prog(s);
		prog_to_frames(s);
		hang_up(s);
		s->peer_out.last = s->conn.state == WS_FINISHING && s->conn.server;
		zero_copy_offer(s);
		moved = endpoint_flush(&s->prog.in) != 0;
		moved = endpoint_flush(&s->peer_out) != 0 || moved;
		zero_copy_settle(s);
	} while (moved && in->spent < in->share);
	if (moved)
		share_spent(s);
}

/* Set what to wait for. In plain bytes each read becomes a message. */
static void
interest_set(struct session *s)
{
	s->peer_in.paused = s->conn.state == WS_CLOSE_RECEIVED;
	s->prog.out.paused = (s->options->mode == RECORD_BYTES && buffer_held(&s->flows.from_child) > 0)
	    || (!has_program(s) && (s->output_over || s->signal_at != 0));
	s->reads = endpoint_readable(&s->peer_in);
	s->written = s->prog.out.moved;
	if (s->lost && s->reads)
		turn_again(s); /* only data that has already arrived can be read */
}

static bool
finished(const struct session *s)
{
	if (s->conn.state != WS_CLOSED || s->prog.pid != 0)
		return false;
	return has_program(s) || s->prog.in.ended || !endpoint_pending(&s->prog.in);
}

bool
session_step(struct session *s, int64_t now)
{
	s->before = s->now;
	s->now = now;
	s->next = CLOCK_NEVER;
	s->unfinished = false;
	observe(s);
	flows_run(s);
	timers_check(s);
	unread_peer_check(s);
	session_program_push(s);
	interest_set(s);
	return !finished(s);
}

void
session_endpoints(struct session *s, struct endpoint *endpoints[SESSION_ENDPOINTS])
{
	endpoints[0] = &s->peer_in;
	endpoints[1] = &s->prog.out;
	endpoints[2] = &s->prog.in;
	endpoints[3] = &s->peer_out;
}

int64_t
session_deadline(const struct session *s)
{
	return s->next;
}

bool
session_moved(struct session *s, int moved)
{
	zero_copy_settle(s);
	if (!s->enlarged && s->prog.out.moved - s->written >= FULL_READ) {
		program_enlarge(&s->prog);
		s->enlarged = true;
	}
	if (moved == 0 && s->lost && endpoint_readable(&s->peer_in))
		s->peer_in.ended = true;
	return flows_sources_grow(&s->flows);
}

static void
begin(struct session *s, const struct session_options *options, struct flows_storage *storage, int64_t now)
{
	struct flows *f = &s->flows;

	s->options = options;
	s->now = s->message_at = now;
	flows_begin(f, storage, options->mode, options->client ? READER_OF_SERVER : READER_OF_CLIENT, options->client,
	    options->max);
	f->in.share = f->out.share = FLOWS_SIZE;
	f->out.replace = options->replace;
	s->reads = true;
	ws_open(&s->conn, !options->client, options->ping_ms != 0);
	peer_timer_start(s);
	s->prog.watch = -1;
}

void
session_begin(struct session *s, const struct session_options *options, int in, int out,
    struct flows_storage *storage, int64_t now)
{
	struct flows *f = &s->flows;
	int status;

	begin(s, options, storage, now);
	s->peer_in = endpoint_over(in, false, &f->rx);
	s->peer_out = endpoint_over(out, true, &f->tx);
	s->peer_in.watched = true;
	if (fds_same(in, out))
		s->peer_out.same_socket = &s->peer_in;
	if (!has_program(s)) {
		s->prog.in = endpoint_over(STDOUT_FILENO, true, &f->to_child);
		s->prog.out = endpoint_over(STDIN_FILENO, false, &f->from_child);
		s->on_terminal = isatty(STDIN_FILENO);
		return;
	}
	status = program_begin(&s->prog, options->program, &f->to_child, &f->from_child);
	if (status != 0)
		session_not_started(s, status);
}

void
session_begin_apart(struct session *s, const struct session_options *options, int socket,
    struct flows_storage *storage, int64_t now, const struct program_ends *ends,
    void (*send_signal)(struct program *, int))
{
	begin(s, options, storage, now);
	s->peer_in = (struct endpoint){.fd = socket, .kind = ENDPOINT_SOCKET, .buffer = &s->flows.rx, .watched = true};
	s->peer_out = (struct endpoint){
		.fd = socket, .kind = ENDPOINT_SOCKET, .sink = true, .buffer = &s->flows.tx, .same_socket = &s->peer_in,
	};
	program_begin_apart(&s->prog, ends, &s->flows.to_child, &s->flows.from_child, send_signal);
}

void
session_handshake(struct session *s, struct span answer, struct span trailing)
{
	buffer_put(&s->flows.tx, answer.at, answer.size);
	buffer_put(&s->flows.rx, trailing.at, trailing.size);
	s->peer_in.moved += trailing.size;
}

void
session_end(struct session *s)
{
	program_close(&s->prog);
	flows_end(&s->flows);
}
