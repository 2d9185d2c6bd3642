# tcpaccept: run a program for each connection.
load helper

err=server.err out=server.out

# listen KIND... -- CMD...: like serve, but started by handover; $port is the first port.
listen() {
	start server handover "$@"
	await "$out" '^(port|path) '
	port=$(sed -n 's/^port //p' "$out" | head -n 1)
	ready "$@"
}

# The program prints a variable for its client.
call() {
	peer to:"$port" open "$@" rest | sed 1d
}

# with_child PID: it has a child, possibly a zombie.
with_child() {
	children "$1" >/dev/null
}

childless() {
	! with_child "$1"
}

@test "the connection is on fds 0 and 1 of the program, which gets its arguments unchanged, including options" {
	serve tcpaccept cat
	prints "a line" call "send:a line\n" line fin
	serve tcpaccept printf '%s|' -v --max 'two words' ''
	prints '-v|--max|two words||' call
	serve tcpaccept sh -c 'echo "you are $TCPREMOTEIP"'
	prints "you are 127.0.0.1" call
	serve tcpaccept -v -c 100 -C 4 timeout 1h cat
	prints hello call 'send:hello\n' fin
}

@test "every listening socket is served, IPv4, IPv6 and UNIX, with TCP_NODELAY and SO_KEEPALIVE; -v writes IPv6 addresses in brackets" {
	local tcp='nodelay 1 keepalive 1 nonblock 0'
	listen tcp tcp6 unix:"$PWD/sock" tcp -- tcpaccept -v sh -c 'echo "$PROTO $TCPREMOTEIP"; exec sockstate'
	await "$out" ^path
	mapfile -t ports < <(sed -n 's/^port //p' "$out")
	prints "open 1
TCP 127.0.0.1
$tcp
then
open 1
IPC 
nodelay -1 keepalive 0 nonblock 0" peer to:"${ports[0]}" open rest close say:then to:"$PWD/sock" open rest
	run -0 peer to:"${ports[1]}" to:::1 open rest
	[ "${lines[1]} ${lines[2]}" = "TCP ::1 $tcp" ]
	run -0 peer to:"${ports[2]}" open rest
	[ "${lines[1]}" = "TCP 127.0.0.1" ]
	await "$err" '^Connected by \[::1\]:[0-9]+ \(pid'
	await "$err" '^Connected by unix \(pid'
	await "$err" '^unix disconnected'
}

@test "the environment describes the connection" {
	serve tcpaccept env
	run -0 peer to:"$port" from:127.0.0.5 open rest
	remote=$(sed -n 's/^TCPREMOTEPORT=//p' <<<"$output")
	((remote > 0))
	same <(grep -E '^(PROTO|PORT|TCP.*|REMOTE_.*)=' <<<"$output" | sort) "PORT=$port" PROTO=TCP REMOTE_ADDR=127.0.0.5 \
		"REMOTE_PORT=$remote" TCPCONNNUM=1 TCPLOCALIP=127.0.0.1 "TCPLOCALPORT=$port" TCPREMOTEIP=127.0.0.5 "TCPREMOTEPORT=$remote"
}

@test "variables of another connection are replaced or removed, never duplicated" {
	export PROTO=SSL TCPLOCALIP=9.9.9.9 TCPLOCALPORT=9 TCPLOCALHOST=evil TCPREMOTEIP=9.9.9.9 TCPREMOTEPORT=9 \
		TCPREMOTEHOST=evil TCPREMOTEINFO=evil TCPCONNNUM=99 REMOTE_ADDR=9.9.9.9 REMOTE_PORT=9 \
		REMOTE_HOST=evil WEBSOCKET_PROTOCOL=evil WEBSOCKET_EXTENSIONS=evil TCPLOCALIPX=kept PROT=kept
	listen tcp unix:"$PWD/sock" -- tcpaccept env
	run -0 call
	[ "$(grep -cE '^(PROTO|TCP(LOCAL|REMOTE)(IP|PORT|HOST|INFO)|TCPCONNNUM|REMOTE_(ADDR|PORT|HOST))=' <<<"$output")" = 8 ]
	! grep -E '^(PROTO|TCP|REMOTE_|WEBSOCKET_).*=(9\.9\.9\.9|9|99|evil|SSL)$' <<<"$output" || false
	[ "$(grep -c '=kept$' <<<"$output")" = 2 ]
	run -0 peer to:"$PWD/sock" open rest
	[ "$(grep -E '^(PROTO|TCP(LOCAL|REMOTE)(IP|PORT|HOST|INFO)|TCPCONNNUM|REMOTE_(ADDR|PORT|HOST))=' <<<"$output")" = PROTO=IPC ]
}

@test "LISTEN_*, NOTIFY_SOCKET and WATCHDOG_* do not reach the program" {
	export NOTIFY_SOCKET=/nowhere/at/all WATCHDOG_PID=1 WATCHDOG_USEC=1 LISTEN_FDNAMES=web LISTEN_PIDFDID=1
	listen tcp -- tcpaccept env
	run -0 call
	[ -n "$output" ]
	! grep -E '^(LISTEN_|NOTIFY_|WATCHDOG_)' <<<"$output" || false
}

@test "TCPLOCALIP is the address of the connection, not of the listener, and an IPv4-mapped one is written as IPv4" {
	listen any -- tcpaccept sh -c 'echo "$TCPLOCALIP"'
	prints 127.0.0.1 call to:127.0.0.1
	run -0 peer to:"$port" to:127.0.0.7 open rest
	[ "${lines[1]}" = 127.0.0.7 ]
	listen dual -- tcpaccept -v sh -c 'echo "$TCPLOCALIP $TCPREMOTEIP $REMOTE_ADDR"'
	prints "127.0.0.1 127.0.0.1 127.0.0.1" call
	await "$err" '^Connected by 127.0.0.1:'
}

@test "TCPCONNNUM counts the connections of the address" {
	serve tcpaccept sh -c 'echo $TCPCONNNUM; cat'
	run -0 peer to:"$port" open last line open last line open last line \
		from:127.0.0.2 open last line open last line
	[ "${lines[*]}" = "open 1 1 open 2 2 open 3 3 open 4 1 open 5 2" ]
	await_that childless "$pid"
	prints 1 call last line close
}

@test "a program gets only fds 0, 1 and 2, whatever else is open, and stays in the process group of tcpaccept" {
	exec 50</etc/passwd 51>/dev/null
	serve tcpaccept ls /proc/self/fd
	exec 50<&- 51>&-
	peer to:"$port" open:3 hold >/dev/null 3>&- &
	pids+=("$!")
	run -0 call
	# The fourth descriptor is the directory that ls reads.
	[ "${lines[*]}" = "0 1 2 3" ]
	serve tcpaccept sh -c 'cut -d" " -f5 /proc/$$/stat'
	prints "$(cut -d' ' -f5 "/proc/$pid/stat")" call
}

@test "if the program is removed, connections are closed and logged until it is back" {
	shell_script "$PWD/prog" 'echo hello'
	serve tcpaccept "$PWD/prog"
	prints hello call
	mv "$PWD/prog" away
	for _ in 1 2 3; do
		prints "" call
	done
	same "$err" "Bound to $port" "tcpaccept: $PWD/prog: No such file or directory (connection closed)"
	mv away "$PWD/prog"
	prints hello call
	await_that childless "$pid"
}

@test "while a program is being started, other clients are served; at the end it gets the signals" {
	[ -x /usr/bin/python3 ] || skip "needs /usr/bin/python3"
	cp "$(type -P sleep)" prog
	serve tcpaccept -v -t 0 "$PWD/prog" 1000
	# A lease delays its execve() until the file `go` exists.
	start lease /usr/bin/python3 -c '
import fcntl, os, signal, time
signal.signal(signal.SIGIO, lambda *_: print("executed", flush=True))
fcntl.fcntl(os.open("prog", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("leased", flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)'
	await lease.out leased
	start client peer to:"$port" open hold
	await lease.out executed
	shell_script "$PWD/quick" 'echo quick'
	mv quick prog
	for _ in 1 2 3 4 5; do
		prints quick call
	done
	await_that eval '[ "$(grep -c disconnected "$err")" = 5 ]'
	[ "$(grep -c ^Connected "$err")" = 5 ]
	kill "$server"
	await_that eval '[ "$(ls -l "/proc/$server/fd" | grep -c socket:)" = 1 ]'
	: >go
	ended "$server" 0
	[ "$(grep -c 'disconnected (signal 15,' "$err")" = 1 ]
}

@test "-v logs connections and their ends, with pid, count, status and time" {
	serve tcpaccept -v -c 7 sh -c 'read -r n; case $n in k*) kill -9 $$ ;; esac; exit "$n"'
	peer to:"$port" open:2 hold >/dev/null 3>&- &
	pids+=("$!")
	await "$err" ', 2 of 7\)$'
	run -0 call 'send:3\n'
	run -0 call 'send:k\n'
	await_that grep -q 'signal 9' "$err"
	tail -n +4 "$err" >ended
	mapfile -t lines <ended
	[ "${#lines[@]}" = 4 ]
	[[ ${lines[0]} =~ ^"Connected by 127.0.0.1:"([0-9]+)" (pid "[0-9]+", 3 of 7)"$ ]]
	[[ ${lines[1]} =~ ^"127.0.0.1:${BASH_REMATCH[1]} disconnected (exit 3, "[0-9]+\.[0-9]{3}" s)"$ ]]
	[[ ${lines[2]} =~ ^"Connected by 127.0.0.1:"([0-9]+)" (pid "[0-9]+", 3 of 7)"$ ]]
	[[ ${lines[3]} =~ ^"127.0.0.1:${BASH_REMATCH[1]} disconnected (signal 9, "[0-9]+\.[0-9]{3}" s)"$ ]]
}

@test "-c: five clients of a service for two are all served, in order; a wait causes no spinning" {
	serve tcpaccept -v -c 2 sh -c 'read -r line; echo "$line"'
	prints "$(printf 'open 5\nhello\nhello\nhello\nhello\nhello')" peer to:"$port" open:5 'send:hello\n' rest
	! grep -q ' [3-9] of 2' "$err" || false
	[ "$(grep -c ' of 2)$' "$err")" = 5 ]
	serve tcpaccept -v -c 1 sh -c 'echo welcome; read -r line'
	start callers peer to:"$port" open:2 hold
	await "$err" ', 1 of 1\)'
	rests "$server"
	[ "$(grep -c ^Connected "$err")" = 1 ]
}

@test "a wait because of -c is logged without -v, at most once a second" {
	serve tcpaccept -c 1 sh -c 'read -r line'
	SECONDS=0
	peer to:"$port" open 'send:\n' rest
	[ "$(cat "$err")" = "Bound to $port" ]
	run -0 peer to:"$port" open:50 'send:\n' rest
	local most=$((SECONDS + 1)) said
	said=$(grep -cx 'tcpaccept: 1 of 1 connections: the next one waits (--max)' "$err")
	((said >= 1 && said <= most))
	# Also for a client that connects within that second and then waits for a long time.
	start first peer to:"$port" open hold
	await_that with_child "$server"
	start second peer to:"$port" open hold
	await_that eval '(($(grep -c "the next one waits" "$err") > said))'
}

@test "a connection over -C is closed, other addresses are served" {
	serve tcpaccept -v -C 2 sh -c 'echo welcome; read -r line'
	run -0 peer to:"$port" open:2 line open last rest close from:127.0.0.2 open last line
	[ "${lines[*]}" = "open 2 welcome welcome open 3 open 3 welcome" ]
	await "$err" '^tcpaccept: 127\.0\.0\.1:[0-9]+: connection closed: its address has 2 connections \(--max-per-address\)$'
	await_that childless "$pid"
	prints welcome call last line close
}

@test "a close because of -C is logged without -v, at most once a second; UNIX connections are not counted" {
	serve tcpaccept -C 1 sh -c 'echo welcome; read -r line'
	SECONDS=0
	run -0 peer to:"$port" open:50 line
	[ "$(grep -c end <<<"$output")" = 49 ]
	local most=$((SECONDS + 1)) said
	said=$(grep -cE '^tcpaccept: 127\.0\.0\.1:[0-9]+: connection closed: its address has 1 connections \(--max-per-address\)$' "$err")
	((said >= 1 && said <= most))
	listen unix:"$PWD/sock" -- tcpaccept -C 1 sh -c 'echo welcome; read -r line'
	run -0 peer to:"$PWD/sock" open:3 line
	[ "${lines[*]}" = "open 3 welcome welcome welcome" ]
}

@test "600 short connections leave no zombie and no descriptor, the count is right, and no end of a child is missed" {
	# On a port that no concurrent test scans.
	listen tcp -- tcpaccept -v -c 50 true
	# Not from the start, when it may still have to open its own descriptors.
	call
	await_that childless "$pid"
	await "$err" disconnected
	fds=$(ls "/proc/$pid/fd" | wc -l)
	# No more at once than fit into a backlog of 128.
	for _ in {1..6}; do
		peer to:"$port" open:100 rest
	done
	await_that childless "$pid"
	[ "$(ls "/proc/$pid/fd" | wc -l)" = "$fds" ]
	# A child ends shortly before its end is logged.
	await_that eval '[ "$(grep -c disconnected "$err")" = 601 ]'
	: >"$err"
	run -0 call
	await "$err" '1 of 50\)'
	# If the end of a child were missed, the next connection would wait without a limit.
	listen tcp -- tcpaccept -c 1 true
	for _ in {1..3}; do
		timeout 60 peer to:"$port" open:100 rest
	done
	await_that childless "$pid"
}

@test "a hundred silent connections use almost no memory of its own" {
	not_sanitized
	listen tcp -- tcpaccept -t 0 sleep 1000
	start first peer to:"$port" open hold
	await_that with_child "$server"
	before=$(memory "$server")
	start crowd peer to:"$port" open:100 hold
	await_that eval '[ "$(children "$server" | wc -l)" = 101 ]'
	after=$(memory "$server")
	echo "$before kB, with 100 more $after kB"
	((after - before <= 64))
}

@test "a grandchild that keeps the connection does not count for -c" {
	serve tcpaccept -c 1 sh -c 'echo $$; cat <&0 & exit'
	run -0 peer to:"$port" open last line open last line
	[ "${#lines[@]}" = 4 ]
}

@test "SIGTERM refuses new connections at once, lets current ones finish, and ends with 0" {
	serve tcpaccept sh -c 'read -r line; echo "$line"'
	start client peer to:"$port" open await:go 'send:bye\n' rest
	await_that with_child "$server"
	kill "$server"
	await_that no_listener
	! gone "$server" || false
	touch go
	ended "$client"
	same client.out "open 1" bye
	ended "$server" 0
}

# backlogged ARG...: tcpaccept -c 1 ARG... serves one client, three more are in its backlog.
backlogged() {
	listen "${kind:-tcp}" -- tcpaccept -c 1 "$@"
	start client peer to:"${port:-0}" ${kind:+to:"${kind#unix:}"} open:4 await:go 'send:hello\n' rest
	await client.out 'open 4'
	await_that with_child "$server"
}

@test "SIGTERM: clients in the backlog are served, over TCP and UNIX" {
	local kind
	for kind in '' "unix:$PWD/sock"; do
		rm -f go
		backlogged sh -c 'read -r line; echo "$line"'
		kill "$server"
		await_that eval '[ "$(find "/proc/$server/fd" -lname "socket:*" | wc -l)" = 3 ]'
		touch go
		ended "$client"
		same client.out 'open 4' hello hello hello hello
		ended "$server" 0
		! grep backlog "$err" || false
	done
}

@test "SIGTERM: -C and the limit of descriptors apply to the backlog too, and connections that are not served are logged" {
	backlogged -t 1ms sh -c 'read -r line; echo "$line"'
	stopped
	grep -qx 'tcpaccept: backlog: 3 connections not served' "$err"
	backlogged sh -c 'read -r line; echo "$line"'
	# Only two more descriptors for the three waiting connections.
	local limit free=0
	for ((limit = 0; free < 2; limit++)); do [ -L "/proc/$server/fd/$limit" ] || free=$((free + 1)); done
	prlimit --pid "$server" --nofile="$limit:1024"
	kill "$server"
	await "$err" '^tcpaccept: backlog: 1 connections not served$'
	touch go
	ended "$client"
	[ "$(grep -c hello client.out)" = 3 ]
	ended "$server" 0
	rm go
	listen tcp -- tcpaccept -C 1 sh -c 'read -r line; echo "$line"; read -r line'
	kill -STOP "$server"
	start client peer to:"$port" open:2 'send:hello\n' await:go fin rest
	await client.out 'open 2'
	kill "$server"
	kill -CONT "$server"
	await "$err" ': connection closed: its address has 1 connections'
	: >go
	ended "$client"
	[ "$(grep -c hello client.out)" = 1 ]
	ended "$server" 0
}

@test "-n 1: one connection is served without a time limit, and its exit status is passed on" {
	local status_of
	for status_of in 'exit 7=7' 'kill -9 $$=137' 'exit 0=0'; do
		serve tcpaccept -n 1 -t 1ms sh -c "echo begun; read -r line; ${status_of%=*}"
		start client peer to:"$port" open line await:go 'send:\n' rest
		await client.out begun
		await_that no_listener
		! gone "$server" || false
		touch go
		ended "$server"
		[ "$status" = "${status_of#*=}" ]
		rm go
	done
	cp /bin/true "$PWD/prog"
	serve tcpaccept -n 1 "$PWD/prog"
	rm "$PWD/prog"
	peer to:"$port" open rest
	ended "$pid" 127
}

@test "-n: N connections are served, not counting those closed by -C, also from the backlog at SIGTERM" {
	listen tcp tcp -- tcpaccept -n 3 -C 2 sh -c 'echo begun; read -r line; exit 5'
	mapfile -t ports < <(sed -n 's/^port //p' "$out")
	start client peer to:"${ports[0]}" open:3 line hold
	await client.out end
	peer to:"${ports[1]}" from:127.0.0.2 open line
	await_that no_listener "${ports[0]}"
	await_that no_listener "${ports[1]}"
	kill "${pids[-1]}"
	ended "$server" 0
	serve tcpaccept -n 2 -t 1ms sh -c 'echo begun; read -r line'
	start client peer to:"$port" open line hold
	await client.out begun
	kill "${pids[-2]}"
	ended "${pids[-2]}" 0
	listen tcp -- tcpaccept -n 2 echo hello
	kill -STOP "$server"
	start client peer to:"$port" open:4 rest
	await client.out 'open 4'
	kill "$server"
	kill -CONT "$server"
	ended "$client"
	[ "$(grep -c hello client.out)" = 2 ]
	ended "$server" 0
}

@test "SIGINT ends it like SIGTERM; after -t the remaining programs get SIGTERM, and SIGKILL 3 s later" {
	serve tcpaccept cat
	# Until it serves it ignores SIGINT, like every process that bash starts in the background.
	peer to:"$port" open fin rest
	kill -INT "$pid"
	ended "$pid" 0
	serve tcpaccept -v -t 1ms sh -c 'trap "echo told; exit 5" TERM; echo here; while :; do read -r line; done'
	start client peer to:"$port" open line rest
	await client.out here
	stopped
	await "$err" 'disconnected \((exit 5|signal 15),'
	serve tcpaccept -v -t 500ms sh -c 'trap "" TERM; echo here; while read -r line; do :; done'
	start client peer to:"$port" open line hold
	await client.out here
	from=${EPOCHREALTIME/./}
	stopped
	(((${EPOCHREALTIME/./} - from) / 1000 >= 3490))
	grep -q 'disconnected (signal 9,' "$err"
}

@test "a second signal ends the drain at once, a third one kills" {
	serve tcpaccept -v -t 1h sh -c 'trap "echo told" TERM; echo here; while :; do read -r line; done'
	start client peer to:"$port" open line line hold
	await client.out here
	kill "$server"
	await_that no_listener
	kill -HUP "$server"
	await client.out told
	stopped
	grep -q 'disconnected (signal 9,' "$err"
}

@test "ended children are reaped while connections arrive all the time" {
	serve tcpaccept -v true
	kill -STOP "$pid"
	start flood peer to:"$port" open:100 rest
	await flood.out '^open 100'
	kill -CONT "$server"
	ended "$flood"
	[ "$(grep -c ^Connected "$err")" = 100 ]
	! grep -q ', 100 of 1024)' "$err" || false
}

@test "log lines that are not read do not end the service" {
	mkfifo log
	exec 9<>log
	start server sh -c 'exec "$@" 2>&9' _ handover tcp -- tcpaccept -v true
	await "$out" ^port
	port=$(sed -n 's/^port //p' "$out")
	for _ in {1..15}; do
		peer to:"$port" open:100 rest
	done
	await_that childless "$pid"
	[ "$(timeout 20 head -c 60000 <&9 | wc -c)" = 60000 ]
	exec 9>&-
}
