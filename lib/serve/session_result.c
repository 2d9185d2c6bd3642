/* The result of a finished session. */
#include <inttypes.h>

#include "base/log.h"
#include "base/status.h"
#include "serve/session_peer.h"

static int
program_result(const struct session *s)
{
	int status = s->prog.reaped ? terminate_status(&s->term, s->prog.wait_status) : STATUS_OK;

	if (status != STATUS_OK)
		return status;
	if (peer_closed(s))
		return s->options->client && !code_is_success(s->conn.peer_code) && s->conn.peer_code != s->conn.code
		    ? STATUS_FAILED : STATUS_OK;
	warn("peer: %s", s->lost ? s->lost_why : "Close was not answered in time");
	return STATUS_FAILED;
}

static int
reason_result(const struct session *s)
{
	switch (s->end_reason) {
	case END_PROGRAM:
		return program_result(s);
	case END_NOT_STARTED:
		return s->failure;
	case END_CLOSED:
		return s->options->client && !code_is_success(s->conn.peer_code) ? STATUS_FAILED : STATUS_OK;
	case END_SIGNAL:
		return STATUS_OK;
	default:
		return STATUS_FAILED;
	}
}

/* Fewer messages than -m requires are a failure, whatever ended the session. */
int
session_result(const struct session *s)
{
	int status = s->failed ? STATUS_FAILED : reason_result(s);

	if (s->flows.in.messages >= s->options->count)
		return status;
	if (status == STATUS_OK)
		warn("%" PRIu64 " of %" PRIu64 " messages received", s->flows.in.messages, s->options->count);
	return STATUS_FAILED;
}
