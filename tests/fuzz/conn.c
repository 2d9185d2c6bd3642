/* Keepalive and closing handshake of a connection under any sequence of events, beside a naive implementation. */
#include "naive_conn.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned choice = size > 0 ? bytes[0] : 0;
	struct node node = {0};

	node_open(&node, (choice & 1) != 0, (choice & 2) != 0);
	FUZZ_CHECK(same(&node));
	for (size_t i = 1; i < size; i++) {
		unsigned want, did = apply(&node, (enum event)(bytes[i] % EVENTS), &want);

		FUZZ_CHECK(did == want && same(&node));
	}
	return 0;
}
