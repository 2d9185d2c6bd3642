# shellcheck disable=SC1003,SC2016,SC2059,SC2030,SC2031,SC2034,SC2154,SC2314 # helper.bash sets them; inner shells expand them
# wshub: the closing handshake, the end of the program, signals.
load wshub

# A text and a Close with 4001.
last_words='\x81\x82\0\0\0\0hi\x88\x85\0\0\0\0\x0f\xa1bye'

# A program that waits for the fifo `go`, answers each text with two, and prints its input on stderr.
deliberate() {
	mkfifo go
	cat >deliberate <<-'END'
		#!/bin/sh
		while read -r id word rest; do
			echo "got $id $word $rest" >&2
			[ "$word" = text ] || continue
			read -r go <"$1"
			printf '%s text %s to you\n%s text and good bye\n' "$id" "$rest" "$id" # in one write
		done
	END
	chmod +x deliberate
}

# leaver NAME LINE: a client that sends LINE and a Close at once.
leaver() {
	start "$1" sh -c 'printf "%s\n" "$2" | portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q 0' \
		sh "$port" "$2"
}

@test "a message directly before a Close is answered; a client that has its answer is closed at once" {
	serve wshub grep --line-buffered '^[0-9]* text '
	for n in 1 2 3 4 5; do
		leaver a "hello $n"
		ended "$pid" 0
		same a.out "hello $n"
	done
	mkfifo go
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text answer"; read -r go <"$0"; cat >&2' go
	prints answer visit -m 1 <<<question
	echo go >go
	server_says '^1 close 1000 $'
}

@test "a Close waits for all answers of prog before it reads the end, and other Closes do not wait" {
	deliberate
	serve wshub -w 1h ./deliberate go
	leaver a hello
	leaver=$pid
	server_says '^got 1 text hello$'
	# Meanwhile a client connects and closes without a message; prog will get its close record.
	visit -q 0 </dev/null
	! gone "$leaver" || false
	echo go >go
	ended "$leaver" 0
	same a.out 'hello to you' 'and good bye'
	server_says '^got 1 close 1000 ?$'
	[ "$(grep -c '^got 1 close' server.err)" = 1 ]
	server_says '^got 2 close 1000 ?$'
}

@test "prog gets a close record only after it has read the client's messages, because it may read many at once" {
	mkfifo go
	cat >gulper <<-'END'
		#!/bin/sh
		read -r go <"$1"
		while chunk=$(dd bs=65536 count=1 2>/dev/null) && [ -n "$chunk" ]; do
			echo "$chunk" >&2
			case $chunk in *"1 text hi"*) read -r go <"$1" && echo '1 text hi to you' ;; esac
		done
	END
	chmod +x gulper
	serve wshub -w 1h ./gulper go
	start a peer -v to:"$port" open into:heard "send:$request$last_words" rest
	await a.out '^sent '
	turn
	echo go >go
	server_says '^1 text hi$'
	turn
	echo go >go
	ended "$a"
	tail -c 15 heard | cmp - <(printf '\x81\x09hi to you\x88\x02\x0f\xa1')
	server_says '^1 close 4001 bye$'
}

@test "a client that half-closes without a Close gets its answers, then a Close" {
	deliberate
	serve wshub ./deliberate go
	start a peer -v to:"$port" open into:heard "send:$request\x81\x82\0\0\0\0hi" fin rest
	server_says '^got 1 text hi$'
	echo go >go
	ended "$a"
	tail -c 29 heard | cmp - <(printf '\x81\x09hi to you\x81\x0cand good bye\x88\x02\x03\xe8')
	server_says '^got 1 close 1006 ?$'
}

@test "while the output to a client is blocked only the newest Pong waits" {
	serve wshub -q 64M sh -c 'read -r open; printf "1 text "; head -c 20000000 /dev/zero | tr "\0" x; echo; read -r text; touch read; cat >/dev/null'
	pings='\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x89\x81\0\0\0\0c'
	run -0 peer room:4096 to:"$port" open into:heard "send:$request" take:1000 "send:$pings\x81\x81\0\0\0\0x" await:read \
		'send:\x88\x82\0\0\0\0\x03\xe8' rest
	tail -c 8 heard | cmp - <(printf 'x\x8a\x01c\x88\x02\x03\xe8')
}

@test "answers that prog has written before a client's protocol error are sent" {
	serve wshub sh -c 'read -r open; read -r text; touch read; until [ -e go ]; do sleep 0.01; done; echo "1 text late"; touch written; cat >/dev/null'
	start a peer -v to:"$port" open into:heard "send:$request\x81\x82\0\0\0\0hi" await:stopped 'send:\x83\x80\0\0\0\0' say:sent-all rest
	await_that test -e read
	kill -STOP "$server"
	touch stopped
	await a.out '^sent-all$'
	touch go
	await_that test -e written
	kill -CONT "$server"
	await a.out '^rest '
	LC_ALL=C grep -aq $'\x81\x04late\x88.\x03\xea' heard
}

@test "a client that is still receiving according to TCP gets -w once more to answer the Close" {
	serve wshub -w 1s sh -c 'read -r open; head -c 100000 /dev/zero | tr "\0" x | sed "s/^/1 text /"; echo; echo "1 close 1000"; while read -r line; do echo "got $line" >&2; done'
	run -0 peer room:4096 to:"$port" open "send:$request" sip:100000 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^got 1 close 1000 ?$'
}

@test "a client that is not read because prog does not read gets its time to answer the Close afterwards" {
	serve wshub -w 200ms sh -c 'until_is() { until [ -e "$1" ]; do sleep 0.02; done; }
		read -r open; until_is full; echo "1 close 4000"; until_is answered; exec cat >&2'
	start a peer -v to:"$port" open file:request recv recv await:late 'send:\x88\x82\0\0\0\0\x0f\xa0' rest
	await a.out '^recv HTTP/1.1 101 '
	start feed wspeer "raw:$request" push await:late -- portscan-connect -q -p "$port"
	await feed.out '^pushed'
	touch full
	await_that grep -aq $'^recv \x88' a.out
	# The same time limit, started later by another hub, passes.
	start other portscan-bind -p 0 wshub -w 200ms sh -c 'read -r open; echo "1 close 4000"; exec cat'
	await other.err '^Bound to '
	run -0 peer to:"$(sed -n 's/^Bound to //p' other.err)" open file:request rest
	touch late
	await a.out '^sent 8$'
	touch answered
	ended "$a"
	server_says '^1 close 4000 ?$'
}

@test "a client that does not close the connection after both Closes is dropped after -w, at most 1 s" {
	# drained LIMIT: the only slot is free within LIMIT ms; several tries, for a loaded machine.
	drained() {
		local began
		for _ in {1..15}; do
			start a peer -v to:"$port" open "send:$request\x88\x82\0\0\0\0\x03\xe8" head hold
			await a.out '^head'
			began=$(date +%s%3N)
			run -0 peer to:"$port" open "send:$request" head
			((began + $1 < $(date +%s%3N))) || return 0
		done
		return 1
	}
	serve wshub -c 1 -w 20ms cat
	drained 800
	serve wshub -c 1 -w 60s cat
	drained 10000
}

@test "a Close waits for a program that takes longer than -w for a record, and at most -k for one that does not read" {
	serve wshub -w 100ms sh -c 'read -r open; sleep 0.5; read -r text; sleep 0.5; echo "1 text late"; cat >/dev/null'
	prints late visit -w 20s -q 0 <<<hello
	mkfifo go
	serve wshub -w 1h -k 200ms sh -c 'read -r go <"$0"; cat >&2' go
	prints '' visit -q 0 <<<hello
	echo go >go
	server_says '^1 close 1000 $'
	same <(grep -v ' open ' server.err) "Bound to $port" '1 text hello' '1 close 1000 '
}

@test "if prog never reads, a client that closes or ends is released within -k" {
	mkfifo go
	serve wshub -w 1h -k 2s sh -c 'read -r go <"$0"; exec cat >&2' go
	start a peer -v to:"$port" open file:request recv into:a.heard await:full 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	start b peer -v to:"$port" open file:request recv into:b.heard await:full 'send:\x81\x81\0\0\0\0x' fin rest
	for name in a b; do await $name.out '^recv HTTP/1.1 101 '; done
	start feed wspeer "raw:$request" push "await:go" -- portscan-connect -q -p "$port"
	await feed.out '^pushed'
	touch full
	await_that gone "$a"
	await_that gone "$b"
	for name in a b; do tail -c 4 $name.heard | cmp - <(printf '\x88\x02\x03\xe8'); done
	echo go >go
	server_says '^[12] close 1000 ?$'
	server_says '^[12] close 1006 ?$'
}

@test "if prog writes and never reads, messages of clients are dropped after -k, and its own are sent" {
	serve wshub -k 300ms sh -c 'while sleep 0.1; do echo "* text tick"; done'
	head -c 2M /dev/zero | tr '\0' x | fold -w 100000 >words
	visit -w 20s -q 0 <words >/dev/null
	server_says '^wshub: sh: does not read its stdin: further input is dropped$'
	prints tick visit -m 1 </dev/null
}

@test "a message of prog to a client whose close record it has read is dropped without a log line" {
	hub
	start a peer -v to:"$port" open into:heard "send:$request$last_words" rest
	server_says '^got 1 close 4001 bye$'
	ended "$a"
	enters b 2
	order '1 text late' '1 join r' '#r text late' '1 close 1000 late' '* text end'
	hears b '^end$'
	! grep -q late heard || false
	tail -c 4 heard | cmp - <(printf '\x88\x02\x0f\xa1')
	! grep -q record server.err || false
}

@test "prog may close a client whose Close waits, which ends the wait" {
	mkfifo go
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text bye"; echo "1 close 4002 enough"; read -r go <"$0"; cat >&2' \
		go
	start a peer -v to:"$port" open into:heard "send:$request$last_words" rest
	ended "$pid"
	tail -c 15 heard | cmp - <(printf '\x81\x03bye\x88\x08\x0f\xa2enough')
	echo go >go
	server_says '^1 close 4001 bye$'
}

@test "a client that vanishes while its Close waits is reported once, with the code of its Close" {
	deliberate
	serve wshub -w 1h ./deliberate go
	start a peer -v to:"$port" open "send:$request$last_words" await:vanish reset
	server_says '^got 1 text hi$'
	touch vanish
	ended "$a"
	echo go >go
	server_says '^got 1 close 4001 bye$'
	leaver b hello
	echo go >go
	ended "$b"
	same b.out 'hello to you' 'and good bye'
	[ "$(grep -c '^got 1 close' server.err)" = 1 ]
}

@test "SIGTERM, and the exit of prog, end the wait of a Close" {
	deliberate
	serve wshub -w 1h ./deliberate go
	leaver a hello
	server_says '^got 1 text hello$'
	kill "$server"
	ended "$a"
	echo go >go
	ended "$server" 0
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text last"; exit 3'
	leaver a hello
	ended "$pid"
	same a.out last
	ended "$server" 3
}

@test "the end of prog: its output is sent, all clients are closed with 1000 or 1011, its status is passed on" {
	serve wshub sh -c 'read -r line; echo "1 text bye"'
	prints bye visit -q never </dev/null
	ended "$server" 0
	serve wshub sh -c 'read -r line; printf "1 text last words without newline"; exit 7'
	run -1 --separate-stderr visit -q never </dev/null
	[ "$output" = 'last words without newline' ]
	[[ $stderr == *1011* ]]
	ended "$server" 7
	serve wshub sh -c 'read -r line; kill -9 $$'
	visit -q never </dev/null 2>/dev/null || true
	ended "$server" 137
}

@test "SIGTERM: the output of prog is sent, all clients get 1001, its stdin ends, status 0" {
	serve wshub sh -c 'read -r line; echo "1 text ready"; cat >/dev/null; echo done >&2'
	client a /
	a_pid=$pid
	hears a '^ready$'
	kill -TERM "$server"
	ended "$a_pid" 0
	ended "$server" 0
	grep -q '^done$' server.err
}

@test "SIGTERM in the same turn as the end of prog has priority: all clients get 1001, status 0" {
	# The watcher holds prog's stdout open (wshub sees prog's end first) or not (EOF first).
	local out name server client
	for out in '&1' /dev/null; do
		name=to_${out##*[&/]}
		serve wshub sh -c '{ until grep -q "^State:.Z" /proc/$$/status; do sleep 0.02; done; echo dead >&2; } >'"$out"' &
			read -r line; echo "1 text $$"; read -r line'
		client "$name" / -v
		client=$pid
		hears "$name" '^[0-9]+$'
		kill -STOP "$server"
		kill -KILL "$(cat "$name.out")"
		server_says '^dead$'
		kill "$server"
		kill -CONT "$server"
		ended "$client"
		grep -qx 'wsframe: peer: closed with 1001' "$name.err"
		ended "$server" 0
	done
}

@test "a first SIGTERM after the end of prog leaves the clients their time to answer the Close" {
	serve wshub -w 1h sh -c 'read -r line; exit 3'
	start late peer to:"$port" open "send:$request" await:go 'send:\x88\x82\0\0\0\0\x03\xf3' rest
	await_that no_listener
	kill "${pids[0]}"
	await "/proc/${pids[0]}/status" '^ShdPnd:.0+$'
	touch go
	ended "$pid"
	! grep reset late.out || false
	ended "${pids[0]}" 3
}

# More clients than one turn accepts.
@test "SIGTERM: clients in the backlog, and one whose request is in progress, are accepted and get 1001" {
	serve wshub cat
	kill -STOP "$server"
	start late peer to:"$port" open:40 "send:$request" rest
	await late.out '^open 40$'
	kill "$server"
	kill -CONT "$server"
	ended "$late"
	[ "$(LC_ALL=C grep -caF $'\x88\x02\x03\xe9' late.out)" = 40 ]
	ended "$server" 0
	serve wshub sh -c 'read -r line; echo "1 text up"; cat >/dev/null'
	start early peer to:"$port" open "send:${request:0:20}" await:go "send:${request:20}" rest
	await early.out '^open 1$'
	client open / -v
	client=$pid
	hears open '^up$' # accepted after the other one
	kill "$server"
	ended "$client"
	touch go
	ended "$early"
	grep -q '^HTTP/1.1 101 ' early.out
	tail -c 4 early.out | cmp - <(printf '\x88\x02\x03\xe9')
	ended "$server" 0
}

# A program that ignores SIGTERM, like its child: it prints both pids.
stubborn='trap "" TERM; tail -f /dev/null & echo "pid $$ $!" >&2; wait'

@test "a program that ignores SIGTERM is killed with its group, and outside of it, and the status is 0" {
	serve wshub -w 100ms sh -c "$stubborn"
	server_says '^pid '
	read -r _ leader other < <(grep '^pid ' server.err)
	stopped
	! kill -0 "$leader" 2>/dev/null || false
	await_that gone "$other"
	deserter prog
	serve wshub -w 100ms ./prog
	await_that test -s prog.pid
	kill "$server"
	ended "$server"
	await_that gone "$(cat prog.pid)"
}

@test "a second signal kills a program that ignores the first one at once" {
	serve wshub -w 1h sh -c "$stubborn"
	server_says '^pid '
	read -r _ leader other < <(grep '^pid ' server.err)
	client a /
	tell a hello
	a=$pid
	kill "$server"
	ended "$a"
	stopped
	! kill -0 "$leader" 2>/dev/null || false
	await_that gone "$other"
}

@test "the stdin of prog ends before it gets SIGTERM, and its exit status then is ignored" {
	serve wshub -w 1s sh -c 'trap "echo term >&2; exit 5" TERM; echo up >&2; cat >/dev/null; echo end >&2
		tail -f /dev/null & wait'
	server_says '^up$'
	stopped
	same <(grep -v '^Bound' server.err) up end term
}

@test "a program that closes its stdout: its output is sent, it is terminated with status 0, or its exit status is passed on" {
	serve wshub -w 100ms sh -c 'echo "pid $$" >&2; exec >&-; tail -f /dev/null >/dev/null'
	server_says '^pid '
	ended "$server" 0
	read -r _ leader < <(grep '^pid ' server.err)
	! kill -0 "$leader" 2>/dev/null || false
	serve wshub -w 5s sh -c 'read -r open; echo "1 text last"; exec >&-; cat >/dev/null; exit 3'
	prints last visit -q never </dev/null
	ended "$server" 3
}

@test "a program that is killed while it does not read: clients that were not read are closed with 1011" {
	mkfifo go
	serve wshub sh -c 'echo $$ >&2; read -r go <"$0"; echo' go
	server_says '^[0-9]+$'
	yes 'words that fill the pipe and what is behind it' | head -c 8M >words
	start feed sh -c 'exec portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q never <"$2"' sh "$port" words
	rests
	kill -KILL "$(grep -xE '[0-9]+' server.err)"
	ended "$feed" 1
	grep -q 1011 feed.err
	ended "$server" 137
}
