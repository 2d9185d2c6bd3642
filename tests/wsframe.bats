# shellcheck disable=SC2016,SC2034,SC2154
# The network's other end is wspeer, which knows nothing of our codec, or bytes written out here.
load helper

setup() {
	PATH=$TOOLS:$PATH
	cd "$BATS_TEST_TMPDIR" || exit 1
}

# peer STEP... -- CMD...: runs both; what the peer saw is in $output.
peer() {
	run -0 --separate-stderr timeout 30 wspeer "$@"
}

# told LINE...: the peer saw just this.
told() {
	diff <(printf '%s\n' "$@") <(printf '%s\n' "$output")
}

said() {
	diff <(printf '%s\n' "$1") <(printf '%s\n' "$stderr")
}

# bytes FORMAT: the last output file holds just these.
holds() {
	cmp <(printf "$2") "$1"
}

# usage ARG...: wrong usage, one line that begins with our name.
misused() {
	run -2 --separate-stderr wsframe "$@"
	[ "$output" = "" ]
	[[ "$stderr" == "wsframe: "* ]]
	[ "${#stderr_lines[@]}" = 1 ]
}

# ---- the filters ----

@test "-d reads the text frames of RFC 6455 section 5.7" {
	printf '\x81\x05Hello\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x01\x03Hel\x80\x02lo' | wsframe -d >out
	holds out 'Hello\nHello\nHello\n'
}

@test "-d drops pings and pongs, also between fragments" {
	printf '\x89\x05Hello\x01\x03Hel\x89\x00\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x80\x02lo' | wsframe -d >out
	holds out 'Hello\n'
}

@test "-d reads the binary frames of section 5.7 with -b" {
	{ printf '\x82\x7e\x01\x00'; head -c 256 /dev/zero; printf '\x82\x7f\0\0\0\0\0\1\0\0'; head -c 65536 /dev/zero; } |
		wsframe -d -b >out
	cmp out <(head -c 65792 /dev/zero)
}

@test "-d ends at a Close, whatever comes behind it" {
	printf '\x81\x01x\x88\x02\x03\xe8\x81\x01y\xff\xff' | wsframe -d >out
	holds out 'x\n'
}

@test "-d -0 ends records with NUL, -n writes netstrings, -n -T with their type" {
	printf '\x81\x03a\nb\x81\x00' | wsframe -d -0 >out
	holds out 'a\nb\0\0'
	printf '\x81\x03a\nb\x81\x00' | wsframe -d -n >out
	holds out '3:a\nb,0:,'
	printf '\x81\x03a\nb\x82\x02\xff\0\x01\x01x\x80\x01y' | wsframe -d -n -T >out
	holds out '4:ta\nb,3:b\xff\0,3:txy,'
}

@test "-d tells the byte of a protocol error, after all messages before it" {
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x01x\x81\x01y\xc1\x01z')
	[ "$output" = $'x\ny' ]
	said 'wsframe: byte 6: a reserved bit is set'
}

@test "-d tells the first byte that is not UTF-8" {
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x01x\x81\x04abc\xff')
	[ "$output" = x ]
	said 'wsframe: byte 8: a text that is not UTF-8'
}

@test "-d ends with 1 where its input ends inside a message, and lets through what the mode does" {
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x01x\x81\x05Hel')
	[ "$output" = x ]
	said 'wsframe: byte 8: the end inside a message'
	run -1 --separate-stderr wsframe -d -b < <(printf '\x81\x01x\x82\x05Hel')
	[ "$output" = xHel ]
	run -1 --separate-stderr wsframe -d < <(printf '\x01\x03Hel')
	run -1 --separate-stderr wsframe -d < <(printf '\x81')
}

@test "-d takes a binary message that is UTF-8 as a record, -M counts inclusively over fragments" {
	run -1 --separate-stderr wsframe -d < <(printf '\x82\x01x\x82\x03ab\xff')
	[ "$output" = x ]
	said 'wsframe: byte 7: binary message is not UTF-8 (use -b or -n -T)'
	run -1 --separate-stderr wsframe -d -M 5 < <(printf '\x81\x05Hello\x01\x03Hel\x80\x03lo!')
	[ "$output" = Hello ]
	said 'wsframe: byte 12: a message over the limit'
	run -1 --separate-stderr wsframe -d < <(printf '\x81\x7f\0\0\0\0\1\0\0\1')
	said 'wsframe: byte 0: a message over the limit'
}

@test "-e writes unmasked text frames, the length in the fewest bytes" {
	printf 'Hello\n\nlast' | wsframe -e >out
	holds out '\x81\x05Hello\x81\x00\x81\x04last'
	head -c 125 /dev/zero | tr '\0' x | wsframe -e | head -c 3 >out
	holds out '\x81\x7dx'
	head -c 126 /dev/zero | tr '\0' x | wsframe -e | head -c 5 >out
	holds out '\x81\x7e\0\x7ex'
	head -c 65536 /dev/zero | tr '\0' x | wsframe -e | head -c 11 >out
	holds out '\x81\x7f\0\0\0\0\0\1\0\0x'
}

@test "-e -0, -n, -n -T and -b: the records of each mode" {
	printf 'a\nb\0c' | wsframe -e -0 >out
	holds out '\x81\x03a\nb\x81\x01c'
	printf '5:Hello,0:,' | wsframe -e -n >out
	holds out '\x81\x05Hello\x81\x00'
	printf '6:tHello,3:b\xff\0,' | wsframe -e -n -T >out
	holds out '\x81\x05Hello\x82\x02\xff\0'
	printf 'a\n\xff' | wsframe -e -b >out
	holds out '\x82\x03a\n\xff'
}

@test "-e -c masks each frame with a key of its own" {
	printf 'Hello\nHello\n' | wsframe -e -c >out
	[ "$(stat -c %s out)" = 22 ]
	cmp <(head -c 2 out) <(printf '\x81\x85')
	! cmp -s <(tail -c +3 out | head -c 4) <(tail -c +14 out | head -c 4) || false
	wsframe -d <out >back
	holds back 'Hello\nHello\n'
	yes x | head -n 1000 | wsframe -e -c | od -An -v -w7 -tx1 | cut -c7-18 | sort | uniq -d >twice
	[ ! -s twice ]
}

@test "-e says which line is not UTF-8, after the frames before it" {
	run -1 --separate-stderr bash -c 'printf "one\n\xfftwo\n" | wsframe -e >out'
	said 'wsframe: stdin: line 2: not UTF-8'
	holds out '\x81\x03one'
	run -1 --separate-stderr bash -c 'printf "one\ntw\xc3" | wsframe -e >out'
	said 'wsframe: stdin: line 2: not UTF-8'
}

@test "-e --replace puts U+FFFD for what is not UTF-8" {
	printf 'a\xffb\n\xe2\x82\nok\xc3\xa9\n\xf0\x9f\x98' | wsframe -e --replace >out
	holds out '\x81\x05a\xef\xbf\xbdb\x81\x03\xef\xbf\xbd\x81\x04ok\xc3\xa9\x81\x03\xef\xbf\xbd'
}

@test "--replace gives what Python's decoder gives, for any bytes and a line of any size" {
	[ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
	head -c 400000 /dev/urandom | tr -d '\n' >junk
	wsframe -e --replace <junk | wsframe -d | head -c -1 >out
	/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(open("junk", "rb").read().decode("utf-8", "replace").encode())' >want
	cmp out want
}

@test "-e: a malformed netstring and an unknown type end it with 1" {
	run -1 --separate-stderr bash -c 'printf "1:a,5:hello." | wsframe -e -n >out'
	said 'wsframe: stdin: record 2: a netstring does not end with a comma'
	holds out '\x81\x01a'
	run -1 --separate-stderr bash -c 'printf "2:xa," | wsframe -e -n -T'
	said 'wsframe: stdin: record 1: a netstring whose type is neither t nor b'
	run -1 --separate-stderr bash -c 'printf "5:hel" | wsframe -e -n'
	said 'wsframe: stdin: record 1: the end inside a netstring'
}

@test "-e -M limits records where it is given" {
	run -1 --separate-stderr bash -c 'printf "abc\nabcd\n" | wsframe -e -M 3 >out'
	said 'wsframe: stdin: line 2: over the limit of --max'
	holds out '\x81\x03abc'
}

@test "a line longer than any buffer leaves as fragments and comes back as one line" {
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

@test "any bytes go through -n -T and come back" {
	head -c 300000 /dev/urandom >random
	{ printf '300001:b'; cat random; printf ','; } >string
	wsframe -e -n -T <string | wsframe -d -n -T | cmp - string
}

@test "a filter writes what it has before it waits for more" {
	mkfifo in out
	wsframe -d <in >out 3>&- &
	pids+=("$!")
	exec 5>in 6<out
	printf '\x81\x05Hello' >&5
	read -r -u 6 line
	[ "$line" = Hello ]
	exec 5>&- 6<&-
}

@test "filters die of SIGPIPE, and tell a stdout that is full" {
	run bash -c 'yes | wsframe -e | head -c 10 >/dev/null; echo "${PIPESTATUS[1]}"'
	[ "$output" = 141 ]
	run -1 --separate-stderr bash -c 'echo x | wsframe -e >/dev/full'
	said 'wsframe: stdout: No space left on device'
	run -1 --separate-stderr wsframe -e </
	said 'wsframe: stdin: Is a directory'
}

# ---- wrong usage ----

@test "options that do not go together" {
	misused
	misused -b -0 cat
	misused -b -n cat
	misused -0 -n cat
	misused -T cat
	misused -b -T cat
	misused -d -e
	misused -d cat
	misused -e cat
	misused -d -k 1
	misused -e -w 1
	misused -d -c -q 1
	misused -e -c -m 1
	misused -q 1 cat
	misused -m 1 cat
	misused -c -q 1 cat
	misused -c -m 1 cat
	misused -n -M 0 cat
	misused -d --replace
	misused -b --replace cat
}

@test "values out of range, each with its option's name" {
	for o in '-M 1T' '-M -1' '-M x' '-k 1d' '-k' '-w 0' '-w x' '-m 0' '-m 1k' '-q -1' '-q nevermore' '--bad'; do
		# shellcheck disable=SC2086
		misused -c $o
	done
	misused -c -M 1T
	[ "$stderr" = 'wsframe: --max: 1T: not a size from 0 to 9223372036854775807' ] || [[ "$stderr" == 'wsframe: --max: 1T: '* ]]
}

@test "a client without its connection on 6 and 7 is wrong usage" {
	run -2 --separate-stderr bash -c 'wsframe -c 6<&- 7>&-'
	[[ "$stderr" == 'wsframe: no connection on fds 6 and 7: '* ]]
}

@test "--help shows every form and option, --version the version" {
	run -0 wsframe --help
	for o in -v -b -0 -n -T -M -k -w --replace -c -q -m -d -e; do
		[[ "$output" == *"$o"* ]]
	done
	run -0 wsframe --version
	[[ "$output" == 'wsframe (fittings) '* ]]
}

@test "options end at the program, whose own are left to it" {
	peer get close:1000 rest wait -- wsframe -w 1s echo -n -c --help
	told 'text -c --help' 'close 1000' end 'exit 0'
}

# ---- messages and records, as a server ----

@test "each text message is a line for the program, each line of its a message" {
	for how in '' -t -p; do
		# shellcheck disable=SC2086
		peer $how text:hello 'text:' 'text:caf\xc3\xa9' get:3 close:1000 rest wait -- wsframe cat
		told 'text hello' text 'text caf\xc3\xa9' 'close 1000' end 'exit 0'
	done
}

@test "the program has its records on 0 and 1 and its own process group" {
	peer get:2 close:1000 rest wait -- \
		wsframe sh -c 'echo "$(cut -d" " -f5 /proc/$$/stat | grep -cx $$)"; grep -c . /proc/self/fdinfo/0'
	told 'text 1' 'text 4' 'close 1000' end 'exit 0'
}

@test "CR is data, a NUL too, and an empty line is an empty message" {
	peer get:3 close:1000 rest wait -- wsframe printf 'a\r\n\nb\0c\n'
	told 'text a\x0d' 'text' 'text b\x00c' 'close 1000' end 'exit 0'
}

@test "a newline inside a message passes: two lines; -0 and -n are exact" {
	peer 'text:a\nb' get:2 close:1000 rest wait -- wsframe cat
	told 'text a' 'text b' 'close 1000' end 'exit 0'
	peer 'text:a\nb' get close:1000 rest wait -- wsframe -0 cat
	told 'text a\x0ab' 'close 1000' end 'exit 0'
	peer 'text:a\nb' get close:1000 rest wait -- wsframe -n cat
	told 'text a\x0ab' 'close 1000' end 'exit 0'
}

@test "-n -T cat is a perfect echo" {
	peer 'binary:\xff\x00' text:hi 'binary:' 'text:' get:4 close:1000 rest wait -- wsframe -n -T cat
	told 'binary \xff\x00' 'text hi' 'binary' 'text' 'close 1000' end 'exit 0'
}

@test "-b passes the bytes of either type; what the program writes is binary" {
	peer 'text:a' get 'binary:\xff' get close:1000 rest wait -- wsframe -b cat
	told 'binary a' 'binary \xff' 'close 1000' end 'exit 0'
	peer '+binary:ab' get more:c get close:1000 rest wait -- wsframe -b cat
	told 'binary ab' 'binary c' 'close 1000' end 'exit 0'
}

@test "-b still checks that text is UTF-8" {
	peer 'text:a\xff' rest wait -- wsframe -b cat
	told 'binary a' 'close 1007 a text that is not UTF-8' end 'exit 1'
}

@test "a binary message in lines, -0 and -n is a record if it is UTF-8, else 1003 at its first bad byte" {
	for mode in '' -0 -n; do
		# shellcheck disable=SC2086
		peer 'binary:caf\xc3\xa9' '+binary:\xc3' 'more:\xa9' binary: get:3 text:b 'raw:\x82\x85\0\0\0\0a\xff' rest wait -- wsframe $mode cat
		told 'text caf\xc3\xa9' 'text \xc3\xa9' text 'text b' 'close 1003 binary message is not UTF-8' end 'exit 1'
		said 'wsframe: peer: binary message is not UTF-8 (1003) (use -b or -n -T)'
	done
	long=$(printf %040000d 0)
	peer "+binary:$long" "+more:$long" 'more:\xff' rest wait -- wsframe sh -c 'wc -c >count'
	told 'close 1003 binary message is not UTF-8' end 'exit 1'
	holds count '80000\n'
	peer "+binary:$long" 'more:\xff' rest wait -- wsframe sh -c 'wc -c >count'
	holds count '0\n'
}

@test "fragments become one message, control frames come between them" {
	peer '+text:Hel' ping:p '+more:l' pong: more:o get:2 close:1000 rest wait -- wsframe cat
	told 'pong p' 'text Hello' 'close 1000' end 'exit 0'
	peer '+text:\xc3' ping:p 'more:\xa9' get:2 close:1000 rest wait -- wsframe cat
	told 'pong p' 'text \xc3\xa9' 'close 1000' end 'exit 0'
}

@test "each ping of a burst is answered, in order, while the way out is free" {
	peer pings:10 get:10 close:1000 rest wait -- wsframe cat
	told 'pong 0' 'pong 1' 'pong 2' 'pong 3' 'pong 4' 'pong 5' 'pong 6' 'pong 7' 'pong 8' 'pong 9' \
		'close 1000' end 'exit 0'
}

@test "a flood of pings behind a blocked way costs no memory: the newest pong remains" {
	not_sanitized
	peer -t pings:1 get:1 peak pings:200000 peak fin count wait -- wsframe cat
	[[ "$output" =~ peak\ ([0-9]+)\ k.peak\ ([0-9]+) ]]
	((BASH_REMATCH[2] - BASH_REMATCH[1] < 400)) # a queue of them all would be a megabyte
	[[ "$output" =~ ([0-9]+)\ frames ]]
	((BASH_REMATCH[1] > 1))
}

@test "messages of each length of header" {
	for n in 0 1 125 126 127 65535 65536; do
		peer big:$n close:1000 count wait -- wsframe -n cat
		told "2 frames $((n + 2)) bytes" 'exit 0'
	done
}

@test "a line of the program's longer than the buffer leaves as fragments" {
	peer until:more close:1000 until:close rest wait -- wsframe sh -c 'head -c 1000000 /dev/zero | tr "\0" x; echo; read x'
	[[ "$output" == more*$'\nclose 1000\nend\nexit 0' ]]
}

@test "a message of up to 64 KiB reaches the program only when it is whole and valid" {
	{ printf '\x01\x7f\0\0\0\0\0\0\xff\xff'; head -c 65535 /dev/zero | tr '\0' x; printf '\x80\x01\xff'; } >bad
	run --separate-stderr wsframe -d <bad
	[ "$output" = "" ]
	{ printf '\x01\x7f\0\0\0\0\0\1\0\0'; head -c 65536 /dev/zero | tr '\0' x; printf '\x80\x02y\xff'; } >bad
	wsframe -d <bad 2>/dev/null | cmp - <(head -c 65536 /dev/zero | tr '\0' x; printf y)
}

# ---- what the peer does wrong ----

@test "a frame that is wrong: what came before is answered, then 1002" {
	while read -r bytes; do
		peer text:a "raw:$bytes" rest wait -- wsframe cat
		[[ "$stderr" =~ ^'wsframe: peer: '(.*)' (1002)'$ ]]
		told 'text a' "close 1002 ${BASH_REMATCH[1]}" end 'exit 1'
	done <<-'EOF'
		\xc1\x80\x01\x02\x03\x04
		\x83\x80\x01\x02\x03\x04
		\x8b\x80\x01\x02\x03\x04
		\x09\x80\x01\x02\x03\x04
		\x89\xfe\x00\x7e
		\x81\x01x
		\x81\xfe\x00\x7d
		\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff
		\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00
		\x80\x80\x01\x02\x03\x04
		\x88\x81\x00\x00\x00\x00\x03
		\x88\x82\x00\x00\x00\x00\x03\xed
		\x88\x82\x00\x00\x00\x00\x03\xe7
	EOF
}

@test "text that is not UTF-8 is failed at its first bad byte, not at the end of the frame" {
	peer 'raw:\x81\xfe\x10\x00\x00\x00\x00\x00ab\xff' rest wait -- wsframe cat
	told 'close 1007 a text that is not UTF-8' end 'exit 1'
	said 'wsframe: peer: a text that is not UTF-8 (1007)'
	peer '+text:\xed' 'raw:\x00\x85\x00\x00\x00\x00\xa0' rest wait -- wsframe cat
	told 'close 1007 a text that is not UTF-8' end 'exit 1'
	peer 'raw:\x88\x83\x00\x00\x00\x00\x03\xe8\xff' rest wait -- wsframe cat
	told 'close 1007 a Close whose reason is not UTF-8' end 'exit 1'
}

@test "-M refuses at the header; it is inclusive, and counts fragments together" {
	peer text:abc text:abcd rest wait -- wsframe -M 3 cat
	told 'text abc' 'close 1009 a message over the limit' end 'exit 1'
	said 'wsframe: peer: a message over the limit (1009)'
	peer head:16777217 rest wait -- wsframe cat
	told 'close 1009 a message over the limit' end 'exit 1'
	peer +text:ab +more:c head:0 rest wait -- wsframe -M 3 cat
	told 'close 1002 a message inside another' end 'exit 1'
	peer +text:ab more:cd rest wait -- wsframe -M 3 cat
	told 'close 1009 a message over the limit' end 'exit 1'
	peer 'raw:\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00' rest wait -- wsframe -b cat
	told 'close 1009 a message over the limit' end 'exit 1'
}

@test "-M 0 takes a message of any size, in constant memory" {
	not_sanitized
	peer big:50000000 peak close:1000 rest wait -- wsframe -M 0 sh -c 'wc -c >size'
	[[ "$output" =~ peak\ ([0-9]+) ]]
	((BASH_REMATCH[1] < 2000))
	[ "$(cat size)" = 50000001 ]
}

@test "the codes of a Close: echoed where they may be sent" {
	for code in 1000 1001 1002 1003 1007 1008 1009 1010 1011 1012 1013 1014 3000 3999 4000 4999; do
		peer "close:$code,why" rest wait -- wsframe cat
		told "close $code" end 'exit 0'
	done
	for code in 0 999 1004 1005 1006 1015 1016 2000 2999 5000 65535; do
		peer "close:$code" rest wait -- wsframe cat
		told 'close 1002 a Close with a code that may not be sent' end 'exit 1'
	done
	peer close rest wait -- wsframe cat
	told close end 'exit 0'
}

@test "data and a second Close behind a Close are ignored" {
	peer text:a close:1000 text:b close:1001 'raw:\xff' rest wait -- wsframe cat
	told 'text a' 'close 1000' end 'exit 0'
	[ "$stderr" = "" ]
}

@test "a million fragments, empty or of a byte: one message, in memory that does not grow with them" {
	not_sanitized
	{
		printf '\x01\x80\0\0\0\0'
		yes "$(printf '\\0\\x80\\0\\0\\0\\0%.0s' {1..1000})" | head -n 1000 | while read -r some; do printf '%b' "$some"; done
		yes "$(printf '\\0\\x81\\0\\0\\0\\0x%.0s' {1..1000})" | head -n 100 | while read -r some; do printf '%b' "$some"; done
		printf '\x80\x80\0\0\0\0\x88\x80\0\0\0\0'
	} >frames
	[ "$(wc -c <frames)" = 6700018 ]
	for mode in '' -0 -n; do
		# shellcheck disable=SC2086
		prlimit --as=33554432 wsframe $mode sh -c 'wc -c >size' <frames >/dev/null
		(($(cat size) >= 100000 && $(cat size) < 100010))
	done
}

@test "a message that dribbles in is waited for, as long as something comes within -k" {
	peer +text:a silent:1600 +more:b silent:1600 +more:c silent:1600 more:d get close:1000 rest wait -- wsframe -k 3s cat
	told 'text abcd' 'close 1000' end 'exit 0'
}

@test "both sides close at once: one Close each, and that is the end" {
	for _ in 1 2 3 4 5 6; do
		peer close:1001 rest wait -- wsframe true
		[[ "$output" == @('close 1000'|'close 1001')$'\nend\nexit 0' ]]
	done
}

# ---- what the program does wrong ----

@test "a line that is not UTF-8 ends the session with 1011 and says which" {
	peer get:2 close:1011 rest wait -- wsframe -w 50ms sh -c 'echo ok; printf "\377\n"; sleep 30'
	told 'text ok' 'close 1011' end 'exit 1'
	said 'wsframe: sh: line 2: not UTF-8'
}

@test "--replace sends U+FFFD instead" {
	peer get:2 close:1000 rest wait -- wsframe --replace sh -c 'echo ok; printf "a\377\n"'
	told 'text ok' 'text a\xef\xbf\xbd' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe --replace -n printf '3:a\377b,'
	told 'text a\xef\xbf\xbdb' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe --replace -n -T printf '4:ba\377b,'
	told 'binary a\xffb' 'close 1000' end 'exit 0'
}

@test "a malformed netstring or an unknown type ends the session with 1011" {
	peer get:2 close:1011 rest wait -- wsframe -w 100ms -n sh -c 'printf "2:ok,hello\n"; exec cat >&2'
	told 'text ok' 'close 1011' end 'exit 1'
	said 'wsframe: sh: record 2: a netstring does not begin with its length and a colon'
	peer get close:1011 rest wait -- wsframe -n -T printf '2:xa,'
	told 'close 1011' end 'exit 1'
}

# ---- the end, from the program ----

@test "its exit status decides about the Close: 1000 or 1011; it is ours" {
	peer get:2 close:1000 rest wait -- wsframe sh -c 'echo bye'
	told 'text bye' 'close 1000' end 'exit 0'
	peer get:2 close:1011 rest wait -- wsframe sh -c 'echo bye; exit 7'
	told 'text bye' 'close 1011' end 'exit 7'
	peer get:2 close:1011 rest wait -- wsframe sh -c 'echo bye; kill -KILL $$'
	told 'text bye' 'close 1011' end 'exit 137'
}

@test "a last line without newline is sent; so is a last record of the other modes" {
	peer get:2 close:1000 rest wait -- wsframe printf 'a\nb'
	told 'text a' 'text b' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe -0 printf 'a\nb'
	told 'text a\x0ab' 'close 1000' end 'exit 0'
}

@test "what the pipe holds at its exit is sent, however slowly it is taken" {
	peer -t await:done until:close close:1000 rest wait -- \
		wsframe sh -c 'yes 0123456789 | head -c 60000; touch done'
	told 'close 1000' end 'exit 0'
	peer -t await:done count -- wsframe -w 200ms sh -c 'yes 0123456789 | head -c 55000; touch done'
	told '5001 frames 50002 bytes'
}

@test "after its exit nobody else's output is waited for, and its group gets SIGTERM" {
	peer until:close close:1000 rest wait -- wsframe sh -c '(trap "touch termed; exit" TERM; touch up; while :; do sleep 0.1; done) & while [ ! -e up ]; do sleep 0.02; done; exit 0'
	told 'close 1000' end 'exit 0'
	await_that test -e termed
}

@test "EOF of its stdout: its status is waited for, up to -w; none is 1000" {
	peer get close:1011 rest wait -- wsframe -w 20s sh -c 'exec >&-; sleep 0.1; exit 3'
	told 'close 1011' end 'exit 3'
	peer get close:1000 rest wait -- wsframe -w 400ms sh -c 'exec >&-; trap "" TERM; sleep 30 & wait; wait'
	told 'close 1000' end 'exit 0'
}

@test "a program that closes its stdin is no reason to stop" {
	peer text:a text:b get close:1000 until:close rest wait -- wsframe sh -c 'read x; exec <&-; echo "got $x"; while [ ! -e gone ]; do sleep 0.02; done' &
	pid=$!
	touch gone
	wait "$pid"
}

@test "a program that does not read loses nothing of its own, and megabytes for it vanish after its end" {
	peer -t big:16000000 -- wsframe -w 200ms sh -c 'exec <&-; sleep 1'
	peer many:1000,0123456789 get close:1000 rest wait -- wsframe sh -c 'exec <&-; echo hi'
	told 'text hi' 'close 1000' end 'exit 0'
}

@test "no answer to our Close: after -w the connection ends, with 1 where the program's status is 0" {
	peer rest wait -- wsframe -w 100ms true
	told 'close 1000' end 'exit 1'
	said 'wsframe: peer: no answer to our Close'
	peer rest wait -- wsframe -w 100ms false
	told 'close 1011' end 'exit 1'
	[ "$stderr" = "" ]
	peer rest wait -- wsframe -w 100ms sh -c 'exit 9'
	told 'close 1011' end 'exit 9'
}

@test "a program that cannot be started: 1011 and 127 or 126" {
	peer get close:1011 rest wait -- wsframe nosuchprogram
	told 'close 1011' end 'exit 127'
	said 'wsframe: nosuchprogram: No such file or directory'
	peer get close:1011 rest wait -- wsframe /etc/passwd
	told 'close 1011' end 'exit 126'
	said 'wsframe: /etc/passwd: Permission denied'
	PATH=$PATH:$(printf '/%0600d' 0) peer get close:1011 rest wait -- wsframe nosuchprogram
	told 'close 1011' end 'exit 127'
}

# ---- the end, from the peer ----

@test "its Close: what came before reaches the program, then EOF; what it still says is sent" {
	peer text:a text:b close:1001 rest wait -- wsframe sh -c 'cat >got; echo last'
	told 'text last' 'close 1001' end 'exit 0'
	holds got 'a\nb\n'
}

@test "a program that goes on after the peer's Close is cut off after -w, then TERM, then KILL" {
	peer close:1000 until:close rest wait -- wsframe -w 100ms sh -c 'trap "echo termed >said" TERM; while :; do echo tick; sleep 0.02; done'
	told 'close 1000' end 'exit 0'
	holds said 'termed\n'
}

@test "a program that has left its process group is killed as well" {
	deserter ./prog
	peer await:prog.pid close:1000 until:close rest wait -- timeout -k 1 20 wsframe -w 100ms ./prog
	told 'close 1000' end 'exit 0'
	gone "$(cat prog.pid)"
}

@test "after -w our Close comes first, and TERM after another, also where the program says nothing" {
	not_sanitized
	command -v strace >/dev/null || skip "needs strace"
	peer close:1000 until:close rest wait -- \
		strace -r -qq -o calls -e trace=sendto,kill -e signal=none wsframe -w 500ms sleep 100
	told 'close 1000' end 'exit 0'
	awk 'NR == 1 { exit !/ sendto/ }' calls
	awk 'NR == 2 { exit !(/ kill/ && $1 > 0.1) }' calls
}

@test "-w counts only once the program has read its pipe empty" {
	peer many:2000,x close:1000 until:close rest wait -- \
		wsframe -w 50ms sh -c 'i=0; while read -r x; do i=$((i + 1)); [ $((i % 200)) = 0 ] && sleep 0.03; done; echo $i >count'
	told 'close 1000' end 'exit 0'
	await count '^2000$'
}

# unread END STATUS MODE STEP...: a program that reads nothing, and does not end either.
unread() {
	peer "${@:4}" "$1" until:close rest wait -- wsframe -k 200ms -w 50ms $3 sh -c 'trap "" TERM; while :; do sleep 1; done'
	told 'close 1000' end "exit $2"
}

@test "a program that leaves its stdin unread: the peer's Close or end is answered after -k, then come TERM and KILL" {
	long=$(printf %040000d 0)
	for mode in '' -0 -n; do
		unread close:1000 0 "$mode" text:a
		unread fin 1 "$mode" text:a
		unread close:1000 0 "$mode" text:a text:b +text:c
		unread close:1000 0 "$mode" "+text:$long" "+more:$long"
	done
	unread fin 0 '' many:100000,x close:1000
	said ''
	unread fin 1 '' many:100000,x
	said 'wsframe: peer: ended without a Close'
}

@test "each read of the program starts its -k anew, after the peer's Close and before it is reached" {
	(mkdir a && cd a && peer many:6,x close:1000 rest wait -- wsframe -k 2s -w 100ms sh -c 'while sleep 0.5; read -r x; do echo "$x"; done'
		told 'text x' 'text x' 'text x' 'text x' 'text x' 'text x' 'close 1000' end 'exit 0') &
	peer push fin rest wait -- wsframe -k 2s -w 5s sh -c 'for i in 1 2 3 4 5 6; do sleep 0.5; head -c 9 >>first; done; wc -c'
	[[ "$output" == $'pushed\ntext '[0-9]*$'\nclose 1000\nend\nexit 1' ]]
	(($(sed -n 's/^text //p' <<<"$output") > 100000))
	wait $!
}

@test "a half-close without Close: the rest is sent, Close 1000, exit 1" {
	for how in '' -t -p; do
		# shellcheck disable=SC2086
		peer $how text:a fin rest wait -- wsframe sh -c 'cat; echo last'
		told 'text a' 'text last' 'close 1000' end 'exit 1'
		said 'wsframe: peer: ended without a Close'
	done
}

@test "the end inside a message: what was held of it does not reach the program" {
	peer text:a +text:b fin rest wait -- wsframe cat
	told 'text a' 'close 1000' end 'exit 1'
}

@test "a reset: the program gets EOF, then TERM and KILL; 1" {
	peer -t text:a get reset wait -- wsframe -w 100ms sh -c 'trap "" TERM; cat; sleep 30; sleep 30'
	told 'text a' 'exit 1'
	said 'wsframe: peer: Connection reset by peer'
	peer text:a get drop wait -- wsframe -w 100ms sh -c 'cat; echo over >said'
	told 'text a' 'exit 1'
	said 'wsframe: peer: ended without a Close'
	holds said 'over\n'
}

@test "a reset is noticed even while the program does not read" {
	peer -t push reset wait -- wsframe -w 100ms sleep 30
	told pushed 'exit 1'
}

@test "a peer whose end stands behind more than the kernel takes is noticed by a Ping, while the program does not read" {
	peer -t push drop wait -- wsframe -k 500ms -w 100ms sleep 30
	told pushed 'exit 1'
}

@test "a FIN while the program does not read ends nothing" {
	peer push fin await:counted rest wait -- wsframe -k 10s -w 5s sh -c 'sleep 1; wc -c >counted'
	[[ "$output" == $'pushed\nclose 1000\nend\nexit 1' ]]
	(($(cat counted) > 100000))
}

@test "a Close that a reset follows is a Close" {
	peer -t text:a get close:1000 reset wait -- wsframe cat
	[[ "$output" == *'exit 0' ]]
}

# ---- signals ----

@test "SIGTERM, SIGINT, SIGHUP: what was written is sent, Close 1001, TERM to the group, exit 0" {
	for s in TERM INT HUP; do
		rm -f termed up
		peer await:up kill:$s get:3 close:1001 rest wait -- \
			wsframe -w 5s sh -c 'trap "touch termed; exit 3" TERM; echo a; echo b; printf c; touch up; while :; do sleep 0.1; done'
		told 'text a' 'text b' 'close 1001' end 'exit 0'
		[ -e termed ]
	done
}

@test "SIGTERM: a program that ignores it is killed after -w" {
	peer text:a get kill:TERM until:close close:1001 rest wait -- wsframe -w 100ms sh -c 'trap "" TERM; cat; sleep 30; sleep 30'
	told 'text a' 'close 1001' end 'exit 0'
}

@test "SIGTERM: a peer that does not answer does not hold us for longer than -w" {
	peer text:a get kill:TERM rest wait -- wsframe -w 100ms cat
	told 'text a' 'close 1001' end 'exit 0'
}

@test "a signal is noticed by a session that never sleeps" {
	not_sanitized
	peer -t get kill:TERM swallow wait -- wsframe -w 500ms yes
	told 'text y' 'exit 0'
	command -v strace >/dev/null || skip "needs strace"
	# A wait that always finds something ready.
	peer rest wait -- timeout -s KILL 20 strace -qq -o /dev/null -e trace=ppoll -e inject=ppoll:retval=1 \
		wsframe -w 200ms sh -c 'exit 3'
	[[ "$output" == 'close 1011'* ]]
	[[ "$output" == *'exit 3' ]]
}

@test "a second signal ends it at once" {
	peer text:a get kill:TERM get kill:TERM wait -- wsframe -w 1h sh -c 'trap "" TERM; cat; sleep 30'
	told 'text a' 'close 1001' 'exit 0'
}

@test "SIGTERM while the pipe holds a line of a program that goes on: it is sent, Close 1001 at once" {
	peer get kill:STOP await:wrote kill:TERM kill:CONT get:2 kill:TERM wait -- wsframe -w 1h sh -c 'trap "" TERM; echo up
		until grep -q "^State:.T" /proc/$PPID/status; do sleep 0.05; done
		echo a; : >wrote; sleep 30; sleep 30'
	told 'text up' 'text a' 'close 1001' 'exit 0'
}

@test "the program starts with SIGPIPE at default, SIGALRM as we found it and nothing blocked, whatever we do" {
	# Of what is ignored only their bits, 0x1000 and 0x2000.
	peer get:2 close:1000 rest wait -- env --ignore-signal=PIPE --ignore-signal=ALRM wsframe sh -c '
		grep ^SigBlk /proc/self/status; echo $((0x$(sed -n "s/^SigIgn:.//p" /proc/self/status) & 0x3000))'
	told 'text SigBlk:\x090000000000000000' 'text 8192' 'close 1000' end 'exit 0'
}

@test "an alarm(2) that we were started with ends us, and until then deadlines are kept" {
	command -v perl >/dev/null || skip 'perl is what sets the alarm here'
	peer get wait -- perl -e 'alarm 3; exec @ARGV' wsframe -k 2s cat
	told ping 'signal 14'
}

@test "SIGTERM in the same turn as the program's death wins: Close 1001, exit 0" {
	# The watcher holds the program's stdout (its death is seen first), or not (the end of file is).
	for out in '&1' /dev/null; do
		rm -f dead
		peer get kill:STOP await:dead kill:TERM kill:CONT get close:1001 rest wait -- wsframe sh -c '
			echo up
			{ until grep -q "^State:.Z" /proc/$$/status; do sleep 0.02; done; : >dead; } 2>/dev/null >'"$out"' &
			until grep -q "^State:.T" /proc/$PPID/status; do sleep 0.02; done
			exit 3'
		told 'text up' 'close 1001' end 'exit 0'
	done
}

@test "when we are killed the program gets SIGTERM" {
	peer text:a get kill:KILL wait -- wsframe sh -c 'trap "touch termed; exit" TERM; read x; echo "$x"; while :; do sleep 0.1; done'
	told 'text a' 'signal 9'
	await_that test -e termed
}

# ---- keepalive, backpressure, memory ----

@test "-k pings who is silent, and gives up on who does not answer" {
	peer get:2 wait -- wsframe -k 100ms cat
	told ping end 'exit 1'
	said 'wsframe: peer: gone: nothing came, no answer to our Ping'
	peer get pong: get pong: get text:a get close:1000 until:close drop wait -- wsframe -k 100ms cat
	[[ "$output" == *'text a'* ]]
	[[ "$output" == *'exit 0' ]]
}

@test "what came while the process was stopped is read before -k and -w are judged" {
	peer until:ping kill:STOP silent:700 pong: text:a kill:CONT until:text close:1000 until:close drop wait -- wsframe -k 400ms cat
	told ping 'text a' 'close 1000' 'exit 0'
	peer get kill:STOP silent:700 close:1000 kill:CONT wait -- wsframe -w 300ms true
	told 'close 1000' 'exit 0'
}

@test "who reads slowly is not gone: our Ping waits behind what he has not taken yet" {
	peer -s slow:100 get close:1000 until:close drop wait -- \
		wsframe -k 1s sh -c 'head -c 120000 /dev/zero | tr "\0" x; echo; exec cat'
	[[ "${lines[0]}" == 'text xxx'*'... (120000)' ]]
	[ "${lines[1]}" = 'close 1000' ]
	[ "${lines[2]}" = 'exit 0' ]
	[ "$stderr" = "" ]
}

@test "who reads slowly has -w for his answer from where our Close has come to him" {
	peer -s slow:100 get until:close close:1000 drop wait -- \
		wsframe -w 1s sh -c 'head -c 120000 /dev/zero | tr "\0" x'
	[[ "${lines[0]}" == 'text xxx'*'... (120000)' ]]
	[ "${lines[1]}" = 'close 1000' ]
	[ "${lines[2]}" = 'exit 0' ]
	[ "$stderr" = "" ]
}

@test "who takes nothing more has no longer than that" {
	peer -s get wait -- wsframe -w 200ms sh -c 'echo a; head -c 100000 /dev/zero | tr "\0" x'
	told 'text a' 'exit 1'
	said 'wsframe: peer: no answer to our Close'
}

@test "who reads nothing any more is gone, though there was much for him, or his kernel takes what comes" {
	peer -s slow:10 get:20 wait -- wsframe -k 300ms sh -c 'yes "$(printf %01000d 0)" | head -n 200; exec cat'
	[ "${lines[20]}" = 'exit 1' ]
	said 'wsframe: peer: gone: nothing came, no answer to our Ping'
	peer -t wait -- wsframe -k 300ms sh -c 'while sleep 0.02; do echo x; done'
	told 'exit 1'
	said 'wsframe: peer: gone: nothing came, no answer to our Ping'
}

@test "a peer that floods and reads nothing of the answers is gone after twice -k, a slow one is not" {
	for how in '' -t; do
		# shellcheck disable=SC2086
		peer $how push wait -- wsframe -k 200ms cat
		told pushed 'exit 1'
		said 'wsframe: peer: gone: it reads nothing'
	done
	peer push slow:5 get:150 drop wait -- wsframe -k 600ms cat
	[ "$(grep -c '^text ' <<<"$output")" = 150 ]
	[[ "$stderr" != *gone* ]]
}

@test "a peer that the program lets wait is not gone, and all that it said arrives" {
	line=$(printf %01000d 0)
	for how in '' -t; do
		# shellcheck disable=SC2086
		peer $how many:20,"$line" silent:50 many:2980,"$line" close:1000 until:close rest wait -- \
			wsframe -k 200ms sh -c 'sleep 1; wc -l >count'
		told 'close 1000' end 'exit 0'
		holds count '3000\n'
	done
}

@test "-k 0 never pings" {
	peer silent:400 close:1000 rest wait -- wsframe -k 0 cat
	told 'close 1000' end 'exit 0'
	peer silent:300 close:1000 rest wait -- wsframe cat
	told 'close 1000' end 'exit 0'
}

@test "memory is bounded with every buffer full: at most 640 KiB" {
	not_sanitized
	for mode in '' -0 -b; do
		# shellcheck disable=SC2086
		peer -t get memory push memory -- wsframe -w 100ms $mode sh -c 'echo x; yes 0123456789 | tr -d "\n"'
		readarray -t seen < <(printf '%s\n' "$output" | sed -n 's/^private \([0-9]*\) k$/\1/p')
		((seen[1] > 200 && seen[1] <= 640))
	done
}

@test "an idle connection costs at most 24 KiB of its own (64 with glibc), or a page or two more where the stack begins badly" {
	readelf -lW "$BIN/wsframe" 2>/dev/null | grep -q INTERP && skip "dynamic: the libc's own data is on top"
	peer text:x get memory close:1000 rest -- env -i PATH="$PATH" wsframe cat
	[[ "$output" =~ private\ ([0-9]+) ]]
	most=28
	! grep -q GLIBC_TUNABLES "$BIN/wsframe" || most=72 # glibc takes more for itself
	((BASH_REMATCH[1] <= most))
}

@test "16 MiB in both directions at once: neither waits for the other" {
	head -c 16000000 /dev/zero | tr '\0' y | fold -w 1000 >lines
	echo >>lines
	wsframe -e -c <lines >frames
	mkfifo to from
	wsframe -w 20s cat <to >from 2>err 3>&- &
	pid=$!
	wsframe -d <from >back 3>&- &
	reader=$!
	{ cat frames; printf '\x88\x80\x00\x00\x00\x00'; } >to
	wait "$reader"
	cmp back lines
	ended "$pid"
	[ "$status" = 0 ]
}

@test "a slow reader stops the program, and pongs still come between its messages" {
	peer -t await:up ping:now until:pong -- wsframe sh -c 'touch up; yes 0123456789'
	told 'pong now'
}

@test "borrowed descriptors stay as they were: no O_NONBLOCK is left on a pipe or a socket" {
	peer -p text:a get close:1000 rest wait -- sh -c 'wsframe cat; grep flags: /proc/self/fdinfo/0 /proc/self/fdinfo/1 >flags'
	! grep -E '[4-7][0-7]{3}$' flags || false
}

@test "diagnostics go nowhere where stderr is the connection" {
	peer rest wait -- sh -c 'exec 2>&0; exec wsframe -w 100ms nosuchprogram'
	told 'close 1011' end 'exit 127'
}

@test "a stdin that is closed at the start is said, 1" {
	run -1 --separate-stderr bash -c 'wsframe -w 100ms cat <&- >/dev/null'
	[[ "$stderr" == 'wsframe: peer: '* ]]
}

@test "-v says how it ends" {
	peer close:4000,bye rest wait -- wsframe -v cat
	told 'close 4000' end 'exit 0'
	[[ "$stderr" == *'wsframe: peer: closed with 4000: bye'* ]]
	[[ "$stderr" == *'wsframe: cat: exit 0'* ]]
}

@test "where it is told whose connection it is, its lines say so" {
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4711 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: 192.0.2.1:4711: peer: a text that is not UTF-8 (1007)'
	TCPREMOTEIP=2001:db8::1 TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: [2001:db8::1]:1: peer: a text that is not UTF-8 (1007)'
	TCPREMOTEIP=$'\n\e' TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: \x0a\x1b:1: peer: a text that is not UTF-8 (1007)'
	TCPREMOTEIP=$(printf %0100d 1) TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: peer: a text that is not UTF-8 (1007)'
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=1 peer -c 'close:4000,bye' get drop wait -- wsframe -c cat
	said 'wsframe: peer: closed with 4000: bye'
}

@test "what the peer says is escaped" {
	peer 'close:4000,\x1b]0;x\x07\nFAKE' rest wait -- wsframe -v cat
	! grep -qP '[^\x20-\x7e\n]' <<<"$stderr" || false
	[[ "$stderr" == *'\x1b]0;x\x07\x0aFAKE'* ]]
}

# ---- the client ----

@test "a client masks its frames and takes only unmasked ones" {
	peer -c get text:hi get close:1000 get drop wait -- wsframe -c sh -c 'echo hello; read x; echo "got $x"; read x'
	told 'text hello' 'text got hi' 'close 1000' 'exit 0'
	peer -c 'raw:\x81\x81\x01\x02\x03\x04x' get drop wait -- wsframe -c cat
	told "close 1002 a server's frame is masked" 'exit 1'
	said "wsframe: peer: a server's frame is masked (1002)"
}

@test "its program has not its connection" {
	peer -c get:2 close:1000 get drop wait -- wsframe -c sh -c 'for i in 6 7; do [ -e /proc/$$/fd/$i ] && echo yes || echo no; done; cat'
	told 'text no' 'text no' 'close 1000' 'exit 0'
}

# client STEP... -- ARG...: a client without program, its stdin in `in`, its stdout in `out`.
client() {
	local steps=()
	while [ "$1" != -- ]; do
		steps+=("$1")
		shift
	done
	peer -c "${steps[@]}" -- sh -c 'exec wsframe -c "$@" <in >out' - "${@:2}"
}

@test "without program: stdin goes out, what comes goes to stdout; it closes when nothing came for -q" {
	printf 'one\ntwo' >in
	client get:2 text:reply get close:1000 drop wait -- -q 200ms
	told 'text one' 'text two' 'close 1000' 'exit 0'
	holds out 'reply\n'
}

@test "-q 0 closes at once when stdin has ended; what comes before the peer's Close is delivered" {
	echo one >in
	client get:2 text:late close:1000 drop wait -- -q 0
	told 'text one' 'close 1000' 'exit 0'
	holds out 'late\n'
}

@test "the default of -q says if no message came after the last record, an explicit one does not" {
	printf 'one\ntwo\n' >in
	client get text:reply get close:1000 drop wait --
	said ''
	client text:early get:2 until:close close:1000 drop wait -- -q 10ms
	said ''
	printf '' >in
	client text:early get close:1000 drop wait --
	said ''
	client get close:1000 drop wait --
	told 'close 1000' 'exit 0'
	said 'wsframe: no message came within 1 s after the end of stdin (use -q or -m to wait longer)'
}

@test "-q counts from the last message" {
	: >in
	client silent:100 text:a silent:100 text:b silent:100 text:c get close:1000 drop wait -- -q 500ms
	told 'close 1000' 'exit 0'
	holds out 'a\nb\nc\n'
}

@test "-q is not put off by the peer's pings, nor -w" {
	: >in
	client beat:50 close:1000 drop wait -- -q 200ms
	told 'close 1000' 'exit 0'
	client get beat:50 wait -- -q 0 -w 200ms
	[ "${lines[0]}" = 'close 1000' ]
	[[ "${lines[1]}" == @(end|reset) ]]
	[ "${lines[2]}" = 'exit 1' ]
	said 'wsframe: peer: no answer to our Close'
}

@test "a client has as much patience again with a server that waits for its program" {
	: >in
	client get silent:1200 close:1000 drop wait -- -q 0 -w 1s
	told 'close 1000' 'exit 0'
}

@test "-m waits for its messages, however late" {
	printf 'ask\n' >in
	client get silent:1300 text:late get close:1000 drop wait -- -m 1
	told 'text ask' 'close 1000' 'exit 0'
	holds out 'late\n'
}

@test "-q never leaves the end to the peer" {
	: >in
	client text:a silent:300 close:1000 get drop wait -- -q never
	told 'close 1000' 'exit 0'
	holds out 'a\n'
}

@test "-m closes after so many messages" {
	: >in
	client text:a text:b get close:1000 drop wait -- -q never -m 2
	told 'close 1000' 'exit 0'
	holds out 'a\nb\n'
	mkfifo in2
	exec 5<>in2
	peer -c text:a get close:1000 drop wait -- sh -c 'exec wsframe -c -m 1 <in2 >out'
	exec 5>&-
	told 'close 1000' 'exit 0'
	holds out 'a\n'
}

@test "-m: fewer messages are 1, whatever ended the session" {
	: >in
	client text:a close:1000 get drop wait -- -m 2
	told 'close 1000' 'exit 1'
	said 'wsframe: 1 of 2 messages came'
	client text:a get close:1000 drop wait -- -m 2 -q 200ms
	told 'close 1000' 'exit 1'
	said 'wsframe: 1 of 2 messages came'
	client ping: get kill:TERM get close:1001 drop wait -- -m 1
	told pong 'close 1001' 'exit 1'
	said 'wsframe: 0 of 1 messages came'
	client text:a drop wait -- -m 2
	told 'exit 1'
	said 'wsframe: peer: ended without a Close'
}

@test "the peer's Close before all of stdin was sent is 1, but not on a terminal" {
	mkfifo in
	exec {hold}<>in
	printf 'one\ntwo' >&$hold
	client get close:1000 get drop wait --
	told 'text one' 'close 1000' 'exit 1'
	said 'wsframe: stdin: the peer closed before all of it was sent'
	client close:1000 get drop wait --
	told 'close 1000' 'exit 0'
	peer -c ping: get kill:STOP await:more close:1000 kill:CONT until:close drop wait -- sh -c '
		(until grep -q "^State:.T" /proc/$$/status; do sleep 0.05; done; echo more >in; : >more) & exec wsframe -c <in'
	exec {hold}>&-
	told pong 'close 1000' 'exit 1'
	said 'wsframe: stdin: the peer closed before all of it was sent'
	printf 'one\nhalf' >in2
	peer -c get close:1000 get drop wait -- sh -c 'exec script -qec "stty -icanon; exec wsframe -c" /dev/null <in2 >/dev/null'
	told 'text one' 'close 1000' 'exit 0'
}

@test "the peer's Close as a client: 1000, 1001, none are good, others are said" {
	: >in
	for code in close:1000 close:1001 close; do
		client "$code" get drop wait -- -q never
		[[ "$output" == *$'\nexit 0' ]]
		[ "$stderr" = "" ]
	done
	client close:1008,policy get drop wait -- -q never
	told 'close 1008' 'exit 1'
	said 'wsframe: peer: closed with 1008: policy'
}

@test "as a client: an end without a Close, and no answer to ours, are 1" {
	: >in
	client text:a drop wait -- -q never
	told 'exit 1'
	holds out 'a\n'
	client rest wait -- -q 0 -w 100ms
	told 'close 1000' end 'exit 1'
	said 'wsframe: peer: no answer to our Close'
}

@test "the server ends the connection first" {
	: >in
	client get close:1000 silent:200 fin rest wait -- -q 0 -w 20s
	told 'close 1000' end 'exit 0'
}

@test "bad UTF-8 on stdin: 1011 and the line" {
	printf 'ok\n\377\n' >in
	client get:2 close:1011 drop wait -- -q never
	told 'text ok' 'close 1011' 'exit 1'
	said 'wsframe: stdin: line 2: not UTF-8'
}

@test "SIGTERM to a client: Close 1001, 0" {
	: >in
	client ping: get kill:TERM get close:1001 drop wait -- -q never
	told pong 'close 1001' 'exit 0'
}

@test "SIGTERM to a client inside a line of stdin: the whole lines were sent, Close 1001 at once" {
	mkfifo in
	exec {hold}<>in
	printf 'one\ntwo' >&$hold
	client get kill:TERM get close:1001 drop wait -- -q never -w 1h
	exec {hold}>&-
	told 'text one' 'close 1001' 'exit 0'
}

@test "stdout that is full, or gone: said, or not, and 1" {
	peer -c text:a get close:1011 drop wait -- sh -c 'exec wsframe -c -q never </dev/null >/dev/full'
	told 'close 1011' 'exit 1'
	said 'wsframe: stdout: No space left on device'
	mkfifo gone
	peer -c get close:1001 drop wait -- sh -c 'head -c 0 <gone & exec wsframe -c -q never </dev/null >gone'
	told 'close 1001' 'exit 1'
	[ "$stderr" = "" ]
}

@test "what goes to a slow stdout is cut by neither -q nor -w" {
	mkfifo slow
	(sleep 0.7; cat <slow >all) 3>&- &
	reader=$!
	peer -c many:20,"$(printf %01000d 0)" many:100000,0123456789 until:close close:1000 fin wait -- \
		sh -c 'exec wsframe -c -q 50ms -w 50ms </dev/null >slow'
	told 'close 1000' 'exit 0'
	wait "$reader"
	[ "$(wc -l <all)" = 100020 ]
}

@test "two signals end a client whose stdout nobody reads, and that is no failure" {
	mkfifo stuck
	exec {hold}<>stuck
	peer -c ping: get many:10000,0123456789 kill:TERM get kill:TERM wait -- sh -c 'exec wsframe -c -q never </dev/null >stuck'
	exec {hold}>&-
	told 'pong' 'close 1001' 'exit 0'
	[ "$stderr" = "" ]
}

@test "a peer that is lost while nobody reads stdout costs no processor time, and what it said arrives" {
	mkfifo stuck
	exec {hold}<>stuck
	peer -c ping: get many:20000,0123456789 drop -- \
		sh -c 'echo $$ >pid; exec wsframe -c -q never </dev/null >stuck 2>err 3>&-'
	server=$(cat pid)
	pids+=("$server")
	rests
	(head -n 20000 <stuck >all) 3>&- &
	await_that gone "$server"
	exec {hold}>&-
	wait $!
	[ "$(wc -l <all)" = 20000 ]
}

@test "a server that keeps sending holds a client no longer than ten times -w after its Close, and -w after a signal" {
	: >in
	for enough in -m1 -q0; do
		client chat:20 wait -- $enough -w 50ms
		told 'exit 1'
		said 'wsframe: peer: no answer to our Close'
	done
	client ping: get kill:TERM chat:20 wait -- -q never -w 200ms
	told pong 'exit 0'
	mkfifo stuck
	exec {hold}<>stuck
	peer -c ping: get many:10000,0123456789 kill:TERM wait -- sh -c 'exec wsframe -c -q never -w 200ms </dev/null >stuck'
	told pong 'exit 0'
	exec {hold}>&-
}

@test "a ping is answered by a client too, masked" {
	: >in
	client ping:p get close:1000 get drop wait -- -q never
	told 'pong p' 'close 1000' 'exit 0'
}

# ---- the system gets in the way ----

@test "a start that the system refuses: 1011, 1" {
	not_sanitized
	command -v strace >/dev/null || skip "needs strace"
	peer get close:1011 rest wait -- strace -qq -o /dev/null -e trace=vfork,clone,fork -e inject=vfork,clone,fork:error=EAGAIN wsframe cat
	told 'close 1011' end 'exit 1'
	said 'wsframe: cat: Resource temporarily unavailable'
	peer get close:1011 rest wait -- strace -qq -o /dev/null -e trace=pipe2 -e inject=pipe2:error=EMFILE wsframe cat
	told 'close 1011' end 'exit 1'
}

@test "when a frame could be sent only in part, nothing is sent behind it" {
	not_sanitized
	command -v strace >/dev/null || skip "needs strace"
	for error in EIO ENOMEM ECONNRESET; do
		peer -t await:up count wait -- strace -qq -o calls -e trace=sendto,write,writev,sendmsg \
			-e inject=sendto,write,writev,sendmsg:error=$error:when=4 wsframe -w 100ms sh -c 'touch up; yes 0123456789'
		grep -A 100 INJECTED calls | tail -n +2 | grep -vE '^(write\(2,|\+\+\+|---|write\(2)' && false
		[[ "$output" == *'exit 1' ]]
	done
}

@test "interrupted calls change nothing" {
	not_sanitized
	command -v strace >/dev/null || skip "needs strace"
	for i in 1 2 3 4 5 6 7 8 9; do
		echo "message $i"
	done >in
	# Not those of the dynamic loader, which gives up.
	strace -qq -o loading -e trace=read wsframe --version
	peer -c count -- sh -c 'exec strace -qq -o /dev/null -e trace=read,write,recvfrom,sendto,ppoll \
		-e inject=read,write,recvfrom,sendto,ppoll:error=EINTR:when=$(($(grep -c "^read" loading) + 1))+2 \
		wsframe -c -q 0 -w 200ms <in >out'
	told '10 frames 83 bytes'
}

# ---- the manual's examples ----

@test "example: a perfect echo" {
	serve tcpaccept wsupgrade wsframe -n -T cat
	printf '6:thello,3:b\xff\0,1:t,' >strings
	portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -n -T <strings >back
	cmp strings back
}

@test "example: the first answer" {
	serve tcpaccept wsupgrade wsframe cat
	run -0 --separate-stderr bash -c "echo hello | portscan-connect -p $port wsupgrade -c ws://localhost/ wsframe -c -m 1"
	[ "$output" = hello ]
}

@test "example: all that a service says" {
	serve tcpaccept wsupgrade wsframe sh -c 'sleep 2; echo late'
	portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -q never </dev/null >out
	same out late
}

@test "example: to a file of frames, and back" {
	printf 'one\ntwo\n' | wsframe -e >frames
	run wsframe -d <frames
	[ "$output" = $'one\ntwo' ]
}
