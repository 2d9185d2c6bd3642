/* The cases of wsprobe for permessage-deflate, from RFC 7692 and RFC 1951, in the notation of frame_cases.h. With
 * --agreed all data messages of all groups are compressed, by fixed codes; these words before a frame change that:
 * plain, stored, final (a block with BFINAL, as in section 7.2.3.4). */
#ifndef FITTINGS_WSPROBE_DEFLATE_H
#define FITTINGS_WSPROBE_DEFLATE_H

#include "frame_cases.h"
#include "wsprobe.h"

#define HELLO "%f2%48%cd%c9%c9%07%00"

/* Their distances refer only to their own message. */
static const struct frame_case deflate_cases[] = {
	{"deflate", "The RFC's Hello in one frame is echoed", "rsv=4 text " HELLO " =text Hello", 3},
	{"deflate", "The RFC's Hello in two frames is echoed", "rsv=4 text+ %f2%48%cd cont %c9%c9%07%00 =text Hello", 3},
	{"deflate", "The RFC's Hello in a stored block is echoed",
		"rsv=4 text %00%05%00%fa%ff%48%65%6c%6c%6f%00 =text Hello", 3},
	{"deflate", "The RFC's Hello in a block with BFINAL is echoed", "rsv=4 text %f3%48%cd%c9%c9%07%00%00 =text Hello", 3},
	{"deflate", "The RFC's Hello in two blocks is echoed", "rsv=4 text %f2%48%05%00%00%00%ff%ff%ca%c9%c9%07%00 =text Hello", 3},
	{"deflate", "Blocks after one with BFINAL belong to the message",
		"rsv=4 text %f3%48%cd%c9%c9%07%00%00%05%00%fa%ff%48%65%6c%6c%6f%00 =text HelloHello", 3},
	{"deflate", "A dynamic block with one distance code is echoed",
		"rsv=4 text %0c%e0%81%00%00%00%00%80%20%b0%e6%2f%f1%59%00 =text aaaa", 3},
	{"deflate", "Plain messages between compressed ones are echoed", "text a plain text b text c =text a =text b =text c", 3},
	{"deflate", "An empty message is echoed", "text - =text - stored text - =text - final binary - =binary -", 3},
	{"deflate", "An empty message of one byte is echoed, as in section 7.2.3.6", "rsv=4 text %00 =text -", 3},
	{"deflate", "Every byte in a fragment of its own makes one message", "cut=1 text fragments =text fragments", 3},
	{"deflate", "Empty fragments of a compressed message do not count",
		"rsv=4 text+ - cont+ %f2%48%cd cont+ - cont %c9%c9%07%00 =text Hello", 3},
	{"deflate", "A ping inside a compressed message is answered", "text+ Hel ping x =pong x cont lo =text Hello", 3},
	{"deflate", "Stored messages around the size of a block are echoed",
		"stored binary x*65535 =binary x*65535 stored binary x*65536 =binary x*65536 stored binary x*1048576 =binary x*1048576", 3},
	{"deflate", "A thousand small messages sent at once are echoed", "times=1000 text Hello/x*100 times=1000 =text Hello/x*100", 3},
	{"deflate", "A message of 16 MiB from a few bytes is echoed", "binary x*16777216 =binary x*16777216", 3},
	{"deflate", "A stored message of 16 MiB is echoed", "stored binary x*16777216 =binary x*16777216", 3},
	{"deflate", "A message of 16 MiB and a byte is too big, the one before it is echoed",
		"text Hello binary x*16777217 =text Hello =close 1009", 3},
	{"deflate", "A message of a gigabyte is too big before it is complete", "binary+ x*67108864 times=15 cont+ x*67108864 =close 1009", 3},

	{"deflate", "RSV1 in a continuation fails", "rsv=4 text+ %f2%48%cd rsv=4 cont %c9%c9%07%00 =close 1002", 3},
	{"deflate", "RSV1 in a continuation of a plain message fails", "plain text+ Hel rsv=4 cont lo =close 1002", 3},
	{"deflate", "RSV1 in a ping fails", "rsv=4 ping x =close 1002", 3},
	{"deflate", "RSV1 in a Close fails", "rsv=4 close 1000 =close 1002", 3},
	{"deflate", "RSV2 fails", "rsv=2 text " HELLO " =close 1002", 3},
	{"deflate", "A block of the reserved type fails", "rsv=4 text %06 =close 1007", 3},
	{"deflate", "A broken message fails before it is complete", "rsv=4 text+ %06 =close 1007", 3},
	{"deflate", "A broken message fails before its frame is complete", "text Hello rsv=4 declare=1000 text %06%00 =text Hello =close 1007", 3},
	{"deflate", "The message before a broken one is echoed", "text Hello rsv=4 text %06 =text Hello =close 1007", 3},
	{"deflate", "A stored block with a wrong length fails", "rsv=4 text %00%05%00%fa%fe%48%65%6c%6c%6f%00 =close 1007", 3},
	{"deflate", "A message that ends inside a block fails", "rsv=4 text %f2%48%cd =close 1007", 3},
	{"deflate", "A distance before the first byte fails", "rsv=4 text %f2%00%11%00%00 =close 1007", 3},
	{"deflate", "Text that is not UTF-8 when decompressed fails", "text a%ff =close 1007", 3},
	{"deflate", "Text that is not UTF-8 when decompressed fails before the message is complete", "text+ a%ff =close 1007", 3},
	{"deflate", "A character cut at the end of a compressed text fails", "text Hello%e2%82 =close 1007", 3},
	{"deflate", "The compressed bytes need not be UTF-8, and a character may be split", "text+ %e2 cont+ %82 cont %ac =text %e2%82%ac", 3},
	{"deflate", "A Close's reason is never compressed", "close 1000/bye =close 1000", 3},

	/* With context takeover the second message refers to the first one; without it, this is an
	 * error. */
	{"takeover", "The RFC's second Hello refers to the first one",
		"rsv=4 text " HELLO " rsv=4 text %f2%00%11%00%00 =text Hello =text Hello", 3},
	{"takeover", "A plain message between them is not in the window",
		"rsv=4 text " HELLO " plain text x rsv=4 text %f2%00%11%00%00 =text Hello =text x =text Hello", 3},
	{"no-takeover", "A distance into the message before fails",
		"rsv=4 text " HELLO " rsv=4 text %f2%00%11%00%00 =text Hello =close 1007", 3},
};

struct offer_case {
	const char *name;
	const char *send;   /* fields of the request */
	const char *answer; /* the correct ones, separated by |; "" declines */
};

#define OFFER(text) "Sec-WebSocket-Extensions: " text "\r\n"
#define PMD "permessage-deflate"

/* For a server with only -z: 15 bits, context takeover (RFC 7692, section 7.1). */
static const struct offer_case offers[] = {
	{"No offer is no answer", "", ""},
	{"The bare offer is accepted", OFFER(PMD), PMD},
	{"Browsers' offer is accepted", OFFER(PMD "; client_max_window_bits"), PMD "|" PMD "; client_max_window_bits=15"},
	{"Names in another case are the same or unknown", OFFER("PerMessage-Deflate"), PMD "|"},
	{"A context takeover that the client declines is answered", OFFER(PMD "; server_no_context_takeover"),
		PMD "; server_no_context_takeover"},
	{"A window of the server is answered", OFFER(PMD "; server_max_window_bits=10"), PMD "; server_max_window_bits=10"},
	{"A quoted value is the value", OFFER(PMD "; server_max_window_bits=\"10\""), PMD "; server_max_window_bits=10"},
	{"A window of 8 bits is declined or answered", OFFER(PMD "; server_max_window_bits=8"), "|" PMD "; server_max_window_bits=8"},
	{"An unknown extension is declined", OFFER("x-webkit-deflate-frame"), ""},
	{"An unknown parameter is declined", OFFER(PMD "; unknown"), ""},
	{"A repeated parameter is declined", OFFER(PMD "; client_max_window_bits; client_max_window_bits"), ""},
	{"A window of 16 bits is declined", OFFER(PMD "; server_max_window_bits=16"), ""},
	{"The first offer that can be honored is accepted",
		OFFER(PMD "; unknown, " PMD "; server_no_context_takeover, " PMD), PMD "; server_no_context_takeover"},
	{"Offers of several fields are one list", OFFER("x-a") OFFER(PMD), PMD},
};

#undef OFFER
#define ANSWER(text) SWITCHING UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Extensions: " text "\r\n" END

/* For a client with only -z, whose offer has client_max_window_bits without a value. */
static const struct answer_case deflate_answers[] = {
	{"An answer without the extension is taken", SWITCHING UPGRADE CONNECTION ACCEPT END, true},
	{"The bare answer is taken", ANSWER(PMD), true},
	{"A context takeover that the server will not use is taken unasked", ANSWER(PMD "; server_no_context_takeover"), true},
	{"All four together are taken", ANSWER(PMD "; client_no_context_takeover; server_max_window_bits=9; "
		"client_max_window_bits=10; server_no_context_takeover"), true},
	{"A quoted window is taken", ANSWER(PMD "; server_max_window_bits=\"12\""), true},
	{"Another extension fails", ANSWER("x-webkit-deflate-frame"), false},
	{"A second extension fails", ANSWER(PMD ", x-a"), false},
	{"The extension in two fields fails",
		SWITCHING UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Extensions: " PMD "\r\nSec-WebSocket-Extensions: " PMD "\r\n" END, false},
	{"An unknown parameter fails", ANSWER(PMD "; unknown"), false},
	{"A window of the server of 16 bits fails", ANSWER(PMD "; server_max_window_bits=16"), false},
	{"A window of the client without a value fails", ANSWER(PMD "; client_max_window_bits"), false},
	{"A window of the client of 0 bits fails", ANSWER(PMD "; client_max_window_bits=0"), false},
};

#undef ANSWER

#endif
