# shellcheck disable=SC2016,SC2034,SC2154
# wsframe: the filters, messages and records as a server, errors of the peer and of the program.
# The peer is wspeer, or the bytes are given here. The independent peer is that of prober.bats.
load wsframe

# ---- the filters ----

# bats file_tags=alone
@test "-d: a protocol error with its offset, an incomplete message, a binary one and one over -M, after all messages before it" {
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x01x\x81\x01y\xc1\x01z')
	[ "$output" = $'x\ny' ]
	said 'wsframe: byte 6: reserved bit is set'
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x01x\x81\x05Hel')
	[ "$output" = x ]
	said 'wsframe: byte 8: end of input inside a message'
	run -1 --separate-stderr wsframe -d -b < <(printf '\x81\x01x\x82\x05Hel')
	[ "$output" = xHel ]
	run -1 --separate-stderr wsframe -d < <(printf '\x82\x01x\x82\x03ab\xff')
	[ "$output" = x ]
	said 'wsframe: byte 7: binary message is not UTF-8 (use -b or -n -T)'
	run -1 --separate-stderr wsframe -d -M 5 < <(printf '\x81\x05Hello\x01\x03Hel\x80\x03lo!')
	[ "$output" = Hello ]
	said 'wsframe: byte 12: message exceeds the size limit'
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x7f\0\0\0\0\1\0\0\1')
	said 'wsframe: byte 0: message exceeds the size limit'
}

@test "-e: unmasked text frames with the shortest form of the length, with -c masked ones, and the line that is not UTF-8" {
	printf 'Hello\n\nlast' | wsframe -e >out
	holds out '\x81\x05Hello\x81\x00\x81\x04last'
	head -c 125 /dev/zero | tr '\0' x | wsframe -e | head -c 3 >out
	holds out '\x81\x7dx'
	head -c 126 /dev/zero | tr '\0' x | wsframe -e | head -c 5 >out
	holds out '\x81\x7e\0\x7ex'
	head -c 65536 /dev/zero | tr '\0' x | wsframe -e | head -c 11 >out
	holds out '\x81\x7f\0\0\0\0\0\1\0\0x'
	printf 'Hello\nHello\n' | wsframe -e -c >out
	[ "$(stat -c %s out)" = 22 ]
	cmp <(head -c 2 out) <(printf '\x81\x85')
	! cmp -s <(tail -c +3 out | head -c 4) <(tail -c +14 out | head -c 4) || false
	wsframe -d <out >back
	holds back 'Hello\nHello\n'
	yes x | head -n 1000 | wsframe -e -c | od -An -v -w7 -tx1 | cut -c7-18 | sort | uniq -d >twice
	[ ! -s twice ]
	run -1 --separate-stderr bash -c 'printf "one\n\xfftwo\n" | wsframe -e >out'
	said 'wsframe: stdin: line 2: not UTF-8'
	holds out '\x81\x03one'
	run -1 --separate-stderr bash -c 'printf "one\ntw\xc3" | wsframe -e >out'
	said 'wsframe: stdin: line 2: not UTF-8'
}

@test "-d -z reads the compressed messages of RFC 7692 section 7.2.3, -e -z writes what zlib reads" {
	[ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
	printf '\xc1\x07%b\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00\x81\x01x' "$hello" | wsframe -d -z >out
	holds out 'Hello\nHello\nx\n'
	printf '\xc1\x07%b' "$hello" >in
	run -1 --separate-stderr wsframe -d <in
	said 'wsframe: byte 0: reserved bit is set'
	run -1 --separate-stderr wsframe -d -z -M 4 <in
	said 'wsframe: byte 0: message exceeds the size limit'
	printf '\x81\x01x\x41\x0a\x00\x05\x00\xfa\xffHello\x80\x01\x06' >in
	run -1 --separate-stderr wsframe -d -z <in
	said 'wsframe: byte 3: compressed message is invalid'
	for mask in '' -c; do
		{ seq 100000; head -c 300000 /dev/zero | tr '\0' z; printf '\nshort\n'; } | tee in | wsframe -e -z $mask -b >frames
		(($(wc -c <frames) < 300000))
		wsframe -d -z -b <frames | cmp - in
	done
	seq -s ' ' 500 | wsframe -e -z | /usr/bin/python3 -c 'import sys, zlib
data = sys.stdin.buffer.read()
assert data[0] == 0xc1 and data[1] == 126
sys.stdout.buffer.write(zlib.decompressobj(-15).decompress(data[4:] + b"\0\0\xff\xff") + b"\n")' | cmp - <(seq -s ' ' 500)
}

@test "--replace agrees with Python's decoder for any bytes and lines of any size" {
	[ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
	head -c 400000 /dev/urandom | tr -d '\n' >junk
	wsframe -e --replace <junk | wsframe -d | head -c -1 >out
	/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(open("junk", "rb").read().decode("utf-8", "replace").encode())' >want
	cmp out want
}

@test "a line longer than any buffer is sent as fragments and decoded as one line" {
	head -c 3000000 /dev/zero | tr '\0' x >line
	wsframe -e <line | head -c 1 >first
	holds first '\x01'
	wsframe -e <line | wsframe -d | head -c -1 | cmp - line
	wsframe -e -c <line | wsframe -d | head -c -1 | cmp - line
}

@test "-e and -d are inverse for records of all sizes, masked or not, in each mode" {
	for n in 0 1 2 124 125 126 127 235 236 237 511 512 513 16383 16384 16385 65535 65536 65537 131071 131072 131073 200000; do
		head -c "$n" /dev/zero | tr '\0' y
		echo
	done >lines
	for mask in '' -c; do
		wsframe -e $mask <lines | wsframe -d | cmp - lines
		tr '\n' '\0' <lines | wsframe -e $mask -0 | wsframe -d -0 | tr '\0' '\n' | cmp - lines
		wsframe -e $mask <lines | wsframe -d -n | wsframe -e $mask -n | wsframe -d | cmp - lines
		wsframe -e $mask <lines | wsframe -d -n -T | wsframe -e $mask -n -T | wsframe -d | cmp - lines
	done
}

@test "a filter writes the data that it has before it waits for more" {
	mkfifo to from
	wsframe -d <to >from 3>&- &
	pids+=("$!")
	exec 5>to 6<from
	printf '\x81\x05Hello' >&5
	read -r -u 6 line
	[ "$line" = Hello ]
	exec 5>&- 6<&-
}

@test "filters end with SIGPIPE" {
	run bash -c 'yes | wsframe -e | head -c 10 >/dev/null; echo "${PIPESTATUS[1]}"'
	[ "$output" = 141 ]
}

# bats file_tags=
@test "options end at the program, which gets its own" {
	peer get close:1000 rest wait -- wsframe -w 1s echo -n -c --help
	told 'text -c --help' 'close 1000' end 'exit 0'
}

# ---- messages and records, as a server ----

# bats test_tags=alone
@test "each text message is a line for the program, and each line that it writes a message" {
	for how in '' -t -p; do
		# shellcheck disable=SC2086
		peer $how text:hello 'text:' 'text:caf\xc3\xa9' get:3 close:1000 rest wait -- wsframe cat
		told 'text hello' text 'text caf\xc3\xa9' 'close 1000' end 'exit 0'
	done
}

@test "with WEBSOCKET_EXTENSIONS messages are compressed, within its windows, from 32 bytes on or without takeover from 128" {
	export WEBSOCKET_EXTENSIONS=permessage-deflate
	peer raw:"\xc1\x87\0\0\0\0$hello" get raw:'\x41\x83\0\0\0\0\xf2\x48\xcd' ping: get raw:'\x80\x84\0\0\0\0\xc9\xc9\x07\x00' \
		get raw:'\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00' get close:1000 rest wait -- wsframe cat
	told 'text Hello' pong 'text Hello' 'text Hello' 'close 1000' end 'exit 0'
	WEBSOCKET_EXTENSIONS+='; client_max_window_bits=8' peer raw:"\xc2\xfe\1\x0a\0\0\0\0\x00\x01\x01\xfe\xfe$(printf '\\x%02x' {0..255} 0)\x02\x06\x00\x00" until:close close:1007 rest wait -- wsframe -b cat
	[[ $output == *$'close 1007 '*'exit 1' ]]
	WEBSOCKET_EXTENSIONS+='; server_no_context_takeover'
	for size in 31 32 127 128; do
		peer get close:1000 rest wait -- wsframe printf "%0${size}d" 0
		[[ $output == ztext* ]] || ((size < 128))
		WEBSOCKET_EXTENSIONS=permessage-deflate peer get close:1000 rest wait -- wsframe printf "%0${size}d" 0
		[[ $output == ztext* ]] || ((size < 32))
	done
}

@test "a decompressed message fails with 1009 at the first byte over -M, and costs no memory" {
	[ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
	export WEBSOCKET_EXTENSIONS='permessage-deflate'
	/usr/bin/python3 -c 'import sys, zlib
c = zlib.compressobj(9, 8, -15)
sys.stdout.write("".join("\\x%02x" % b for b in (c.compress(bytes(2 << 20)) + c.flush())[:1062]))' >bomb
	peer raw:'\xc1\xff\0\0\0\0\0\x0f\0\0\0\0\0\0'"$(cat bomb)" get memory close:1009 rest wait -- wsframe -M 1M -n cat
	[ "${lines[0]}" = 'close 1009 message exceeds the size limit' ]
	peer raw:'\xc1\xff\0\0\0\0\0\x10\x44\1\0\0\0\0' get close:1009 rest wait -- wsframe -M 1M cat
	told 'close 1009 message exceeds the size limit' end 'exit 1'
}

@test "the program has its records on 0 and 1 and its own process group" {
	peer get:2 close:1000 rest wait -- \
		wsframe sh -c 'echo "$(cut -d" " -f5 /proc/$$/stat | grep -cx $$)"; grep -c . /proc/self/fdinfo/0'
	told 'text 1' 'text 4' 'close 1000' end 'exit 0'
}

@test "CR and NUL are data, an empty line is an empty message, a newline inside one makes two lines; -0, -n and -b are exact" {
	peer get:3 close:1000 rest wait -- wsframe printf 'a\r\n\nb\0c\n'
	told 'text a\x0d' 'text' 'text b\x00c' 'close 1000' end 'exit 0'
	peer 'text:a\nb' get:2 close:1000 rest wait -- wsframe cat
	told 'text a' 'text b' 'close 1000' end 'exit 0'
	peer 'text:a\nb' get close:1000 rest wait -- wsframe -0 cat
	told 'text a\x0ab' 'close 1000' end 'exit 0'
	peer 'text:a\nb' get close:1000 rest wait -- wsframe -n cat
	told 'text a\x0ab' 'close 1000' end 'exit 0'
	peer 'text:a' get 'binary:\xff' get close:1000 rest wait -- wsframe -b cat
	told 'binary a' 'binary \xff' 'close 1000' end 'exit 0'
	peer '+binary:ab' get more:c get close:1000 rest wait -- wsframe -b cat
	told 'binary ab' 'binary c' 'close 1000' end 'exit 0'
}

@test "a binary message with lines, -0 and -n is a record if it is UTF-8, else 1003 at its first invalid byte" {
	for mode in '' -0 -n; do
		# shellcheck disable=SC2086
		peer 'binary:caf\xc3\xa9' '+binary:\xc3' 'more:\xa9' binary: get:3 text:b 'raw:\x82\x85\0\0\0\0a\xff' rest wait -- wsframe $mode cat
		told 'text caf\xc3\xa9' 'text \xc3\xa9' text 'text b' 'close 1003 binary message is not UTF-8' end 'exit 1'
		said 'wsframe: peer: binary message is not UTF-8 (1003; use -b or -n -T)'
	done
	long=$(printf %040000d 0)
	peer "+binary:$long" "+more:$long" 'more:\xff' rest wait -- wsframe sh -c 'wc -c >count'
	told 'close 1003 binary message is not UTF-8' end 'exit 1'
	holds count '80000\n'
	peer "+binary:$long" 'more:\xff' rest wait -- wsframe sh -c 'wc -c >count'
	holds count '0\n'
}

@test "a flood of pings while output is blocked uses no memory: only the newest pong is kept" {
	not_sanitized
	peer -t pings:1 get:1 peak pings:200000 peak fin count wait -- wsframe cat
	[[ "$output" =~ peak\ ([0-9]+)\ k.peak\ ([0-9]+) ]]
	((BASH_REMATCH[2] - BASH_REMATCH[1] < 400)) # a queue of them all would be a megabyte
	[[ "$output" =~ ([0-9]+)\ frames ]]
	((BASH_REMATCH[1] > 1))
}

@test "a line of the program that is longer than the buffer is sent as fragments" {
	peer until:more close:1000 until:close rest wait -- wsframe sh -c 'head -c 1000000 /dev/zero | tr "\0" x; echo; read x'
	[[ "$output" == more*$'\nclose 1000\nend\nexit 0' ]]
}

# bats test_tags=alone
@test "a message of up to 64 KiB reaches the program only when it is complete and valid" {
	{ printf '\x01\x7f\0\0\0\0\0\0\xff\xff'; head -c 65535 /dev/zero | tr '\0' x; printf '\x80\x01\xff'; } >bad
	run --separate-stderr wsframe -d <bad
	[ "$output" = "" ]
	{ printf '\x01\x7f\0\0\0\0\0\1\0\0'; head -c 65536 /dev/zero | tr '\0' x; printf '\x80\x02y\xff'; } >bad
	wsframe -d <bad 2>/dev/null | cmp - <(head -c 65536 /dev/zero | tr '\0' x; printf y)
}

# ---- errors of the peer ----

@test "-M is inclusive; without it the limit is 16 MiB" {
	peer text:abc text:abcd rest wait -- wsframe -M 3 cat
	told 'text abc' 'close 1009 message exceeds the size limit' end 'exit 1'
	said 'wsframe: peer: message exceeds the size limit (1009)'
	peer head:16777217 rest wait -- wsframe cat
	told 'close 1009 message exceeds the size limit' end 'exit 1'
}

# bats test_tags=alone
@test "-M 0 accepts messages of any size in constant memory" {
	not_sanitized
	peer -t pings:1 get:1 peak big:50000000 peak close:1000 rest wait -- wsframe -M 0 sh -c 'wc -c >size'
	[[ "$output" =~ peak\ ([0-9]+)\ k.*peak\ ([0-9]+)\ k ]]
	((BASH_REMATCH[2] - BASH_REMATCH[1] < 1000))
	[ "$(cat size)" = 50000001 ]
}

# bats test_tags=alone
@test "a million fragments, empty or of one byte, are one message in constant memory" {
	not_sanitized
	{
		printf '\x01\x80\0\0\0\0'
		printf '\0\x80\0\0\0\0%.0s' {1..10000} >empty
		printf '\0\x81\0\0\0\0x%.0s' {1..10000} >byte
		for _ in {1..100}; do cat empty; done
		for _ in {1..10}; do cat byte; done
		printf '\x80\x80\0\0\0\0\x88\x80\0\0\0\0'
	} >frames
	[ "$(wc -c <frames)" = 6700018 ]
	for mode in '' -0 -n; do
		# shellcheck disable=SC2086
		prlimit --as=33554432 wsframe $mode sh -c 'wc -c >size' <frames >/dev/null
		(($(cat size) >= 100000 && $(cat size) < 100010))
	done
}

@test "a message that arrives slowly is awaited, as long as data arrives within -k" {
	peer +text:a silent:1100 +more:b silent:1100 +more:c silent:1100 more:d get close:1000 rest wait -- wsframe -k 2s cat
	told 'text abcd' 'close 1000' end 'exit 0'
}

@test "both sides close at the same time: one Close each, then the end" {
	for _ in 1 2 3 4 5 6; do
		peer close:1001 rest wait -- wsframe true
		[[ "$output" == @('close 1000'|'close 1001')$'\nend\nexit 0' ]]
	done
}

# ---- errors of the program ----

@test "a line that is not UTF-8, a netstring or a type that is invalid ends the session with 1011; --replace sends U+FFFD" {
	peer get:2 close:1011 rest wait -- wsframe -w 50ms sh -c 'echo ok; printf "\377\n"; sleep 30'
	told 'text ok' 'close 1011' end 'exit 1'
	said 'wsframe: sh: line 2: not UTF-8'
	peer get:2 close:1000 rest wait -- wsframe --replace sh -c 'echo ok; printf "a\377\n"'
	told 'text ok' 'text a\xef\xbf\xbd' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe --replace -n printf '3:a\377b,'
	told 'text a\xef\xbf\xbdb' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe --replace -n -T printf '4:ba\377b,'
	told 'binary a\xffb' 'close 1000' end 'exit 0'
	peer get:2 close:1011 rest wait -- wsframe -w 100ms -n sh -c 'printf "2:ok,hello\n"; exec cat >&2'
	told 'text ok' 'close 1011' end 'exit 1'
	said 'wsframe: sh: record 2: netstring does not begin with a length and a colon'
	peer get close:1011 rest wait -- wsframe -n -T printf '2:xa,'
	told 'close 1011' end 'exit 1'
	# The program's end is known before the rest of its output is read.
	peer get kill:STOP silent:600 kill:CONT get close:1011 rest wait -- wsframe -n sh -c 'printf 2:ok,; sleep 0.2; printf "hello,"'
	told 'text ok' 'close 1011' end 'exit 1'
}

# ---- errors of the system ----

# bats file_tags=alone
@test "after a partly sent frame nothing else is sent" {
	need_strace
	for error in EIO ENOMEM ECONNRESET; do
		peer -t await:up count wait -- strace -qq -o calls -e trace=sendto,write,writev,sendmsg \
			-e inject=sendto,write,writev,sendmsg:error=$error:when=4 wsframe -w 100ms sh -c 'touch up; yes 0123456789'
		grep -A 100 INJECTED calls | tail -n +2 | grep -vE '^(write\(2,|\+\+\+|---|write\(2)' && false
		[[ "$output" == *'exit 1' ]]
	done
}

# ---- the manual's examples ----

@test "the examples of the manual" {
	serve tcpaccept wsupgrade wsframe -n -T cat
	printf '6:thello,3:b\xff\0,1:t,' >strings
	portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -n -T <strings >back
	cmp strings back
	serve tcpaccept wsupgrade wsframe cat
	prints hello bash -c "echo hello | portscan-connect -p $port wsupgrade -c ws://localhost/ wsframe -c -m 1"
	serve tcpaccept wsupgrade wsframe sh -c 'sleep 2; echo late'
	portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -q never </dev/null >out
	same out late
	printf 'one\ntwo\n' | wsframe -e >frames
	run wsframe -d <frames
	[ "$output" = $'one\ntwo' ]
}
