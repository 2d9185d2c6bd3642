# wsupgrade as a client, with peer as the server.
load wsupgrade

# client_refuses ANSWER [OPTION...]: wsupgrade -c exits with 1 and one line, without running a program.
client_refuses() {
	local text=$1
	shift
	run -1 --separate-stderr peer client head send:"$text" fin run wsupgrade -c ws://h/x "$@" touch started
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "wsupgrade: ws://h/x: "* ]]
	[ ! -e started ]
}

@test "the client sends the request, and passes the data after the 101 on, also byte by byte; stdin and stdout are kept" {
	peer client head send:"$answer\r\n\x81\x05hello" fin \
		run wsupgrade -c ws://localhost:9000/chat?x sh -c 'cat <&6 >got; echo back >&7' >out
	printf '\x81\x05hello' | cmp - got
	sed 's/^Sec-WebSocket-Key: [A-Za-z0-9+\/]\{22\}==\r$/KEY/' out >asked
	printf '%b' 'GET /chat?x HTTP/1.1\r\nHost: localhost:9000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nKEY\nSec-WebSocket-Version: 13\r\n\r\nback\n' | cmp - asked
	for kind in tcp pipes; do
		peer client on:$kind head bytes:"$answer\r\n\x81\x05hello" fin run wsupgrade -c ws://h sh -c 'cat <&6 >got' >out
		printf '\x81\x05hello' | cmp - got
		grep -q '^GET / HTTP/1.1' out
	done
	run peer client head send:"$answer\r\n" run wsupgrade -c ws://h cat <<<mine
	[ "${lines[-1]}" = mine ]
}

@test "the same with the smallest buffers, and a server that does not read times out" {
	local long
	long=$(printf 'x%.0s' {1..3900})
	peer client on:small head bytes:"${answer}A: b\r\n\r\n\x81\x05hello" fin \
		run wsupgrade -H "A: $long" -H "B: $long" -c "ws://h/$long" sh -c 'cat <&6 >got' >out
	printf '\x81\x05hello' | cmp - got
	grep -q "^GET /$long HTTP/1.1" out
	grep -q "^B: $long"$'\r$' out
	peer client on:small head send:"${answer}A: $long\r\nB: $long\r\nC: $long\r\n\r\n\x81\x05hello" fin \
		run wsupgrade -c ws://h sh -c 'cat <&6 >got' >out
	printf '\x81\x05hello' | cmp - got
	run -1 --separate-stderr peer client on:small ended run wsupgrade -t 300ms -H "A: $long" -H "B: $long" -c ws://h/ touch started
	[[ $stderr == 'wsupgrade: ws://h/: write: '*'timed out' ]]
	[ ! -e started ]
}

@test "the key differs each time; without random numbers there is none: no request, status 1" {
	for i in 1 2; do
		peer client head run wsupgrade -t 50ms -c ws://h/ true 2>/dev/null | grep Key >"key$i"
	done
	[ -s key1 ]
	run ! cmp -s key1 key2
	need_strace
	run -1 --separate-stderr peer client fin run strace -qq -o calls -e trace=getrandom -e inject=getrandom:error=ENOSYS \
		wsupgrade -c ws://h touch started
	grep -q INJECTED calls
	[ "$output" = "" ]
	[[ $stderr == 'wsupgrade: getrandom: '?* ]]
	[ ! -e started ]
}

@test "-o, -s and -H are sent, and the program gets the chosen subprotocol" {
	peer client head send:"${answer}Sec-WebSocket-Protocol: b\r\n\r\n" fin \
		run wsupgrade -v -o http://me -s a -s b -H 'Cookie: c=d' -H 'Authorization: x' -c ws://h \
		sh -c 'echo "$WEBSOCKET_PROTOCOL" >chosen' >out 2>err
	same chosen b
	same err 'wsupgrade: ws://h: connected, protocol b'
	for line in 'Origin: http://me' 'Sec-WebSocket-Protocol: a, b' 'Cookie: c=d' 'Authorization: x'; do
		grep -qxF "$line"$'\r' out
	done
	WEBSOCKET_PROTOCOL=old WEBSOCKET_EXTENSIONS=old peer client head send:"$answer\r\n" fin run wsupgrade -s a -c ws://h \
		sh -c 'echo "${WEBSOCKET_PROTOCOL-none}${WEBSOCKET_EXTENSIONS-none}" >chosen' >out
	same chosen nonenone
}

@test "-z: permessage-deflate is offered, and only a matching response is accepted" {
	local d=permessage-deflate both="client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=15" offer
	offer="$d; client_max_window_bits"
	peer client head send:"${answer}Sec-WebSocket-Extensions: $d; server_max_window_bits=9; client_no_context_takeover\r\n\r\n" fin \
		run wsupgrade -vz -c ws://h sh -c 'echo "$WEBSOCKET_EXTENSIONS" >chosen' >out 2>err
	same chosen "$d; $both"
	same err "wsupgrade: ws://h: connected, $d; $both"
	grep -qxF "Sec-WebSocket-Extensions: $offer"$'\r' out
	peer client head send:"$answer\r\n" fin run wsupgrade -z -c ws://h sh -c 'echo "${WEBSOCKET_EXTENSIONS-none}" >chosen' >out
	same chosen none
	offer="$d; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10"
	peer client head send:"${answer}Sec-WebSocket-Extensions: $offer\r\n\r\n" fin \
		run wsupgrade -z --window 10 --no-takeover -c ws://h sh -c 'echo "$WEBSOCKET_EXTENSIONS" >chosen' >out
	grep -qxF "Sec-WebSocket-Extensions: $offer"$'\r' out
	same chosen "$offer"
	client_refuses "${answer}Sec-WebSocket-Extensions: $d; server_no_context_takeover\r\n\r\n" -z --window 10 --no-takeover
}

@test "a few interim responses before the 101 are skipped" {
	local early='HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' many
	many=$(printf "${early//\\/\\\\}%.0s" {1..10})
	peer client head send:"HTTP/1.1 100 Continue\r\n\r\n$early$answer\r\n\x81\x05hello" fin \
		run wsupgrade -c ws://h sh -c 'cat <&6 >got' >out
	printf '\x81\x05hello' | cmp - got
	peer client head send:"$many$answer\r\n" run wsupgrade -c ws://h true >out
	client_refuses "$many$early$answer\r\n"
	[[ $stderr == *'the server did not upgrade: HTTP/1.1 103 Early Hints' ]]
}

@test "the client reports the redirection of a refusal, or the first line of its text" {
	local no='HTTP/1.1 403 No\r\n' text='Content-Type: text/plain; charset=utf-8\r\n'
	client_refuses "${no}Location: http://u:secret@y/\r\n$text\r\nx\n"
	[ "$stderr" = 'wsupgrade: ws://h/x: the server did not upgrade: HTTP/1.1 403 No (Location: http://***@y/)' ]
	client_refuses "$no$text\r\nnot \x1b today\r\nnor ever\r\n"
	[[ $stderr == *'HTTP/1.1 403 No (not \x1b today)' ]]
	client_refuses "$no${text}Transfer-Encoding: chunked\r\n\r\n9\r\nnot today\r\n0\r\n\r\n"
	[[ $stderr == *'HTTP/1.1 403 No (not today)' ]]
	client_refuses "${no}Content-Type: text/html\r\n\r\n<html>\n"
	[[ $stderr == *'HTTP/1.1 403 No' ]]
	# The wait is limited for a body that does not arrive and for one without an end.
	run --separate-stderr peer client head send:"$no$text\r\nnot " run wsupgrade -c ws://h/x true
	[[ $stderr == *'HTTP/1.1 403 No (not )' ]]
	head -c 20000 /dev/zero | tr '\0' a >long
	run --separate-stderr peer client on:tcp head send:"$no$text\r\n" file:long run wsupgrade -t 20s -c ws://h/x true
	[[ $stderr == *'HTTP/1.1 403 No ('*'aaa...)' ]]
	run --separate-stderr peer client on:pipes head send:"$no${text}Content-Length: 3\r\n\r\nnot" run wsupgrade -t 20s -c ws://h/x true
	[[ $stderr == *'HTTP/1.1 403 No (not)' ]]
}

@test "the client reports the message of wsupgrade" {
	serve tcpaccept wsupgrade -P /chat wsframe cat
	run --separate-stderr portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ true
	[ "$stderr" = 'wsupgrade: ws://localhost/: the server did not upgrade: HTTP/1.1 404 Not Found (Not Found: no such path)' ]
}

@test "a URL with another port than the connection's causes a warning if the host is the same or both are this host" {
	local url
	for url in ws://localhost:9/ ws://127.0.0.1:9/ 'ws://[::1]:9/' ws://a.localhost:9/; do
		run -0 --separate-stderr peer client on:tcp head send:"$answer\r\n" run wsupgrade -c "$url" true
		[[ $stderr =~ ^"wsupgrade: $url: the connection is to port "[0-9]+$ ]]
	done
	for url in ws://localhost/ ws://h:9/ ws://127.h:9/; do
		run --separate-stderr peer client on:tcp head send:"$answer\r\n" run wsupgrade -c "$url" true
		[ "$status$stderr" = 0 ]
	done
	export TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=443 TCPREMOTEHOST=example.org
	for url in ws://192.0.2.1:80/ ws://EXAMPLE.org:80/; do
		run --separate-stderr peer client on:pipes head send:"$answer\r\n" run wsupgrade -c "$url" true
		[ "$stderr" = "wsupgrade: $url: the connection is to port 443" ]
	done
	for url in ws://example.org:443/ ws://localhost:9/ ws://example.org/; do
		run --separate-stderr peer client on:pipes head send:"$answer\r\n" run wsupgrade -c "$url" true
		[ "$status$stderr" = 0 ]
	done
}

@test "a password in a URL is never printed" {
	local url
	for url in ws://u:secret@h/ ws://u:sec/ret@h/ http://u:secret@h/ wss://u:secret@h 'ws://u:secret@h/ x' ws://secret@h/; do
		used -c "$url" true
		[[ $stderr != *sec* ]]
		[[ $stderr == *'://***'* ]]
	done
	used -o http://u:secret@h true
	[[ $stderr != *secret* ]]
	refused 403 "$(request "${good}Origin: http://u:secret@h\r\n")"
	[[ $stderr != *secret* ]]
	run -127 --separate-stderr peer send:"$(request "$good")" run wsupgrade ws://u:secret@h/
	[[ $stderr != *secret* ]]
	[ -n "$stderr" ]
}

@test "the client limits the size and time of a response" {
	head -c 20000 /dev/zero | tr '\0' a >line
	run -1 --separate-stderr peer client head send:'HTTP/1.1 101 x\r\nA: ' file:line run wsupgrade -c ws://h true
	[ "$stderr" = 'wsupgrade: ws://h: not an HTTP response: head is longer than 16 KiB' ]
	run -1 --separate-stderr peer client head send:'HTTP/1.1 101' run wsupgrade -t 100ms -c ws://h true
	[[ $stderr == 'wsupgrade: ws://h: incomplete response: '*'timed out' ]]
	# Also for slow bytes: no byte extends the limit. The body would last longer, with 101 bytes.
	run -1 --separate-stderr peer client head dribble:"HTTP/1.1 101 $(printf %0100d 0)" fin run wsupgrade -t 300ms -c ws://h true
	[[ $stderr == 'wsupgrade: ws://h: incomplete response: '*'timed out' ]]
}

@test "a server that resets or closes during the request is reported, and no program is started" {
	run -1 --separate-stderr peer client on:tcp head send:'HTTP/1.1 101' reset run wsupgrade -c ws://h touch started
	[ "$stderr" = 'wsupgrade: ws://h: incomplete response: Connection reset by peer' ]
	for kind in pipes unix tcp; do
		run -1 --separate-stderr peer client on:$kind reset run wsupgrade -c ws://h touch started
		[[ $stderr =~ ^'wsupgrade: ws://h: '('write: Broken pipe'|'write: Connection reset by peer'|'incomplete response: ') ]]
	done
	[ ! -e started ]
}

@test "a request into a pipe without a reader fails without SIGPIPE" {
	printf '%b' "$(request "$good")" >in
	mkfifo pipe
	run -1 --separate-stderr bash -c 'exec 3<>pipe 4>pipe 3<&-; exec wsupgrade true <in >&4'
	[[ $stderr == *'write: Broken pipe' ]]
}
