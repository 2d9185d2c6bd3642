/* wsframe: WebSocket messages <-> the lines, netstrings or bytes of a program. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws/frames_to_records.h"
#include "ws/records_to_frames.h"
#include "base/option.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "sys/address.h"
#include "sys/alarm.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/connection.h"
#include "sys/fds.h"
#include "sys/mmap_buffer.h"
#include "sys/endpoint.h"
#include "sys/program.h"
#include "sys/progress.h"
#include "sys/sandbox.h"
#include "sys/signals.h"

enum {
	FIRST_SIZE = 512,      /* of a buffer; most that wait have had nothing larger */
	BUFFER_SIZE = 128 << 10,
	FULL_READ = 64 << 10,  /* a pipe's first size: who fills it gets a larger one */
	CLIENT_IN = 6,         /* UCSPI client */
	CLIENT_OUT = 7,
	POLL_MS = 50,          /* how often to look whether the program has emptied its pipe */
	STALL_MS = 30 * 1000,  /* time limit for a peer or a program that reads nothing, if -k is 0 */
	ANSWER_STEPS = 10,     /* of -w: the most that messages may put off the end after our Close */
	SIGNAL_TURNS = 32,     /* turns that may pass before a signal is noticed */
	DAY_MS = 24 * 60 * 60 * 1000,
	KEYS = 64,
	OPTION_REPLACE = OPTION_LONG,
};

static const struct option_row rows[] = {
	{'v', "verbose", NULL, "say how the session ends"},
	{'b', "binary", NULL, "bytes instead of lines, no records"},
	{'0', "nul", NULL, "records end with NUL instead of newline"},
	{'n', "netstring", NULL, "records are netstrings"},
	{'T', "types", NULL, "with -n: each payload begins with its type, t or b"},
	{'M', "max", "SIZE", "largest message from the peer (16M), 0 for any"},
	{'k', "ping", "TIME", "ping after so long without a byte (30s), 0 for never"},
	{'w', "close-wait", "TIME", "patience at the end, at each step (2s)"},
	{OPTION_REPLACE, "replace", NULL, "U+FFFD for what is not UTF-8 in the program's text"},
	{'c', "client", NULL, "be the client, network on fds 6 and 7; with -e: mask"},
	{'q', "quiet-time", "TIME", "client: close when stdin has ended and no message came for so long (1s);\n"
	                            "                            `never', and the default with -m: only the peer closes"},
	{'m', "messages", "COUNT", "client: close after so many messages"},
	{'d', "decode", NULL, "filter: frames on stdin to records on stdout"},
	{'e', "encode", NULL, "filter: records on stdin to frames on stdout"},
};

USAGE_FIRST static const struct usage usage = {
	.program = "wsframe",
	.synopsis = "[-v] [-b | -0 | -n [-T]] [-M max] [-k ping] [-w close-wait] [--replace] prog [arg...]\n"
	            "-c [same options] prog [arg...]\n"
	            "-c [same options] [-q quiet-time] [-m count]\n"
	            "-d [-c] [-b | -0 | -n [-T]] [-M max]\n"
	            "-e [-c] [-b | -0 | -n [-T]] [-M max] [--replace]",
	.summary = "Runs prog behind a WebSocket on fds 0 and 1 (with -c, 6 and 7): each message\n"
	           "is a line on its stdin, each line of its stdout a text message.",
	.rows = rows,
	.count = sizeof rows / sizeof *rows,
};

struct settings {
	bool client, verbose, decode, encode, replace;
	bool binary, nul, netstring, types;
	bool max_given, quiet_given;
	const char *live, *prog_less; /* an option given that only a connection, or only a client without prog, has */
	enum record_mode mode;
	uint64_t max, count;
	int64_t ping_ms, wait_ms, quiet_ms;
	char **program; /* NULL for none */
};

static int64_t
quiet_time(void)
{
	if (strcmp(optarg, "never") == 0)
		return CLOCK_NEVER;
	return (int64_t)option_duration(0, DAY_MS);
}

static void
option_take(struct settings *set, int key)
{
	if (key == 'k' || key == 'w')
		set->live = key == 'k' ? "--ping" : "--close-wait";
	if (key == 'q' || key == 'm')
		set->live = set->prog_less = key == 'q' ? "--quiet-time" : "--messages";
	switch (key) {
	case 'v': set->verbose = true; break;
	case 'b': set->binary = true; break;
	case '0': set->nul = true; break;
	case 'n': set->netstring = true; break;
	case 'T': set->types = true; break;
	case 'c': set->client = true; break;
	case 'd': set->decode = true; break;
	case 'e': set->encode = true; break;
	case OPTION_REPLACE: set->replace = true; break;
	case 'k': set->ping_ms = (int64_t)option_duration(0, DAY_MS); break;
	case 'w': set->wait_ms = (int64_t)option_duration(1, DAY_MS); break;
	case 'q':
		set->quiet_ms = quiet_time();
		set->quiet_given = true;
		break;
	case 'm': set->count = option_number(1, INT64_MAX); break;
	case 'M':
		set->max = option_size(0, INT64_MAX);
		set->max_given = true;
		break;
	}
}

static void
options_check(const struct settings *set)
{
	bool filter = set->decode || set->encode;

	if (set->binary + set->nul + set->netstring > 1)
		usage_refuse("only one of --binary, --nul and --netstring");
	if (set->types && !set->netstring)
		usage_refuse("--types goes with --netstring");
	if (set->netstring && set->max == 0)
		usage_refuse("--max: 0: netstrings need a limit, their messages are held whole");
	if (set->replace && (set->binary || set->decode))
		usage_refuse("--replace is for text that is sent");
	if (set->decode && set->encode)
		usage_refuse("--decode or --encode, not both");
	if (filter && set->live != NULL)
		usage_refuse("%s is not for filters", set->live);
	if (filter && set->program != NULL)
		usage_refuse("filters take no program");
	if (!filter && !set->client && set->program == NULL)
		usage_refuse("no program to run");
	if (set->prog_less != NULL && (!set->client || set->program != NULL))
		usage_refuse("%s is for a client without a program", set->prog_less);
}

static void
options_read(struct settings *set, int argc, char **argv)
{
	for (int key; (key = option_next(&usage, argc, argv)) != -1;)
		option_take(set, key);
	set->program = argv[optind] == NULL ? NULL : argv + optind;
	options_check(set);
	if (set->count != 0 && !set->quiet_given)
		set->quiet_ms = CLOCK_NEVER; /* who counts messages waits for them */
	set->mode = set->binary ? RECORD_BYTES : set->nul ? RECORD_NUL : !set->netstring ? RECORD_LINE
	    : set->types ? RECORD_TYPED : RECORD_NETSTRING;
}

/* Why a session ends: what came first. */
enum end_reason {
	END_NONE,
	END_PROGRAM,     /* its stdout or it itself ended; without one: stdin ended, or -m */
	END_NOT_STARTED,
	END_BAD_OUTPUT,  /* what it wrote cannot be sent */
	END_NO_STDOUT,   /* without one: nobody takes what came */
	END_CLOSED,      /* the peer's Close */
	END_PROTOCOL,       /* the peer broke the protocol */
	END_EOF,       /* the peer's end without a Close */
	END_LOST,        /* reset, or gone without a word */
	END_SIGNAL,
};

/* What is done about a program that does not end, one after the other. */
enum term_step {
	TERM_STEP_CUT, /* nothing more of its output is sent */
	TERM_STEP_TERM,
	TERM_STEP_KILL,
	TERM_STEP_NONE,
};

/* Four ports, four buffers, and two flows between the buffers. Without a
 * program prog.in and prog.out are stdout and stdin; a filter has one of each. */
struct session {
	struct settings set;
	struct endpoint peer_in, peer_out;
	struct program prog;
	struct buffer rx, tx;     /* from and to the peer */
	struct buffer to_child, from_child;   /* to and from the program */
	struct frames_to_records in;
	struct records_to_frames out;

	enum end_reason end_reason;
	const char *lost_why;
	unsigned code;            /* for our Close, where the cause alone does not tell */
	const char *wrong;        /* what the peer did wrong, for our Close, too */
	unsigned peer_code;
	int failure;              /* the status of END_NOT_STARTED */
	bool peer_closed;         /* its Close came */
	bool peer_over;           /* nothing more is taken from it */
	bool lost;                /* nothing more can be sent to it */
	bool output_over;         /* nothing more of the program's is sent */
	bool close_put;           /* our Close is on its way */
	bool draining;            /* after both Closes: what still comes is dropped */
	bool net_over;
	bool failed;              /* whatever the cause: stdout did not take all that came */
	bool given_up;            /* the program read nothing for too long: nothing more is written to it */
	enum term_step term_step;

	bool pong_waits, ping_waits; /* behind what blocks the way */
	bool pinged;              /* and no byte came since */
	uint64_t ping_progress;     /* how far the peer was then */
	uint64_t close_progress;     /* and when its answer to our Close was late */
	size_t pong_size;
	unsigned char pong[FRAME_CONTROL_PAYLOAD_MAX];

	/* This turn's time, and the next deadline. Deadlines are judged by the time of the turn before: what came
	 * until then has been read, also if the process was stopped since. */
	int64_t now, before, next;
	unsigned turns;
	uint64_t records_until;   /* so much will have been sent when the last record has */
	uint64_t asked;           /* messages that had come when that record was read */
	int64_t heard_at, message_at, sent_at, pinged_at, output_at;
	int64_t due_at, closed_at, answer_by, drain_at, term_step_at, signal_at;
	int64_t read_at;          /* the program's last read, or the peer's end if that is later */
	uint64_t heard, sent, read, messages;
	bool reads;               /* the last wait was for the peer, too */
	bool enlarged;
	bool on_terminal;         /* stdin is one */

	unsigned char keys[KEYS][FRAME_KEY_SIZE];
	unsigned keys_left;
};

enum { RX, TX, TO_CHILD, FROM_CHILD, BUFFERS };

static unsigned char storage[BUFFERS][FIRST_SIZE];

static void
flows_begin(struct session *s, enum reader_peer peer)
{
	s->rx = buffer_over(storage[RX], FIRST_SIZE);
	s->tx = buffer_over(storage[TX], FIRST_SIZE);
	s->to_child = buffer_over(storage[TO_CHILD], FIRST_SIZE);
	s->from_child = buffer_over(storage[FROM_CHILD], FIRST_SIZE);
	s->in.reader.peer = (unsigned char)peer;
	s->in.reader.limit = s->set.max;
	s->in.reader.text_only = s->set.mode != RECORD_BYTES && s->set.mode != RECORD_TYPED;
	s->in.records.mode = s->set.mode;
	s->out.records.mode = s->set.mode;
	s->out.masked = s->set.client;
	s->out.replace = s->set.replace;
}

/* A masking key that nobody can foresee; the same one until it is used. */
static const unsigned char *
key_next(struct session *s)
{
	if (!s->set.client)
		return NULL;
	if (s->keys_left == 0) {
		if (getrandom(s->keys, sizeof s->keys, 0) != sizeof s->keys)
			die(STATUS_FAILED, "getrandom: %s", strerror(errno));
		s->keys_left = KEYS;
	}
	return s->keys[s->keys_left - 1];
}

static void
key_used(struct session *s)
{
	s->keys_left -= s->keys_left > 0;
}

/* A buffer at its small size gets its full one. Returns false where it has it. */
static bool
buffer_open(struct buffer *b, unsigned char *first)
{
	if (b->size >= BUFFER_SIZE)
		return false;
	if (!mmap_buffer_grow(b, first, BUFFER_SIZE))
		die(STATUS_FAILED, "no memory for the connection: %s", strerror(ENOMEM));
	return true;
}

/* Who fills a small buffer has more to give. */
static void
buffers_open(struct session *s)
{
	if (buffer_room(&s->rx) == 0)
		(void)buffer_open(&s->rx, storage[RX]);
	if (buffer_room(&s->from_child) == 0)
		(void)buffer_open(&s->from_child, storage[FROM_CHILD]);
}

/* What a burst needed goes back when it is over. */
static void
buffers_shrink(struct session *s)
{
	mmap_buffer_shrink(&s->rx, storage[RX], FIRST_SIZE);
	mmap_buffer_shrink(&s->tx, storage[TX], FIRST_SIZE);
	mmap_buffer_shrink(&s->to_child, storage[TO_CHILD], FIRST_SIZE);
	mmap_buffer_shrink(&s->from_child, storage[FROM_CHILD], FIRST_SIZE);
}

/* No room for what came. A netstring is held whole, so its message may need
 * more than a full buffer: memory that grows with what has come. */
enum growth { GROWN, ENOUGH, NO_MEMORY };

static enum growth
to_child_grow(struct session *s)
{
	if (buffer_open(&s->to_child, storage[TO_CHILD]))
		return GROWN;
	if (!frames_to_records_needs_more(&s->in, &s->to_child))
		return ENOUGH;
	return mmap_buffer_grow(&s->to_child, storage[TO_CHILD], 2 * s->to_child.size) ? GROWN : NO_MEMORY;
}

static enum record_decoder_want
want_of(const struct session *s)
{
	if (s->end_reason == END_SIGNAL)
		return RECORD_WHOLE;
	if (s->prog.out.ended)
		return RECORD_END;
	return buffer_held(&s->from_child) == BUFFER_SIZE ? RECORD_ALL : RECORD_WHOLE;
}

/* A record that is not whole wants the room in front of it. */
static void
from_child_pack(struct session *s)
{
	if (buffer_room(&s->from_child) == 0)
		buffer_pack(&s->from_child);
}

static void
output_warn(const struct session *s, enum records_to_frames_kind kind, const char *why)
{
	const char *what = s->set.program == NULL ? "stdin" : s->set.program[0];
	const char *unit = s->set.mode == RECORD_LINE ? "line" : "record";

	if (kind == ENCODE_BAD_TEXT)
		why = "not UTF-8";
	if (kind == ENCODE_TOO_BIG)
		why = "over the limit of --max";
	warn("%s: %s %" PRIu64 ": %s", quoted(what), unit, s->out.records.number + 1, why);
}

/* What waits directly goes behind what tx holds; tx keeps room at its end. */
static void
zero_copy_offer(struct session *s)
{
	s->peer_out.second_iov = &s->from_child;
	s->peer_out.second_iov_size = s->out.zero_copy_left;
	if (s->tx.begin >= buffer_held(&s->tx))
		buffer_pack(&s->tx);
}

static void
zero_copy_settle(struct session *s)
{
	if (s->peer_out.second_iov_sent > 0)
		records_to_frames_sent(&s->out, &s->from_child, s->peer_out.second_iov_sent);
	s->peer_out.second_iov_sent = 0;
}

/* A wait that fails for good would make a turn of nothing, over and over. */
static int
wait_for(struct endpoint *const *endpoints, size_t count, int timeout_ms, const sigset_t *mask)
{
	int moved = endpoints_wait(endpoints, count, timeout_ms, mask);

	if (moved < 0 && errno != EINTR)
		die(STATUS_FAILED, "poll: %s", strerror(errno));
	return moved;
}

/* The filters: one flow from stdin to stdout, each end of which may wait. */
static void
filter_write(struct endpoint *to)
{
	struct endpoint *const endpoints[] = {to};

	while (endpoint_pending(to) && !to->ended)
		(void)wait_for(endpoints, 1, -1, NULL);
	if (to->ended && to->error == EPIPE)
		exit(STATUS_FAILED);
	if (to->ended)
		die(STATUS_FAILED, "stdout: %s", strerror(to->error));
}

static void
filter_read(struct endpoint *from)
{
	struct endpoint *const endpoints[] = {from};
	uint64_t before = from->moved;

	while (!from->ended && from->moved == before)
		(void)wait_for(endpoints, 1, -1, NULL);
	if (from->error != 0)
		die(STATUS_FAILED, "stdin: %s", strerror(from->error));
}

/* What the peer sent is an HTTP request that no wsupgrade has answered. */
static bool
peer_speaks_http(const struct session *s)
{
	size_t n = buffer_held(&s->rx);

	return s->in.taken == 0 && n > 0 && memcmp(buffer_head(&s->rx), "GET ", n < 4 ? n : 4) == 0
	    && !s->set.client && !s->set.decode && getenv("GATEWAY_INTERFACE") == NULL;
}

static const char *
hint_of(const struct session *s, unsigned code)
{
	if (code == CLOSE_UNSUPPORTED)
		return " (use -b or -n -T)";
	return peer_speaks_http(s) ? " (an HTTP request: is wsupgrade missing?)" : "";
}

static int
decode_end(struct session *s, const struct reader_event *e)
{
	bool inside = e->kind == READER_MORE && frames_to_records_inside(&s->in, &s->rx);

	record_encoder_drop(&s->in.records, &s->to_child);
	s->prog.in.withheld = 0;
	filter_write(&s->prog.in);
	if (e->kind == READER_FAIL)
		warn("byte %" PRIu64 ": %s%s", s->in.taken, e->why, hint_of(s, e->code));
	if (inside)
		warn("byte %" PRIu64 ": the end inside a message", s->in.taken + buffer_held(&s->rx));
	return inside || e->kind == READER_FAIL ? STATUS_FAILED : STATUS_OK;
}

static int
decode_run(struct session *s)
{
	struct reader_event e;

	flows_begin(s, READER_OF_EITHER);
	s->peer_in = endpoint_over(STDIN_FILENO, false, &s->rx);
	s->prog.in = endpoint_over(STDOUT_FILENO, true, &s->to_child);
	for (;;) {
		enum reader_kind kind = frames_to_records_step(&s->in, &s->rx, &s->to_child, &e);

		if (kind == READER_PING || kind == READER_PONG)
			continue;
		if (kind == READER_CLOSE || kind == READER_FAIL || (kind == READER_MORE && s->peer_in.ended))
			return decode_end(s, &e);
		s->prog.in.withheld = s->in.records.held;
		filter_write(&s->prog.in);
		if (kind == READER_FULL) {
			if (to_child_grow(s) == NO_MEMORY)
				die(STATUS_FAILED, "byte %" PRIu64 ": %s", s->in.taken, strerror(ENOMEM));
		} else {
			filter_read(&s->peer_in);
			buffers_open(s);
		}
	}
}

static int
encode_run(struct session *s)
{
	const char *why = NULL;

	flows_begin(s, READER_OF_EITHER);
	s->out.limit = s->set.max_given ? s->set.max : 0;
	s->prog.out = endpoint_over(STDIN_FILENO, false, &s->from_child);
	s->peer_out = endpoint_over(STDOUT_FILENO, true, &s->tx);
	for (;;) {
		enum records_to_frames_kind kind = records_to_frames_step(&s->out, &s->from_child, want_of(s), &s->tx, key_next(s), &why);

		if (kind == ENCODE_FRAMED) {
			key_used(s);
			continue;
		}
		if (kind == ENCODE_FULL && buffer_open(&s->tx, storage[TX]))
			continue;
		zero_copy_offer(s);
		filter_write(&s->peer_out);
		zero_copy_settle(s);
		if (kind == ENCODE_MORE && s->prog.out.ended)
			return STATUS_OK;
		if (kind == ENCODE_MORE) {
			from_child_pack(s);
			filter_read(&s->prog.out);
			buffers_open(s);
		} else if (kind != ENCODE_FULL) {
			output_warn(s, kind, why);
			return STATUS_FAILED;
		}
	}
}

/* Whether the time has come; if not, this turn waits no longer than until then. */
static bool
due(struct session *s, int64_t when)
{
	if (s->before >= when)
		return true;
	if (when < s->next)
		s->next = when;
	return false;
}

/* What was changed at this turn's end has its effect in the next, which comes at once. */
static void
turn_again(struct session *s)
{
	s->next = s->now;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How long somebody may not read at all before we give up on him. */
static int64_t
stall_ms(const struct session *s)
{
	return s->set.ping_ms != 0 ? s->set.ping_ms : STALL_MS;
}

/* A control frame stands between two others; behind what blocks the way only
 * the newest pong waits. There is always room left for a Close. */
static bool
control_fits(const struct session *s)
{
	return s->out.zero_copy_left == 0 && !s->peer_out.blocked && buffer_room(&s->tx) >= 2 * FRAME_CONTROL_MAX;
}

static void
control_put(struct session *s, enum opcode opcode, const void *payload, size_t n)
{
	buffer_grow(&s->tx, frame_control(opcode, payload, n, key_next(s), buffer_tail(&s->tx)));
	key_used(s);
}

/* Returns whether one still waits. */
static bool
controls_flush(struct session *s)
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

static void
pong(struct session *s, const struct chunk *ping)
{
	if (s->lost || s->close_put)
		return;
	s->pong_waits = true;
	s->pong_size = ping->size;
	memcpy(s->pong, ping->at, ping->size);
	(void)controls_flush(s);
}

static void
end_reason_set(struct session *s, enum end_reason end_reason, unsigned code)
{
	if (s->end_reason != END_NONE)
		return;
	s->end_reason = end_reason;
	s->code = code;
}

/* Whether what the peer does now is what ends the session. A client without a
 * program goes on receiving when its stdin has ended. */
static bool
end_reason_open(const struct session *s)
{
	return s->end_reason == END_NONE || (s->end_reason == END_PROGRAM && s->set.program == NULL && !s->close_put);
}

/* As end_reason_set(), also where so far only the program's output has ended. */
static void
end_reason_overrule(struct session *s, enum end_reason end_reason, unsigned code)
{
	if (s->end_reason == END_PROGRAM && !s->close_put && !s->prog.reaped)
		s->end_reason = END_NONE;
	end_reason_set(s, end_reason, code);
}

/* Nothing more is taken from the peer. */
static void
peer_end(struct session *s, enum end_reason end_reason, unsigned code)
{
	record_encoder_drop(&s->in.records, &s->to_child);
	buffer_take(&s->rx, buffer_held(&s->rx));
	s->peer_over = true;
	s->peer_in.paused = true;
	s->read_at = s->now;
	if (end_reason_open(s)) {
		s->end_reason = end_reason;
		s->code = code;
	}
}

/* Nothing more can be sent; what came before can still be read, a Close perhaps. */
static void
peer_lose(struct session *s, const char *why)
{
	if (s->lost)
		return;
	s->lost = true;
	s->lost_why = why;
	s->read_at = s->now;
	s->peer_out.ended = true;
	s->output_over = true;
	s->out.zero_copy_left = s->out.after = 0;
	s->peer_out.second_iov_size = 0;
	buffer_take(&s->tx, buffer_held(&s->tx));
}

static void
peer_ended(struct session *s)
{
	enum end_reason end_reason = s->lost ? END_LOST : END_EOF;

	if (end_reason_open(s) && s->lost)
		warn("peer: %s", s->lost_why);
	else if (end_reason_open(s))
		warn("peer: ended without a Close");
	peer_end(s, end_reason, CLOSE_NORMAL);
}

static bool
code_is_good(unsigned code)
{
	return code == CLOSE_NORMAL || code == CLOSE_GOING_AWAY || code == CLOSE_NO_CODE;
}

static bool
messages_are_enough(const struct session *s)
{
	return s->set.count != 0 && s->in.messages >= s->set.count;
}

/* Records of stdin that the peer's Close leaves unsent: lost, unless a user types them. */
static bool
stdin_is_left(const struct session *s)
{
	if (s->set.program != NULL || s->on_terminal || !end_reason_open(s) || messages_are_enough(s))
		return false;
	return s->peer_out.moved < s->records_until || buffer_held(&s->from_child) > 0 || program_unsent(&s->prog) > 0;
}

static void
peer_closes(struct session *s, const struct reader_event *e)
{
	bool echo = s->close_put && e->code == s->code;

	if (stdin_is_left(s)) {
		warn("stdin: the peer closed before all of it was sent");
		s->failed = true;
	}
	s->peer_closed = true;
	s->peer_code = e->code;
	if (s->set.verbose || (s->set.client && !code_is_good(e->code) && !echo)) {
		if (e->code == CLOSE_NO_CODE)
			warn("peer: closed without a code");
		else
			warn("peer: closed with %u%s%s", e->code, e->chunk.size > 0 ? ": " : "",
			    quoted_bytes(e->chunk.at, e->chunk.size));
	}
	peer_end(s, END_CLOSED, e->code);
}

static void
peer_fails(struct session *s, unsigned code, const char *why)
{
	if (end_reason_open(s) || s->set.verbose)
		warn("peer: %s (%u)%s", why, code, hint_of(s, code));
	if (end_reason_open(s))
		s->wrong = why;
	peer_end(s, END_PROTOCOL, code);
}

static void
frames_to_prog(struct session *s)
{
	struct reader_event e;

	while (!s->peer_over) {
		enum reader_kind kind = frames_to_records_step(&s->in, &s->rx, &s->to_child, &e);

		if (kind == READER_PING) {
			pong(s, &e.chunk);
		} else if (kind == READER_CLOSE) {
			peer_closes(s, &e);
		} else if (kind == READER_FAIL) {
			peer_fails(s, e.code, e.why);
		} else if (kind == READER_FULL) {
			enum growth growth = to_child_grow(s);

			if (growth == NO_MEMORY)
				peer_fails(s, CLOSE_TOO_BIG, "a message over the memory that there is");
			if (growth == ENOUGH)
				break;
		} else if (kind == READER_MORE && s->peer_in.ended) {
			peer_ended(s);
		} else if (kind == READER_MORE) {
			break;
		}
	}
	s->prog.in.withheld = s->in.records.held;
	if (messages_are_enough(s)) {
		s->output_over = true;
		end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
	}
}

/* The program's output has ended, or what can be sent of it. */
static void
output_end(struct session *s)
{
	s->output_over = true;
	s->output_at = s->now;
	if (s->prog.out.error != 0) {
		warn("%s: %s", s->set.program == NULL ? "stdin" : "the program's stdout", strerror(s->prog.out.error));
		s->failed = true;
		end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
	}
	end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
}

/* After a signal a user's stdin is not read on, nor can a program's record that fills the buffer. */
static bool
no_more_read(const struct session *s)
{
	return s->set.program == NULL || buffer_room(&s->from_child) == 0;
}

static void
prog_to_frames(struct session *s)
{
	enum records_to_frames_kind kind = ENCODE_FRAMED;
	const char *why = NULL;

	if (controls_flush(s) || s->close_put)
		kind = ENCODE_FULL;
	while (kind == ENCODE_FRAMED && !s->output_over) {
		kind = records_to_frames_step(&s->out, &s->from_child, want_of(s), &s->tx, key_next(s), &why);
		if (kind == ENCODE_FRAMED) {
			key_used(s);
			s->records_until = s->peer_out.moved + buffer_held(&s->tx) + s->out.zero_copy_left;
			s->asked = s->in.messages;
		}
		if (kind == ENCODE_FULL && s->out.zero_copy_left == 0 && buffer_open(&s->tx, storage[TX]))
			kind = ENCODE_FRAMED;
	}
	if (s->output_over)
		return;
	if (kind == ENCODE_MORE)
		from_child_pack(s);
	if (kind == ENCODE_MORE && (s->prog.out.ended || (s->end_reason == END_SIGNAL && no_more_read(s))))
		output_end(s);
	if (kind == ENCODE_MORE || kind == ENCODE_FULL)
		return;
	output_warn(s, kind, why);
	s->output_over = true;
	end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
}

static void
stdout_failed(struct session *s)
{
	if (s->prog.in.error == 0)
		return; /* given up, at the second signal */
	s->failed = true;
	if (s->prog.in.error == EPIPE) {
		end_reason_overrule(s, END_NO_STDOUT, CLOSE_GOING_AWAY);
	} else {
		warn("stdout: %s", strerror(s->prog.in.error));
		end_reason_overrule(s, END_NO_STDOUT, CLOSE_INTERNAL_ERROR);
	}
}

/* That it is not read (EPIPE) is the program's own affair. */
static void
program_stdin_failed(struct session *s)
{
	warn("the program's stdin: %s", strerror(s->prog.in.error));
	s->failed = true;
	end_reason_set(s, END_BAD_OUTPUT, CLOSE_INTERNAL_ERROR);
}

/* A lost sink becomes a bottomless one, or what it does not take would stop us. */
static void
drop_undeliverable(struct session *s)
{
	if (s->peer_in.ended && s->peer_in.error != 0 && !s->draining)
		peer_lose(s, strerror(s->peer_in.error));
	if (s->peer_out.ended && !s->draining)
		peer_lose(s, s->peer_out.error == EPIPE ? "ended without a Close" : strerror(s->peer_out.error));
	if (s->prog.in.ended && !s->in.discard) {
		s->in.discard = true;
		s->in.records.held = s->prog.in.withheld = 0;
		if (s->set.program == NULL)
			stdout_failed(s);
		else if (s->prog.in.error != 0 && s->prog.in.error != EPIPE)
			program_stdin_failed(s);
	}
	if (s->in.discard)
		buffer_take(&s->to_child, buffer_held(&s->to_child));
	if (s->output_over && s->out.zero_copy_left == 0)
		buffer_take(&s->from_child, buffer_held(&s->from_child));
	if (s->draining)
		buffer_take(&s->rx, buffer_held(&s->rx));
}

/* A client without program: nothing came for -q since its last record went out. */
static bool
quiet(struct session *s)
{
	if (messages_are_enough(s) || s->set.quiet_ms == 0)
		return true;
	if (s->set.quiet_ms == CLOCK_NEVER)
		return false;
	if (s->peer_out.moved < s->records_until)
		s->output_at = s->now;
	return due(s, later(s->message_at, s->output_at) + s->set.quiet_ms);
}

static bool
close_is_due(struct session *s)
{
	switch (s->end_reason) {
	case END_NONE:
		return false;
	case END_NOT_STARTED:
	case END_BAD_OUTPUT:
	case END_NO_STDOUT:
		return true;
	case END_PROGRAM:
		if (!s->output_over)
			return false;
		if (s->set.program == NULL)
			return quiet(s) || s->peer_over;
		return s->prog.reaped || due(s, s->output_at + s->set.wait_ms);
	case END_SIGNAL:
		return s->output_over;
	default:
		return s->output_over || s->set.program == NULL;
	}
}

/* The time for the answer to our Close begins. */
static void
close_clock(struct session *s)
{
	s->closed_at = s->now;
	s->answer_by = s->now + ANSWER_STEPS * s->set.wait_ms;
}

/* A user who did not ask for -q may have waited for an answer. */
static void
quiet_tell(const struct session *s)
{
	if (s->end_reason == END_PROGRAM && s->set.program == NULL && !s->set.quiet_given && s->set.count == 0
	    && !s->peer_over && s->in.messages == s->asked)
		warn("no message came within 1 s after the end of stdin (use -q or -m to wait longer)");
}

static void
close_send(struct session *s)
{
	quiet_tell(s);
	if (s->end_reason == END_PROGRAM && s->prog.reaped && s->prog.wait_status != 0)
		s->code = CLOSE_INTERNAL_ERROR;
	s->pong_waits = s->ping_waits = false;
	buffer_grow(&s->tx, frame_close(s->code, s->wrong == NULL ? "" : s->wrong, key_next(s), buffer_tail(&s->tx)));
	key_used(s);
	s->close_put = true;
	close_clock(s);
}

/* The peer must take what we send, or at least some of it from time to time. */
static void
close_await_sent(struct session *s)
{
	int64_t patience = s->set.wait_ms;

	if (s->end_reason == END_PROGRAM || s->end_reason == END_BAD_OUTPUT)
		patience = stall_ms(s);
	close_clock(s);
	if (due(s, later(s->due_at, s->sent_at) + patience))
		peer_lose(s, "does not read");
}

/* Whether our Close still stands in the kernel behind what a slow reader goes on
 * to take; he has -w for each step. */
static bool
close_comes_nearer(struct session *s)
{
	bool first = s->close_progress == 0;

	return progress_made(s->peer_out.fd, &s->close_progress) || (first && s->close_progress != 0);
}

/* Our Close has left; now its answer, for which a server may have to wait for its
 * program as long as we would. A client without a program still takes messages, but not for ever. */
static void
close_await_answer(struct session *s)
{
	bool takes = s->set.program == NULL;
	int64_t since = takes ? later(s->closed_at, s->message_at) : s->closed_at;
	int64_t patience = s->set.client ? 2 * s->set.wait_ms : s->set.wait_ms;
	bool over = takes && due(s, s->answer_by);

	if (s->peer_over || (!over && !due(s, since + patience)))
		return;
	if (!over && close_comes_nearer(s)) {
		close_clock(s);
		(void)due(s, s->now + patience);
	} else {
		peer_end(s, END_EOF, 0);
	}
}

static void
net_close(struct session *s)
{
	s->net_over = true;
	s->peer_in.ended = s->peer_out.ended = true;
	(void)close(s->peer_in.fd);
	if (s->peer_out.fd >= 0)
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

/* Both Closes are through. Closing with bytes unread would reset the connection
 * and might destroy our Close on its way; the server ends it first. */
static void
net_drain(struct session *s)
{
	if (!s->draining) {
		s->draining = true;
		s->drain_at = s->now;
		s->peer_in.paused = false;
		if (!s->set.client)
			net_half_close(s);
		s->peer_out.ended = true;
	}
	if (s->peer_in.ended || due(s, s->drain_at + s->set.wait_ms))
		net_close(s);
}

/* Nothing more is sent, received, or written to a stdout of our own. */
static void
session_cut(struct session *s)
{
	if (s->close_put && !s->peer_over)
		peer_lose(s, "no answer to our Close");
	if (!s->net_over)
		net_close(s);
	if (s->set.program == NULL)
		s->prog.in.ended = true;
}

static void
hang_up(struct session *s)
{
	if (s->signal_at != 0 && due(s, s->signal_at + s->set.wait_ms))
		session_cut(s);
	if (s->net_over)
		return;
	if (!s->close_put && !s->lost && close_is_due(s)) {
		s->due_at = s->due_at == 0 ? s->now : s->due_at;
		s->output_over = true;
		if (s->out.zero_copy_left == 0)
			close_send(s);
		else
			close_await_sent(s);
	}
	if (s->close_put && !s->lost && !s->draining) {
		if (endpoint_pending(&s->peer_out))
			close_await_sent(s);
		else
			close_await_answer(s);
	}
	if (s->lost && s->peer_over)
		net_close(s);
	else if (s->peer_over && s->close_put && !endpoint_pending(&s->peer_out))
		net_drain(s);
}

/* What was sent and heard since the last turn. */
static void
observe(struct session *s)
{
	bool reading = endpoint_readable(&s->peer_in);
	bool heard = s->peer_in.moved != s->heard, sent = s->peer_out.moved != s->sent;

	if (heard && s->peer_in.moved - s->heard >= FULL_READ && !s->enlarged && s->set.program != NULL) {
		program_enlarge(&s->prog);
		s->enlarged = true;
	}
	if (!s->peer_in.hup_seen && !s->peer_over && !s->lost)
		s->read_at = s->now;
	s->heard = s->peer_in.moved;
	s->sent = s->peer_out.moved;
	if (sent)
		s->sent_at = s->now;
	if (heard || !reading) {
		s->heard_at = s->now;
		s->pinged = s->ping_waits = false;
	}
	if (s->messages != s->in.messages || (heard && s->in.reader.in_frame) || !reading)
		s->message_at = s->now;
	s->messages = s->in.messages;
	/* The time in which a slow stdout keeps the answer unread does not count. */
	if (!s->reads)
		s->answer_by += s->now - s->before;
	/* The answer cannot come before our ping has left, and that goes on. */
	if (sent && s->pinged && (s->ping_waits || endpoint_pending(&s->peer_out)))
		s->pinged_at = s->now;
}

static void
peer_gone(struct session *s, const char *why)
{
	peer_lose(s, why);
	s->peer_in.ended = true;
	peer_ended(s);
	turn_again(s);
}

/* Sends a Ping to an idle peer, and ends the session if no answer comes. */
static void
keep_alive(struct session *s)
{
	if (s->peer_over || s->lost)
		return;
	if (s->set.ping_ms == 0 || s->close_put || s->peer_in.paused)
		return;
	if (!s->pinged && due(s, s->heard_at + s->set.ping_ms)) {
		s->pinged = s->ping_waits = true;
		s->pinged_at = s->now;
		(void)progress_made(s->peer_out.fd, &s->ping_progress);
		(void)controls_flush(s);
		buffers_shrink(s);
	}
	/* Our Ping stands in line behind what a slow reader still goes on to take. */
	if (s->pinged && due(s, s->pinged_at + s->set.ping_ms) && progress_made(s->peer_out.fd, &s->ping_progress))
		s->pinged_at = s->now;
	if (s->pinged && due(s, s->pinged_at + s->set.ping_ms))
		peer_gone(s, "gone: nothing came, no answer to our Ping");
}

/* Returns how many bytes of what is for the program it has not read, and updates the time of its last
 * read. The kernel does not report a read from a pipe, so poll for it. */
static size_t
unread_look(struct session *s)
{
	size_t in_pipe = program_unread(&s->prog), unread = buffer_held(&s->to_child) + in_pipe;

	if (s->read != s->prog.in.moved - in_pipe)
		s->read_at = s->now;
	s->read = s->prog.in.moved - in_pipe;
	if (unread != 0)
		(void)due(s, s->now + POLL_MS);
	return unread;
}

/* Whether the program has had its time after the peer's end: -w once it has read everything, or -k
 * without a read. */
static bool
first_step_due(struct session *s)
{
	size_t unread = unread_look(s);

	if (s->given_up)
		return true;
	return due(s, s->read_at + (unread == 0 || s->lost ? s->set.wait_ms : stall_ms(s)));
}

/* Behind data that the program does not read, the peer has ended its side. After -k without a read that
 * data is dropped, so that a Close in it is found and answered. */
static void
program_give_up(struct session *s)
{
	if (s->given_up || unread_look(s) == 0 || !due(s, s->read_at + stall_ms(s)))
		return;
	s->given_up = true;
	program_close_stdin(&s->prog);
	turn_again(s);
}

static void
term_step_take(struct session *s)
{
	switch (s->term_step++) {
	case TERM_STEP_CUT:
		s->output_over = true;
		break;
	case TERM_STEP_TERM:
		program_signal(&s->prog, SIGTERM);
		break;
	default:
		program_signal(&s->prog, SIGKILL);
	}
	s->term_step_at = s->now;
	turn_again(s);
}

/* Ends a program that does not end by itself after the end of its peer. */
static void
program_push(struct session *s)
{
	if (s->prog.pid == 0 || s->term_step == TERM_STEP_NONE)
		return;
	if (!(s->peer_over || s->lost || s->signal_at != 0)) {
		if (s->peer_in.hup_seen)
			program_give_up(s);
		return;
	}
	if (s->peer_over && !s->prog.in.ended && !endpoint_pending(&s->prog.in))
		program_close_stdin(&s->prog);
	if (!program_end_stdin(&s->prog))
		(void)due(s, s->now + POLL_MS);
	if (s->lost && s->term_step == TERM_STEP_CUT)
		s->term_step = TERM_STEP_TERM;
	if (s->term_step <= TERM_STEP_TERM && s->term_step_at == 0) {
		if (!first_step_due(s))
			return;
		term_step_take(s);
	}
	while (s->term_step != TERM_STEP_NONE && s->term_step_at != 0 && due(s, s->term_step_at + s->set.wait_ms))
		term_step_take(s);
}

static void
program_ended(struct session *s)
{
	if (s->set.verbose)
		warn("%s: exit %d", quoted(s->set.program[0]), child_status(s->prog.wait_status));
	end_reason_set(s, END_PROGRAM, CLOSE_NORMAL);
	if (s->output_over)
		s->output_at = s->now;
}

/* The first ends the session in order, the second at once. */
static void
session_stop(struct session *s)
{
	bool again = s->signal_at != 0;

	s->signal_at = s->now;
	end_reason_overrule(s, END_SIGNAL, CLOSE_GOING_AWAY);
	if (s->set.program != NULL) {
		program_cut_output(&s->prog);
		if (!s->prog.in.ended)
			program_close_stdin(&s->prog);
		program_signal(&s->prog, again ? SIGKILL : SIGTERM);
		s->term_step = again ? TERM_STEP_NONE : TERM_STEP_KILL;
		s->term_step_at = s->now;
	}
	if (again)
		session_cut(s);
}

/* A service manager may stop the program together with us: our own signal is the cause then. */
static void
signals_look(struct session *s)
{
	bool stop = signals_take(SIGTERM);

	stop = signals_take(SIGINT) || stop;
	stop = signals_take(SIGHUP) || stop;
	if (stop)
		session_stop(s);
	if (signals_take(SIGCHLD) && program_reap(&s->prog))
		program_ended(s);
}

/* Moves all that can be moved without waiting. */
static void
flows_run(struct session *s)
{
	bool moved;

	do {
		drop_undeliverable(s);
		frames_to_prog(s);
		prog_to_frames(s);
		hang_up(s);
		zero_copy_offer(s);
		moved = endpoint_flush(&s->prog.in) != 0;
		moved = endpoint_flush(&s->peer_out) != 0 || moved;
		zero_copy_settle(s);
	} while (moved);
}

static bool
finished(const struct session *s)
{
	if (!s->net_over || s->prog.pid != 0)
		return false;
	return s->set.program != NULL || s->prog.in.ended || !endpoint_pending(&s->prog.in);
}

static void
turn_wait(struct session *s)
{
	struct endpoint *const endpoints[] = {&s->peer_in, &s->prog.out, &s->prog.in, &s->peer_out};
	uint64_t read = s->prog.out.moved;
	int timeout, moved;

	timeout = alarm_until(s->next, s->now);
	if (s->lost && endpoint_readable(&s->peer_in))
		timeout = 0; /* what is there by now is all that comes */
	/* Each read is a message of its own in plain bytes. */
	s->prog.out.paused = (s->set.mode == RECORD_BYTES && buffer_held(&s->from_child) > 0)
	    || (s->set.program == NULL && s->output_over) || (s->set.program == NULL && s->signal_at != 0);
	s->reads = endpoint_readable(&s->peer_in);
	moved = wait_for(endpoints, sizeof endpoints / sizeof *endpoints, timeout, signals_wait_mask());
	/* A wait that finds a descriptor ready lets no signal in. */
	if (++s->turns % SIGNAL_TURNS == 0)
		signals_let_in();
	zero_copy_settle(s);
	buffers_open(s);
	if (s->prog.out.moved - read >= FULL_READ && !s->enlarged) {
		program_enlarge(&s->prog);
		s->enlarged = true;
	}
	if (moved == 0 && s->lost && endpoint_readable(&s->peer_in))
		s->peer_in.ended = true;
}

static void
session_run(struct session *s)
{
	s->now = s->heard_at = s->message_at = clock_ms();
	for (;;) {
		s->before = s->now;
		s->now = clock_ms();
		s->next = CLOCK_NEVER;
		signals_look(s);
		observe(s);
		flows_run(s);
		keep_alive(s);
		program_push(s);
		if (finished(s))
			return;
		turn_wait(s);
	}
}

static int
program_result(const struct session *s)
{
	int status = s->set.program == NULL ? 0 : s->prog.reaped ? child_status(s->prog.wait_status) : 0;

	if (s->prog.signalled && (status == STATUS_SIGNAL + SIGTERM || status == STATUS_SIGNAL + SIGKILL))
		status = 0;
	if (status != 0)
		return status;
	if (s->peer_closed)
		return s->set.client && !code_is_good(s->peer_code) && s->peer_code != s->code ? STATUS_FAILED
		                                                                              : STATUS_OK;
	warn("peer: %s", s->lost ? s->lost_why : "no answer to our Close");
	return STATUS_FAILED;
}

static int
session_status(const struct session *s)
{
	switch (s->end_reason) {
	case END_PROGRAM:
		return program_result(s);
	case END_NOT_STARTED:
		return s->failure;
	case END_CLOSED:
		return s->set.client && !code_is_good(s->peer_code) ? STATUS_FAILED : STATUS_OK;
	case END_SIGNAL:
		return STATUS_OK;
	default:
		return STATUS_FAILED;
	}
}

static void
session_begin(struct session *s)
{
	int numbers[5] = {SIGTERM, SIGINT, SIGCHLD};
	size_t count = 3;
	struct sigaction hangup = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
		numbers[count++] = SIGHUP;
	if (alarm_take())
		numbers[count++] = SIGALRM;
	signals_catch(numbers, count);
	flows_begin(s, s->set.client ? READER_OF_SERVER : READER_OF_CLIENT);
	s->peer_in = endpoint_over(s->set.client ? CLIENT_IN : STDIN_FILENO, false, &s->rx);
	s->peer_out = endpoint_over(s->set.client ? CLIENT_OUT : STDOUT_FILENO, true, &s->tx);
	s->peer_in.watched = true;
	if (fds_same(s->peer_in.fd, s->peer_out.fd))
		s->peer_out.same_socket = &s->peer_in;
	if (s->set.program == NULL) {
		s->prog.in = endpoint_over(STDOUT_FILENO, true, &s->to_child);
		s->prog.out = endpoint_over(STDIN_FILENO, false, &s->from_child);
		s->on_terminal = isatty(STDIN_FILENO);
		return;
	}
	s->failure = program_begin(&s->prog, s->set.program, &s->to_child, &s->from_child);
	if (s->failure != 0)
		end_reason_set(s, END_NOT_STARTED, CLOSE_INTERNAL_ERROR);
}

/* Fewer messages than -m asked for are a failure, whatever ended the session. */
static int
session_result(const struct session *s)
{
	int status = s->failed ? STATUS_FAILED : session_status(s);

	if (s->in.messages >= s->set.count)
		return status;
	if (status == STATUS_OK)
		warn("%" PRIu64 " of %" PRIu64 " messages came", s->in.messages, s->set.count);
	return STATUS_FAILED;
}

/* The client's connection is not the program's; and no diagnostics may get into the server's. */
static void
net_guard(const struct session *s)
{
	const char *fault = s->set.client ? NULL : connection_fault();

	if (fault != NULL)
		usage_refuse("%s", fault);
	if (!s->set.client) {
		fds_guard_stderr();
		return;
	}
	for (int fd = CLIENT_IN; fd <= CLIENT_OUT; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			usage_refuse("no connection on fds 6 and 7: portscan-connect makes one");
}

/* Many of us share a log: each line says whose client it is about. */
static void
client_name_lines(void)
{
	static char name[sizeof "wsframe: " + ADDRESS_TEXT_SIZE];
	struct strbuf t = {.at = name, .room = sizeof name - 1};
	const char *ip = getenv("TCPREMOTEIP"), *port = getenv("TCPREMOTEPORT");

	if (ip == NULL || port == NULL)
		return;
	strbuf_put_string(&t, strchr(ip, ':') == NULL ? "wsframe: " : "wsframe: [");
	strbuf_put_string(&t, ip);
	strbuf_put_string(&t, strchr(ip, ':') == NULL ? ":" : "]:");
	strbuf_put_string(&t, port);
	if (!t.cut)
		log_name(name);
}

int
main(int argc, char **argv)
{
	static struct session s = {
		.set = {.max = 16 << 20, .ping_ms = 30000, .wait_ms = 2000, .quiet_ms = 1000},
		.prog.watch = -1,
	};
	const char *partial;

	fds_open_standard();
	options_read(&s.set, argc, argv);
	if (s.set.program == NULL)
		(void)signal(SIGXFSZ, SIG_IGN); /* stdout may be a file that may not grow: an error to tell */
	if (s.set.decode)
		return decode_run(&s);
	if (s.set.encode)
		return encode_run(&s);
	net_guard(&s);
	if (!s.set.client)
		client_name_lines();
	session_begin(&s);
	/* The program runs, or never will: from here on we only move bytes. */
	partial = sandbox_enter(SANDBOX_PARENT | SANDBOX_REOPENS | SANDBOX_ALARM | SANDBOX_OFTEN);
	if (partial != NULL && s.set.verbose)
		warn("sandbox: %s", partial);
	session_run(&s);
	return session_result(&s);
}
