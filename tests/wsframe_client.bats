# shellcheck disable=SC2016,SC2034,SC2154
# wsframe as a client.
load wsframe

# ---- the client ----

@test "a client masks its frames, also Pongs; its program does not get the connection" {
	peer -c get text:hi get close:1000 get drop wait -- wsframe -c sh -c 'echo hello; read x; echo "got $x"; read x'
	told 'text hello' 'text got hi' 'close 1000' 'exit 0'
	peer -c get:2 close:1000 get drop wait -- wsframe -c sh -c 'for i in 6 7; do [ -e /proc/$$/fd/$i ] && echo yes || echo no; done; cat'
	told 'text no' 'text no' 'close 1000' 'exit 0'
	client ping:p get close:1000 get drop wait -- -q never
	told 'pong p' 'close 1000' 'exit 0'
}

@test "without program: stdin is sent, messages go to stdout; it closes after -q without messages, with -q 0 at once" {
	printf 'one\ntwo' >in
	client get:2 text:reply get close:1000 drop wait -- -q 200ms
	told 'text one' 'text two' 'close 1000' 'exit 0'
	holds out 'reply\n'
	echo one >in
	client get:2 text:late close:1000 drop wait -- -q 0
	told 'text one' 'close 1000' 'exit 0'
	holds out 'late\n'
}

@test "the default of -q reports if no message followed the last record, an explicit one does not" {
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
	said 'wsframe: no message within 1 s after the end of stdin (use -q or -m to wait longer)'
}

@test "-q counts from the last message; pings of the peer prolong neither -q nor -w" {
	client silent:100 text:a silent:100 text:b silent:100 text:c get close:1000 drop wait -- -q 500ms
	told 'close 1000' 'exit 0'
	holds out 'a\nb\nc\n'
	client beat:50 close:1000 drop wait -- -q 200ms
	told 'close 1000' 'exit 0'
	client get beat:50 wait -- -q 0 -w 200ms
	[ "${lines[0]}" = 'close 1000' ]
	[[ "${lines[1]}" == @(end|reset) ]]
	[ "${lines[2]}" = 'exit 1' ]
	said 'wsframe: peer: Close was not answered in time'
}

@test "a client waits as long again for a server that waits for its program, and lets the server close the connection first" {
	client get silent:2200 close:1000 drop wait -- -q 0 -w 2s
	told 'close 1000' 'exit 0'
	client get close:1000 silent:200 fin rest wait -- -q 0 -w 20s
	told 'close 1000' end 'exit 0'
}

@test "-m waits for its messages without a limit, and closes after them; with -q the client always closes first" {
	printf 'ask\n' >in
	client get silent:1300 text:late get close:1000 drop wait -- -m 1
	told 'text ask' 'close 1000' 'exit 0'
	holds out 'late\n'
	: >in
	client text:a silent:300 close:1000 get drop wait -- -q never
	told 'close 1000' 'exit 0'
	holds out 'a\n'
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

@test "-m: fewer messages are status 1, however the session ended" {
	client text:a close:1000 get drop wait -- -m 2
	told 'close 1000' 'exit 1'
	said 'wsframe: 1 of 2 messages received'
	client text:a get close:1000 drop wait -- -m 2 -q 200ms
	told 'close 1000' 'exit 1'
	said 'wsframe: 1 of 2 messages received'
	client ping: get kill:TERM get close:1001 drop wait -- -m 1
	told pong 'close 1001' 'exit 1'
	said 'wsframe: 0 of 1 messages received'
	client text:a drop wait -- -m 2
	told 'exit 1'
	said 'wsframe: peer: connection closed without a Close'
}

@test "the peer's Close before all of stdin was sent is status 1, except for a terminal" {
	rm in
	mkfifo in
	exec {hold}<>in
	printf 'one\ntwo' >&$hold
	client get close:1000 get drop wait --
	told 'text one' 'close 1000' 'exit 1'
	said 'wsframe: stdin: connection closed before all input was sent'
	client close:1000 get drop wait --
	told 'close 1000' 'exit 0'
	peer -c ping: get kill:STOP await:more close:1000 kill:CONT until:close drop wait -- sh -c '
		(until grep -q "^State:.T" /proc/$$/status; do sleep 0.05; done; echo more >in; : >more) & exec wsframe -c <in'
	exec {hold}>&-
	told pong 'close 1000' 'exit 1'
	said 'wsframe: stdin: connection closed before all input was sent'
	printf 'one\nhalf' >in2
	peer -c get close:1000 get drop wait -- sh -c 'exec script -qec "stty -icanon; exec wsframe -c" /dev/null <in2 >/dev/null'
	told 'text one' 'close 1000' 'exit 0'
}

@test "the peer's Close for a client: 1000, 1001 and none are success, others are reported" {
	for code in close:1000 close:1001 close; do
		client "$code" get drop wait -- -q never
		[[ "$output" == *$'\nexit 0' ]]
		[ "$stderr" = "" ]
	done
	client close:1008,policy get drop wait -- -q never
	told 'close 1008' 'exit 1'
	said 'wsframe: peer: closed with 1008: policy'
}

@test "for a client an end without a Close, and no answer to its Close, are status 1" {
	client text:a drop wait -- -q never
	told 'exit 1'
	holds out 'a\n'
	client rest wait -- -q 0 -w 100ms
	told 'close 1000' end 'exit 1'
	said 'wsframe: peer: Close was not answered in time'
}

@test "invalid UTF-8 on stdin, and a full stdout, are reported with status 1, a closed stdout is status 1 without a message" {
	printf 'ok\n\377\n' >in
	client get:2 close:1011 drop wait -- -q never
	told 'text ok' 'close 1011' 'exit 1'
	said 'wsframe: stdin: line 2: not UTF-8'
	peer -c text:a get close:1011 drop wait -- sh -c 'exec wsframe -c -q never </dev/null >/dev/full'
	told 'close 1011' 'exit 1'
	said 'wsframe: stdout: No space left on device'
	mkfifo gone
	peer -c get close:1001 drop wait -- sh -c 'head -c 0 <gone & exec wsframe -c -q never </dev/null >gone'
	told 'close 1001' 'exit 1'
	[ "$stderr" = "" ]
}

@test "SIGTERM to a client: the complete lines are sent, Close 1001 at once, status 0" {
	client ping: get kill:TERM get close:1001 drop wait -- -q never
	told pong 'close 1001' 'exit 0'
	rm in
	mkfifo in
	exec {hold}<>in
	printf 'one\ntwo' >&$hold
	client get kill:TERM get close:1001 drop wait -- -q never -w 1h
	exec {hold}>&-
	told 'text one' 'close 1001' 'exit 0'
}

@test "neither -q nor -w cuts off data for a slow stdout" {
	mkfifo slow
	(sleep 2.5; cat <slow >all) 3>&- &
	reader=$!
	peer -c many:20,"$(printf %01000d 0)" many:100000,0123456789 until:close close:1000 fin wait -- \
		sh -c 'exec wsframe -c -q 50ms -w 1s </dev/null >slow'
	told 'close 1000' 'exit 0'
	wait "$reader"
	[ "$(wc -l <all)" = 100020 ]
}

@test "two signals end a client whose stdout is not read, with success" {
	mkfifo stuck
	exec {hold}<>stuck
	peer -c ping: get many:10000,0123456789 kill:TERM get kill:TERM wait -- sh -c 'exec wsframe -c -q never </dev/null >stuck'
	exec {hold}>&-
	told 'pong' 'close 1001' 'exit 0'
	[ "$stderr" = "" ]
}

@test "a lost peer while stdout is not read uses no processor time, and its data arrives" {
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

@test "a server that keeps sending delays the end by at most ten times -w after the client's Close, and -w after a signal" {
	for enough in -m1 -q0; do
		client chat:20 wait -- $enough -w 50ms
		told 'exit 1'
		said 'wsframe: peer: Close was not answered in time'
	done
	client ping: get kill:TERM chat:20 wait -- -q never -w 200ms
	told pong 'exit 0'
	mkfifo stuck
	exec {hold}<>stuck
	peer -c ping: get many:10000,0123456789 kill:TERM wait -- sh -c 'exec wsframe -c -q never -w 200ms </dev/null >stuck'
	told pong 'exit 0'
	exec {hold}>&-
}
