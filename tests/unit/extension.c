/* The negotiation of permessage-deflate: RFC 7692 section 7.1, in lists as RFC 6455 section 9.1 has them.
   Invalid offers and answers are seeds of the fuzz target extension. */
#include "ws/extension.h"

#include "unit.h"

#define D "permessage-deflate"
#define SNO "; server_no_context_takeover"
#define CNO "; client_no_context_takeover"
#define SMAX "; server_max_window_bits"
#define CMAX "; client_max_window_bits"

static const struct extension any = {.server_bits = 15, .client_bits = 15};
static struct http_fields fields;

/* The fields of a head; all but the last are separated by newlines. */
static void
fields_set(const char *values)
{
	fields.count = 0;
	for (const char *next = values; next != NULL; fields.count++) {
		size_t n = strcspn(next, "\n");

		fields.all[fields.count].name = span_of(fields.count == 0 ? "sec-websocket-extensions" : "Sec-WebSocket-Extensions");
		/* Never freed: each test needs only a few values. */
		fields.all[fields.count].value = (struct span){(const char *)unit_at_edge(next, n), n};
		next = next[n] == '\0' ? NULL : next + n + 1;
	}
}

/* The response of a server, `-` for no extension, `!` for an invalid field. */
static const char *
answer_of(const struct extension *want, const char *offers)
{
	static char answer[EXTENSION_SIZE + 1];
	struct strbuf out = {.at = answer, .room = EXTENSION_SIZE};
	struct extension agreed = {0};
	const char *why = NULL;
	enum extension_result result;

	fields_set(offers);
	result = extension_accept(&fields, want, &agreed, &why);
	CHECK((result == EXTENSION_BAD) == (why != NULL));
	if (result != EXTENSION_AGREED)
		return result == EXTENSION_NONE ? "-" : "!";
	extension_put(&out, &agreed);
	CHECK(!out.cut);
	answer[out.size] = '\0';
	return answer;
}

static void
answers(const struct extension *want, const char *offers, const char *answer)
{
	const char *got = answer_of(want, offers);

	if (strcmp(got, answer) != 0)
		printf("# %s: got %s, want %s\n", offers, got, answer);
	CHECK(strcmp(got, answer) == 0);
}

TEST(a_server_answers_each_parameter)
{
	answers(&any, D, D);
	answers(&any, D SNO, D SNO);
	answers(&any, D CNO, D CNO);
	answers(&any, D SMAX "=10", D SMAX "=10");
	answers(&any, D SMAX "=8", D SMAX "=8");
	answers(&any, D SMAX "=15", D SMAX "=15");
	answers(&any, D CMAX, D);
	answers(&any, D CMAX "=9", D CMAX "=9");
	answers(&any, D CMAX "=11" SMAX "=12" CNO SNO, D SNO CNO SMAX "=12" CMAX "=11");
	/* RFC 7692 section 7.1.3. */
	answers(&any, D CMAX SMAX "=10", D SMAX "=10");
	answers(&any, D CMAX SMAX "=10, " D CMAX, D SMAX "=10");
}

TEST(a_server_limits_both_windows)
{
	static const struct extension small = {.server_bits = 10, .client_bits = 9};
	static const struct extension alone = {.server_no_takeover = true, .client_no_takeover = true,
		.server_bits = 15, .client_bits = 15};

	answers(&small, D CMAX, D SMAX "=10" CMAX "=9");
	answers(&small, D CMAX "=8", D SMAX "=10" CMAX "=8");
	answers(&small, D CMAX "=15" SMAX "=9", D SMAX "=9" CMAX "=9");
	answers(&small, D CMAX SMAX "=11", D SMAX "=10" CMAX "=9");
	/* The server must not limit a client that does not offer it, so it skips the offer. */
	answers(&small, D, "-");
	answers(&small, D SNO ", " D CMAX, D SMAX "=10" CMAX "=9");
	answers(&alone, D, D SNO CNO);
	answers(&alone, D SNO CNO, D SNO CNO);
}

/* The result of a client for a response to its offer, `-` for no extension, `!` for an invalid one. */
static const char *
checked(const char *offer, const char *answer)
{
	static char got[EXTENSION_SIZE + 1];
	struct strbuf out = {.at = got, .room = EXTENSION_SIZE};
	struct extension offered = {0}, agreed = {0};
	enum extension_result result;
	const char *why = NULL;

	/* An offer, as for the server above, except the window that the server chooses. */
	if (offer != NULL) {
		struct extension e = {.server_bits = 15, .client_bits = 15};
		bool no_value = strstr(offer, CMAX) != NULL && strstr(offer, CMAX "=") == NULL;

		fields_set(offer);
		CHECK(extension_accept(&fields, &e, &offered, &why) == EXTENSION_AGREED);
		offered.client_bits_any = no_value;
		extension_put(&out, &offered);
		got[out.size] = '\0';
		CHECK(strcmp(got, offer) == 0);
		out.size = 0;
	}
	fields.count = 0;
	if (answer != NULL)
		fields_set(answer);
	result = extension_check(&fields, offer != NULL ? &offered : NULL, &agreed, &why);
	CHECK(result != EXTENSION_BAD || why != NULL);
	if (result != EXTENSION_AGREED)
		return result == EXTENSION_NONE ? "-" : "!";
	CHECK(agreed.server_bits != 0 && agreed.client_bits != 0 && !agreed.client_bits_any);
	extension_put(&out, &agreed);
	got[out.size] = '\0';
	return got;
}

static void
checks(const char *offer, const char *answer, const char *want)
{
	const char *got = checked(offer, answer);

	if (strcmp(got, want) != 0)
		printf("# %s, %s: got %s, want %s\n", offer == NULL ? "nothing" : offer, answer == NULL ? "nothing" : answer, got, want);
	CHECK(strcmp(got, want) == 0);
}

#define BOTH(s, c) SMAX "=" #s CMAX "=" #c

TEST(a_client_accepts_supported_responses)
{
	checks(D, NULL, "-");
	checks(D, "", "-");
	checks(NULL, NULL, "-");
	checks(D, D, D BOTH(15, 15));
	/* Accepted although they were not offered (sections 7.1.1.1, 7.1.1.2 and 7.1.2.1). */
	checks(D, D SNO, D SNO BOTH(15, 15));
	checks(D, D CNO SMAX "=8", D CNO BOTH(8, 15));
	checks(D CMAX, D CMAX "=10", D BOTH(15, 10));
	checks(D CMAX, D, D BOTH(15, 15));
	checks(D SMAX "=12", D SMAX "=12", D BOTH(12, 15));
	checks(D SMAX "=12", D SMAX "=\"9\"", D BOTH(9, 15));
	checks(D SMAX "=15", D, D BOTH(15, 15));
	checks(D SNO, D SNO, D SNO BOTH(15, 15));
	/* The client's own parameters in the offer apply without the server's response. */
	checks(D CNO, D, D CNO BOTH(15, 15));
	checks(D CMAX "=10", D, D BOTH(15, 10));
	checks(D CMAX "=10", D CMAX "=12", D BOTH(15, 10));
	checks(D CMAX "=10", D CMAX "=9", D BOTH(15, 9));
}

TEST(a_variable_holds_an_answer)
{
	static const char *const wrong[] = {"", "foo", D ", " D, D ", foo", D CMAX, D "; a", D SMAX "=7", D ";", D SNO SNO};
	struct extension e;

	CHECK(extension_parse(span_of(D), &e) && e.server_bits == 15 && e.client_bits == 15 && !e.server_no_takeover
	    && !e.client_no_takeover);
	CHECK(extension_parse(span_of(D SNO BOTH(8, 9)), &e) && e.server_bits == 8 && e.client_bits == 9
	    && e.server_no_takeover && !e.client_no_takeover);
	CHECK(extension_parse(span_of(D CNO), &e) && e.client_no_takeover && !e.server_no_takeover);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!extension_parse(span_of(wrong[i]), &e));
}

TEST(the_longest_one_fits)
{
	char all[EXTENSION_SIZE];
	struct strbuf out = {.at = all, .room = sizeof all};

	extension_put(&out, &(struct extension){.server_no_takeover = true, .client_no_takeover = true, .server_bits = 15,
	    .client_bits = 15});
	CHECK(!out.cut && span_equal((struct span){all, out.size}, span_of(D SNO CNO BOTH(15, 15))));
}
