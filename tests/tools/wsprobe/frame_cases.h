/*
 * The cases of wsprobe after the handshake, from RFC 6455, sections 5 to 8, RFC 3629, RFC 7692 and RFC 1951, for a peer
 * that echoes every message with its type.
 *
 * A script is played word by word. Frames to send, each with a payload:
 *
 *     text hello    binary x*70000    ping -    pong %00%ff    close 1000/bye
 *     text+ he cont+ l cont lo        a + leaves FIN unset
 *     raw %81%85                      raw bytes
 *
 * The parts of a payload are joined by /; x*N is a part N times, %HH a byte, - none. The first part
 * of close is the code. Words before a frame change it:
 *
 *     rsv=4 op=3 unmasked zerokey length=16 length=64 declare=100 cut=64 times=10
 *
 * (unmasked: masking that is wrong for the role; declare: the length in the header; cut: fragments
 * of that size; times: repetitions). Other words:
 *
 *     flush    send the queue, wait for it before the next word
 *     fin      half-close
 *     deaf     send the following without reading, as long as possible
 *     chunk=64 limit the size of each send
 *     turns=10 send the next frame and wait for its echo, repeatedly
 *
 * Expected are complete messages and control frames in order, written with =: =text =binary =ping
 * =pong =close. =close also expects the end of the connection after it, and may have several codes,
 * 1002|1009. A script that does not end with =close continues with `close 1000 =close 1000`.
 *
 * With --agreed, data messages are compressed, unless a word before the frame says plain, or rsv=N with a payload that
 * is compressed already; stored uses only stored blocks. Distances refer only to their own message.
 */
#ifndef FITTINGS_WSPROBE_FRAMES_H
#define FITTINGS_WSPROBE_FRAMES_H

#include "wsprobe.h"

#define HELLO "%f2%48%cd%c9%c9%07%00"

static const struct frame_case frames[] = {
	{"framing", NULL},
	{"The RFC's Hello in one frame is echoed", "text Hello =text Hello"},
	{"The RFC's Hello in two frames is echoed", "text+ Hel cont lo =text Hello"},
	{"Text and binary messages are echoed with their type",
		"text a =text a binary b =binary b text c =text c binary %ff%00 =binary %ff%00"},
	{"Empty messages are echoed with their type", "text - =text - binary - =binary -"},
	{"A key of zeros is a key", "zerokey text Hello =text Hello"},
	{"A frame with the wrong masking fails", "unmasked text Hello =close 1002"},
	{"A ping with the wrong masking fails", "unmasked ping Hello =close 1002"},
	{"A fragment with the wrong masking fails", "text+ Hel unmasked cont lo =close 1002"},
	{"The message before a frame with the wrong masking is echoed",
		"text Hello unmasked text x =text Hello =close 1002"},
	{"A length of 5 in 16 bits is not minimal", "length=16 text Hello =close 1002"},
	{"A length of 65535 in 64 bits is not minimal", "length=64 binary x*65535 =close 1002"},
	{"A length that is not minimal fails at the header", "length=16 declare=5 text - =close 1002"},
	{"A length of 5 in 16 bits fails in a continuation", "text+ x length=16 cont Hello =close 1002"},
	{"A ping's length in 16 bits fails", "length=16 ping Hello =close 1002"},
	{"A length with the highest bit fails", "declare=9223372036854775808 binary - =close 1002|1009"},
	{"A length of 2^63 - 1 is too big at the header", "declare=9223372036854775807 binary - =close 1009"},
	{"A length of 2^32 is too big at the header", "declare=4294967296 text - =close 1009"},
	{"A length of 2^32 + 5 is not truncated to 5", "declare=4294967301 text Hello =close 1009"},

	{"pings", NULL},
	{"An empty ping is answered", "ping - =pong -"},
	{"A ping is answered with its payload", "ping Hello =pong Hello"},
	{"A ping with bytes that are not text is answered", "ping %00%ff%fe%80 =pong %00%ff%fe%80"},
	{"A ping of 125 bytes is answered", "ping %fe*125 =pong %fe*125"},
	{"A ping of 126 bytes fails", "ping %fe*126 =close 1002"},
	{"A ping of 126 bytes fails at the header", "declare=126 ping - =close 1002"},
	{"A ping without FIN fails", "ping+ Hello =close 1002"},
	{"Ten pings are answered in order",
		"ping 0 ping 1 ping 2 ping 3 ping 4 ping 5 ping 6 ping 7 ping 8 ping 9 "
		"=pong 0 =pong 1 =pong 2 =pong 3 =pong 4 =pong 5 =pong 6 =pong 7 =pong 8 =pong 9"},
	{"An unsolicited pong is ignored", "pong Hello text a =text a"},
	{"A pong of 126 bytes fails", "pong x*126 =close 1002"},
	{"A pong without FIN fails", "pong+ x =close 1002"},
	{"Pongs around a ping do not answer for it", "pong a ping b pong c =pong b"},
	{"A thousand pongs are ignored", "times=1000 pong x*100 ping Hello =pong Hello"},
	{"A thousand pings, one at a time, are answered", "turns=1000 ping x*100"},

	{"fragments", NULL},
	{"A message in three fragments is echoed whole", "text+ a cont+ b cont c =text abc"},
	{"Every byte in a fragment of its own makes one message", "cut=1 text fragments =text fragments"},
	{"Three empty fragments are an empty message", "text+ - cont+ - cont - =text -"},
	{"Empty fragments around a byte do not count", "text+ - cont+ x cont - =text x"},
	{"Empty fragments between the halves of a character do not count",
		"text+ %e2 cont+ - cont+ %82 cont+ - cont %ac =text %e2%82%ac"},
	{"A thousand empty fragments are an empty message", "text+ - times=1000 cont+ - cont - =text -"},
	{"A ping between two fragments is answered before the message is complete",
		"text+ Hel ping x =pong x cont lo =text Hello"},
	{"A ping between two fragments sent at once is answered before the echo",
		"text+ Hel ping x cont lo =pong x =text Hello"},
	{"Pings between all fragments are answered",
		"text+ a ping 1 cont+ b ping 2 cont+ c ping 3 cont d =pong 1 =pong 2 =pong 3 =text abcd"},
	{"A pong between two fragments is ignored", "text+ Hel pong x cont lo =text Hello"},
	{"A ping inside a character is answered and does not break it",
		"text+ %f0%9f ping x =pong x cont %98%80 =text %f0%9f%98%80"},
	{"A letter between a character's fragments fails", "text+ %e2 cont+ a cont %82%ac =close 1007"},
	{"A Close between two fragments ends the connection", "text+ Hel close 1000 =close 1000"},
	{"A Close inside a character ends the connection", "text+ %e2%82 close 1000 =close 1000"},
	{"A continuation without a message fails", "cont Hello =close 1002"},
	{"A continuation after a complete message fails, the message is echoed",
		"text Hello cont x =text Hello =close 1002"},
	{"A continuation after the last fragment fails, the message is echoed",
		"text+ Hel cont lo cont x =text Hello =close 1002"},
	{"A text frame inside a message fails", "text+ Hel text lo =close 1002"},
	{"A text frame inside a binary message fails", "binary+ Hel text lo =close 1002"},
	{"A ping may come before a wrong continuation fails", "ping x =pong x cont y =close 1002"},
	{"A second message in fragments follows the first",
		"text+ a cont b =text ab binary+ c cont d =binary cd text e =text e"},

	{"close", NULL},
	{"A Close is answered and the connection ended", "close 1000 =close 1000"},
	{"An empty Close is answered by an empty one", "close - =close -"},
	{"A Close of one byte fails", "op=8 text x =close 1002"},
	{"A reason of 123 bytes is accepted", "close 1000/x*123 =close 1000"},
	{"A Close of 126 bytes fails", "close 1000/x*124 =close 1002"},
	{"A Close of 126 bytes fails at the header", "op=8 declare=126 text - =close 1002"},
	{"A Close without FIN fails", "op=8 text+ %03%e8 =close 1002"},
	{"A reason of characters of all sizes is accepted", "close 1000/a%c3%a9%e2%82%ac%f0%9f%98%80 =close 1000"},
	{"A reason that is not UTF-8 fails", "close 1000/%ff =close 1007"},
	{"A reason cut inside a character fails", "close 1000/x%e2%82 =close 1007"},
	{"A wrong code with a bad reason fails", "close 1005/%ff =close 1002|1007"},
	{"A message before Close is echoed first", "text Hello close 1000 =text Hello =close 1000"},
	{"Many messages before Close are all echoed first",
		"times=100 text x*1000 close 1000 times=100 =text x*1000 =close 1000"},
	{"A megabyte before Close is echoed first", "binary x*1048576 close 1000 =binary x*1048576 =close 1000"},
	{"A ping before Close is answered first", "ping x close 1000 =pong x =close 1000"},
	{"A ping after a Close is not answered", "close 1000 ping x =close 1000"},
	{"A message after a Close is not echoed", "close 1000 text x =close 1000"},
	{"A second Close is not answered", "close 1000 close 1001 =close 1000"},
	{"An invalid frame after a Close is ignored", "close 1000 rsv=7 op=15 text x =close 1000"},
	{"A megabyte after a Close does not destroy the answer", "close 1000 binary x*1048576 =close 1000"},
	{"A message cut off by the end of the stream is not echoed, the one before it is",
		"text Hello declare=10 text Hel fin =text Hello =close any"},
	{"EOF without a Close is an orderly end, after the echo", "text Hello fin =text Hello =close 1000"},
	{"EOF directly after the handshake ends the connection", "fin =close 1000"},

	{"limits", NULL},
	{"A message of 16 MiB is echoed", "binary x*16777216 =binary x*16777216"},
	{"A text of 16 MiB is echoed", "text x*16777216 =text x*16777216"},
	{"A text of 16 MiB of three-byte characters is echoed", "text %e2%82%ac*5592405 =text %e2%82%ac*5592405"},
	{"A message of 16 MiB and a byte is too big at the header", "declare=16777217 binary - =close 1009"},
	{"Fragments of more than 16 MiB together are too big at the header that exceeds it",
		"binary+ x*16777215 cont+ x declare=1 cont - =close 1009"},
	{"Fragments of just 16 MiB together are echoed", "binary+ x*16777214 cont+ x cont x =binary x*16777216"},
	{"A message that is too big fails, the one before it is echoed",
		"text Hello declare=16777217 binary - =text Hello =close 1009"},
	{"A sum of lengths that wraps around 64 bits is too big",
		"binary+ x declare=18446744073709551615 cont - =close 1002|1009"},
	{"Sixteen messages of a megabyte sent without reading are echoed",
		"deaf times=16 binary x*1048576 times=16 =binary x*1048576"},
	{"Messages of 64 KiB sent without reading until the buffers are full are echoed",
		"deaf times=300 text x*65536 times=300 =text x*65536"},
	{"A ping after 16 MiB is answered", "binary x*16777216 =binary x*16777216 ping x =pong x"},

	{"deflate", NULL},
	{"The RFC's Hello in one frame is echoed", "rsv=4 text " HELLO " =text Hello"},
	{"The RFC's Hello in two frames is echoed", "rsv=4 text+ %f2%48%cd cont %c9%c9%07%00 =text Hello"},
	{"The RFC's Hello in a stored block is echoed", "rsv=4 text %00%05%00%fa%ff%48%65%6c%6c%6f%00 =text Hello"},
	{"The RFC's Hello in a block with BFINAL is echoed", "rsv=4 text %f3%48%cd%c9%c9%07%00%00 =text Hello"},
	{"The RFC's Hello in two blocks is echoed", "rsv=4 text %f2%48%05%00%00%00%ff%ff%ca%c9%c9%07%00 =text Hello"},
	{"Blocks after one with BFINAL belong to the message",
		"rsv=4 text %f3%48%cd%c9%c9%07%00%00%05%00%fa%ff%48%65%6c%6c%6f%00 =text HelloHello"},
	{"A dynamic block with one distance code is echoed",
		"rsv=4 text %0c%e0%81%00%00%00%00%80%20%b0%e6%2f%f1%59%00 =text aaaa"},
	{"Plain messages between compressed ones are echoed", "text a plain text b text c =text a =text b =text c"},
	{"An empty message is echoed", "text - =text - rsv=4 binary %03%00%00 =binary -"},
	{"An empty message of one byte is echoed, as in section 7.2.3.6", "rsv=4 text %00 =text -"},
	{"Every byte in a fragment of its own makes one message", "cut=1 text fragments =text fragments"},
	{"Empty fragments of a compressed message do not count",
		"rsv=4 text+ - cont+ %f2%48%cd cont+ - cont %c9%c9%07%00 =text Hello"},
	{"A ping inside a compressed message is answered", "text+ Hel ping x =pong x cont lo =text Hello"},
	{"Stored messages around the size of a block are echoed",
		"stored binary x*65535 =binary x*65535 stored binary x*65536 =binary x*65536 "
		"stored binary x*1048576 =binary x*1048576"},
	{"A thousand small messages sent at once are echoed",
		"times=1000 text Hello/x*100 times=1000 =text Hello/x*100"},
	{"A message of 16 MiB from a few bytes is echoed", "binary x*16777216 =binary x*16777216"},
	{"A stored message of 16 MiB is echoed", "stored binary x*16777216 =binary x*16777216"},
	{"A message of 16 MiB and a byte is too big, the one before it is echoed",
		"text Hello binary x*16777217 =text Hello =close 1009"},
	{"A message of a gigabyte is too big before it is complete",
		"binary+ x*67108864 times=15 cont+ x*67108864 =close 1009"},

	{"RSV1 in a continuation fails", "rsv=4 text+ %f2%48%cd rsv=4 cont %c9%c9%07%00 =close 1002"},
	{"RSV1 in a continuation of a plain message fails", "plain text+ Hel rsv=4 cont lo =close 1002"},
	{"RSV1 in a ping fails", "rsv=4 ping x =close 1002"},
	{"RSV1 in a Close fails", "rsv=4 close 1000 =close 1002"},
	{"RSV2 fails", "rsv=2 text " HELLO " =close 1002"},
	{"A block of the reserved type fails", "rsv=4 text %06 =close 1007"},
	{"A broken message fails before it is complete", "rsv=4 text+ %06 =close 1007"},
	{"A broken message fails before its frame is complete",
		"text Hello rsv=4 declare=1000 text %06%00 =text Hello =close 1007"},
	{"The message before a broken one is echoed", "text Hello rsv=4 text %06 =text Hello =close 1007"},
	{"A stored block with a wrong length fails", "rsv=4 text %00%05%00%fa%fe%48%65%6c%6c%6f%00 =close 1007"},
	{"A message that ends inside a block fails", "rsv=4 text %f2%48%cd =close 1007"},
	{"A distance before the first byte fails", "rsv=4 text %f2%00%11%00%00 =close 1007"},
	{"Text that is not UTF-8 when decompressed fails", "text a%ff =close 1007"},
	{"Text that is not UTF-8 when decompressed fails before the message is complete", "text+ a%ff =close 1007"},
	{"A character cut at the end of a compressed text fails", "text Hello%e2%82 =close 1007"},
	{"The compressed bytes need not be UTF-8, and a character may be split",
		"text+ %e2 cont+ %82 cont %ac =text %e2%82%ac"},
	{"A Close's reason is never compressed", "close 1000/bye =close 1000"},

	/* With context takeover the second message refers to the first one; without it, this is an error. */
	{"takeover", NULL},
	{"The RFC's second Hello refers to the first one",
		"rsv=4 text " HELLO " rsv=4 text %f2%00%11%00%00 =text Hello =text Hello"},
	{"A plain message between them is not in the window",
		"rsv=4 text " HELLO " plain text x rsv=4 text %f2%00%11%00%00 =text Hello =text x =text Hello"},

	{"no-takeover", NULL},
	{"A distance into the message before fails",
		"rsv=4 text " HELLO " rsv=4 text %f2%00%11%00%00 =text Hello =close 1007"},
};

/* Texts, each with its name. In an invalid one, ^ follows the first invalid byte, unless only the end is invalid. */
static const char *const good_texts[] = {
	"letters: Hello%2c%20world",
	"Greek of two and three bytes: %ce%ba%e1%bd%b9%cf%83%ce%bc%ce%b5",
	"U+0000: a%00b",
	"newlines: a%0ab%0d%0a%0a",
	"U+0080, the first of two bytes: %c2%80",
	"U+07FF, the last of two bytes: %df%bf",
	"U+0800, the first of three bytes: %e0%a0%80",
	"U+D7FF, the last before the surrogates: %ed%9f%bf",
	"U+E000, the first behind the surrogates: %ee%80%80",
	"U+FFFE and U+FFFF, which are no characters: %ef%bf%be%ef%bf%bf",
	"U+10000, the first of four bytes: %f0%90%80%80",
	"U+10FFFF, the last of all: %f4%8f%bf%bf",
	NULL,
};

static const char *const bad_texts[] = {
	"a lone tail behind letters: Hello%80^",
	"a tail too many behind four bytes: %f0%9f%98%80%80^",
	"C2 before a blank: %c2%20^",
	"E2 82 before another lead: %e2%82%e2^%82%ac",
	"F0 9F 98 before a blank: %f0%9f%98%20^",
	"C0 AF, a slash too long: %c0^%af",
	"E0 9F BF, U+07FF too long: %e0%9f^%bf",
	"F0 8F BF BF, U+FFFF too long: %f0%8f^%bf%bf",
	"F8, a lead of five bytes: %f8^%88%80%80%80",
	"FF: %ff^",
	"U+D800, the first surrogate: %ed%a0^%80",
	"U+D800 behind Greek, with letters behind it: %ce%ba%e1%bd%b9%cf%83%ce%bc%ce%b5%ed%a0^%80edited",
	"U+110000, beyond the last: %f4%90^%80%80",
	"F5, a lead beyond the last: %f5^%80%80%80",
	"C3 at the end: Hello%c3",
	"E2 82 at the end: Hello%e2%82",
	"F0 9F 98 at the end: Hello%f0%9f%98",
	NULL,
};

static const char *const long_bad_texts[] = {
	"FF behind 70000 letters: x*70000/%ff/x*1000",
	"FF behind 70000 bytes of the euro sign: %e2%82%ac*23334/%ff/x*1000",
	"a surrogate behind a megabyte of letters: x*1048576/%ed%a0%80/x*1000",
	"E2 82 at the end of 100000 letters: x*100000/%e2%82",
	NULL,
};

#define VALUES(...) (const char *const[]){__VA_ARGS__, NULL}
#define SIZES VALUES("1", "125", "126", "127", "128", "65534", "65535", "65536", "65537", "1048576")
#define SMALL VALUES("16", "64", "256", "1024", "4096", "16384")
#define RESERVED_BITS VALUES("1", "2", "3", "4", "5", "6", "7")
#define RESERVED_OPCODES VALUES("3", "4", "5", "6", "7", "11", "12", "13", "14", "15")
/* Valid and invalid codes for a Close of a peer (RFC 6455, section 7.4). */
#define GOOD_CODES VALUES("1000", "1001", "1002", "1003", "1007", "1008", "1009", "1010", "1011", "1012", "1013", \
	"1014", "3000", "3999", "4000", "4999")
#define BAD_CODES VALUES("0", "1", "999", "1004", "1005", "1006", "1015", "1016", "1100", "1999", "2000", "2999", \
	"5000", "32768", "65535")

/*
 * Cases for each of several values, each `VALUE` or `NAME: VALUE`. In the name # is the value's name, in the script it is
 * the value, and < is the value up to its ^ (no case if it has none). @ is text in one case and binary in another.
 */
static const struct template templates[] = {
	{"framing", NULL, NULL},
	{"A text of # bytes is echoed", "text x*# =text x*#", SIZES},
	{"A binary message of # bytes is echoed", "binary %fe*# =binary %fe*#", SIZES},
	{"A text of # bytes in pieces of 997 is echoed", "chunk=997 text x*# =text x*#", SIZES},

	{"reserved", NULL, NULL},
	{"Reserved bits # in a @ frame fail", "rsv=# @ Hello =close 1002", RESERVED_BITS},
	{"Reserved bits # in a ping frame fail", "rsv=# ping Hello =close 1002", RESERVED_BITS},
	{"Reserved bits # in a pong frame fail", "rsv=# pong Hello =close 1002", RESERVED_BITS},
	{"Reserved bits # in a close frame fail", "rsv=# close 1000 =close 1002", RESERVED_BITS},
	{"Reserved bits # fail, the message before them is echoed",
		"text Hello rsv=# text x ping y =text Hello =close 1002", VALUES("1", "2", "4")},
	{"Reserved bits # in a continuation fail", "text+ Hel rsv=# cont lo =close 1002", VALUES("1", "2", "4")},
	{"Opcode # fails", "op=# text - =close 1002", RESERVED_OPCODES},
	{"Opcode # with a payload fails", "op=# text Hello =close 1002", RESERVED_OPCODES},
	{"Opcode # fails, the message before it is echoed",
		"text Hello op=# text x ping y =text Hello =close 1002", RESERVED_OPCODES},
	{"Opcode # inside a message fails", "text+ Hel op=# text x =close 1002", RESERVED_OPCODES},

	{"utf8", NULL, NULL},
	{"UTF-8 is echoed: #", "text # =text #", good_texts},
	{"UTF-8 in one-byte fragments is echoed: #", "cut=1 text # =text #", good_texts},
	{"Bad UTF-8 fails: #", "text # =close 1007", bad_texts},
	{"Bad UTF-8 in pieces fails: #", "chunk=1000 text+ # cont - =close 1007", bad_texts},
	{"Bad UTF-8 in one-byte fragments fails: #", "cut=1 text # =close 1007", bad_texts},
	{"Bad UTF-8 behind another fragment fails: #", "text+ abc cont # =close 1007", bad_texts},
	{"Bad UTF-8 fails after an echo: #", "text Hello text # =text Hello =close 1007", bad_texts},
	{"Bad UTF-8 fails before the frame is whole: #", "declare=1000 text < =close 1007", bad_texts},
	{"Bad UTF-8 fails before the message is whole: #", "text+ < =close 1007", bad_texts},
	{"Bad UTF-8 in one-byte fragments fails before the message is whole: #",
		"cut=1 text+ < =close 1007", bad_texts},
	{"As binary it is echoed: #", "binary # =binary #", bad_texts},
	{"Bad UTF-8 fails: #", "text # =close 1007", long_bad_texts},
	{"Bad UTF-8 in pieces fails: #", "chunk=1000 text+ # cont - =close 1007", long_bad_texts},
	{"As binary it is echoed: #", "binary # =binary #", long_bad_texts},

	{"text-only", NULL, NULL},
	{"As binary it is echoed as text: #", "binary # =text #", good_texts},
	{"As binary it fails: #", "binary # =close 1003", bad_texts},
	{"As binary it fails: #", "binary # =close 1003", long_bad_texts},

	{"close", NULL, NULL},
	{"Close code # is answered with itself", "close # =close #", GOOD_CODES},
	{"Close code # with a reason is answered with itself", "close #/bye =close #", GOOD_CODES},
	{"Close code # fails", "close # =close 1002", BAD_CODES},
	{"Close code # with a reason fails", "close #/bye =close 1002", BAD_CODES},

	{"bulk", NULL, NULL},
	{"A @ message of # bytes is echoed",
		"@ x*# =@ x*#", VALUES("262144", "524288", "1048576", "2097152", "4194304", "8388608")},
	{"A @ message of 4 MiB in fragments of # is echoed", "cut=# @ x*4194304 =@ x*4194304",
		VALUES("64", "256", "1024", "4096", "16384", "65536", "262144", "1048576")},
	{"A @ message of 1 MiB in pieces of # is echoed",
		"chunk=# @ x*1048576 =@ x*1048576", VALUES("64", "128", "256", "512", "1024")},
	{"A thousand @ messages of # bytes are echoed", "times=1000 @ x*# times=1000 =@ x*#", SMALL},
	{"A thousand @ messages of # bytes, one at a time, are echoed", "turns=1000 @ x*#", SMALL},
	{"A thousand empty @ messages are echoed", "times=1000 @ - times=1000 =@ -", VALUES("")},
	{"A message of 70000 one-byte @ fragments is echoed", "cut=1 @ x*70000 =@ x*70000", VALUES("")},
};

#endif
