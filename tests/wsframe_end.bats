# shellcheck disable=SC2016,SC2034,SC2154
# wsframe: the end of a session, from the program, from the peer and by signals.
load wsframe

# ---- the end, from the program ----

@test "the exit status of the program selects Close 1000 or 1011, and is passed on; a last record without its end is sent" {
	peer get:2 close:1000 rest wait -- wsframe sh -c 'echo bye'
	told 'text bye' 'close 1000' end 'exit 0'
	peer get:2 close:1011 rest wait -- wsframe sh -c 'echo bye; exit 7'
	told 'text bye' 'close 1011' end 'exit 7'
	peer get:2 close:1011 rest wait -- wsframe sh -c 'echo bye; kill -KILL $$'
	told 'text bye' 'close 1011' end 'exit 137'
	peer get:2 close:1000 rest wait -- wsframe printf 'a\nb'
	told 'text a' 'text b' 'close 1000' end 'exit 0'
	peer get close:1000 rest wait -- wsframe -0 printf 'a\nb'
	told 'text a\x0ab' 'close 1000' end 'exit 0'
}

@test "output in the pipe when the program exits is sent, however slowly the peer reads" {
	peer -t await:done until:close close:1000 rest wait -- \
		wsframe sh -c 'yes 0123456789 | head -c 60000; touch done'
	told 'close 1000' end 'exit 0'
	peer -t await:done count -- wsframe -w 2s sh -c 'yes 0123456789 | head -c 55000; touch done'
	told '5001 frames 50002 bytes'
}

@test "after the program's exit its children's output is not awaited, and its group gets SIGTERM" {
	peer until:close close:1000 rest wait -- wsframe sh -c '(trap "touch termed; exit" TERM; touch up; while :; do sleep 0.1; done) & while [ ! -e up ]; do sleep 0.02; done; exit 0'
	told 'close 1000' end 'exit 0'
	await_that test -e termed
}

@test "EOF of the program's stdout: its exit is awaited up to -w; without it Close 1000" {
	peer get close:1011 rest wait -- wsframe -w 20s sh -c 'exec >&-; sleep 0.1; exit 3'
	told 'close 1011' end 'exit 3'
	peer get close:1000 rest wait -- wsframe -w 400ms sh -c 'exec >&-; trap "" TERM; sleep 30 & wait; wait'
	told 'close 1000' end 'exit 0'
}

@test "a program that closes its stdin does not end the session" {
	peer text:a text:b get close:1000 until:close rest wait -- wsframe sh -c 'read x; exec <&-; echo "got $x"; while [ ! -e gone ]; do sleep 0.02; done' &
	pid=$!
	touch gone
	wait "$pid"
}

@test "output of a program that does not read is not lost, and megabytes for it are dropped after its end" {
	peer -t big:16000000 -- wsframe -w 200ms sh -c 'exec <&-; sleep 1'
	peer many:1000,0123456789 get close:1000 rest wait -- wsframe sh -c 'exec <&-; echo hi'
	told 'text hi' 'close 1000' end 'exit 0'
}

@test "a Close that is not answered within -w ends the connection, with status 1 if the program's is 0" {
	peer rest wait -- wsframe -w 100ms true
	told 'close 1000' end 'exit 1'
	said 'wsframe: peer: Close was not answered in time'
	peer rest wait -- wsframe -w 100ms false
	told 'close 1011' end 'exit 1'
	[ "$stderr" = "" ]
	peer rest wait -- wsframe -w 100ms sh -c 'exit 9'
	told 'close 1011' end 'exit 9'
}

@test "a peer that floods does not delay the end after wsframe's Close" {
	for prog in true 'exec >&-; while :; do sleep 1; done'; do
		peer chat:0 wait -- wsframe -k 200ms -w 100ms sh -c "$prog"
		told 'exit 1'
		said 'wsframe: peer: Close was not answered in time'
	done
}

# bats test_tags=alone
@test "a program that cannot be started: Close 1011 and status 127 or 126" {
	peer get close:1011 rest wait -- wsframe nosuchprogram
	told 'close 1011' end 'exit 127'
	said 'wsframe: nosuchprogram: not found in PATH'
	peer get close:1011 rest wait -- wsframe /etc/passwd
	told 'close 1011' end 'exit 126'
	said 'wsframe: /etc/passwd: Permission denied'
	PATH=$PATH:$(printf '/%0600d' 0) peer get close:1011 rest wait -- wsframe nosuchprogram
	told 'close 1011' end 'exit 127'
}

# ---- the end, from the peer ----

@test "the peer's Close: earlier data reaches the program, then EOF; its answers are sent, until it is cut off after -w, then TERM, then KILL" {
	peer text:a text:b close:1001 rest wait -- wsframe sh -c 'cat >got; echo last'
	told 'text last' 'close 1001' end 'exit 0'
	holds got 'a\nb\n'
	peer close:1000 until:close rest wait -- wsframe -w 500ms sh -c 'trap "echo termed >said" TERM; while :; do echo tick; sleep 0.02; done'
	told 'close 1000' end 'exit 0'
	holds said 'termed\n'
}

# bats file_tags=alone
@test "a program that has left its process group is killed too" {
	deserter ./prog
	peer await:prog.pid close:1000 until:close rest wait -- timeout -k 1 20 wsframe -w 100ms ./prog
	told 'close 1000' end 'exit 0'
	await_that gone "$(cat prog.pid)"
}

@test "after -w wsframe's Close is sent, and after -w again TERM, also if the program is silent" {
	need_strace
	peer close:1000 until:close rest wait -- \
		strace -r -qq -o calls -e trace=sendto,kill -e signal=none wsframe -w 500ms sleep 100
	told 'close 1000' end 'exit 0'
	awk 'NR == 1 { exit !/ sendto/ }' calls
	awk 'NR == 2 { exit !(/ kill/ && $1 > 0.1) }' calls
}

# bats file_tags=
@test "-w starts when the program has emptied its pipe" {
	peer many:2000,x close:1000 until:close rest wait -- \
		wsframe -w 500ms sh -c 'i=0; while read -r x; do i=$((i + 1)); [ $((i % 240)) = 0 ] && sleep 0.2; done; echo $i >count'
	told 'close 1000' end 'exit 0'
	await count '^2000$'
}

# unread END STATUS MODE STEP...: a program that does not read and does not end.
unread() {
	peer "${@:4}" "$1" until:close rest wait -- wsframe -k 200ms -w 50ms $3 sh -c 'trap "" TERM; while :; do sleep 1; done'
	told 'close 1000' end "exit $2"
}

# bats file_tags=alone
@test "if a program does not read its stdin, the peer's Close or EOF is answered after -k, then TERM and KILL" {
	long=$(printf %040000d 0)
	unread fin 1 '' text:a
	unread close:1000 0 '' text:a
	for mode in '' -0 -n; do unread close:1000 0 "$mode" text:a text:b +text:c; done
	unread close:1000 0 '' "+text:$long" "+more:$long"
	unread fin 0 '' many:100000,x close:1000
	said ''
	unread fin 1 '' many:100000,x
	said 'wsframe: peer: connection closed without a Close'
}

@test "each read of the program restarts -k, after the peer's Close and before it is reached" {
	(mkdir a && cd a && peer many:6,x close:1000 rest wait -- wsframe -k 2s -w 2s sh -c 'while sleep 0.6; read -r x; do echo "$x"; done'
		told 'text x' 'text x' 'text x' 'text x' 'text x' 'text x' 'close 1000' end 'exit 0') &
	peer push fin rest wait -- wsframe -k 2s -w 5s sh -c 'for i in 1 2 3 4 5 6; do sleep 0.6; head -c 9 >>first; done; wc -c'
	[[ "$output" == $'pushed\ntext '[0-9]*$'\nclose 1000\nend\nexit 1' ]]
	(($(sed -n 's/^text //p' <<<"$output") > 100000))
	wait $!
}

@test "a half-close without Close: the rest is sent, Close 1000, status 1" {
	for how in '' -t -p; do
		# shellcheck disable=SC2086
		peer $how text:a fin rest wait -- wsframe sh -c 'cat; echo last'
		told 'text a' 'text last' 'close 1000' end 'exit 1'
		said 'wsframe: peer: connection closed without a Close'
	done
}

# bats file_tags=
@test "EOF inside a message: its held part does not reach the program" {
	peer text:a +text:b fin rest wait -- wsframe cat
	told 'text a' 'close 1000' end 'exit 1'
}

@test "a reset: the program gets EOF, then TERM and KILL, also if it does not read; status 1, after a Close 0" {
	peer -t text:a get reset wait -- wsframe -w 100ms sh -c 'trap "" TERM; cat; sleep 30; sleep 30'
	told 'text a' 'exit 1'
	said 'wsframe: peer: Connection reset by peer'
	peer text:a get drop wait -- wsframe -w 5s sh -c 'cat; echo over >said'
	told 'text a' 'exit 1'
	said 'wsframe: peer: connection closed without a Close'
	holds said 'over\n'
	peer -t push reset wait -- wsframe -w 100ms sleep 30
	told pushed 'exit 1'
	peer -t push drop wait -- wsframe -k 500ms -w 100ms sleep 30
	told pushed 'exit 1'
}

@test "a FIN while the program does not read does not end the session" {
	peer push fin await:counted rest wait -- wsframe -k 10s -w 5s sh -c 'sleep 1; wc -c >counted'
	[[ "$output" == $'pushed\nclose 1000\nend\nexit 1' ]]
	(($(cat counted) > 100000))
}

@test "a Close followed by a reset counts as a Close" {
	peer -t text:a get close:1000 reset wait -- wsframe cat
	[[ "$output" == *'exit 0' ]]
}

# ---- signals ----

# bats test_tags=alone
@test "SIGTERM, SIGINT, SIGHUP: output is sent, Close 1001, TERM to the group, status 0" {
	for s in TERM INT HUP; do
		rm -f termed up
		peer await:up kill:$s get:3 close:1001 rest wait -- \
			wsframe -w 5s sh -c 'trap "touch termed; exit 3" TERM; echo a; echo b; printf c; touch up; while :; do sleep 0.1; done'
		told 'text a' 'text b' 'close 1001' end 'exit 0'
		[ -e termed ]
	done
}

@test "SIGTERM: -w starts at the signal, and limits the program and the answer of the peer" {
	peer text:a get silent:4100 kill:TERM get close:1001 rest wait -- \
		wsframe -w 4s sh -c 'trap "sleep 0.1; touch termed; exit" TERM; read x; echo "$x"; while :; do sleep 0.02; done'
	told 'text a' 'close 1001' end 'exit 0'
	[ -e termed ]
	peer text:a get kill:TERM until:close close:1001 rest wait -- wsframe -w 100ms sh -c 'trap "" TERM; cat; sleep 30; sleep 30'
	told 'text a' 'close 1001' end 'exit 0'
	peer text:a get kill:TERM rest wait -- wsframe -w 100ms cat
	told 'text a' 'close 1001' end 'exit 0'
}

# bats test_tags=alone
@test "a signal is noticed by a session that never sleeps" {
	not_sanitized
	peer -t get kill:TERM swallow wait -- wsframe -w 500ms yes
	told 'text y' 'exit 0'
	need strace
	# Each wait finds a ready descriptor.
	peer rest wait -- timeout -s KILL 20 strace -qq -o /dev/null -e trace=ppoll -e inject=ppoll:retval=1 \
		wsframe -w 200ms sh -c 'exit 3'
	[[ "$output" == 'close 1011'* ]]
	[[ "$output" == *'exit 3' ]]
}

@test "a second signal ends it at once" {
	peer text:a get kill:TERM get kill:TERM wait -- wsframe -w 1h sh -c 'trap "" TERM; cat; sleep 30'
	told 'text a' 'close 1001' 'exit 0'
}

# bats file_tags=alone
@test "SIGTERM while the pipe holds a line of a program that continues: it is sent, Close 1001 at once" {
	peer get kill:STOP await:wrote kill:TERM kill:CONT get:2 kill:TERM wait -- wsframe -w 1h sh -c 'trap "" TERM; echo up
		until grep -q "^State:.T" /proc/$PPID/status; do sleep 0.05; done
		echo a; : >wrote; sleep 30; sleep 30'
	told 'text up' 'text a' 'close 1001' 'exit 0'
}

@test "the program starts with SIGPIPE at default, SIGALRM as inherited and no signal blocked" {
	# Of the ignored signals only these two bits, 0x1000 and 0x2000.
	peer get:2 close:1000 rest wait -- env --ignore-signal=PIPE --ignore-signal=ALRM wsframe sh -c '
		grep ^SigBlk /proc/self/status; echo $((0x$(sed -n "s/^SigIgn:.//p" /proc/self/status) & 0x3000))'
	told 'text SigBlk:\x090000000000000000' 'text 8192' 'close 1000' end 'exit 0'
}

@test "an inherited alarm(2) ends wsframe, and until then timeouts work" {
	command -v perl >/dev/null || skip 'perl is what sets the alarm here'
	peer get wait -- perl -e 'alarm 3; exec @ARGV' wsframe -k 1600ms cat
	told ping 'signal 14'
}

@test "SIGTERM in the same turn as the program's end has priority: Close 1001, status 0" {
	# The watcher holds the program's stdout open (wsframe sees the program's end first) or not (EOF first).
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

# bats test_tags=alone
@test "when wsframe is killed the program gets SIGTERM" {
	peer text:a get kill:KILL wait -- wsframe sh -c 'trap "touch termed; exit" TERM; read x; echo "$x"; while :; do sleep 0.1; done'
	told 'text a' 'signal 9'
	await_that test -e termed
}
