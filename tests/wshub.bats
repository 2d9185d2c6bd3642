#!/usr/bin/env bats
# shellcheck disable=SC1003,SC2016,SC2059,SC2030,SC2031,SC2034,SC2154,SC2314 # helper.bash sets them; inner shells expand them
# wshub: all WebSocket clients in one process, one program behind them.
load helper

# A client in the background: client NAME PATH [wsframe's option...]. What is written to its fifo
# $BATS_TEST_TMPDIR/NAME.in it says; NAME.out is what it hears.
client() {
	local name=$1 path=$2
	shift 2
	mkfifo "$BATS_TEST_TMPDIR/$name.in"
	start "$name" sh -c 'exec "$@" <"$0"' "$BATS_TEST_TMPDIR/$name.in" \
		portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port$path" wsframe -c -q never "$@"
	exec {fd}>"$BATS_TEST_TMPDIR/$name.in"
	eval "$name=$fd"
}

# tell NAME LINE: the client says it.
tell() {
	printf '%s\n' "$2" >&"${!1}"
}

hears() {
	await "$BATS_TEST_TMPDIR/$1.out" "$2"
}

server_says() {
	await "$BATS_TEST_TMPDIR/server.err" "$1"
}

# What a client says first.
request='GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

# A text and a Close with 4001.
last_words='\x81\x82\0\0\0\0hi\x88\x85\0\0\0\0\x0f\xa1bye'

# The program behind: writes what it is told to stderr, and does what is in the file `orders'.
recorder() {
	: >"$BATS_TEST_TMPDIR/orders"
	cat >"$BATS_TEST_TMPDIR/recorder" <<-'END'
		#!/bin/sh
		tail -n +1 -f "$1" & trap 'kill $!' EXIT
		while IFS= read -r line; do printf 'got %s\n' "$line" >&2; done
	END
	chmod +x "$BATS_TEST_TMPDIR/recorder"
}

order() {
	printf '%s\n' "$@" >>"$BATS_TEST_TMPDIR/orders"
}

@test "a client's coming, words and going are records, and the answers reach it" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
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

@test "numbers go up and are never used again" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	for n in 1 2 3; do
		portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
		server_says "^got $n close 1000 \$"
	done
}

@test "a payload's newline, CR, NUL and backslash stay on one line, and come back as they were" {
	serve wshub grep -a --line-buffered '^[0-9]* text '
	printf '9:a\nb\rc\0d\\e,' >"$BATS_TEST_TMPDIR/want"
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -n -m 1 \
		<"$BATS_TEST_TMPDIR/want" >"$BATS_TEST_TMPDIR/got"
	cmp "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/want"
}

@test "all, all but one, a list, a room, and a room but one are told apart" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	for name in a b c; do
		client $name /
		server_says "^got [0-9]+ open .*"
	done
	server_says '^got 3 open '
	order '* text all' '*-1 text not-a' '1,3 text a-and-c' '1 join r' '2 join r' '#r text room' \
		'#r-2 text room-not-b' '1 part r' '#r text only-b' '* text end'
	for name in a b c; do hears $name '^end$'; done
	same "$BATS_TEST_TMPDIR/a.out" all a-and-c room room-not-b end
	same "$BATS_TEST_TMPDIR/b.out" all not-a room only-b end
	same "$BATS_TEST_TMPDIR/c.out" all not-a a-and-c end
}

@test "an order to close closes with that code and reason, behind what was said before" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	order '1 text first' '1 close 4001 not welcome\n'
	ended "$pid"
	[ "$status" = 1 ]
	same "$BATS_TEST_TMPDIR/a.out" first
	grep -q '4001.*not welcome' "$BATS_TEST_TMPDIR/a.err"
	server_says '^got 1 close 4001 '
}

@test "a malformed record is said with its number and dropped, the next one counts" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	order '' 'x text no' '1 shout no' '1, text no' '1 text bad \x' '1 binary no' '1 close 1005 no' \
		'# text no' '1 join' '1 join a b' '1 join r-12' '* join r' '0 text no' '1 text good'
	hears a '^good$'
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
		grep -q "record $n of " "$BATS_TEST_TMPDIR/server.err" || { echo "record $n passed"; false; }
	done
	same "$BATS_TEST_TMPDIR/a.out" good
}

@test "a record for a client that is gone is dropped without a word" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	order '7 text nobody' '7 close 1000 ' '7 join r' '1 text still here'
	hears a '^still here$'
	! grep -q 'record' "$BATS_TEST_TMPDIR/server.err" || false
}

# A program that answers each text with two when the fifo `go` lets it, and tells on stderr what it has read.
deliberate() {
	mkfifo "$BATS_TEST_TMPDIR/go"
	cat >"$BATS_TEST_TMPDIR/deliberate" <<-'END'
		#!/bin/sh
		while read -r id word rest; do
			echo "got $id $word $rest" >&2
			[ "$word" = text ] || continue
			read -r go <"$1"
			echo "$id text $rest to you"
			echo "$id text and good bye"
		done
	END
	chmod +x "$BATS_TEST_TMPDIR/deliberate"
}

# leaver NAME LINE: a client that says it and closes right behind it, in one go.
leaver() {
	start "$1" sh -c 'printf "%s\n" "$2" | portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q 0' \
		sh "$port" "$2"
}

@test "what a client says right before its Close is answered" {
	serve wshub grep --line-buffered '^[0-9]* text '
	for n in 1 2 3 4 5; do
		leaver a "hello $n"
		ended "$pid"
		[ "$status" = 0 ]
		same "$BATS_TEST_TMPDIR/a.out" "hello $n"
	done
}

@test "a Close waits for all that prog says before it reads of it, and others do not" {
	deliberate
	serve wshub -w 1h "$BATS_TEST_TMPDIR/deliberate" "$BATS_TEST_TMPDIR/go"
	leaver a hello
	leaver=$pid
	server_says '^got 1 text hello$'
	# Meanwhile one that has said nothing comes and goes; of its going prog will read.
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	! gone "$leaver" || false
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$leaver"
	[ "$status" = 0 ]
	same "$BATS_TEST_TMPDIR/a.out" 'hello to you' 'and good bye'
	server_says '^got 1 close 1000 ?$'
	[ "$(grep -c '^got 1 close' "$BATS_TEST_TMPDIR/server.err")" = 1 ]
	server_says '^got 2 close 1000 ?$'
}

# A client comes, so that wshub has seen all that was there before.
turn() {
	start turn peer -v to:"$port" open "file:$BATS_TEST_TMPDIR/request" recv
	ended "$pid"
	grep -q '^recv HTTP/1.1 101' "$BATS_TEST_TMPDIR/turn.out"
}

@test "prog is told of a Close only when it has read what the client said, for it may read much at once" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	cat >"$BATS_TEST_TMPDIR/gulper" <<-'END'
		#!/bin/sh
		read -r go <"$1"
		while chunk=$(dd bs=65536 count=1 2>/dev/null) && [ -n "$chunk" ]; do
			echo "$chunk" >&2
			case $chunk in *"1 text hi"*) read -r go <"$1" && echo '1 text hi to you' ;; esac
		done
	END
	chmod +x "$BATS_TEST_TMPDIR/gulper"
	serve wshub -w 1h "$BATS_TEST_TMPDIR/gulper" "$BATS_TEST_TMPDIR/go"
	printf '%b' "$request" >"$BATS_TEST_TMPDIR/request"
	printf '%b' "$request" "$last_words" >"$BATS_TEST_TMPDIR/words"
	start a peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/heard" "file:$BATS_TEST_TMPDIR/words" rest
	a=$pid
	await "$BATS_TEST_TMPDIR/a.out" '^sent '
	turn
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says '^1 text hi$'
	turn
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$a"
	tail -c 15 "$BATS_TEST_TMPDIR/heard" | cmp - <(printf '\x81\x09hi to you\x88\x02\x0f\xa1')
	server_says '^1 close 4001 bye$'
}

@test "a client that has its answer is closed at once, whether prog reads of it or not" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text answer"; read -r go <"$0"; cat >&2' "$BATS_TEST_TMPDIR/go"
	run -0 portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1 <<<question
	[ "$output" = answer ]
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says '^1 close 1000 $'
}

@test "a client that half-closes without a Close gets the answers to what it said, then ours" {
	deliberate
	serve wshub "$BATS_TEST_TMPDIR/deliberate" "$BATS_TEST_TMPDIR/go"
	printf '%b' "$request" '\x81\x82\0\0\0\0hi' >"$BATS_TEST_TMPDIR/words"
	start a peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/heard" "file:$BATS_TEST_TMPDIR/words" fin rest
	a=$pid
	server_says '^got 1 text hi$'
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$a"
	tail -c 29 "$BATS_TEST_TMPDIR/heard" | cmp - <(printf '\x81\x09hi to you\x81\x0cand good bye\x88\x02\x03\xe8')
	server_says '^got 1 close 1006 ?$'
}

@test "while the way to a client is blocked only the newest Pong waits" {
	cd "$BATS_TEST_TMPDIR" || return
	serve wshub -q 64M sh -c 'read -r open; printf "1 text "; head -c 20000000 /dev/zero | tr "\0" x; echo; read -r text; touch read; cat >/dev/null'
	pings='\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x89\x81\0\0\0\0c'
	run -0 peer room:4096 to:"$port" open into:heard "send:$request" take:1000 "send:$pings\x81\x81\0\0\0\0x" await:read \
		'send:\x88\x82\0\0\0\0\x03\xe8' rest
	tail -c 8 heard | cmp - <(printf 'x\x8a\x01c\x88\x02\x03\xe8')
}

@test "answers that prog has written before a client breaks the protocol are sent" {
	cd "$BATS_TEST_TMPDIR" || return
	serve wshub sh -c 'read -r open; read -r text; touch read; until [ -e go ]; do sleep 0.01; done; echo "1 text late"; touch written; cat >/dev/null'
	server=$pid
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

@test "a client that TCP shows to be still receiving has -w once more to answer our Close" {
	serve wshub -w 400ms sh -c 'read -r open; head -c 60000 /dev/zero | tr "\0" x | sed "s/^/1 text /"; echo; echo "1 close 1000"; while read -r line; do echo "got $line" >&2; done'
	run -0 peer room:4096 to:"$port" open "send:$request" sip:60000 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^got 1 close 1000 ?$'
}

@test "a client that does not end its connection after both Closes is left after -w, and after 1 s at most" {
	# drained LIMIT: the one place is free within so many ms; a busy machine gets several tries.
	drained() {
		local began
		for _ in 1 2 3 4 5; do
			start a peer -v to:"$port" open "send:$request\x88\x82\0\0\0\0\x03\xe8" head hold
			await "$BATS_TEST_TMPDIR/a.out" '^head'
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

@test "a Close waits for a program that takes longer than -w for a record" {
	serve wshub -w 100ms sh -c 'read -r open; sleep 0.5; read -r text; sleep 0.5; echo "1 text late"; cat >/dev/null'
	run -0 portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -w 20s -q 0 <<<hello
	[ "$output" = late ]
}

@test "a program that does not read at all: a client that closes is let go within -k, by Close or by its end" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub -w 1h -k 1s sh -c 'read -r go <"$0"; exec cat >&2' "$BATS_TEST_TMPDIR/go"
	cd "$BATS_TEST_TMPDIR" || return
	printf '%b' "$request" >request
	start a peer -v to:"$port" open file:request recv into:a.heard await:full 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	a=$pid
	start b peer -v to:"$port" open file:request recv into:b.heard await:full 'send:\x81\x81\0\0\0\0x' fin rest
	b=$pid
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

@test "a program that speaks and never reads: what clients say is dropped after -k, and it is heard" {
	serve wshub -k 300ms sh -c 'while sleep 0.1; do echo "* text tick"; done'
	head -c 2M /dev/zero | tr '\0' x | fold -w 100000 >"$BATS_TEST_TMPDIR/words"
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -w 20s -q 0 <"$BATS_TEST_TMPDIR/words" >/dev/null
	server_says '^wshub: sh: reads no input, further input is dropped$'
	run -0 portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1 </dev/null
	[ "$output" = tick ]
}

@test "a Close waits no longer than -k for a program that does not read" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub -w 1h -k 200ms sh -c 'read -r go <"$0"; cat >&2' "$BATS_TEST_TMPDIR/go"
	run -0 portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 <<<hello
	[ "$output" = '' ]
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says '^1 close 1000 $'
	same <(grep -v ' open ' "$BATS_TEST_TMPDIR/server.err") "Bound to $port" '1 text hello' '1 close 1000 '
}

@test "what prog says to a client when it has read of its Close is dropped without a word" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	printf '%b' "$request" "$last_words" >"$BATS_TEST_TMPDIR/words"
	start a peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/heard" "file:$BATS_TEST_TMPDIR/words" rest
	a=$pid
	server_says '^got 1 close 4001 bye$'
	ended "$a"
	client b /
	server_says '^got 2 open '
	order '1 text late' '1 join r' '#r text late' '1 close 1000 late' '* text end'
	hears b '^end$'
	! grep -q late "$BATS_TEST_TMPDIR/heard" || false
	tail -c 4 "$BATS_TEST_TMPDIR/heard" | cmp - <(printf '\x88\x02\x0f\xa1')
	! grep -q record "$BATS_TEST_TMPDIR/server.err" || false
}

@test "prog may close a client whose Close waits, and then it waits no longer" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text bye"; echo "1 close 4002 enough"; read -r go <"$0"; cat >&2' \
		"$BATS_TEST_TMPDIR/go"
	printf '%b' "$request" "$last_words" >"$BATS_TEST_TMPDIR/words"
	start a peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/heard" "file:$BATS_TEST_TMPDIR/words" rest
	ended "$pid"
	tail -c 15 "$BATS_TEST_TMPDIR/heard" | cmp - <(printf '\x81\x03bye\x88\x08\x0f\xa2enough')
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says '^1 close 4001 bye$'
}

@test "a client that vanishes while its Close waits is told of once, with the code of its Close" {
	deliberate
	serve wshub -w 1h "$BATS_TEST_TMPDIR/deliberate" "$BATS_TEST_TMPDIR/go"
	printf '%b' "$request" "$last_words" >"$BATS_TEST_TMPDIR/words"
	start a peer -v to:"$port" open "file:$BATS_TEST_TMPDIR/words" "await:$BATS_TEST_TMPDIR/vanish" reset
	a=$pid
	server_says '^got 1 text hi$'
	touch "$BATS_TEST_TMPDIR/vanish"
	ended "$a"
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says '^got 1 close 4001 bye$'
	leaver b hello
	b=$pid
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$b"
	same "$BATS_TEST_TMPDIR/b.out" 'hello to you' 'and good bye'
	[ "$(grep -c '^got 1 close' "$BATS_TEST_TMPDIR/server.err")" = 1 ]
}

@test "SIGTERM, and prog's exit, end the wait of a Close" {
	deliberate
	serve wshub -w 1h "$BATS_TEST_TMPDIR/deliberate" "$BATS_TEST_TMPDIR/go"
	server=$pid
	leaver a hello
	a=$pid
	server_says '^got 1 text hello$'
	kill "$server"
	ended "$a"
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$server"
	[ "$status" = 0 ]
	serve wshub -w 1h sh -c 'read -r open; read -r text; echo "1 text last"; exit 3'
	server=$pid
	leaver a hello
	ended "$pid"
	same "$BATS_TEST_TMPDIR/a.out" last
	ended "$server"
	[ "$status" = 3 ]
}

@test "a record that is not UTF-8 closes those it is for with 1011" {
	serve wshub sh -c 'read -r line; printf "1 text \377\n"; cat >/dev/null'
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[[ $stderr == *1011* ]]
	server_says 'record 1 of .*UTF-8'
}

@test "--replace: what is not UTF-8 becomes U+FFFD, in a text and in a reason" {
	serve wshub --replace sh -c 'read -r line; printf "1 text a\377b\342\202\n1 close 4001 \377\n"; cat >/dev/null'
	run --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[ "$output" = $'a\xef\xbf\xbdb\xef\xbf\xbd' ]
	[[ $stderr == *'4001: \xef\xbf\xbd' ]]
	run -1 grep record "$BATS_TEST_TMPDIR/server.err"
}

@test "a record longer than --queue allows costs that record, skipped to its end, and is said once" {
	for how in '' -n; do
		put() { if [ -z "$how" ]; then printf '1 text %s\n' "$1"; else printf '%d:1 text %s,' $((7 + ${#1})) "$1"; fi; }
		{ put "$(head -c 2000000 /dev/zero | tr '\0' x)"; put "$(head -c 70000 /dev/zero | tr '\0' x)"; put good; } >"$BATS_TEST_TMPDIR/records"
		serve wshub $how -q 64K sh -c 'head -c 7 >/dev/null; cat "$0"; cat >/dev/null' "$BATS_TEST_TMPDIR/records"
		run -0 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1 </dev/null
		[ "$output" = good ]
		same <(grep record "$BATS_TEST_TMPDIR/server.err") 'wshub: record 1 of sh: longer than --queue allows' \
			'wshub: record 2 of sh: longer than --queue allows'
	done
}

@test "a message as long as -M and -q, all of it backslashes, comes back" {
	serve wshub -M 1M -q 1M grep --line-buffered '^[0-9]* text '
	head -c 1M /dev/zero | tr '\0' '\134' >"$BATS_TEST_TMPDIR/in"
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1 <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	head -c 1M "$BATS_TEST_TMPDIR/out" | cmp - "$BATS_TEST_TMPDIR/in"
}

@test "netstring records carry binary messages exactly" {
	serve wshub -n hubecho -n
	printf '7:t\na\0b\r\\,5:b\n\377\0\1,' >"$BATS_TEST_TMPDIR/want"
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -n -T -m 2 \
		<"$BATS_TEST_TMPDIR/want" >"$BATS_TEST_TMPDIR/got"
	cmp "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/want"
}

@test "binary in lines is text if it is UTF-8, and refused with 1003 if not" {
	serve wshub -v sh -c 'cat >&2'
	printf '2:bx,3:bx\377,' >"$BATS_TEST_TMPDIR/in"
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -n -T -q never <"$BATS_TEST_TMPDIR/in"
	[[ $stderr == *'closed with 1003: binary message is not UTF-8'* ]]
	server_says '^1 text x$'
	server_says ': 1003 binary message is not UTF-8 \(use --netstring\)$'
}

@test "malformed netstrings from prog end it all with 1011 and status 1" {
	serve wshub -n sh -c 'head -c 10 >/dev/null; printf "x:1 text no,"; cat >/dev/null'
	server=$pid
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[[ $stderr == *1011* ]]
	ended "$server"
	[ "$status" = 1 ]
}

@test "malformed netstrings without end are said once" {
	serve wshub -n -w 300ms yes
	ended "$pid"
	[ "$status" = 1 ]
	same "$BATS_TEST_TMPDIR/server.err" "Bound to $port" \
		'wshub: record 1 of yes: a netstring does not begin with its length and a colon'
}

@test "headers are told behind open, where asked" {
	recorder
	serve wshub --headers "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	portscan-connect -q -p "$port" wsupgrade -H 'X-One: two\three' -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	server_says '^got 1 header Host: localhost:'
	server_says '^got 1 header X-One: two\\\\three$'
	server_says '^got 1 close 1000 $'
}

@test "the subprotocol chosen is told" {
	recorder
	serve wshub -s v1 -s v2 "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	portscan-connect -q -p "$port" wsupgrade -s v2 -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	server_says '^got 1 open 127\.0\.0\.1 [0-9]+ / v2$'
}

@test "fan-out: all others in the same path hear it, the sender and other paths do not" {
	serve wshub --fan-out
	client a /x
	client b '/x?q'
	client c /y
	# Each hears a second client of its path, so it is in.
	client d /y
	until grep -qs in "$BATS_TEST_TMPDIR/b.out"; do tell a in; sleep 0.02; done
	until grep -qs in "$BATS_TEST_TMPDIR/c.out"; do tell d in; sleep 0.02; done
	tell a last
	hears b '^last$'
	tell d end
	hears c '^end$'
	! grep -q last "$BATS_TEST_TMPDIR/c.out" || false
	[ ! -s "$BATS_TEST_TMPDIR/a.out" ]
}

@test "fan-out: text and binary are forwarded as they came" {
	serve wshub -v --fan-out
	client b / -n -T
	server_says '^Connected by'
	printf '3:tin,4:b\377\0\1,' >"$BATS_TEST_TMPDIR/in"
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -n -T -q 0 <"$BATS_TEST_TMPDIR/in"
	await_that cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/b.out"
}

@test "prog's exit 0 closes all with 1000, what it wrote is sent, its status is ours" {
	serve wshub sh -c 'read -r line; echo "1 text bye"'
	server=$pid
	run -0 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[ "$output" = bye ]
	ended "$server"
	[ "$status" = 0 ]
}

@test "prog's failure closes all with 1011 and is our status" {
	serve wshub sh -c 'read -r line; printf "1 text last words without newline"; exit 7'
	server=$pid
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[ "$output" = 'last words without newline' ]
	[[ $stderr == *1011* ]]
	ended "$server"
	[ "$status" = 7 ]
}

@test "prog's end by a signal is 128 and its number" {
	serve wshub sh -c 'read -r line; kill -9 $$'
	server=$pid
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null 2>/dev/null || true
	ended "$server"
	[ "$status" = 137 ]
}

@test "SIGTERM: what prog has said is sent, all get 1001, prog's stdin ends, exit 0" {
	serve wshub sh -c 'read -r line; echo "1 text ready"; cat >/dev/null; echo done >&2'
	server=$pid
	client a /
	a_pid=$pid
	hears a '^ready$'
	kill -TERM "$server"
	ended "$a_pid"
	[ "$status" = 0 ]
	ended "$server"
	[ "$status" = 0 ]
	grep -q '^done$' "$BATS_TEST_TMPDIR/server.err"
}

@test "SIGTERM in the same turn as prog's death wins: all get 1001, exit 0" {
	# The watcher holds prog's stdout (its death is seen first), or not (the end of file is).
	local out name server client
	for out in '&1' /dev/null; do
		name=to_${out##*[&/]}
		serve wshub sh -c '{ until grep -q "^State:.Z" /proc/$$/status; do sleep 0.02; done; echo dead >&2; } >'"$out"' &
			read -r line; echo "1 text $$"; read -r line'
		server=$pid
		client "$name" / -v
		client=$pid
		hears "$name" '^[0-9]+$'
		kill -STOP "$server"
		kill -KILL "$(cat "$BATS_TEST_TMPDIR/$name.out")"
		server_says '^dead$'
		kill "$server"
		kill -CONT "$server"
		ended "$client"
		grep -qx 'wsframe: peer: closed with 1001' "$BATS_TEST_TMPDIR/$name.err"
		ended "$server"
		[ "$status" = 0 ]
	done
}

@test "a first SIGTERM after prog's end leaves the clients their time to answer the Close" {
	serve wshub -w 1h sh -c 'read -r line; exit 3'
	start late peer to:"$port" open "send:$request" "await:$BATS_TEST_TMPDIR/go" 'send:\x88\x82\0\0\0\0\x03\xf3' rest
	await_that eval '! peer to:"$port" open:1'
	kill "${pids[0]}"
	await "/proc/${pids[0]}/status" '^ShdPnd:.0+$'
	touch "$BATS_TEST_TMPDIR/go"
	ended "$pid"
	! grep reset "$BATS_TEST_TMPDIR/late.out" || false
	ended "${pids[0]}"
	[ "$status" = 3 ]
}

@test "SIGTERM: a client whose request is under way is let in, and gets 1001 as well" {
	serve wshub sh -c 'read -r line; echo "1 text up"; cat >/dev/null'
	start early peer to:"$port" open "send:${request:0:20}" "await:$BATS_TEST_TMPDIR/go" "send:${request:20}" rest
	early=$pid
	await "$BATS_TEST_TMPDIR/early.out" '^open 1$'
	client open / -v
	client=$pid
	hears open '^up$' # accepted after the other one
	kill "${pids[0]}"
	ended "$client"
	touch "$BATS_TEST_TMPDIR/go"
	ended "$early"
	grep -q '^HTTP/1.1 101 ' "$BATS_TEST_TMPDIR/early.out"
	tail -c 4 "$BATS_TEST_TMPDIR/early.out" | cmp - <(printf '\x88\x02\x03\xe9')
	ended "${pids[0]}"
	[ "$status" = 0 ]
}

# More than a turn accepts.
@test "SIGTERM: clients that wait in the backlog are let in, and get 1001" {
	serve wshub cat
	server=$pid
	kill -STOP "$server"
	start late peer to:"$port" open:40 "send:$request" rest
	late=$pid
	await "$BATS_TEST_TMPDIR/late.out" '^open 40$'
	kill "$server"
	kill -CONT "$server"
	ended "$late"
	[ "$(LC_ALL=C grep -caF $'\x88\x02\x03\xe9' "$BATS_TEST_TMPDIR/late.out")" = 40 ]
	ended "$server"
	[ "$status" = 0 ]
}

# A program that does not hear SIGTERM, and neither does what it runs: it says both pids.
stubborn='trap "" TERM; tail -f /dev/null & echo "pid $$ $!" >&2; wait'

@test "a program that does not hear SIGTERM is killed with all its group, and we are 0" {
	serve wshub -w 100ms sh -c "$stubborn"
	server=$pid
	server_says '^pid '
	read -r _ leader other < <(grep '^pid ' "$BATS_TEST_TMPDIR/server.err")
	kill "$server"
	ended "$server"
	[ "$status" = 0 ]
	! kill -0 "$leader" 2>/dev/null || false
	await_that gone "$other"
}

@test "a program that has left its process group is killed as well" {
	deserter "$BATS_TEST_TMPDIR/prog"
	serve wshub -w 100ms "$BATS_TEST_TMPDIR/prog"
	server=$pid
	await_that test -s "$BATS_TEST_TMPDIR/prog.pid"
	kill "$server"
	ended "$server"
	await_that gone "$(cat "$BATS_TEST_TMPDIR/prog.pid")"
}

@test "a second signal kills a program that does not hear the first at once" {
	serve wshub -w 1h sh -c "$stubborn"
	server=$pid
	server_says '^pid '
	read -r _ leader other < <(grep '^pid ' "$BATS_TEST_TMPDIR/server.err")
	client a /
	tell a hello
	a=$pid
	kill "$server"
	ended "$a"
	kill "$server"
	ended "$server"
	[ "$status" = 0 ]
	! kill -0 "$leader" 2>/dev/null || false
	await_that gone "$other"
}

@test "prog's stdin ends first, then it gets SIGTERM, and what it makes of that is not our status" {
	serve wshub -w 100ms sh -c 'trap "echo term >&2; exit 5" TERM; echo up >&2; cat >/dev/null; echo end >&2
		tail -f /dev/null & wait'
	server=$pid
	server_says '^up$'
	kill "$server"
	ended "$server"
	[ "$status" = 0 ]
	same <(grep -v '^Bound' "$BATS_TEST_TMPDIR/server.err") up end term
}

@test "a program that has ended its stdout alone and does not go is ended too, and counts as 0" {
	serve wshub -w 100ms sh -c 'echo "pid $$" >&2; exec >&-; tail -f /dev/null >/dev/null'
	server=$pid
	server_says '^pid '
	ended "$server"
	[ "$status" = 0 ]
	read -r _ leader < <(grep '^pid ' "$BATS_TEST_TMPDIR/server.err")
	! kill -0 "$leader" 2>/dev/null || false
}

@test "at most max clients at once, the next one waits and is served in its turn" {
	recorder
	serve wshub -c 1 "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	client b /
	tell a x
	server_says '^got 1 text x$'
	! grep -q '^got 2' "$BATS_TEST_TMPDIR/server.err" || false
	order '1 close 1000 '
	server_says '^got 2 open '
}

@test "the client over max-per-address is closed" {
	recorder
	serve wshub -C 1 "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c </dev/null
	order '1 close 1000 '
	server_says '^got 1 close '
	until portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null 2>/dev/null; do sleep 0.02; done
}

# proxied HEADER [ARG...]: a client that a proxy connects for, with wsframe's ARG....
proxied() {
	portscan-connect -q -p "$port" bash -c 'printf "$0" >&7; exec "$@"' "$1" wsupgrade -c "ws://localhost:$port/" wsframe -c "${@:2}"
}

signature='\r\n\r\n\0\r\nQUIT\n'

@test "--proxy: a client has the address of its PROXY header, in records, in the log and for -a" {
	recorder
	printf '#!/bin/sh\necho "$REMOTE_ADDR $REMOTE_PORT $SERVER_PORT" >&2\n' >"$BATS_TEST_TMPDIR/may"
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve wshub -v --proxy -a "$BATS_TEST_TMPDIR/may" "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	proxied 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n' -q 0 </dev/null
	server_says '^192\.0\.2\.1 56324 443$'
	server_says '^Connected by 192\.0\.2\.1:56324 '
	server_says '^got 1 open 192\.0\.2\.1 56324 /$'
	proxied "$signature\\x21\\x21\\0\\x24$(printf '\\xfd%.0s' {1..32})\\0\\x01\\0\\x02" -q 0 </dev/null
	server_says '^Connected by \[fdfd:.*:fdfd\]:1 '
	proxied "$signature\\x21\\x31\\0\\xd8$(printf '\\0%.0s' {1..216})" -q 0 </dev/null
	server_says '^Connected by unix '
	for header in 'PROXY UNKNOWN\r\n' "$signature\\x20\\0\\0\\0"; do
		proxied "$header" -q 0 </dev/null
	done
	server_says "^127\.0\.0\.1 [0-9]+ $port\$"
	server_says '^got 5 open 127\.0\.0\.1 [0-9]+ /$'
}

@test "--proxy: -C counts by the address of the header" {
	recorder
	serve wshub -v --proxy -C 1 "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	start first proxied 'PROXY TCP4 192.0.2.1 198.51.100.2 1 443\r\n' -q never
	server_says '^got 1 open 192\.0\.2\.1 1 /$'
	proxied 'PROXY TCP4 192.0.2.2 198.51.100.2 2 443\r\n' -q 0 </dev/null
	server_says '^got 2 open 192\.0\.2\.2 2 /$'
	run -1 proxied 'PROXY TCP4 192.0.2.1 198.51.100.2 3 443\r\n' -q 0 </dev/null
	server_says '^wshub: 192\.0\.2\.1 3: over the limit of its address$'
	order '1 close 1000 '
	server_says '^got 1 close '
	await_that proxied 'PROXY TCP4 192.0.2.1 198.51.100.2 4 443\r\n' -q 0 </dev/null
}

@test "--proxy: a header in any pieces, with the request right behind it" {
	local line='PROXY TCP4 192.0.2.1 198.51.100.2 56324 443' pieces=() i
	serve wshub --proxy --console cat
	for ((i = 0; i < ${#line}; i++)); do pieces+=("send:${line:i:1}"); done
	run -0 peer to:"$port" open "${pieces[@]}" "send:\r\n${request/Upgrade: websocket/X: y}" rest
	[[ $output == *'HTTP/1.1 200 OK'* ]]
	run -0 peer to:"$port" open "send:$line\r\n${request/Upgrade: websocket/X: y}" rest
	[[ $output == *'HTTP/1.1 200 OK'* ]]
	head -c 65520 /dev/zero | cat <(printf "$signature\\x21\\x11\\xff\\xff123456789012\\xe0\\xff\\xf0") - <(printf "${request/Upgrade: websocket/X: y}") |
		portscan-connect -q -p "$port" >"$BATS_TEST_TMPDIR/page"
	grep -q 'HTTP/1.1 200 OK' "$BATS_TEST_TMPDIR/page"
}

@test "--proxy: without a valid header in time a connection is closed without an answer, and that is told" {
	serve wshub --proxy -t 300ms cat
	run -0 peer to:"$port" open "send:$request" rest close open send:PROXY fin rest close open fin rest close churn:1 open send:PROXY rest
	! grep HTTP <<<"$output" || false
	server_says '^wshub: 127\.0\.0\.1:[0-9]+: no PROXY header: (Operation|Connection) timed out$'
	[ "$(sed -E '1d; s/:[0-9]+:/:PORT:/; s/Connection timed/Operation timed/' "$BATS_TEST_TMPDIR/server.err")" = \
'wshub: 127.0.0.1:PORT: PROXY header: the first bytes are of another protocol
wshub: 127.0.0.1:PORT: no PROXY header: end of file
wshub: 127.0.0.1:PORT: no PROXY header: Operation timed out' ]
}

@test "a message over the limit is refused with 1009, one of just its size passes" {
	serve wshub -M 10 grep --line-buffered '^[0-9]* text '
	run --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1 <<<0123456789
	[ "$output" = 0123456789 ]
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never <<<01234567890
	[[ $stderr == *1009* ]]
}

@test "one client of many that takes nothing is closed, and nobody waits for it" {
	recorder
	serve wshub -v -q 2M "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	kill -STOP "$pid"
	stopped=$pid
	for name in b c d e f; do client $name /; done
	server_says '^got 6 open '
	{ printf '* text '; head -c 1000000 /dev/zero | tr '\0' x; echo; } >"$BATS_TEST_TMPDIR/long"
	for n in $(seq 30); do
		cat "$BATS_TEST_TMPDIR/long" >>"$BATS_TEST_TMPDIR/orders"
		order "* text heard $n"
		for name in b c d e f; do hears $name "^heard $n\$"; done
	done
	for name in b c d e f; do [ "$(grep -c '^xxx' "$BATS_TEST_TMPDIR/$name.out")" = 30 ]; done
	server_says 'more than the queue holds'
	server_says '^got 1 close 1006 '
	kill -CONT "$stopped"
}

# within NAME KIB: what /proc tells of the server by that name.
within() {
	local kib
	kib=$(sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$server/status")
	((kib <= $2)) || { echo "$1: $kib KiB"; return 1; }
}

@test "the smallest messages that wait for a client that does not read stay within -q" {
	not_sanitized
	serve wshub -k 1s sed -un 's/^1 close/& /w /dev/stderr'
	server=$pid
	{ printf '%b' "$request"; yes $'\x89\x80abc' | head -c 30M; } >"$BATS_TEST_TMPDIR/pings"
	start pinger peer -v room:4096 to:"$port" open "file:$BATS_TEST_TMPDIR/pings" hold
	server_says '^1 close  1006'
	within VmHWM 8000
	serve wshub -v sh -c 'read -r open; exec yes "1 text "'
	server=$pid
	slow client recv hold
	server_says 'more than the queue holds'
	within VmHWM 12000
}

@test "browsers that do not read a page share it: it is in memory once" {
	not_sanitized
	head -c 6000000 /dev/zero >"$BATS_TEST_TMPDIR/page"
	serve wshub --page "$BATS_TEST_TMPDIR/page" --fan-out
	server=$pid
	for n in $(seq 12); do
		start "get$n" peer -v room:4096 to:"$port" open 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' recv hold
	done
	for n in $(seq 12); do await "$BATS_TEST_TMPDIR/get$n.out" '^recv HTTP/1.1 200 '; done
	within VmRSS 20000
}

@test "after a message of 16 MB its memory goes back, though the client stays" {
	not_sanitized
	serve wshub -M 16M -q 16M grep --line-buffered '^[0-9]* text '
	server=$pid
	client a /
	head -c 16000000 /dev/zero | tr '\0' x >&"$a"
	tell a ''
	await_that test -s "$BATS_TEST_TMPDIR/a.out"
	tell a end
	hears a '^end$'
	within VmRSS 12000
}

@test "a new client that could not be read for -t, while prog does not read, is answered 503" {
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo go
	serve wshub -t 500ms sh -c 'read -r go <"$0"; exec cat >/dev/null' go
	start feed wspeer "raw:$request" push await:go -- portscan-connect -q -p "$port"
	await feed.out '^pushed'
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c </dev/null
	[[ $stderr == *" 503 "*"the program does not read"* ]]
	server_says '^wshub: 127.0.0.1:[0-9]*: 503 the program does not read$'
}

@test "when prog does not read, clients wait and nothing is dropped" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub sh -c 'read -r go <"$0"; grep -c " text " >&2; echo' "$BATS_TEST_TMPDIR/go"
	server=$pid
	seq 200000 | sed 's/$/ and some more so that pipes and buffers are full/' >"$BATS_TEST_TMPDIR/lines"
	start feed sh -c 'portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q 0 <"$2"' sh "$port" "$BATS_TEST_TMPDIR/lines"
	feed=$pid
	await_that test -s "$BATS_TEST_TMPDIR/server.err"
	echo go >"$BATS_TEST_TMPDIR/go"
	ended "$feed"
	kill "$server"
	ended "$server"
	server_says '^200000$'
}

@test "a silent client is pinged, and gone when it does not answer" {
	recorder
	serve wshub -k 100ms "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	client a /
	server_says '^got 1 open '
	kill -STOP "$pid"
	server_says '^got 1 close 1006 '
	kill -CONT "$pid"
}

@test "after a pause of the process a request and a Pong that came meanwhile are read before -t and -k" {
	serve wshub -t 2s -k 1s --fan-out
	server=$pid
	cd "$BATS_TEST_TMPDIR" || return
	printf '%b' "$request" >request
	start head peer -v to:"$port" open 'send:GET / HTTP/1.1\r\n' await:go "send:${request#*1.1\\r\\n}" recv hold
	start pong peer -v to:"$port" open file:request recv recv await:go 'send:\x8a\x80\0\0\0\0' recv hold
	pings() { [ "$(LC_ALL=C grep -ac $'^recv \x89' pong.out)" = "$1" ]; }
	await_that pings 1
	paused "$server" 2.2 eval 'touch go; await head.out "^sent [0-9]{3}" && await pong.out "^sent 6$"'
	await head.out '^recv HTTP/1.1 101 '
	await_that pings 2
}

@test "HTTP/1.0, HTTP/2, OPTIONS, a foreign Origin and a subprotocol that is not on offer: as wsupgrade answers and logs" {
	ask() {
		printf '%b' "$@" | portscan-connect -q -p "$port" >"$BATS_TEST_TMPDIR/answer"
		head -n 1 "$BATS_TEST_TMPDIR/answer"
	}
	serve wshub -v --host localhost --console -s chat cat
	[[ $(ask 'OPTIONS * HTTP/1.0\r\n\r\n') == 'HTTP/1.1 204 '* ]]
	grep -q $'^Allow: GET, HEAD, OPTIONS\r$' "$BATS_TEST_TMPDIR/answer"
	server_says '^wshub: .*: 204 \*$'
	[[ $(ask 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n') == 'HTTP/1.1 200 '* ]]
	[[ $(ask 'GET / HTTP/1.0\r\n\r\n') == 'HTTP/1.1 400 '* ]]
	[[ $(ask "${request/1.1/1.0}") == 'HTTP/1.1 200 '* ]]
	[[ $(ask "${request/GET \/ HTTP\/1.1/GET \/x HTTP\/1.0}") == 'HTTP/1.1 426 '* ]]
	server_says '^wshub: .*: 426 HTTP/1.0 cannot upgrade \(nginx: proxy_http_version 1.1\)$'
	[[ $(ask 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') == 'HTTP/1.1 400 '* ]]
	server_says '^wshub: .*: 400 HTTP/2 instead of HTTP/1.1$'
	[[ $(ask "${request/Host/Origin: http://evil\\r\\nHost}") == 'HTTP/1.1 403 '* ]]
	server_says '^wshub: .*: 403 a foreign Origin: http://evil \(Host: localhost\)$'
	[[ $(ask "${request/Host/Sec-WebSocket-Protocol: x, y\\r\\nHost}" '\x88\x80\0\0\0\0') == 'HTTP/1.1 101 '* ]]
	server_says '^wshub: .*: 101 /, subprotocols not on offer: x, y$'
	stop_all
	serve wshub cat
	[[ $(ask 'OPTIONS / HTTP/1.0\r\n\r\n') == 'HTTP/1.1 204 '* ]]
	! grep -q 204 "$BATS_TEST_TMPDIR/server.err" || false
}

@test "authorize: only whom the program lets in comes in" {
	recorder
	cat >"$BATS_TEST_TMPDIR/may" <<-'END'
		#!/bin/sh
		[ "$QUERY_STRING" = open-sesame ] && [ "$REMOTE_ADDR" = 127.0.0.1 ]
	END
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve wshub --console -a "$BATS_TEST_TMPDIR/may" "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c </dev/null
	[[ $stderr == *403* ]]
	printf 'HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n' | portscan-connect -q -p "$port" >"$BATS_TEST_TMPDIR/answer"
	grep -q '^HTTP/1.1 403 ' "$BATS_TEST_TMPDIR/answer"
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/answer")" = $'\r' ] # a HEAD request has no body in its answer
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/?open-sesame" wsframe -c -q 0 </dev/null
	server_says '^got 1 close 1000 $'
}

@test "authorize: with a realm a refusal is 401, and prog is told who the client is, not its password" {
	recorder
	printf '#!/bin/sh\n[ "$HTTP_AUTHORIZATION" = "Basic YVxuOnNlY3JldA==" ]\n' >"$BATS_TEST_TMPDIR/may"
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve wshub --headers --realm Chat -a "$BATS_TEST_TMPDIR/may" "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	printf '%b' "$request" | portscan-connect -q -p "$port" >"$BATS_TEST_TMPDIR/answer"
	grep -q '^HTTP/1.1 401 ' "$BATS_TEST_TMPDIR/answer"
	grep -q $'^WWW-Authenticate: Basic realm="Chat", charset="UTF-8"\r$' "$BATS_TEST_TMPDIR/answer"
	portscan-connect -q -p "$port" wsupgrade -H 'Authorization: Basic YVxuOnNlY3JldA==' -c "ws://localhost:$port/" \
		wsframe -c -q 0 </dev/null
	server_says '^got 1 close 1000 $'
	grep -E '^got 1 (open|user|header Host|header Auth)' "$BATS_TEST_TMPDIR/server.err" | cut -d' ' -f3,4 >"$BATS_TEST_TMPDIR/records"
	same <(sed 's/127.*//' "$BATS_TEST_TMPDIR/records") 'open ' 'user a\\n' 'header Host:'
	! grep -q 'YVxuO' "$BATS_TEST_TMPDIR/server.err" || false
}

@test "authorize: one that does not end in time is killed, 500" {
	printf '#!/bin/sh\necho $$ >"%s/pid"\nexec tail -f /dev/null\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/may"
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve wshub -t 300ms -a "$BATS_TEST_TMPDIR/may" cat
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c </dev/null
	[[ $stderr == *500* ]]
	await_that gone "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "authorize: a program that has left its process group is killed" {
	deserter "$BATS_TEST_TMPDIR/may"
	serve wshub -t 500ms -a "$BATS_TEST_TMPDIR/may" cat
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c </dev/null
	[[ $stderr == *500* ]]
	await_that gone "$(cat "$BATS_TEST_TMPDIR/may.pid")"
}

# page NAME: what a browser gets is in NAME.
page() {
	start get peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/$1" 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' rest
	ended "$pid"
	grep -q '^HTTP/1.1 200 ' "$BATS_TEST_TMPDIR/$1"
}

@test "--page: a file is read anew, and when a FIFO has taken its place stays as it was, and nobody waits" {
	cd "$BATS_TEST_TMPDIR"
	echo first >mine
	serve wshub --page mine --fan-out
	page got
	tail -n 1 got | cmp - mine
	seq 30000 >mine
	for n in 1 2; do
		page got
		tail -n 30000 got | cmp - mine
	done
	cp mine before
	rm mine
	mkfifo mine
	page got
	tail -n 30000 got | cmp - before
}

@test "--page: what a pipe brings is read once, at the start, and everybody gets it" {
	serve bash -c 'exec wshub --page <(seq 30000) --fan-out'
	server_says '^wshub: /dev/fd/[0-9]+: not a regular file: read once, 168894 bytes$'
	for n in 1 2; do
		page got
		tail -n 30000 "$BATS_TEST_TMPDIR/got" | cmp - <(seq 30000)
	done
}

@test "authorize: a child of who became us is none of the programs asked" {
	serve sh -c ': & exec wshub -a true sh -c "sed -u \"s/^[0-9]* open.*/* text hello/;t;d\""'
	client a /
	hears a '^hello$'
	client b /
	hears b '^hello$'
}

# It has an answer of 120010 bytes coming, and little room for it: slow NAME STEP...
slow() {
	printf '%b' "$request" >"$BATS_TEST_TMPDIR/request"
	start "$1" peer -v room:4096 to:"$port" open "file:$BATS_TEST_TMPDIR/request" "${@:2}"
}

@test "who reads slowly is not gone: our ping waits behind what it has not taken yet" {
	serve wshub -k 1s sh -c 'read -r open; printf "1 text %0120000d\n" 0; cat >&2'
	slow client sip:120000 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^1 close '
	same "$BATS_TEST_TMPDIR/server.err" "Bound to $port" '1 close 1000 '
	grep -qx 'took 120000' "$BATS_TEST_TMPDIR/client.out"
}

@test "who reads nothing any more is gone, though there is much for it" {
	serve wshub -k 300ms sh -c 'read -r open; printf "1 text %0120000d\n" 0; cat >&2'
	slow client take:20000 hold
	server_says '^1 close 1006 $'
}

# Much more than the kernel holds of it, and more than half of --queue.
much='read -r open; printf "1 text "; head -c 7000000 /dev/zero | tr "\0" x; echo; cat >&2'

@test "who stops to read with more than half of -q queued is gone by -k, whose clock goes on" {
	serve wshub -k 300ms sh -c "$much"
	slow client take:20000 hold
	server_says '^1 close 1006 $'
}

@test "who goes on to read slowly with more than half of -q queued is not gone" {
	serve wshub -k 1s -q 8M sh -c "$much"
	slow client sip:120000 take:6880010 'send:\x88\x82\0\0\0\0\x03\xe8' rest
	server_says '^1 close '
	same "$BATS_TEST_TMPDIR/server.err" "Bound to $port" '1 close 1000 '
}

@test "what is queued for a client that half-closes is sent: a page, and a message behind a Close" {
	head -c 6000000 /dev/zero >"$BATS_TEST_TMPDIR/page"
	serve wshub --page "$BATS_TEST_TMPDIR/page" sh -c "$much"
	start get peer -v to:"$port" open into:"$BATS_TEST_TMPDIR/got" 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' fin rest
	ended "$pid"
	tail -c 6000000 "$BATS_TEST_TMPDIR/got" | cmp - "$BATS_TEST_TMPDIR/page"
	slow client into:"$BATS_TEST_TMPDIR/heard" take:20000 'send:\x88\x82\0\0\0\0\x03\xe8' fin rest
	ended "$pid"
	(($(wc -c <"$BATS_TEST_TMPDIR/heard") > 6980000))
	tail -c 5 "$BATS_TEST_TMPDIR/heard" | cmp - <(printf 'x\x88\x02\x03\xe8')
}

@test "authorize: what a client sends before it is let in waits in the kernel" {
	printf '#!/bin/sh\nuntil [ -e "%s/go" ]; do sleep 0.05; done\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/may"
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve wshub -a "$BATS_TEST_TMPDIR/may" cat
	printf '%b' "$request" >"$BATS_TEST_TMPDIR/request"
	start flood peer -v to:"$port" open "file:$BATS_TEST_TMPDIR/request" push "await:$BATS_TEST_TMPDIR/go" recv
	await "$BATS_TEST_TMPDIR/flood.out" '^pushed'
	: >"$BATS_TEST_TMPDIR/go"
	await "$BATS_TEST_TMPDIR/flood.out" '^recv HTTP/1.1 101 '
}

@test "what a client of a UNIX socket said last counts, also where prog reads it later" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	start server handover tcp unix:"$BATS_TEST_TMPDIR/sock" -- \
		wshub sh -c 'read -r go <"$0"; grep -m 1 " last words$" >&2' "$BATS_TEST_TMPDIR/go"
	server=$pid
	await "$BATS_TEST_TMPDIR/server.out" '^port '
	start b peer to:"$BATS_TEST_TMPDIR/sock" open send:"$request" head say:in \
		await:"$BATS_TEST_TMPDIR/full" send:'\x81\x8a\0\0\0\0last words' say:said \
		await:"$BATS_TEST_TMPDIR/seen" close say:out
	await "$BATS_TEST_TMPDIR/b.out" '^in$'
	start feed wspeer "raw:$request" push "await:$BATS_TEST_TMPDIR/gone" drop -- \
		portscan-connect -q -p "$(sed -n 's/^port //p' "$BATS_TEST_TMPDIR/server.out")"
	await "$BATS_TEST_TMPDIR/feed.out" '^pushed'
	: >"$BATS_TEST_TMPDIR/full"
	await "$BATS_TEST_TMPDIR/b.out" '^said$'
	await_that grep -q '^State:.S' "/proc/$server/status"
	: >"$BATS_TEST_TMPDIR/seen"
	await "$BATS_TEST_TMPDIR/b.out" '^out$'
	: >"$BATS_TEST_TMPDIR/gone"
	echo go >"$BATS_TEST_TMPDIR/go"
	server_says ' text last words$'
}

@test "prog sees neither LISTEN_, NOTIFY_SOCKET nor the variables of a request, and has only 0, 1 and 2" {
	serve env NOTIFY_SOCKET=/nowhere HTTP_COOKIE=a=b REMOTE_USER=root WEBSOCKET_PROTOCOL=x KEPT=yes sh -c 'exec wshub sh -c "env >&2; ls -l /proc/self/fd >&2; echo ready >&2; cat >/dev/null"'
	server_says '^ready$'
	server_says '^KEPT=yes$'
	! grep -qE '^(LISTEN_|NOTIFY|HTTP_|REMOTE_|WEBSOCKET_)' "$BATS_TEST_TMPDIR/server.err" || false
	! grep -qE 'socket:' "$BATS_TEST_TMPDIR/server.err" || false
}

@test "a program that is missing is 127, before anybody is let in" {
	run -127 portscan-bind -q wshub no-such-program
	run -126 portscan-bind -q wshub /dev/null
}

@test "wrong usage is 2" {
	run -2 wshub cat
	run -2 portscan-bind -q wshub
	run -2 portscan-bind -q wshub --fan-out cat
	run -2 portscan-bind -q wshub -c 0 cat
	run -2 portscan-bind -q wshub -o nonsense cat
	for time in 0 25h x; do
		run -2 --separate-stderr timeout 20 portscan-bind -q wshub -w "$time" cat
		[ "$stderr" = "wshub: --close-wait: $time: not a duration from 1ms to 24h" ]
	done
}

descriptors() {
	find "/proc/$server/fd" -type l | wc -l
}

@test "clients that leave amid a flood for all take no message from the clients that stay" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub sh -c 'cat "$0"; echo done >&2; cat >&2' "$BATS_TEST_TMPDIR/go"
	server=$pid
	in=(open:20 send:"$request" head say:in)
	start leave peer to:"$port" "${in[@]}" await:"$BATS_TEST_TMPDIR/leave" fin say:left hold
	await "$BATS_TEST_TMPDIR/leave.out" '^in$'
	start stay peer to:"$port" open:700 "${in[@]:1}" rest
	await "$BATS_TEST_TMPDIR/stay.out" '^in$'
	stay=$pid
	exec {go}>"$BATS_TEST_TMPDIR/go"
	# All in one turn: the ends of the 20, and more messages than wait for one flush.
	kill -STOP "$server"
	touch "$BATS_TEST_TMPDIR/leave"
	await "$BATS_TEST_TMPDIR/leave.out" '^left$'
	seq -f '* text <%g>' 120 >&"$go"
	exec {go}>&-
	server_says '^done$'
	kill -CONT "$server"
	kill "$server"
	ended "$stay"
	for n in 94 95 96 97 98 120; do [ "$(grep -ao "<$n>" "$BATS_TEST_TMPDIR/stay.out" | wc -l)" = 700 ]; done
}

@test "a thousand clients that vanish at once are told of one by one, and leave nothing behind" {
	ulimit -n 4096 || skip "needs 4096 descriptors"
	serve wshub -c 2000 tee "$BATS_TEST_TMPDIR/records"
	server=$pid
	start crowd peer -v to:"$port" open:1000 send:"$request" "await:$BATS_TEST_TMPDIR/go"
	await "$BATS_TEST_TMPDIR/records" '^1000 open '
	# Not from the start, when it may still be about to open its own.
	before=$(($(descriptors) - 1000))
	touch "$BATS_TEST_TMPDIR/go"
	all_told() { [ "$(grep -c '^[0-9]* close 1006 $' "$BATS_TEST_TMPDIR/records")" = 1000 ]; }
	await_that all_told
	all_back() { [ "$(descriptors)" = "$before" ]; }
	await_that all_back
	[ "$(grep -c ' open ' "$BATS_TEST_TMPDIR/records")" = 1000 ]
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
}

@test "the limit of descriptors lowers -c: the last client is still let in by -a, the last browser gets the page" {
	recorder
	echo '<p>' >"$BATS_TEST_TMPDIR/mine"
	serve sh -c 'ulimit -n 20; LISTEN_PID=$$ exec wshub -a true --page "$0" "$@"' "$BATS_TEST_TMPDIR/mine" \
		"$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	server_says '^wshub: --max: 10000: lowered to [0-9]+ by the hard limit of descriptors'
	max=$(sed -n 's/.*lowered to \([0-9]*\) .*/\1/p' "$BATS_TEST_TMPDIR/server.err")
	# The first one is closed and the last one is missing.
	start crowd peer -v to:"$port" "open:$((max - 2))" send:"$request" open "await:$BATS_TEST_TMPDIR/go"
	server_says "^got $((max - 2)) open "
	page got
	tail -n 1 "$BATS_TEST_TMPDIR/got" | cmp - "$BATS_TEST_TMPDIR/mine"
	client a /
	server_says "^got $((max - 1)) open "
	[ "$(grep -c '^wshub: ' "$BATS_TEST_TMPDIR/server.err")" = 1 ]
}

@test "out of descriptors: it says so, waits without a spin, and serves who waited" {
	recorder
	serve wshub "$BATS_TEST_TMPDIR/recorder" "$BATS_TEST_TMPDIR/orders"
	server=$pid
	prlimit --pid "$server" --nofile=10:
	start crowd peer -v to:"$port" open:20 "await:$BATS_TEST_TMPDIR/go"
	crowd=$pid
	server_says '^wshub: accept: '
	client a /
	rests
	! grep -q '^got 1 open' "$BATS_TEST_TMPDIR/server.err" || false
	touch "$BATS_TEST_TMPDIR/go"
	ended "$crowd"
	server_says '^got 1 open '
	order '1 text your turn'
	hears a '^your turn$'
	# Said once a second at most, however long it lasted.
	(($(grep -c 'wshub: accept' "$BATS_TEST_TMPDIR/server.err") <= 4))
}

@test "a log that may not grow any more is no death" {
	cd "$BATS_TEST_TMPDIR" || return
	start server bash -c 'ulimit -f 1; exec portscan-bind -1 -p 0 wshub -v --fan-out 2>log'
	await_that test -s server.out
	port=$(cat server.out)
	while [ "$(wc -c <log)" -lt 1024 ]; do
		portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
	done
	run -0 portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q 0 </dev/null
}

@test "a program that floods: clients come in and hear it, and SIGTERM is heard" {
	serve wshub yes '* text flood'
	server=$pid
	for n in 1 2; do
		[ "$(portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never -m 3 </dev/null | uniq)" = flood ]
	done
	kill "$server"
	ended "$server"
	[ "$status" = 0 ]
}

@test "a program whose records are for many: a client comes in between them, for a turn is bounded in time" {
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo go
	yes '* text x' | head -n 28000 >flood
	serve wshub sh -c 'while read -r id word rest; do echo "$id $word" >&2; [ "$id" != 50 ] || break; done
		read -r go <go; dd bs=252000 count=1 if=flood status=none; echo written >&2; sed -u "s/^51 open.*/* text after/;t;d"'
	server=$pid
	start crowd peer -v to:"$port" open:50 send:"$request" hold
	server_says '^50 open$'
	printf '%b' "$request" >request
	comes() { echo go >go; start b peer -v to:"$port" open file:request into:b.heard take:136; }
	paused "$server" 0 eval 'comes; server_says ^written; await b.out ^sent'
	await b.out '^took 136$'
	tail -c 7 b.heard | head -c 3 | cmp - <(printf '\x81\x01x')
}

@test "a program that reads nothing any more: clients go on to hear it, what they say is dropped" {
	: >"$BATS_TEST_TMPDIR/orders"
	serve wshub sh -c 'exec <&-; echo deaf >&2; tail -n +1 -f "$0"' "$BATS_TEST_TMPDIR/orders"
	server=$pid
	server_says '^deaf$'
	rests
	client a /
	until grep -qs in "$BATS_TEST_TMPDIR/a.out"; do order '* text in'; sleep 0.02; done
	seq 100000 >&"$a"
	order '* text still there'
	hears a '^still there$'
	rests
}

@test "a program that ends its stdout alone: all get what it said and 1000, its stdin ends, its status is ours" {
	serve wshub -w 200ms sh -c 'read -r open; echo "1 text last"; exec >&-; cat >/dev/null; exit 3'
	server=$pid
	run -0 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -q never </dev/null
	[ "$output" = last ]
	ended "$server"
	[ "$status" = 3 ]
}

@test "a program that is killed while it stalls: clients that could not be read are closed with 1011" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	serve wshub sh -c 'echo $$ >&2; read -r go <"$0"; echo' "$BATS_TEST_TMPDIR/go"
	server=$pid
	server_says '^[0-9]+$'
	yes 'words that fill the pipe and what is behind it' | head -c 8M >"$BATS_TEST_TMPDIR/words"
	start feed sh -c 'exec portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -q never <"$2"' sh "$port" "$BATS_TEST_TMPDIR/words"
	feed=$pid
	rests
	kill -KILL "$(grep -xE '[0-9]+' "$BATS_TEST_TMPDIR/server.err")"
	ended "$feed"
	[ "$status" = 1 ]
	grep -q 1011 "$BATS_TEST_TMPDIR/feed.err"
	ended "$server"
	[ "$status" = 137 ]
}

@test "one client that floods does not keep another's words" {
	serve wshub --fan-out
	# Empty texts, whose key ends with a newline, as fast as they are taken.
	start flood sh -c '{ printf "$2"; yes "$3"; } | portscan-connect -q -p "$1"' sh "$port" "$request" $'\x81\x80abc'
	flood=$pid
	await "$BATS_TEST_TMPDIR/flood.out" '^HTTP/1.1 101 '
	client a /talk
	client b /talk
	until grep -qs in "$BATS_TEST_TMPDIR/b.out"; do tell a in; sleep 0.02; done
	for n in 1 2 3; do
		tell a "word $n"
		hears b "^word $n\$"
	done
	! gone "$flood" || false
}
