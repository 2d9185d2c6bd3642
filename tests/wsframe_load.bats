# shellcheck disable=SC2016,SC2034,SC2154
# wsframe: keepalive, backpressure, memory, and log messages.
load wsframe

# ---- keepalive, backpressure, memory ----

@test "-k pings a silent peer, and ends the session if it does not answer; -k 0 never pings" {
	peer get:2 wait -- wsframe -k 100ms cat
	told ping end 'exit 1'
	said 'wsframe: peer: Ping was not answered in time'
	peer get pong: get pong: get text:a get close:1000 until:close drop wait -- wsframe -k 1s cat
	[[ "$output" == *'text a'* ]]
	[[ "$output" == *'exit 0' ]]
	peer silent:400 close:1000 rest wait -- wsframe -k 0 cat
	told 'close 1000' end 'exit 0'
	peer silent:300 close:1000 rest wait -- wsframe cat
	told 'close 1000' end 'exit 0'
}

@test "data that arrived while the process was stopped is read before -k and -w are checked" {
	peer until:ping kill:STOP silent:1700 pong: text:a kill:CONT until:text close:1000 until:close drop wait -- wsframe -k 1500ms cat
	told ping 'text a' 'close 1000' 'exit 0'
	peer get kill:STOP silent:1700 close:1000 kill:CONT wait -- wsframe -w 1500ms true
	told 'close 1000' 'exit 0'
}

@test "a slow reader is not timed out: the Ping and the Close follow earlier data; a peer that stops receiving is" {
	peer -s slow:100 get close:1000 until:close drop wait -- \
		wsframe -k 1s sh -c 'head -c 120000 /dev/zero | tr "\0" x; echo; exec cat'
	[[ "${lines[0]}" == 'text xxx'*'... (120000)' ]]
	[ "${lines[1]}" = 'close 1000' ]
	[ "${lines[2]}" = 'exit 0' ]
	[ "$stderr" = "" ]
	peer -s slow:100 get until:close close:1000 drop wait -- \
		wsframe -w 1s sh -c 'head -c 120000 /dev/zero | tr "\0" x'
	[[ "${lines[0]}" == 'text xxx'*'... (120000)' ]]
	[ "${lines[1]}" = 'close 1000' ]
	[ "${lines[2]}" = 'exit 0' ]
	[ "$stderr" = "" ]
	peer -s get wait -- wsframe -w 200ms sh -c 'echo a; head -c 100000 /dev/zero | tr "\0" x'
	told 'text a' 'exit 1'
	said 'wsframe: peer: Close was not answered in time'
}

@test "a peer that stops reading times out, with much data queued or little" {
	peer -s slow:10 get:20 wait -- wsframe -k 1s sh -c 'yes "$(printf %01000d 0)" | head -n 200; exec cat'
	[ "${lines[20]}" = 'exit 1' ]
	said 'wsframe: peer: Ping was not answered in time'
	peer -t wait -- wsframe -k 300ms sh -c 'while sleep 0.02; do echo x; done'
	told 'exit 1'
	said 'wsframe: peer: Ping was not answered in time'
}

@test "a peer that floods and does not read the answers times out after twice -k, a slow reader does not" {
	for how in '' -t; do
		# shellcheck disable=SC2086
		peer $how push wait -- wsframe -k 200ms cat
		told pushed 'exit 1'
		said 'wsframe: peer: does not read'
	done
	peer push slow:3 get:500 drop wait -- wsframe -k 1s cat
	[[ "$stderr" != *'does not read'* ]]
}

@test "a peer that the program does not read does not time out, and all its data arrives" {
	line=$(printf %01000d 0)
	for how in '' -t; do
		# shellcheck disable=SC2086
		peer $how many:20,"$line" silent:50 many:2980,"$line" close:1000 until:close rest wait -- \
			wsframe -k 500ms sh -c 'sleep 1.5; wc -l >count'
		told 'close 1000' end 'exit 0'
		holds count '3000\n'
	done
}

# bats file_tags=alone
@test "memory with every buffer full is at most 640 KiB" {
	not_sanitized
	for mode in '' -0 -b; do
		# shellcheck disable=SC2086
		peer -t get memory push memory -- wsframe -w 100ms $mode sh -c 'echo x; yes 0123456789 | tr -d "\n"'
		readarray -t seen < <(printf '%s\n' "$output" | sed -n 's/^private \([0-9]*\) k$/\1/p')
		((seen[1] > 200 && seen[1] <= 640))
	done
}

@test "the memory of a long message is released once the program has read it, and is not used for short messages" {
	not_sanitized
	for size in 8388617 4000000; do
		peer text:x get memory big:8388608 get memory push memory -- wsframe -n -w 100ms sh -c '
			head -c 4; head -c "$0" >/dev/null; printf 1:y,; exec sleep 60' "$size"
		readarray -t seen < <(printf '%s\n' "$output" | sed -n 's/^private \([0-9]*\) k$/\1/p')
		((seen[2] - seen[1] <= 1024 && (size == 4000000 || seen[1] - seen[0] <= 1024)))
	done
}

@test "an idle connection uses at most 24 KiB (64 with glibc), plus a page or two for the stack" {
	readelf -lW "$BIN/wsframe" 2>/dev/null | grep -q INTERP && skip "dynamic: the libc's own data is on top"
	peer text:x get memory close:1000 rest -- env -i PATH="$PATH" wsframe cat
	[[ "$output" =~ private\ ([0-9]+) ]]
	most=28
	! grep -q GLIBC_TUNABLES "$BIN/wsframe" || most=72 # glibc takes more for itself
	((BASH_REMATCH[1] <= most))
}

@test "compression costs a waiting connection its windows, and nothing without context takeover" {
	readelf -lW "$BIN/wsframe" 2>/dev/null | grep -q INTERP && skip "dynamic: the libc's own data is on top"
	! grep -q GLIBC_TUNABLES "$BIN/wsframe" || skip "glibc takes more for itself"
	while IFS='|' read -r extension most; do
		peer raw:"$(yes 'some text' | head -n 20000 | tr '\n' ' ' | wsframe -e -c -z | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g')" \
			until:ping memory close:1000 rest -- env -i PATH="$PATH" WEBSOCKET_EXTENSIONS="$extension" wsframe -k 1s cat
		[[ "$output" =~ private\ ([0-9]+) ]]
		echo "$extension: ${BASH_REMATCH[1]}"
		((BASH_REMATCH[1] <= most))
	done <<-END
		permessage-deflate|212
		permessage-deflate; server_max_window_bits=12; client_max_window_bits=12|64
		permessage-deflate; server_no_context_takeover; client_no_context_takeover|32
	END
}

@test "16 MiB in both directions at once: neither blocks the other" {
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
	ended "$pid" 0
}

# bats file_tags=
@test "a slow reader blocks the program, and pongs are still sent between its messages" {
	peer -t await:up ping:now until:pong -- wsframe sh -c 'touch up; yes 0123456789'
	told 'pong now'
}

# bats file_tags=alone
@test "borrowed descriptors are unchanged: no O_NONBLOCK is left on a pipe or socket" {
	peer -p text:a get close:1000 rest wait -- sh -c 'wsframe cat; grep flags: /proc/self/fdinfo/0 /proc/self/fdinfo/1 >flags'
	! grep -E '[4-7][0-7]{3}$' flags || false
}

@test "no diagnostics are written if stderr is the connection; a closed stdin is reported with status 1" {
	peer rest wait -- sh -c 'exec 2>&0; exec wsframe -w 100ms nosuchprogram'
	told 'close 1011' end 'exit 127'
	run -1 --separate-stderr bash -c 'wsframe -w 100ms cat <&- >/dev/null'
	[[ "$stderr" == 'wsframe: peer: '* ]]
}

# bats file_tags=
# bats test_tags=alone
@test "log lines contain the client's name if the environment has it, and the peer's text escaped" {
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4711 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: 192.0.2.1:4711: peer: text message is not UTF-8 (1007)'
	TCPREMOTEIP=2001:db8::1 TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: [2001:db8::1]:1: peer: text message is not UTF-8 (1007)'
	TCPREMOTEIP=$'\n\e' TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: \x0a\x1b:1: peer: text message is not UTF-8 (1007)'
	TCPREMOTEIP=$(printf %0100d 1) TCPREMOTEPORT=1 peer 'text:\xff' rest wait -- wsframe cat
	said 'wsframe: peer: text message is not UTF-8 (1007)'
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=1 peer -c 'close:4000,bye' get drop wait -- wsframe -c cat
	said 'wsframe: peer: closed with 4000: bye'
	peer 'close:4000,\x1b]0;x\x07\nFAKE' rest wait -- wsframe -v cat
	! grep -qP '[^\x20-\x7e\n]' <<<"$stderr" || false
	[[ "$stderr" == *'\x1b]0;x\x07\x0aFAKE'* ]]
}
