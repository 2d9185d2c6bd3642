/* The cases, with results as TAP. */
#include <fnmatch.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/status.h"
#include "deflate_cases.h"
#include "frame_cases.h"
#include "http_cases.h"
#include "wsprobe.h"

unsigned case_count, case_failures;

/* Return whether the case is selected, by its group and its name. */
static bool
chosen(const char *group, const char *name)
{
	bool extra = has_token("hosts,slow, text-only, deflate, takeover, no-takeover, offers, deflate-answers", group);

	if (settings.groups == NULL ? extra : !has_token(settings.groups, group))
		return false;
	return settings.names == NULL || fnmatch(settings.names, name, 0) == 0;
}

static void
report(const char *group, const char *name, bool good)
{
	case_count++;
	case_failures += !good;
	printf("%s %u - %s: %s\n", good ? "ok" : "not ok", case_count, group, name);
	if (!good)
		printf("# %s\n", why);
	fflush(stdout);
}

static void
run_script(const char *group, const char *name, const char *script, int roles)
{
	struct link l = {.fd = -1};
	bool good, orderly;

	if ((roles & (settings.listener < 0 ? TO_SERVER : TO_CLIENT)) == 0 || !chosen(group, name))
		return;
	if (settings.listener >= 0) {
		good = play_as_server(NULL, script);
	} else {
		good = link_open(&l) && shake_hands(&l) && play_script(&l, script, &orderly);
		link_close(&l);
	}
	report(group, name, good);
}

/* A case whose name and script are generated: `name | script`. */
__attribute__((format(printf, 2, 3))) static void
run_made(const char *group, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		die(STATUS_FAILED, "no memory");
	va_end(args);
	char *bar = strstr(text, " | ");

	*bar = '\0';
	run_script(group, text, bar + 3, TO_BOTH);
	free(text);
}

static void
run_sizes(void)
{
	static const unsigned sizes[] = {0, 1, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 1048576};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		unsigned n = sizes[i];

		if (n == 0) {
			run_made("framing", "An empty text is echoed | text - =text -");
			run_made("framing", "An empty binary message is echoed | binary - =binary -");
			continue;
		}
		run_made("framing", "A text of %u bytes is echoed | text x*%u =text x*%u", n, n, n);
		run_made("framing", "A binary message of %u bytes is echoed | binary %%fe*%u =binary %%fe*%u", n, n, n);
		run_made("framing", "A text of %u bytes in pieces of 997 is echoed | chunk=997 text x*%u =text x*%u", n, n, n);
	}
}

static void
run_reserved(void)
{
	static const char *const kinds[] = {"text", "binary", "ping", "pong", "close"};

	for (unsigned rsv = 1; rsv <= 7; rsv++)
		for (size_t i = 0; i < 5; i++)
			run_made("reserved", "Reserved bits %u in a %s frame fail | rsv=%u %s %s =close 1002", rsv, kinds[i], rsv,
			         kinds[i], i == 4 ? "1000" : "Hello");
	for (unsigned rsv = 1; rsv <= 4; rsv *= 2) {
		run_made("reserved", "Reserved bits %u fail, the message before them is echoed | "
		         "text Hello rsv=%u text x ping y =text Hello =close 1002", rsv, rsv);
		run_made("reserved", "Reserved bits %u in a continuation fail | text+ Hel rsv=%u cont lo =close 1002", rsv, rsv);
	}
	for (unsigned op = 3; op <= 15; op = op == 7 ? 11 : op + 1) {
		run_made("reserved", "Opcode %u fails | op=%u text - =close 1002", op, op);
		run_made("reserved", "Opcode %u with a payload fails | op=%u text Hello =close 1002", op, op);
		run_made("reserved", "Opcode %u fails, the message before it is echoed | "
		         "text Hello op=%u text x ping y =text Hello =close 1002", op, op);
		run_made("reserved", "Opcode %u inside a message fails | text+ Hel op=%u text x =close 1002", op, op);
	}
}

/* Return the part of a text script up to that number of bytes. A text with an invalid byte is one
 * part. */
static void
cut_script(char *to, size_t size, const char *text, long bytes)
{
	const char *at = text;

	for (; bytes > 0 && *at != '\0'; bytes--)
		at += *at == '%' ? 3 : 1;
	snprintf(to, size, "%.*s", (int)(at - text), text);
}

static void
run_bad_text(const struct text_case *t)
{
	char head[200];

	run_made("utf8", "Bad UTF-8 fails: %s | text %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 in pieces fails: %s | chunk=1000 text+ %s cont - =close 1007", t->name, t->text);
	if (strpbrk(t->text, "*/") != NULL)
		return;
	run_made("utf8", "Bad UTF-8 in one-byte fragments fails: %s | cut=1 text %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 behind another fragment fails: %s | text+ abc cont %s =close 1007", t->name, t->text);
	run_made("utf8", "Bad UTF-8 fails after an echo: %s | text Hello text %s =text Hello =close 1007", t->name, t->text);
	cut_script(head, sizeof head, t->text, t->bad + 1);
	if (strstr(t->name, "at the end") != NULL)
		return;
	run_made("utf8", "Bad UTF-8 fails before the frame is whole: %s | declare=1000 text %s =close 1007", t->name, head);
	run_made("utf8", "Bad UTF-8 fails before the message is whole: %s | text+ %s =close 1007", t->name, head);
	run_made("utf8", "Bad UTF-8 in one-byte fragments fails before the message is whole: %s | cut=1 text+ %s =close 1007",
	         t->name, head);
}

static void
run_texts(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const struct text_case *t = &texts[i];

		if (t->bad != GOOD_TEXT) {
			run_bad_text(t);
			run_made("utf8", "As binary it is echoed: %s | binary %s =binary %s", t->name, t->text, t->text);
			run_made("text-only", "As binary it fails: %s | binary %s =close 1003", t->name, t->text);
			continue;
		}
		run_made("utf8", "UTF-8 is echoed: %s | text %s =text %s", t->name, t->text, t->text);
		run_made("text-only", "As binary it is echoed as text: %s | binary %s =text %s", t->name, t->text, t->text);
		run_made("utf8", "UTF-8 in one-byte fragments is echoed: %s | cut=1 text %s =text %s", t->name, t->text, t->text);
	}
}

static void
run_codes(void)
{
	for (size_t i = 0; i < sizeof good_codes / sizeof good_codes[0]; i++) {
		unsigned code = good_codes[i];

		run_made("close", "Close code %u is answered with itself | close %u =close %u", code, code, code);
		run_made("close", "Close code %u with a reason is answered with itself | close %u/bye =close %u", code, code, code);
	}
	for (size_t i = 0; i < sizeof bad_codes / sizeof bad_codes[0]; i++) {
		unsigned code = bad_codes[i];

		run_made("close", "Close code %u fails | close %u =close 1002", code, code);
		run_made("close", "Close code %u with a reason fails | close %u/bye =close 1002", code, code);
	}
}

/* Large messages in frames and pieces of all sizes; many messages. */
static void
run_bulk(void)
{
	static const char *const kinds[] = {"text", "binary"};

	for (int k = 0; k < 2; k++) {
		for (unsigned n = 1 << 18; n <= 1 << 23; n *= 2)
			run_made("bulk", "A %s message of %u bytes is echoed | %s x*%u =%s x*%u", kinds[k], n, kinds[k], n, kinds[k], n);
		for (unsigned cut = 64; cut <= 1 << 20; cut *= 4)
			run_made("bulk", "A %s message of 4 MiB in fragments of %u is echoed | cut=%u %s x*4194304 =%s x*4194304",
			         kinds[k], cut, cut, kinds[k], kinds[k]);
		for (unsigned chunk = 64; chunk <= 1024; chunk *= 2)
			run_made("bulk", "A %s message of 1 MiB in pieces of %u is echoed | chunk=%u %s x*1048576 =%s x*1048576",
			         kinds[k], chunk, chunk, kinds[k], kinds[k]);
		for (unsigned n = 16; n <= 1 << 14; n *= 4) {
			run_made("bulk", "A thousand %s messages of %u bytes are echoed | times=1000 %s x*%u times=1000 =%s x*%u",
			         kinds[k], n, kinds[k], n, kinds[k], n);
			run_made("bulk", "A thousand %s messages of %u bytes, one at a time, are echoed | turns=1000 %s x*%u",
			         kinds[k], n, kinds[k], n);
		}
		run_made("bulk", "A thousand empty %s messages are echoed | times=1000 %s - times=1000 =%s -", kinds[k], kinds[k], kinds[k]);
		run_made("bulk", "A message of 70000 one-byte %s fragments is echoed | cut=1 %s x*70000 =%s x*70000", kinds[k],
		         kinds[k], kinds[k]);
	}
}

void
run_frames(void)
{
	for (size_t i = 0; i < sizeof deflate_cases / sizeof deflate_cases[0]; i++)
		run_script(deflate_cases[i].group, deflate_cases[i].name, deflate_cases[i].script, deflate_cases[i].roles);
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		run_script(frames[i].group, frames[i].name, frames[i].script, frames[i].roles);
	run_sizes();
	run_reserved();
	run_texts();
	run_codes();
	run_bulk();
}

void
run_requests(void)
{
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct link l = {.fd = -1};

		if (!chosen(requests[i].group, requests[i].name))
			continue;
		bool good = link_open(&l) && play_request(&l, &requests[i]);

		link_close(&l);
		report(requests[i].group, requests[i].name, good);
	}
}

/* Return whether the response's extension is one of the correct ones. */
static bool
play_offer(struct link *l, const struct offer_case *c)
{
	struct names names = {.host = settings.host};
	char value[512] = "";
	unsigned status, count;
	size_t n;

	expand(&l->out, GET FIELDS, &names);
	bytes_say(&l->out, c->send);
	bytes_say(&l->out, END);
	if (!link_flush(l) || !take_head(l, &status))
		return false;
	if (status != 101)
		return wrong("wanted status 101, got %u", status);
	count = head_field(&l->in, "Sec-WebSocket-Extensions", value, sizeof value);
	for (const char *at = c->answer; count <= 1; at += n + 1) {
		n = strcspn(at, "|");
		if (strlen(value) == n && strncmp(at, value, n) == 0)
			return true;
		if (at[n] == '\0')
			break;
	}
	return wrong("wanted `%s', got %u, `%s'", c->answer, count, quoted(value));
}

void
run_offers(void)
{
	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		struct link l = {.fd = -1};

		if (!chosen("offers", offers[i].name))
			continue;
		bool good = link_open(&l) && play_offer(&l, &offers[i]);

		link_close(&l);
		report("offers", offers[i].name, good);
	}
}

/* Send a byte every 50 ms until a response arrives; for a server with a short -t. */
static bool
play_dribble(struct link *l)
{
	struct names names = {.host = settings.host};
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	unsigned status;

	expand(&l->out, GET FIELDS "X: {x*10000}", &names);
	for (size_t sent = 0; sent < l->out.size && (int)sent * 50 < settings.timeout_ms; sent++) {
		if (send(l->fd, l->out.at + sent, 1, MSG_NOSIGNAL) != 1 || poll(&p, 1, 50) != 0)
			break;
	}
	if (!take_head(l, &status))
		return false;
	return status == 408 ? check_refusal(l, status, false) : wrong("wanted status 408, got %u", status);
}

static bool
play_silence(struct link *l)
{
	return link_end(l);
}

void
run_slow(void)
{
	static const struct {
		const char *name;
		bool (*play)(struct link *l);
	} cases[] = {
		{"A head that dribbles in is refused in time", play_dribble},
		{"A client that never says anything is left without an answer", play_silence},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct link l = {.fd = -1};

		if (!chosen("slow", cases[i].name))
			continue;
		bool good = link_open(&l) && cases[i].play(&l);

		link_close(&l);
		report("slow", cases[i].name, good);
	}
}

void
run_answers(void)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		if (chosen("answers", answers[i].name))
			report("answers", answers[i].name, play_as_server(&answers[i], NULL));
	for (size_t i = 0; i < sizeof deflate_answers / sizeof deflate_answers[0]; i++)
		if (chosen("deflate-answers", deflate_answers[i].name))
			report("deflate-answers", deflate_answers[i].name, play_as_server(&deflate_answers[i], NULL));
}
