#include "serve/session_program.h"

#include <string.h>

#include "base/log.h"
#include "serve/session_peer.h"
#include "sys/child.h"
#include "sys/exec.h"

enum { POLL_MS = 50 /* interval of polling whether the program has emptied its pipe */ };

/* Return how many bytes for the program are unread, and update the time of its last read. The
 * kernel does not report a read from a pipe, so poll for it. */
static size_t
unread_update(struct session *s)
{
	size_t in_pipe = program_unread(&s->prog), unread = buffer_held(&s->flows.to_child) + in_pipe;

	if (s->read != s->prog.in.moved - in_pipe)
		s->read_at = s->now;
	s->read = s->prog.in.moved - in_pipe;
	if (unread != 0)
		schedule(s, s->now + POLL_MS);
	return unread;
}

/* Return the program's deadline after the end of the peer: -w after it has read everything, or -k
 * after its last read. */
static int64_t
first_step_at(const struct session *s, size_t unread)
{
	if (s->given_up)
		return 0;
	return s->read_at + (unread == 0 || s->lost ? s->options->wait_ms : stall_ms(s));
}

/* The peer has closed its side after data that the program does not read. After -k without a read
 * that data is dropped, so that a Close in it is found and answered. */
static void
program_give_up(struct session *s)
{
	int64_t when;

	if (s->given_up || unread_update(s) == 0)
		return;
	when = s->read_at + stall_ms(s);
	schedule(s, when);
	if (!deadline_reached(s, when))
		return;
	s->given_up = true;
	program_close_stdin(&s->prog);
	turn_again(s);
}

void
session_program_term(struct session *s, enum term_step step)
{
	int number = terminate_step(&s->term, step, s->now, s->options->wait_ms);

	if (step == TERM_ASKED)
		s->output_over = true;
	if (number != 0)
		program_signal(&s->prog, number);
	turn_again(s);
}

void
session_program_push(struct session *s)
{
	if (s->prog.pid == 0)
		return;
	if (!(peer_over(s) || s->lost || s->signal_at != 0)) {
		if (s->peer_in.hup_seen)
			program_give_up(s);
		return;
	}
	if (peer_over(s) && !s->prog.in.ended && !endpoint_pending(&s->prog.in))
		program_close_stdin(&s->prog);
	if (!program_end_stdin(&s->prog))
		schedule(s, s->now + POLL_MS);
	/* With a lost peer the program's output cannot be sent: skip the step that waits for it. */
	if (s->term.step == TERM_NONE) {
		int64_t when = first_step_at(s, unread_update(s));

		schedule(s, when);
		if (deadline_reached(s, when))
			session_program_term(s, s->lost ? TERM_SIGTERM : TERM_ASKED);
	}
	while (terminate_runs(&s->term) && s->term.step < TERM_SIGKILL) {
		schedule(s, s->term.deadline);
		if (!deadline_reached(s, s->term.deadline))
			break;
		session_program_term(s, s->term.step + 1);
	}
}

static void
program_over(struct session *s)
{
	if (s->options->verbose)
		warn("%s: exit %d", quoted(s->options->program[0]), child_status(s->prog.wait_status));
	end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
	if (s->output_over)
		s->output_at = s->now;
}

void
session_reap(struct session *s)
{
	if (program_reap(&s->prog))
		program_over(s);
}

void
session_program_ended(struct session *s, int wait_status)
{
	program_ended(&s->prog, wait_status);
	program_over(s);
}

void
session_not_started(struct session *s, int status)
{
	s->failure = status;
	end_reason_set(s, END_NOT_STARTED, CLOSE_INTERNAL_ERROR);
}

void
session_program_failed(struct session *s, int error)
{
	warn("%s: %s", quoted(s->options->program[0]), strerror(error));
	s->prog.pid = 0;
	program_close(&s->prog);
	session_not_started(s, exec_status(error));
}
