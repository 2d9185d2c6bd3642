# shellcheck disable=SC1003,SC2016,SC2059,SC2030,SC2031,SC2034,SC2154,SC2314 # helper.bash sets them; inner shells expand them
# wshub: slow clients, floods, limits, memory.
load wshub

@test "a client that does not read is closed without delaying the others" {
	hub -v -q 2M
	enters a 1
	kill -STOP "$pid"
	stopped=$pid
	for name in b c d e f; do client $name /; done
	server_says '^got 6 open '
	{ printf '* text '; head -c 1000000 /dev/zero | tr '\0' x; echo; } >long
	for n in $(seq 30); do
		cat long >>orders
		order "* text heard $n"
		for name in b c d e f; do hears $name "^heard $n\$"; done
	done
	for name in b c d e f; do [ "$(grep -c '^xxx' "$name.out")" = 30 ]; done
	server_says 'send queue is full'
	server_says '^got 1 close 1006 '
	kill -CONT "$stopped"
}

@test "the smallest messages queued for a client that does not read stay within -q" {
	not_sanitized
	serve wshub -k 1s sed -un 's/^1 close/& /w /dev/stderr'
	{ printf '%b' "$request"; yes $'\x89\x80abc' | head -c 30M; } >pings
	start pinger peer -v room:4096 to:"$port" open file:pings hold
	server_says '^1 close  1006'
	within VmHWM 8000
	serve wshub -v sh -c 'read -r open; exec yes "1 text "'
	slow client recv hold
	server_says 'send queue is full'
	within VmHWM 12000
}

@test "compressed messages of a thousand times their size are received one by one" {
	not_sanitized
	serve wshub -z sh -c 'grep --line-buffered " close" >&2'
	{
		head -c 60000000 /dev/zero | tr '\0' x | fold -w 1000000 | wsframe -e -c -z
		printf '\x88\x82\0\0\0\0\x03\xe8'
	} >frames
	portscan-connect -q -p "$port" wsupgrade -z -c "ws://localhost:$port/" sh -c "cat $BATS_TEST_TMPDIR/frames >&7; cat <&6"
	server_says '^1 close 1000'
	# At most 64 KiB of a client that does not wait for the response.
	{ printf '%b' "${request%\\r\\n}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" && head -c 15000 frames; } >early
	start early peer to:"$port" open file:early hold
	server_says '^2 close 1002 compressed messages before the response$'
	within VmHWM 12000
}

@test "memory: browsers that do not read a page share one copy, that of a 16 MB message is released although the client stays" {
	not_sanitized
	head -c 6000000 /dev/zero >page
	serve wshub --page page --fan-out
	for n in $(seq 12); do
		start "get$n" peer -v room:4096 to:"$port" open 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' recv hold
	done
	for n in $(seq 12); do await "$BATS_TEST_TMPDIR/get$n.out" '^recv HTTP/1.1 200 '; done
	within VmRSS 20000
	not_sanitized
	serve wshub -M 16M -q 16M grep --line-buffered '^[0-9]* text '
	client a /
	head -c 16000000 /dev/zero | tr '\0' x >&"$a"
	tell a ''
	await_that test -s a.out
	tell a end
	hears a '^end$'
	within VmRSS 12000
}

@test "a new client that was not read for -t because prog does not read gets 503" {
	mkfifo go
	for proxy in '' 'PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n'; do
		serve wshub ${proxy:+--proxy} -t 1500ms sh -c 'read -r go <"$0"; exec cat >/dev/null' go
		start "feed${#proxy}" wspeer "raw:$proxy$request" big:1000000 push await:go -- portscan-connect -q -p "$port"
		await "feed${#proxy}.out" '^pushed'
		run -0 peer to:"$port" open "send:$proxy$request" rest
		[[ $output == *'HTTP/1.1 503 '*'program does not read'* ]]
		server_says '^wshub: 127.0.0.1:[0-9]*: 503 program does not read$'
	done
}

@test "while prog does not read, clients wait and nothing is dropped" {
	mkfifo go
	serve wshub sh -c 'read -r go <"$0"; grep -c " text " >&2; echo' go
	seq 200000 | sed 's/$/ and some more so that pipes and buffers are full/' >lines
	start feed sh -c 'portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q 0 <"$2"' sh "$port" lines
	await_that test -s server.err
	echo go >go
	ended "$feed"
	kill "$server"
	ended "$server"
	server_says '^200000$'
}

@test "a silent client is pinged, and times out if it does not answer" {
	hub -k 500ms
	enters a 1
	kill -STOP "$pid"
	server_says '^got 1 close 1006 '
	kill -CONT "$pid"
}

@test "after a pause of the process a request and a Pong that arrived meanwhile are read before -t and -k are checked" {
	serve wshub -t 4s -k 2s --fan-out
	start head peer -v to:"$port" open 'send:GET / HTTP/1.1\r\n' await:go "send:${request#*1.1\\r\\n}" recv hold
	start pong peer -v to:"$port" open file:request recv recv await:go 'send:\x8a\x80\0\0\0\0' recv hold
	pings() { [ "$(LC_ALL=C grep -ac $'^recv \x89' pong.out)" = "$1" ]; }
	await_that pings 1
	paused "$server" 2.2 eval 'touch go; await head.out "^sent [0-9]{3}" && await pong.out "^sent 6$"'
	await head.out '^recv HTTP/1.1 101 '
	await_that pings 2
}

@test "long messages of many clients are queued one by one: a short message of another client waits for few of them" {
	mkfifo go
	serve wshub sh -c 'read -r go <"$0"; sed -u "s/ xx*$/ x/" >&2' go
	{ printf '%b\x81\xff\0\0\0\0\0\3\0\0\0\0\0\0' "$request" && head -c 196607 /dev/zero | tr '\0' x; } >long
	start crowd peer -v to:"$port" open:20 file:long await:last send:x say:ended hold
	start b peer -v to:"$port" open file:request await:short send:'\x81\x81\0\0\0\0b' say:sent hold
	await crowd.out "^sent $((20 * $(wc -c <long)))\$"
	await b.out '^sent '
	# The last byte and the short message arrive together, after everything else was read.
	all_read() { ! grep -E "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$port") .* 01 [0-9A-F]+:0*[1-9A-F]" /proc/net/tcp; }
	await_that all_read
	ends() { touch last && await crowd.out '^ended$' && touch short && await b.out '^sent$'; }
	paused "$server" 0 ends
	echo go >go
	server_says ' text b$'
	(($(sed "/ text b$/q" server.err | grep -c ' text x') <= 5))
}

# slow NAME STEP...: a client with a small receive buffer that will get an answer of 120010 bytes.
slow() {
	start "$1" peer -v room:4096 to:"$port" open file:request "${@:2}"
}

@test "a slow reader is not timed out: the Ping follows earlier data, also with more than half of -q queued" {
	serve wshub -k 1s sh -c 'read -r open; printf "1 text %0120000d\n" 0; cat >&2'
	slow client sip:120000 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^1 close '
	same server.err "Bound to $port" '1 close 1000 '
	grep -qx 'took 120000' client.out
	serve wshub -k 1s -q 8M sh -c "$much"
	slow client sip:120000 take:6880010 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^1 close '
	same server.err "Bound to $port" '1 close 1000 '
}

@test "a client that stops reading times out, although much data is queued for it, also more than half of -q" {
	serve wshub -k 300ms sh -c 'read -r open; printf "1 text %0120000d\n" 0; cat >&2'
	slow client take:20000 hold
	server_says '^1 close 1006 $'
	serve wshub -k 300ms sh -c "$much"
	slow client take:20000 hold
	server_says '^1 close 1006 $'
}

@test "data queued for a client that half-closes is sent: a page, and a message before a Close" {
	head -c 6000000 /dev/zero >page
	serve wshub --page page sh -c "$much"
	start get peer -v to:"$port" open into:got 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' fin rest
	ended "$pid"
	tail -c 6000000 got | cmp - page
	slow client into:heard take:20000 'send:\x88\x82\0\0\0\0\x03\xe8' fin rest
	ended "$pid"
	(($(wc -c <heard) > 6980000))
	tail -c 5 heard | cmp - <(printf 'x\x88\x02\x03\xe8')
}

@test "authorize: data of a client that is not accepted yet waits in the kernel" {
	shell_script may 'until [ -e "%s/go" ]; do sleep 0.05; done' "$BATS_TEST_TMPDIR"
	serve wshub -a ./may cat
	start flood peer -v to:"$port" open file:request push await:go recv
	await flood.out '^pushed'
	: >go
	await flood.out '^recv HTTP/1.1 101 '
}

@test "a last message over a UNIX socket counts, also if prog reads it later" {
	mkfifo go
	start server handover tcp unix:"$PWD/sock" -- \
		wshub sh -c 'read -r go <"$0"; grep -m 1 " last words$" >&2' go
	await server.out '^port '
	start b peer to:"$PWD/sock" open send:"$request" head say:in \
		await:full send:'\x81\x8a\0\0\0\0last words' say:said \
		await:seen close say:out
	await b.out '^in$'
	start feed wspeer "raw:$request" push await:gone drop -- \
		portscan-connect -q -p "$(sed -n 's/^port //p' server.out)"
	await feed.out '^pushed'
	: >full
	await b.out '^said$'
	await_that grep -q '^State:.S' "/proc/$server/status"
	: >seen
	await b.out '^out$'
	: >gone
	echo go >go
	server_says ' text last words$'
}

descriptors() {
	find "/proc/$server/fd" -type l | wc -l
}

@test "clients that leave during a flood to all clients take no message from the others" {
	mkfifo go
	serve wshub sh -c 'cat "$0"; echo done >&2; cat >&2' go
	in=(open:20 send:"$request" head say:in)
	start leave peer to:"$port" "${in[@]}" await:leave fin say:left hold
	await leave.out '^in$'
	start stay peer to:"$port" open:700 "${in[@]:1}" rest
	await stay.out '^in$'
	stay=$pid
	exec {go}>go
	# All in one turn: the ends of the 20 clients, and more messages than one flush collects.
	kill -STOP "$server"
	touch leave
	await leave.out '^left$'
	seq -f '* text <%g>' 120 >&"$go"
	exec {go}>&-
	server_says '^done$'
	kill -CONT "$server"
	kill "$server"
	ended "$stay"
	for n in 94 95 96 97 98 120; do [ "$(grep -ao "<$n>" stay.out | wc -l)" = 700 ]; done
}

@test "a thousand clients that vanish at once are reported one by one, and all resources are released" {
	ulimit -n 4096 || skip "needs 4096 descriptors"
	serve wshub -c 2000 tee records
	start crowd peer -v to:"$port" open:1000 send:"$request" await:go
	await records '^1000 open '
	# Not from the start, when it may still have to open its own descriptors.
	before=$(($(descriptors) - 1000))
	touch go
	all_told() { [ "$(grep -c '^[0-9]* close 1006 $' records)" = 1000 ]; }
	await_that all_told
	all_back() { [ "$(descriptors)" = "$before" ]; }
	await_that all_back
	[ "$(grep -c ' open ' records)" = 1000 ]
	visit -q 0 </dev/null
}

@test "the limit of descriptors lowers -c: -a accepts the last client, and the last browser gets the page" {
	recorder
	echo '<p>' >mine
	serve sh -c 'ulimit -n 20; LISTEN_PID=$$ exec wshub -a true --page "$0" "$@"' mine \
		./recorder orders
	server_says '^wshub: --max: 10000: lowered to [0-9]+ by the hard limit of descriptors'
	max=$(sed -n 's/.*lowered to \([0-9]*\) .*/\1/p' server.err)
	# The first one is closed and the last one is missing.
	start crowd peer -v to:"$port" "open:$((max - 2))" send:"$request" open await:go
	server_says "^got $((max - 2)) open "
	page got
	tail -n 1 got | cmp - mine
	client a /
	server_says "^got $((max - 1)) open "
	[ "$(grep -c '^wshub: ' server.err)" = 1 ]
}

@test "a program that floods: clients are accepted and get the messages, and SIGTERM works" {
	serve wshub yes '* text flood'
	for n in 1 2; do
		[ "$(visit -q never -m 3 </dev/null | uniq)" = flood ]
	done
	stopped
}

# Each of 37000 records is for 100 clients.
@test "SIGTERM during output for many clients: what cannot be sent within -w is dropped" {
	mkfifo go
	yes '* text' | head -n 37000 >flood
	serve wshub -w 50ms sh -c 'while read -r id word rest; do [ "$id" != 100 ] || break; done
		echo crowded >&2; read -r go <go; cat flood; echo written >&2; cat >/dev/null'
	start crowd peer -v to:"$port" open:100 into:heard send:"$request" rest
	server_says '^crowded$'
	paused "$server" 0 eval 'echo go >go; server_says ^written; kill "$server"'
	ended "$server"
	[ "$status" = 0 ]
	ended "$pid"
	(($(wc -c <heard) < 7000000))
}

@test "records for many clients: new clients are accepted between them, because a turn is limited in time" {
	mkfifo go
	yes '* text x' | head -n 28000 >flood
	serve wshub sh -c 'while read -r id word rest; do echo "$id $word" >&2; [ "$id" != 50 ] || break; done
		read -r go <go; dd bs=252000 count=1 if=flood status=none; echo written >&2; sed -u "s/^51 open.*/* text after/;t;d"'
	start crowd peer -v to:"$port" open:50 send:"$request" hold
	server_says '^50 open$'
	comes() { echo go >go; start b peer -v to:"$port" open file:request into:b.heard take:136; }
	paused "$server" 0 eval 'comes; server_says ^written; await b.out ^sent'
	await b.out '^took 136$'
	tail -c 7 b.heard | head -c 3 | cmp - <(printf '\x81\x01x')
}

@test "if prog stops reading, clients still get its messages, and their own are dropped" {
	: >orders
	serve wshub sh -c 'exec <&-; echo deaf >&2; tail -n +1 -f "$0"' orders
	server_says '^deaf$'
	rests
	client a /
	until grep -qs in a.out; do order '* text in'; sleep 0.02; done
	seq 100000 >&"$a"
	order '* text still there'
	hears a '^still there$'
	rests
}

@test "a client that floods does not delay another client's messages" {
	serve wshub --fan-out
	# Empty texts, whose key ends with a newline, as fast as possible.
	start flood sh -c '{ printf "$2"; yes "$3"; } | portscan-connect -q -p "$1"' sh "$port" "$request" $'\x81\x80abc'
	await flood.out '^HTTP/1.1 101 '
	client a /talk
	client b /talk
	await_that meets a b
	for n in 1 2 3; do
		tell a "word $n"
		hears b "^word $n\$"
	done
	! gone "$flood" || false
}
