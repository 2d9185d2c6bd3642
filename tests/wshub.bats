# shellcheck disable=SC1003,SC2016,SC2059,SC2030,SC2031,SC2034,SC2154,SC2314 # helper.bash sets them; inner shells expand them
# wshub: all WebSocket clients in one process, with one program.
load wshub

@test "a client's arrival, messages and end are records, and the answers reach it" {
	hub
	client a '/room?x=1'
	server_says '^got 1 open 127\.0\.0\.1 [0-9]+ /room\?x=1$'
	tell a 'hello there'
	server_says '^got 1 text hello there$'
	order '1 text welcome'
	hears a '^welcome$'
	exec {a}>&-
	kill "$pid"
	server_says '^got 1 close 1001 $|^got 1 close 1006 $'
}

@test "client IDs increase and are never reused, beside a client that stays" {
	hub -c 2
	enters a 1
	for n in 2 3 4 6 7 8; do # 5 would be at the place of 1
		visit -q 0 </dev/null
		server_says "^got $n close 1000 \$"
	done
	order '5,8 text gone' '1 text here'
	hears a '^here$'
	same a.out here
}

@test "newline, CR, NUL and backslash of a payload are one line and decoded again, up to -M and -q; netstrings carry all bytes" {
	serve wshub grep -a --line-buffered '^[0-9]* text '
	printf '9:a\nb\rc\0d\\e,' >want
	visit -n -m 1 <want >got
	cmp got want
	serve wshub -M 1M -q 1M grep --line-buffered '^[0-9]* text '
	head -c 1M /dev/zero | tr '\0' '\134' >in
	visit -m 1 <in >out
	head -c 1M out | cmp - in
	serve wshub -n hubecho -n
	printf '7:t\na\0b\r\\,5:b\n\377\0\1,' >want
	visit -n -T -m 2 <want >got
	cmp got want
}

@test "all, all but one, a list, a room, and a room but one are distinguished" {
	hub
	for name in a b c; do
		client $name /
		server_says "^got [0-9]+ open .*"
	done
	server_says '^got 3 open '
	order '* text all' '*-1 text not-a' '1,3 text a-and-c' '1 join r' '2 join r' '#r text room' \
		'#r-2 text room-not-b' '1 part r' '#r text only-b' '* text end'
	for name in a b c; do hears $name '^end$'; done
	same a.out all a-and-c room room-not-b end
	same b.out all not-a room only-b end
	same c.out all not-a a-and-c end
}

@test "-z: a message to all is compressed for the clients that take it, within the window of each" {
	local n deflate
	hub -z
	client a /
	deflate=-z client b /
	deflate='-z --window 9' client c /
	start raw portscan-connect -q -p "$port" wsupgrade -vz -c "ws://localhost:$port/" sh -c 'cat <&6'
	server_says '^got 4 open '
	for n in 127 128 512 3000; do
		printf "%0${n}d\n" 0 >>want
		order "* text $(tail -n 1 want)"
	done
	order '* text end'
	await_that grep -qa end raw.out
	(($(wc -c <raw.out) < 250))
	for n in a b c; do
		hears $n '^end$'
		head -n -1 "$n.out" | cmp - want
	done
	grep -q 'connected, permessage-deflate; server_no_context_takeover; client_no_context_takeover' raw.err
}

@test "-z: compressed messages from clients, each by itself, in fragments beside others, and invalid ones" {
	local hello='\xf2\x48\xcd\xc9\xc9\x07\x00' name fd x y z
	hub -z -M 5
	for name in x y z; do
		mkfifo "$name.in"
		start "$name" sh -c 'exec "$@" <"$0"' "$name.in" portscan-connect -q -p "$port" \
			wsupgrade -z -c "ws://localhost:$port/" sh -c 'cat >&7'
		exec {fd}>"$name.in"
		eval "$name=$fd"
		server_says "^got [0-9]+ open "
	done
	server_says '^got 3 open '
	printf '\x41\x83\0\0\0\0\xf2\x48\xcd\x89\x80\0\0\0\0' >&"$x"
	printf '\xc1\x87\0\0\0\0%b' "$hello" >&"$y"
	server_says '^got [0-9]+ text Hello$'
	printf '\x80\x84\0\0\0\0\xc9\xc9\x07\x00\x41\x83\0\0\0\0\xf2\x48\xcd' >&"$x"
	printf '\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00' >&"$y"
	server_says '^got [0-9]+ close 1007 '
	printf '\xc1\x8d\0\0\0\0\x00\x06\x00\xf9\xffabcdef\x00\x00' >&"$z"
	server_says '^got [0-9]+ close 1009 '
	[ "$(grep -c ' text Hello$' server.err)" = 2 ]
}

@test "the command close closes with that code and reason, after earlier messages" {
	hub
	enters a 1
	order '1 text first' '1 close 4001 not welcome\n'
	ended "$pid" 1
	same a.out first
	grep -q '4001.*not welcome' a.err
	server_says '^got 1 close 4001 '
}

@test "an invalid record is logged with its number and dropped, the next one is used" {
	hub
	enters a 1
	order '' 'x text no' '1 shout no' '1, text no' '1 text bad \x' '1 binary no' '1 close 1005 no' \
		'# text no' '1 join' '1 join a b' '1 join r-12' '* join r' '0 text no' '1 text good'
	hears a '^good$'
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		grep -q "record $n of " server.err || { echo "record $n passed"; false; }
	done
	same a.out good
}

@test "a record for a client that has left is dropped without a message" {
	hub
	enters a 1
	order '7 text nobody' '7 close 1000 ' '7 join r' '1 text still here'
	hears a '^still here$'
	! grep -q 'record' server.err || false
}

@test "a record that is not UTF-8 closes its destinations with 1011, with --replace it has U+FFFD" {
	serve wshub sh -c 'read -r line; printf "1 text \377\n"; cat >/dev/null'
	run -1 --separate-stderr visit -q never </dev/null
	[[ $stderr == *1011* ]]
	server_says 'record 1 of .*UTF-8'
	serve wshub --replace sh -c 'read -r line; printf "1 text a\377b\342\202\n1 close 4001 \377\n"; cat >/dev/null'
	run --separate-stderr visit -q never </dev/null
	[ "$output" = $'a\xef\xbf\xbdb\xef\xbf\xbd' ]
	[[ $stderr == *'4001: \xef\xbf\xbd' ]]
	run -1 grep record server.err
}

@test "a record longer than --queue allows is skipped to its end and logged once" {
	for how in '' -n; do
		put() { if [ -z "$how" ]; then printf '1 text %s\n' "$1"; else printf '%d:1 text %s,' $((7 + ${#1})) "$1"; fi; }
		{ put "$(head -c 2000000 /dev/zero | tr '\0' x)"; put "$(head -c 70000 /dev/zero | tr '\0' x)"; put good; } >records
		serve wshub $how -q 64K sh -c 'head -c 7 >/dev/null; cat "$0"; cat >/dev/null' records
		prints good visit -m 1 </dev/null
		same <(grep record server.err) 'wshub: record 1 of sh: longer than --queue allows' \
			'wshub: record 2 of sh: longer than --queue allows'
	done
}

@test "a binary message with lines is text if it is UTF-8, else it is refused with 1003" {
	serve wshub -v sh -c 'cat >&2'
	printf '2:bx,3:bx\377,' >in
	run -1 --separate-stderr visit -n -T -q never <in
	[[ $stderr == *'closed with 1003: binary message is not UTF-8'* ]]
	server_says '^1 text x$'
	server_says ': 1003 binary message is not UTF-8 \(use --netstring\)$'
}

@test "invalid netstrings from prog end the hub with 1011 and status 1, an endless one is logged once" {
	serve wshub -n sh -c 'head -c 10 >/dev/null; printf "x:1 text no,"; cat >/dev/null'
	run -1 --separate-stderr visit -q never </dev/null
	[[ $stderr == *1011* ]]
	ended "$server" 1
	serve wshub -n -w 300ms yes
	ended "$pid" 1
	same server.err "Bound to $port" \
		'wshub: record 1 of yes: netstring does not begin with a length and a colon'
}

@test "headers follow open, with --headers; the chosen subprotocol is reported" {
	hub --headers
	portscan-connect -q -p "$port" wsupgrade -H 'X-One: two\three' -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	server_says '^got 1 header Host: localhost:'
	server_says '^got 1 header X-One: two\\\\three$'
	server_says '^got 1 close 1000 $'
	hub -s v1 -s v2
	portscan-connect -q -p "$port" wsupgrade -s v2 -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	server_says '^got 1 open 127\.0\.0\.1 [0-9]+ / v2$'
}

@test "fan-out: all others at the same path get it unchanged, the sender and other paths do not" {
	serve wshub --fan-out
	client a /x
	client b '/x?q'
	client c /y
	# Each receives a message of a second client of its path, so it is connected.
	client d /y
	await_that meets a b
	await_that meets d c
	tell a last
	hears b '^last$'
	tell d end
	hears c '^end$'
	! grep -q last c.out || false
	[ ! -s a.out ]
	stop_all
	rm ./*.in
	serve wshub -v --fan-out
	client b / -n -T
	server_says '^Connected by'
	printf '3:tin,4:b\377\0\1,' >in
	visit -n -T -q 0 <in
	await_that cmp in b.out
}

@test "fan-out: each message of a burst is sent, compressed or not, also before a Close and an invalid frame" {
	local n last text deflate
	serve wshub -z -v --fan-out
	client a /
	deflate=-z client b /
	deflate='-z --window 9' client c /
	start raw portscan-connect -q -p "$port" wsupgrade -z -c "ws://localhost:$port/" sh -c 'cat <&6'
	server_says '^Connected by .*[(]4, '
	for last in '\x88\x80' '\x83\x80'; do
		for n in 126 130 600 1500 127; do
			text=$(yes "$(seq -s '' 200 400)" | tr -d '\n' | head -c $n) # repeated after more than 512 bytes
			printf "\x81\xfe\x$(printf %02x $((n / 256)))\x$(printf %02x $((n % 256)))\0\0\0\0%s" "$text"
			echo "$text" >>want
		done >burst
		printf "$last\0\0\0\0" >>burst
		portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" sh -c 'cat burst >&7; cat <&6 >sender'
	done
	for n in a b c; do
		await_that cmp want $n.out
	done
	(($(wc -c <raw.out) < 4000))
}

@test "authorize: an inherited child is not an authorization program" {
	serve sh -c ': & exec wshub -a true sh -c "sed -u \"s/^[0-9]* open.*/* text hello/;t;d\""'
	client a /
	hears a '^hello$'
	client b /
	hears b '^hello$'
}

@test "prog gets neither LISTEN_, NOTIFY_SOCKET nor variables of a request, and only fds 0, 1 and 2" {
	serve env NOTIFY_SOCKET=/nowhere HTTP_COOKIE=a=b REMOTE_USER=root WEBSOCKET_PROTOCOL=x KEPT=yes sh -c 'exec wshub sh -c "env >&2; ls -l /proc/self/fd >&2; echo ready >&2; cat >/dev/null"'
	server_says '^ready$'
	server_says '^KEPT=yes$'
	! grep -qE '^(LISTEN_|NOTIFY|HTTP_|REMOTE_|WEBSOCKET_)' server.err || false
	! grep -qE 'socket:' server.err || false
}

