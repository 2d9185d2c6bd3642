# shellcheck disable=SC2016,SC2034,SC2154
# wsframe as a client.
load wsframe

# ---- the client ----

@test "a client masks its frames and takes only unmasked ones" {
	peer -c get text:hi get close:1000 get drop wait -- wsframe -c sh -c 'echo hello; read x; echo "got $x"; read x'
	told 'text hello' 'text got hi' 'close 1000' 'exit 0'
	peer -c 'raw:\x81\x81\x01\x02\x03\x04x' get drop wait -- wsframe -c cat
	told "close 1002 frame from the server is masked" 'exit 1'
	said "wsframe: peer: frame from the server is masked (1002)"
}

@test "its program has not its connection" {
	peer -c get:2 close:1000 get drop wait -- wsframe -c sh -c 'for i in 6 7; do [ -e /proc/$$/fd/$i ] && echo yes || echo no; done; cat'
	told 'text no' 'text no' 'close 1000' 'exit 0'
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
	said 'wsframe: no message within 1 s after the end of stdin (use -q or -m to wait longer)'
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
	said 'wsframe: peer: Close was not answered in time'
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

@test "the peer's Close before all of stdin was sent is 1, but not on a terminal" {
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
	said 'wsframe: peer: Close was not answered in time'
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

@test "a ping is answered by a client too, masked" {
	: >in
	client ping:p get close:1000 get drop wait -- -q never
	told 'pong p' 'close 1000' 'exit 0'
}
