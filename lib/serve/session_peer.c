#include "serve/session_peer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/progress.h"

bool
deadline_reached(const struct session *s, int64_t when)
{
	return s->before >= when;
}

void
schedule(struct session *s, int64_t when)
{
	if (!deadline_reached(s, when) && when < s->next)
		s->next = when;
}

void
turn_again(struct session *s)
{
	s->next = s->now;
}

void
end_reason_set(struct session *s, enum end_reason end_reason, unsigned code)
{
	if (s->end_reason != END_NONE)
		return;
	s->end_reason = end_reason;
	s->code = code;
}

bool
end_reason_open(const struct session *s)
{
	return s->end_reason == END_NONE || (s->end_reason == END_PROGRAM && !has_program(s) && !close_put(s));
}

void
end_reason_overrule(struct session *s, enum end_reason end_reason, unsigned code)
{
	if (s->end_reason == END_PROGRAM && !close_put(s) && !s->prog.reaped)
		s->end_reason = END_NONE;
	end_reason_set(s, end_reason, code);
}

void
peer_lose(struct session *s, const char *why)
{
	if (s->lost)
		return;
	s->lost = true;
	s->lost_why = why;
	s->read_at = s->now;
	s->peer_out.ended = true;
	s->output_over = true;
	s->flows.out.zero_copy_left = s->flows.out.after = 0;
	s->peer_out.second_iov_size = 0;
	buffer_take(&s->flows.tx, buffer_held(&s->flows.tx));
}

const unsigned char *
peer_key(struct session *s)
{
	int fault = 0;
	const unsigned char *key = flows_key(&s->flows, &fault);

	if (fault != 0)
		peer_lose(s, strerror(fault));
	return key;
}

/* Return whether a control frame can be queued between two others. If the output is blocked, only
 * the newest Pong is kept. Space for a Close is always reserved. */
static bool
control_fits(const struct session *s)
{
	return s->flows.out.zero_copy_left == 0 && !s->peer_out.blocked
	    && buffer_space(&s->flows.tx) >= 2 * FRAME_CONTROL_MAX;
}

static void
control_put(struct session *s, enum opcode opcode, const void *payload, size_t n)
{
	struct buffer *tx = &s->flows.tx;

	buffer_grow(tx, frame_control(opcode, payload, n, peer_key(s), buffer_tail(tx)));
	flows_key_used(&s->flows);
}

bool
peer_controls_flush(struct session *s)
{
	if (s->pong_waits && control_fits(s)) {
		control_put(s, OPCODE_PONG, s->pong, s->pong_size);
		s->pong_waits = false;
	}
	if (s->ping_waits && control_fits(s)) {
		control_put(s, OPCODE_PING, NULL, 0);
		s->ping_waits = false;
	}
	return s->pong_waits || s->ping_waits;
}

void
peer_pong(struct session *s, const struct chunk *ping)
{
	s->pong_waits = true;
	s->pong_size = (unsigned char)ping->size;
	memcpy(s->pong, ping->at, ping->size);
	(void)peer_controls_flush(s);
}

static void
net_close(struct session *s)
{
	s->peer_in.ended = s->peer_out.ended = true;
	(void)close(s->peer_in.fd);
	if (s->peer_out.fd >= 0 && s->peer_out.fd != s->peer_in.fd)
		(void)close(s->peer_out.fd);
}

static void
net_half_close(struct session *s)
{
	if (s->peer_out.kind == ENDPOINT_SOCKET) {
		(void)shutdown(s->peer_out.fd, SHUT_WR);
	} else {
		(void)close(s->peer_out.fd);
		s->peer_out.fd = -1;
	}
}

/* Return the time limit for conn.timer. Until the session's Close is sent, the peer must receive some of
 * the data within that time. A client allows twice -w, because the server may wait for its program
 * as long as a client would. */
int64_t
peer_timer_ms(const struct session *s)
{
	const struct session_options *o = s->options;

	switch (s->conn.timer) {
	case WS_TIMER_NONE:
		return CLOCK_NEVER;
	case WS_TIMER_IDLE:
	case WS_TIMER_PONG:
		return o->ping_ms;
	case WS_TIMER_DRAIN:
		return o->wait_ms;
	default:
		break;
	}
	if (s->conn.flushed)
		return o->client ? 2 * o->wait_ms : o->wait_ms;
	return s->end_reason == END_PROGRAM || s->end_reason == END_BAD_OUTPUT ? stall_ms(s) : o->wait_ms;
}

void
peer_timer_start(struct session *s)
{
	s->timer_at = s->conn.timer == WS_TIMER_NONE ? CLOCK_NEVER : s->now + peer_timer_ms(s);
	if (s->conn.timer == WS_TIMER_PONG) {
		s->progress = 0;
		(void)progress_made(s->peer_out.fd, &s->progress);
	}
}

void
peer_input_drop(struct session *s)
{
	record_encoder_drop(&s->flows.in.records, &s->flows.to_child);
	buffer_take(&s->flows.rx, buffer_held(&s->flows.rx));
	s->read_at = s->now;
}

void
peer_act(struct session *s, unsigned actions)
{
	struct buffer *tx = &s->flows.tx;

	if ((actions & WS_PING) != 0) {
		flows_shrink(&s->flows);
		s->ping_waits = true;
		(void)peer_controls_flush(s);
	}
	if ((actions & WS_CLOSE) != 0) {
		s->pong_waits = s->ping_waits = false;
		s->progress = 0;
		buffer_grow(tx, frame_close(s->conn.code, s->fault == NULL ? "" : s->fault, peer_key(s), buffer_tail(tx)));
		flows_key_used(&s->flows);
	}
	if ((actions & WS_SHUTDOWN) != 0)
		net_half_close(s);
	if ((actions & WS_DISCONNECT) != 0) {
		peer_input_drop(s);
		net_close(s);
	}
	if ((actions & WS_TIMER) != 0)
		peer_timer_start(s);
	if (s->conn.state == WS_FINISHING && s->conn.flushed)
		s->peer_out.ended = true;
}
