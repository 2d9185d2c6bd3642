/*
 * The cases of wsprobe after the handshake, from RFC 6455, sections 5 to 8, and RFC 3629, for a
 * peer that echoes every message with its type.
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
 *
 * Expected are complete messages and control frames in order, written with =: =text =binary =ping
 * =pong =close. =close also expects the end of the connection after it, and may have several codes,
 * 1002|1009. A script that does not end with =close continues with `close 1000 =close 1000`.
 */
#ifndef FITTINGS_WSPROBE_FRAMES_H
#define FITTINGS_WSPROBE_FRAMES_H

enum { TO_SERVER = 1, TO_CLIENT = 2, TO_BOTH = 3 };

struct frame_case {
	const char *group;
	const char *name;
	const char *script;
	int roles;
};

static const struct frame_case frames[] = {
	{"framing", "The RFC's Hello in one frame is echoed", "text Hello =text Hello", 3},
	{"framing", "The RFC's Hello in two frames is echoed", "text+ Hel cont lo =text Hello", 3},
	{"framing", "Text and binary messages are echoed with their type",
		"text a =text a binary b =binary b text c =text c binary %ff%00 =binary %ff%00", 3},
	{"framing", "A key of zeros is a key", "zerokey text Hello =text Hello", 1},
	{"framing", "A frame with the wrong masking fails", "unmasked text Hello =close 1002", 3},
	{"framing", "A ping with the wrong masking fails", "unmasked ping Hello =close 1002", 3},
	{"framing", "A fragment with the wrong masking fails", "text+ Hel unmasked cont lo =close 1002", 3},
	{"framing", "The message before a frame with the wrong masking is echoed",
		"text Hello unmasked text x =text Hello =close 1002", 3},
	{"framing", "A length of 5 in 16 bits is not minimal", "length=16 text Hello =close 1002", 3},
	{"framing", "A length of 65535 in 64 bits is not minimal", "length=64 binary x*65535 =close 1002", 3},
	{"framing", "A length that is not minimal fails at the header", "length=16 declare=5 text - =close 1002", 3},
	{"framing", "A length of 5 in 16 bits fails in a continuation", "text+ x length=16 cont Hello =close 1002", 3},
	{"framing", "A ping's length in 16 bits fails", "length=16 ping Hello =close 1002", 3},
	{"framing", "A length with the highest bit fails", "declare=9223372036854775808 binary - =close 1002|1009", 3},
	{"framing", "A length of 2^63 - 1 is too big at the header", "declare=9223372036854775807 binary - =close 1009", 3},
	{"framing", "A length of 2^32 is too big at the header", "declare=4294967296 text - =close 1009", 3},
	{"framing", "A length of 2^32 + 5 is not truncated to 5", "declare=4294967301 text Hello =close 1009", 3},

	{"pings", "An empty ping is answered", "ping - =pong -", 3},
	{"pings", "A ping is answered with its payload", "ping Hello =pong Hello", 3},
	{"pings", "A ping with bytes that are not text is answered", "ping %00%ff%fe%80 =pong %00%ff%fe%80", 3},
	{"pings", "A ping of 125 bytes is answered", "ping %fe*125 =pong %fe*125", 3},
	{"pings", "A ping of 126 bytes fails", "ping %fe*126 =close 1002", 3},
	{"pings", "A ping of 126 bytes fails at the header", "declare=126 ping - =close 1002", 3},
	{"pings", "A ping without FIN fails", "ping+ Hello =close 1002", 3},
	{"pings", "Ten pings are answered in order",
		"ping 0 ping 1 ping 2 ping 3 ping 4 ping 5 ping 6 ping 7 ping 8 ping 9 "
		"=pong 0 =pong 1 =pong 2 =pong 3 =pong 4 =pong 5 =pong 6 =pong 7 =pong 8 =pong 9", 3},
	{"pings", "An unsolicited pong is ignored", "pong Hello text a =text a", 3},
	{"pings", "A pong of 126 bytes fails", "pong x*126 =close 1002", 3},
	{"pings", "A pong without FIN fails", "pong+ x =close 1002", 3},
	{"pings", "Pongs around a ping do not answer for it", "pong a ping b pong c =pong b", 3},
	{"pings", "A thousand pongs are ignored", "times=1000 pong x*100 ping Hello =pong Hello", 3},
	{"pings", "A thousand pings, one at a time, are answered", "turns=1000 ping x*100", 3},

	{"fragments", "A message in three fragments is echoed whole", "text+ a cont+ b cont c =text abc", 3},
	{"fragments", "Every byte in a fragment of its own makes one message", "cut=1 text fragments =text fragments", 3},
	{"fragments", "Three empty fragments are an empty message", "text+ - cont+ - cont - =text -", 3},
	{"fragments", "Empty fragments around a byte do not count", "text+ - cont+ x cont - =text x", 3},
	{"fragments", "Empty fragments between the halves of a character do not count",
		"text+ %e2 cont+ - cont+ %82 cont+ - cont %ac =text %e2%82%ac", 3},
	{"fragments", "A thousand empty fragments are an empty message", "text+ - times=1000 cont+ - cont - =text -", 3},
	{"fragments", "A ping between two fragments is answered before the message is complete",
		"text+ Hel ping x =pong x cont lo =text Hello", 3},
	{"fragments", "A ping between two fragments sent at once is answered before the echo",
		"text+ Hel ping x cont lo =pong x =text Hello", 3},
	{"fragments", "Pings between all fragments are answered",
		"text+ a ping 1 cont+ b ping 2 cont+ c ping 3 cont d =pong 1 =pong 2 =pong 3 =text abcd", 3},
	{"fragments", "A pong between two fragments is ignored", "text+ Hel pong x cont lo =text Hello", 3},
	{"fragments", "A ping inside a character is answered and does not break it",
		"text+ %f0%9f ping x =pong x cont %98%80 =text %f0%9f%98%80", 3},
	{"fragments", "A letter between a character's fragments fails", "text+ %e2 cont+ a cont %82%ac =close 1007", 3},
	{"fragments", "A Close between two fragments ends the connection", "text+ Hel close 1000 =close 1000", 3},
	{"fragments", "A Close inside a character ends the connection", "text+ %e2%82 close 1000 =close 1000", 3},
	{"fragments", "A continuation without a message fails", "cont Hello =close 1002", 3},
	{"fragments", "A continuation after a complete message fails, the message is echoed",
		"text Hello cont x =text Hello =close 1002", 3},
	{"fragments", "A continuation after the last fragment fails, the message is echoed",
		"text+ Hel cont lo cont x =text Hello =close 1002", 3},
	{"fragments", "A text frame inside a message fails", "text+ Hel text lo =close 1002", 3},
	{"fragments", "A text frame inside a binary message fails", "binary+ Hel text lo =close 1002", 3},
	{"fragments", "A ping may come before a wrong continuation fails", "ping x =pong x cont y =close 1002", 3},
	{"fragments", "A second message in fragments follows the first",
		"text+ a cont b =text ab binary+ c cont d =binary cd text e =text e", 3},

	{"close", "A Close is answered and the connection ended", "close 1000 =close 1000", 3},
	{"close", "An empty Close is answered by an empty one", "close - =close -", 3},
	{"close", "A Close of one byte fails", "op=8 text x =close 1002", 3},
	{"close", "A reason of 123 bytes is accepted", "close 1000/x*123 =close 1000", 3},
	{"close", "A Close of 126 bytes fails", "close 1000/x*124 =close 1002", 3},
	{"close", "A Close of 126 bytes fails at the header", "op=8 declare=126 text - =close 1002", 3},
	{"close", "A Close without FIN fails", "op=8 text+ %03%e8 =close 1002", 3},
	{"close", "A reason of characters of all sizes is accepted", "close 1000/a%c3%a9%e2%82%ac%f0%9f%98%80 =close 1000", 3},
	{"close", "A reason that is not UTF-8 fails", "close 1000/%ff =close 1007", 3},
	{"close", "A reason cut inside a character fails", "close 1000/x%e2%82 =close 1007", 3},
	{"close", "A wrong code with a bad reason fails", "close 1005/%ff =close 1002|1007", 3},
	{"close", "A message before Close is echoed first", "text Hello close 1000 =text Hello =close 1000", 3},
	{"close", "Many messages before Close are all echoed first",
		"times=100 text x*1000 close 1000 times=100 =text x*1000 =close 1000", 3},
	{"close", "A megabyte before Close is echoed first",
		"binary x*1048576 close 1000 =binary x*1048576 =close 1000", 3},
	{"close", "A ping before Close is answered first", "ping x close 1000 =pong x =close 1000", 3},
	{"close", "A ping after a Close is not answered", "close 1000 ping x =close 1000", 3},
	{"close", "A message after a Close is not echoed", "close 1000 text x =close 1000", 3},
	{"close", "A second Close is not answered", "close 1000 close 1001 =close 1000", 3},
	{"close", "An invalid frame after a Close is ignored", "close 1000 rsv=7 op=15 text x =close 1000", 3},
	{"close", "A megabyte after a Close does not destroy the answer", "close 1000 binary x*1048576 =close 1000", 3},
	{"close", "A message cut off by the end of the stream is not echoed, the one before it is",
		"text Hello declare=10 text Hel fin =text Hello =close any", 3},
	{"close", "EOF without a Close is an orderly end, after the echo",
		"text Hello fin =text Hello =close 1000", 3},
	{"close", "EOF directly after the handshake ends the connection", "fin =close 1000", 3},

	{"limits", "A message of 16 MiB is echoed", "binary x*16777216 =binary x*16777216", 3},
	{"limits", "A text of 16 MiB is echoed", "text x*16777216 =text x*16777216", 3},
	{"limits", "A text of 16 MiB of three-byte characters is echoed", "text %e2%82%ac*5592405 =text %e2%82%ac*5592405", 3},
	{"limits", "A message of 16 MiB and a byte is too big at the header", "declare=16777217 binary - =close 1009", 3},
	{"limits", "Fragments of more than 16 MiB together are too big at the header that exceeds it",
		"binary+ x*16777215 cont+ x declare=1 cont - =close 1009", 3},
	{"limits", "Fragments of just 16 MiB together are echoed",
		"binary+ x*16777214 cont+ x cont x =binary x*16777216", 3},
	{"limits", "A message that is too big fails, the one before it is echoed",
		"text Hello declare=16777217 binary - =text Hello =close 1009", 3},
	{"limits", "A sum of lengths that wraps around 64 bits is too big",
		"binary+ x declare=18446744073709551615 cont - =close 1002|1009", 3},
	{"limits", "Sixteen messages of a megabyte sent without reading are echoed",
		"deaf times=16 binary x*1048576 times=16 =binary x*1048576", 3},
	{"limits", "Messages of 64 KiB sent without reading until the buffers are full are echoed",
		"deaf times=300 text x*65536 times=300 =text x*65536", 3},
	{"limits", "A ping after 16 MiB is answered", "binary x*16777216 =binary x*16777216 ping x =pong x", 3},
};

struct text_case {
	const char *name;
	const char *text;
	long bad; /* index of the first invalid byte, at the end if only the end is invalid; GOOD */
};

enum { GOOD_TEXT = -1 };

static const struct text_case texts[] = {
	{"letters", "Hello%2c%20world", GOOD_TEXT},
	{"Greek of two and three bytes", "%ce%ba%e1%bd%b9%cf%83%ce%bc%ce%b5", GOOD_TEXT},
	{"U+0000", "a%00b", GOOD_TEXT},
	{"newlines", "a%0ab%0d%0a%0a", GOOD_TEXT},
	{"U+0080, the first of two bytes", "%c2%80", GOOD_TEXT},
	{"U+07FF, the last of two bytes", "%df%bf", GOOD_TEXT},
	{"U+0800, the first of three bytes", "%e0%a0%80", GOOD_TEXT},
	{"U+D7FF, the last before the surrogates", "%ed%9f%bf", GOOD_TEXT},
	{"U+E000, the first behind the surrogates", "%ee%80%80", GOOD_TEXT},
	{"U+FFFE and U+FFFF, which are no characters", "%ef%bf%be%ef%bf%bf", GOOD_TEXT},
	{"U+10000, the first of four bytes", "%f0%90%80%80", GOOD_TEXT},
	{"U+10FFFF, the last of all", "%f4%8f%bf%bf", GOOD_TEXT},

	{"a lone tail behind letters", "Hello%80", 5},
	{"a tail too many behind four bytes", "%f0%9f%98%80%80", 4},
	{"C2 before a blank", "%c2%20", 1},
	{"E2 82 before another lead", "%e2%82%e2%82%ac", 2},
	{"F0 9F 98 before a blank", "%f0%9f%98%20", 3},
	{"C0 AF, a slash too long", "%c0%af", 0},
	{"E0 9F BF, U+07FF too long", "%e0%9f%bf", 1},
	{"F0 8F BF BF, U+FFFF too long", "%f0%8f%bf%bf", 1},
	{"F8, a lead of five bytes", "%f8%88%80%80%80", 0},
	{"FF", "%ff", 0},
	{"U+D800, the first surrogate", "%ed%a0%80", 1},
	{"U+D800 behind Greek, with letters behind it", "%ce%ba%e1%bd%b9%cf%83%ce%bc%ce%b5%ed%a0%80edited", 12},
	{"U+110000, beyond the last", "%f4%90%80%80", 1},
	{"F5, a lead beyond the last", "%f5%80%80%80", 0},
	{"C3 at the end", "Hello%c3", 6},
	{"E2 82 at the end", "Hello%e2%82", 7},
	{"F0 9F 98 at the end", "Hello%f0%9f%98", 8},
	{"FF behind 70000 letters", "x*70000/%ff/x*1000", 70000},
	{"FF behind 70000 bytes of the euro sign", "%e2%82%ac*23334/%ff/x*1000", 70002},
	{"a surrogate behind a megabyte of letters", "x*1048576/%ed%a0%80/x*1000", 1048577},
	{"E2 82 at the end of 100000 letters", "x*100000/%e2%82", 100002},
};

/* Valid and invalid codes for a Close of a peer (RFC 6455, section 7.4). */
static const unsigned good_codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
	3000, 3999, 4000, 4999};
static const unsigned bad_codes[] = {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32768, 65535};

#endif
