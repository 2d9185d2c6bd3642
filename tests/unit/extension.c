/*
 * The agreement on permessage-deflate as text (RFC 7692 section 7.1). Offers and answers are seeds of the fuzz target
 * extension.
 */
#include "ws/extension.h"

#include "unit.h"

#define D "permessage-deflate"
#define SNO "; server_no_context_takeover"
#define CNO "; client_no_context_takeover"
#define BITS(s, c) "; server_max_window_bits=" #s "; client_max_window_bits=" #c

TEST(an_agreement_is_written_in_one_way)
{
	char all[EXTENSION_SIZE];
	struct strbuf out = {.at = all, .capacity = sizeof all};

	extension_put(&out, &(struct extension){true, true, 15, 15, false});
	CHECK(!out.cut && span_equal((struct span){all, out.size}, span_of(D SNO CNO BITS(15, 15))));
}

TEST(a_variable_holds_an_answer)
{
	static const struct {
		const char *text;
		struct extension want;
	} good[] = {
		{D, {false, false, 15, 15, false}},
		{D CNO, {false, true, 15, 15, false}},
		{D SNO BITS(8, 9), {true, false, 8, 9, false}},
	};
	static const char *const wrong[] = {"", "foo", D ", " D, D ", foo", D "; client_max_window_bits", D "; a",
		D "; server_max_window_bits=7", D ";", D SNO SNO};
	struct extension e;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(extension_parse(span_of(good[i].text), &e) && e.server_bits == good[i].want.server_bits
		    && e.client_bits == good[i].want.client_bits && e.server_no_takeover == good[i].want.server_no_takeover
		    && e.client_no_takeover == good[i].want.client_no_takeover);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(!extension_parse(span_of(wrong[i]), &e));
}
