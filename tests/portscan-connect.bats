# shellcheck disable=SC2016,SC2030,SC2031,SC2046,SC2059,SC2154
load helper

# A server that performs STEP...; its port is in $port, its output in NAME.out.
# scripted NAME STEP...
scripted() {
	start "$1" portscan-bind -p 0 peer -v "${@:2}"
	await "$1.err" '^Bound to '
	port=$(sed -n 's/^Bound to //p' "$1.err")
}

# relay [OPTION...]: starts the relay to $port between the files `in`, `out` and `err`. Sets $relay.
relay() {
	portscan-connect -q -p "$port" "$@" <in >out 2>err 3>&- 8>&- 9>&- &
	relay=$!
	pids+=("$relay")
}

# Runs a script in a network namespace, with these lines as /etc/hosts.
# netns_run HOSTS SCRIPT
netns_run() {
	printf '%s\n' "$1" >hosts
	run --separate-stderr netns 40000-40001 hosts bash -c "$2"
	[ "$status" != 77 ] || skip "a network namespace is not to be had here: $stderr"
}

# Ports without a listening socket.
closed=2-4

# the scan

@test "it connects to the first port of the list that accepts, and reports it; -v reports each refusal" {
	scripted server accept rest accept rest
	run -0 --separate-stderr portscan-connect -p "$closed,$port" </dev/null
	[ "$output$stderr" = "Bound to $port" ]
	run -0 --separate-stderr portscan-connect -v -p "4,2-3,$port" </dev/null
	same <(grep -v ': sandbox: ' <<<"$stderr") "portscan-connect: 127.0.0.1:"{4,2,3}": Connection refused" "Bound to $port"
}

@test "a port that does not answer is abandoned after -t; -T limits the whole scan" {
	scripted full fill hold
	await full.out '^holding'
	full=$port
	scripted server accept send:hello
	run -0 --separate-stderr portscan-connect -v -t 50ms -p "$full,$port" </dev/null
	[ "$output" = hello ]
	[[ "${stderr_lines[0]}" == "portscan-connect: 127.0.0.1:$full: "*" timed out" ]]
	run -1 --separate-stderr portscan-connect -t 60s -T 50ms -p "$full,$closed" </dev/null
	[ "$stderr" = "portscan-connect: 127.0.0.1: no open port in $full,$closed: timed out at port $full" ]
}

@test "--wait retries until a port accepts, without messages" {
	port=$(free_port)
	start client portscan-connect -v --wait 20 -p "$closed,$port"
	await_that eval '(($(grep -c refused client.err) >= 12))'
	start server portscan-bind -p "$port" peer -v accept send:hello
	ended "$client" 0
	[ "$(cat client.out)" = hello ]
	run -1 --separate-stderr portscan-connect --wait 300ms -p "$closed" </dev/null
	[ "$stderr" = "portscan-connect: 127.0.0.1: no open port in 2-4: Connection refused" ]
	# 0, 10, 30, 70, 150 and 300 ms
	run -1 --separate-stderr portscan-connect -v --wait 300ms -p 2 </dev/null
	(($(grep -c '127.0.0.1:2: Connection refused' <<<"$stderr") <= 6))
}

@test "--wait waits for a port that does not answer, and for a name" {
	scripted full fill await:go unlisten
	await full.out '^full'
	start client portscan-connect -v -t 50ms --wait 20 -p "$port"
	await client.err 'timed out'
	: >go
	await client.err 'refused'
	start server portscan-bind -p "$port" peer -v accept send:hello
	ended "$client"
	[ "$status $(cat client.out)" = "0 hello" ]
	netns_run '127.0.0.1 localhost' '
		portscan-bind -p 9000 peer -v accept send:hello 2>bound >/dev/null &
		portscan-connect -q --wait 20 -a late.test -p 9000 & client=$!
		await bound Bound
		until awk "/^voluntary/ { exit \$2 < 5 }" /proc/$client/status || ! kill -0 $client; do sleep 0.01; done
		echo "127.0.0.1 late.test" >>hosts
		wait $client; echo " $?"'
	[ "$output" = "hello 0" ]
}

@test "--wait fails at once if waiting cannot help" {
	run -1 --separate-stderr timeout 60 portscan-connect --wait 1h -a fe80::1 -p 9000 </dev/null
	[[ "$stderr" == "portscan-connect: fe80::1: no open port in 9000: Invalid argument" ]]
	run -1 --separate-stderr timeout 60 portscan-connect --wait 1h -6 -a 127.0.0.1 -p 9000 </dev/null
}

@test "every address of a name is tried before the next port, and -4 and -6 select" {
	netns_run $'127.0.0.1 here.test\n::1 here.test' '
		portscan-bind -a ::1 -p 9000 peer -v accept send:six accept send:six >/dev/null 2>err &
		await err Bound
		portscan-connect -a here.test -p 9000 </dev/null; echo " $?"
		portscan-connect -6 -q -a here.test -p 9000 </dev/null; echo " $?"
		portscan-connect -4 -a here.test -p 9000 </dev/null; echo " $?"'
	[ "${lines[0]}" = "six 0" ]
	[ "${lines[1]}" = "six 0" ]
	[ "${lines[2]}" = " 1" ]
	[ "${stderr_lines[0]}" = "Bound to 9000" ]
	[ "${stderr_lines[1]}" = "portscan-connect: here.test: no open port in 9000: Connection refused" ]
	netns_run $'127.0.0.1 here.test\n::1 here.test' '
		portscan-connect -v -a here.test -p 9000-9001 </dev/null; echo "$?"'
	[ "$output" = 1 ]
	[ "$(sed -n 's/^portscan-connect: \(.*\): Connection refused$/\1/p' <<<"$stderr" | sort | head -n 2 | wc -l)" = 2 ]
	[[ "${stderr_lines[0]}" == *":9000: "* && "${stderr_lines[1]}" == *":9000: "* ]]
	[[ "${stderr_lines[2]}" == *":9001: "* && "${stderr_lines[3]}" == *":9001: "* ]]
}

@test "an invalid name or address is status 1, whatever bytes it contains" {
	for host in no.such.host.invalid 1.2.3.4.5 $'\e[31m\n' $'\xff' "$(head -c 100000 /dev/zero | tr '\0' a)"; do
		run -1 --separate-stderr portscan-connect -a "$host" </dev/null
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == "portscan-connect: "*": "* ]]
		[ "$(LC_ALL=C tr -d '[:print:]' <<<"$stderr" | wc -c)" = 0 ] || [ "$(LC_ALL=C tr -d '[:print:]\n' <<<"$stderr" | wc -c)" = 0 ]
		[ "${#stderr}" -lt 1200 ]
	done
	run -1 --separate-stderr portscan-connect -6 -a 127.0.0.1 </dev/null
}

@test "a port of the ephemeral range does not connect to itself, and a range of closed ports ends at 65535" {
	netns_run '127.0.0.1 localhost' '
		for i in 1 2 3; do portscan-connect -p 40000 </dev/null; echo "$?"; done
		portscan-connect -v -p 65534-65535 </dev/null; echo "$?"'
	[ "$output" = $'1\n1\n1\n1' ]
	[ "${stderr_lines[0]}" = "portscan-connect: 127.0.0.1: no open port in 40000: Connection refused" ]
	[ "${#stderr_lines[@]}" = 6 ]
}

# a program

@test "a program gets the connection on 6 and 7, and the addresses in the environment" {
	scripted server accept send:hello recv
	cat >prog <<-'END'
		IFS= read -r -n 5 -u 6 word
		printf 'got %s' "$word" >&7
		[ /proc/self/fd/6 -ef /proc/self/fd/7 ] && echo same
		env | grep -E '^(PROTO|TCP|WEBSOCKET|REMOTE_|SSL_TLS)' | sort
	END
	TCPREMOTEHOST=old TCPREMOTEINFO=old TCPLOCALHOST=old TCPCONNNUM=9 TCPREMOTEPORT=1 PROTO=old WEBSOCKET_PROTOCOL=old WEBSOCKET_EXTENSIONS=old \
		REMOTE_ADDR=old REMOTE_PORT=1 REMOTE_HOST=old SSL_TLS_SNI_SERVERNAME=old \
		run -0 --separate-stderr portscan-connect -p "$port" bash prog
	await server.out '^recv got hello$'
	[ "${lines[0]}" = same ]
	[ "${lines[1]}" = PROTO=TCP ]
	[ "${lines[2]}" = TCPLOCALIP=127.0.0.1 ]
	[[ "${lines[3]}" =~ ^TCPLOCALPORT=[0-9]+$ ]]
	[ "${lines[4]}" = TCPREMOTEIP=127.0.0.1 ]
	[ "${lines[5]}" = "TCPREMOTEPORT=$port" ]
	[ "${#lines[@]}" = 6 ]
}

@test "a name is in TCPREMOTEHOST, and IPv6 addresses are written as IPv6" {
	netns_run '::1 here.test' '
		portscan-bind -a ::1 -p 9000 peer -v accept rest accept rest >/dev/null 2>err &
		await err Bound
		portscan-connect -q -a here.test -p 9000 sh -c "echo \$TCPREMOTEHOST \$TCPREMOTEIP \$TCPREMOTEPORT \$TCPLOCALIP"
		portscan-connect -q -a ::1 -p 9000 sh -c "echo \${TCPREMOTEHOST-none}"'
	[ "${lines[0]}" = "here.test ::1 9000 ::1" ]
	[ "${lines[1]}" = none ]
}

@test "6 and 7 are the connection, whatever was open there, and other descriptors are kept; too few are reported as such" {
	cat >list <<-'END'
		for fd in {0..260}; do [ ! -e /proc/self/fd/$fd ] || echo "$fd"; done
	END
	# The socket is opened as 6, then as 7, then above both.
	for open in '3</dev/null 4</dev/null 5</dev/null' '3</dev/null 4</dev/null 5</dev/null 6</dev/null' \
		'3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null'; do
		scripted server accept send:hello rest
		bash -c "exec $open; . ./list" >plain
		run --separate-stderr bash -c "exec $open; exec portscan-connect -q -p $port bash -c '
			head -c 5 <&6; echo; readlink /proc/self/fd/3 /proc/self/fd/6 /proc/self/fd/7; . ./list'"
		[ "${lines[0]}" = hello ]
		[ "${lines[1]}" = /dev/null ]
		[[ "${lines[2]}" == socket:* ]]
		[ "${lines[3]}" = "${lines[2]}" ]
		# The inherited descriptors, 6 and 7, and no others.
		same <(printf '%s\n' "${lines[@]:4}") $(sort -n -u plain <(printf '6\n7\n'))
		stop_all
	done
	scripted server accept rest
	for limit in 6 7 8; do
		run -1 --separate-stderr bash -c "exec 3>&- 4>&- 5>&-; ulimit -n $limit; exec portscan-connect -q -p $port true"
		[[ "$stderr" =~ ^"portscan-connect: cannot pass the connection on: "(Too many open files|No file descriptors available)$ ]]
		stop_all
		scripted server accept rest
	done
}

@test "the connection has keepalive and no delay, as on the server's side" {
	scripted server accept rest
	prints "nodelay 1 keepalive 1 nonblock 0" portscan-connect -q -p "$port" "$TOOLS/sockstate" 6
}

# the relay

# late STEP...: a server that sends bye, half-closes and continues with STEP...; later stdin is written to fd 8.
late() {
	scripted server accept send:bye "$@"
	rm -f in out
	mkfifo in out
	relay
	exec 8>in
	# cat ends only when stdout has been closed.
	[ "$(cat out)" = bye ]
}

@test "EOF from the server ends stdout, and stdin is still sent" {
	late fin into:got take:5 rest
	printf 'after' >&8
	await server.out '^took 5$'
	exec 8>&-
	ended "$relay" 0
	await server.out '^rest 0$'
	[ "$(cat got)" = after ]
	[ ! -s err ]
}

@test "a reset after EOF from the server is reported with status 1, however few bytes are lost" {
	for _ in {1..5}; do
		late close
		printf x >&8
		exec 8>&-
		ended "$relay" 1
		same err "portscan-connect: server: Connection reset by peer"
	done
}

@test "bytes unacknowledged a second after EOF from the server are reported with status 1" {
	late fin hold
	head -c 150000 /dev/zero >&8
	exec 8>&-
	SECONDS=0
	ended "$relay" 1
	((SECONDS < 9))
	same err "portscan-connect: server: connection closed before all input was received"
}

@test "bytes that take longer than a second to reach the server after its EOF are awaited" {
	netns_run '127.0.0.1 localhost' '
		ip link set lo mtu 1500 && tc qdisc add dev lo root tbf rate 400kbit burst 5kb latency 9s || exit 77
		portscan-bind -p 9000 peer -v accept fin into:got rest >/dev/null 2>bound &
		await bound Bound
		head -c 120000 /dev/zero | portscan-connect -q -p 9000; echo $?'
	[ "$output" = 0 ]
	await_that eval '[ "$(wc -c <got)" = 120000 ]'
}

@test "the relay ends 10 s after the last acknowledgement of a server that has sent EOF, even if stdin has data" {
	late fin hold
	(yes >&8 || :) 2>/dev/null 3>&- &
	pids+=($!)
	exec 8>&-
	ended "$relay" 1
	same err "portscan-connect: server: connection closed before all input was received"
}

@test "the relay ends after EOF from the server and silence on stdin" {
	scripted server accept send:bye close
	mkfifo in
	exec 8<>in
	run --separate-stderr portscan-connect -q -p "$port" <&8
	exec 8>&-
	[ "$status" = 0 ]
	[ "$output" = bye ]
	[ "$stderr" = "" ]
}

@test "--idle ends the relay with 0 after EOF on stdin and silence, and not before" {
	scripted server accept recv send:answer hold
	mkfifo in
	start client sh -c 'exec "$@" <in' _ portscan-connect -q --idle 50ms -p "$port"
	exec 8>in
	await server.out '^accepted'
	# Longer than that.
	read -rt 0.2 <> <(:) || true
	echo late >&8
	await client.out answer
	exec 8>&-
	ended "$client" 0
	[ ! -s client.err ]
	# Data that the server has not accepted yet does not count as silence.
	stop_all
	rm in
	head -c 16M /dev/zero >in
	scripted server accept await:go rest hold
	relay --idle 50ms
	await_that stalled
	: >go
	ended "$relay" 0
	await server.out '^rest 16777216$'
}

@test "a reset is reported once, with status 1, and the data before it is delivered" {
	scripted server accept send:before await:go reset
	mkfifo in
	exec 8<>in
	relay
	await out before
	: >go
	ended "$relay"
	exec 8>&-
	[ "$status" = 1 ]
	[ "$(cat out)" = before ]
	same err "portscan-connect: server: Connection reset by peer"
	rm in
	head -c 8M /dev/zero >in
	for steps in "take:1000 reset" "send:x take:1000 close"; do
		# shellcheck disable=SC2086
		scripted server accept $steps
		reports 1 "portscan-connect: server: Connection reset by peer" portscan-connect -q -p "$port" <in
		stop_all
	done
}

@test "64 MiB pass through an echo server, although the reader starts late" {
	head -c 64M /dev/urandom >in
	scripted server accept echo
	mkfifo out
	relay
	exec 8<out
	# All buffers fill, because the data is not read yet.
	await_that stalled
	kib=$(memory "$relay")
	cmp in - <&8
	exec 8<&-
	ended "$relay" 0
	[ ! -s err ]
	echo "memory $kib KiB"
	# The memory of a sanitizer cannot be limited.
	grep -q __asan "$BIN/portscan-connect" || [ "$kib" -lt 2048 ]
}

# The relay of the test above has read something and then, for ten checks, nothing.
stalled() {
	local at
	at=$(sed -n 's/^pos:[[:blank:]]*//p' "/proc/$relay/fdinfo/0")
	[ "$at" = "${seen:-}" ] || looks=0
	seen=$at
	[ "$at" -gt 65536 ] && [ $((looks++)) -ge 10 ]
}

@test "a server that reads late or never does not block the data that it sends" {
	head -c 64M /dev/urandom >flood
	head -c 16M /dev/urandom >in
	scripted server accept file:flood into:got rest
	portscan-connect -q -p "$port" <in >out
	cmp flood out
	await server.out '^rest 16777216$'
	cmp in got
	head -c 16M /dev/urandom >flood
	scripted server accept file:flood await:go close
	rm in
	mkfifo in
	(yes >in || :) 2>yes.err 3>&- &
	pids+=($!)
	relay
	await_that cmp flood out
	: >go
	ended "$relay" 1
}

@test "a stdout closed before the first byte or later ends the relay with 1 and no message" {
	head -c 8M /dev/zero >flood
	mkfifo in
	exec 8<>in
	local steps reader
	while IFS='|' read -r steps reader; do
		# shellcheck disable=SC2086
		scripted server accept $steps hold
		run bash -c "portscan-connect -q -p $port <in 2>err | $reader >/dev/null; echo \${PIPESTATUS[0]}"
		[ "$output" = 1 ]
		[ ! -s err ]
	done <<-'END'
		|true
		file:flood|head -c 10
	END
	exec 8>&-
}

@test "a file at its size limit is reported with status 1, and holds the data up to the limit" {
	for mode in -q -l; do
		scripted server accept recv send:"$(printf 'x%.0s' {1..3000})" rest
		run -1 --separate-stderr bash -c "ulimit -f 1; echo hi | portscan-connect $mode -q -p $port >out"
		[[ "$stderr" == "portscan-connect: "*": File too large" ]]
		[ "$(wc -c <out)" = 1024 ]
		stop_all
	done
}

@test "an unreadable stdin is reported with status 1, and the answer is still relayed" {
	for in in '</' '<&-'; do
		scripted server accept rest send:answer
		run -1 --separate-stderr bash -c "portscan-connect -q -p $port $in"
		[ "$output" = answer ]
		[[ "$stderr" == "portscan-connect: stdin: "* ]]
		stop_all
	done
}

@test "closed standard descriptors never become the connection" {
	for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		scripted server accept send:answer into:got rest
		run --separate-stderr bash -c "portscan-connect -p $port $closed"
		if [ "$closed" = '2>&-' ]; then
			[ "$status" = 0 ]
		else
			[ "$status" = 1 ]
		fi
		await server.out '^rest 0'
		[ ! -s got ]
		stop_all
	done
}

@test "borrowed pipes stay blocking" {
	scripted server accept send:hello hold
	mkfifo in out
	exec 8<>in 9<>out
	relay
	read -r -n 5 -u 9 word
	[ "$word" = hello ]
	for fd in 0 1; do
		flags=$(sed -n 's/^flags:[[:blank:]]*//p' "/proc/$relay/fdinfo/$fd")
		[ "$((flags & 04000))" = 0 ]
	done
	exec 8>&- 9>&-
}

@test "a connection on both stdin and stdout is half-closed too" {
	scripted near accept send:question fin into:near.got rest
	near=$port
	scripted far accept into:far.got rest send:answer
	run -0 --separate-stderr portscan-connect -q -p "$near" bash -c "exec portscan-connect -q -p $port <&6 >&7 6>&- 7>&-"
	[ "$(cat far.got)" = question ]
	await near.out '^rest 6$'
	[ "$(cat near.got)" = answer ]
	stop_all
	# The remote side ends first: the local side gets EOF although it has not half-closed.
	scripted near accept into:near.got rest send:late
	near=$port
	scripted far accept send:greeting fin into:far.got rest
	run -0 --separate-stderr portscan-connect -q -p "$near" bash -c "exec portscan-connect -q -p $port <&6 >&7 6>&- 7>&-"
	await far.out '^rest 4$'
	[ "$(cat far.got)" = late ]
}

@test "the relay runs in the sandbox, the program does not" {
	run "$TOOLS/sandbox_probe" nothing
	[ "$status" != 99 ] || skip "built without the sandbox"
	[ -e /proc/sys/kernel/seccomp ] || skip "this kernel has no seccomp filters"
	mkfifo in
	exec 8<>in
	scripted server accept hold
	start confined portscan-connect -q -p "$port" <&8
	await "/proc/$pid/status" '^Seccomp:[[:blank:]]2$'
	grep -q '^NoNewPrivs:[[:blank:]]1$' "/proc/$pid/status"
	exec 8>&-
	scripted server accept rest
	run portscan-connect -q -p "$port" grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
	[ "$output" = "$(grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status)" ]
}

# lockstep

@test "-l sends a line without its newline and prints the reply, one at a time" {
	scripted server accept into:got recv send:'Echo from server' recv send:'Echo from server' rest
	mkfifo in
	relay -l
	exec 8>in
	echo one >&8
	await out '^Received Echo from server from server$'
	await server.out '^recv one$'
	echo 'two, three' >&8
	await server.out '^recv two, three$'
	echo >&8
	ended "$relay"
	exec 8>&-
	[ "$status" = 0 ]
	same out 'Received Echo from server from server' 'Received Echo from server from server'
	[ ! -s err ]
	await server.out '^rest 0$'
	[ "$(cat got)" = "onetwo, three" ]
}

@test "-l ends at EOF of stdin, and sends a last line without newline, of any bytes and of many MiB" {
	scripted server accept recv send:yes recv send:'no\n' rest
	run -0 --separate-stderr portscan-connect --lockstep -q -p "$port" < <(printf 'first\nlast')
	[ "$output" = $'Received yes from server\nReceived no\n from server' ]
	await server.out '^recv last$'
	stop_all
	scripted server accept rest
	prints "" portscan-connect -l -q -p "$port" </dev/null
	printf 'a\0b\xff\r\e[31m\n' >in
	scripted server accept into:got recv send:'\0\xff\x1b' rest
	portscan-connect -l -q -p "$port" <in >out
	await server.out '^rest 0'
	cmp got <(printf 'a\0b\xff\r\e[31m')
	cmp out <(printf 'Received \0\xff\e from server\n')
	head -c 8M /dev/zero | tr '\0' x >line
	scripted server accept into:got take:8388608 send:ok
	prints "Received ok from server" portscan-connect -l -q -p "$port" <line
	cmp line got
}

@test "-l reports a server that closes or resets the connection" {
	for steps in "accept close" "accept recv close" "accept recv reset"; do
		# shellcheck disable=SC2086
		scripted server $steps
		run -1 --separate-stderr portscan-connect -l -q -p "$port" < <(printf 'one\ntwo\n')
		[ "$output" = "server disconnected" ]
		[ "$stderr" = "" ]
		stop_all
	done
}

# the manual's examples, unchanged

# The text of the Nth example.
example() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$BATS_TEST_DIRNAME/../man/portscan-connect.1" \
		| sed -n '/^\.Bd/,/^\.Ed/p' | awk -v n="$1" '/^\.Bd/ { i++; next } /^\.Ed/ { next } i == n' | sed 's/\\e/\\/g'
}

# Runs a script for the Nth example, which is in ./this, with a server (arguments of portscan-bind): it prints OUTPUT, and
# ERROR on stderr if it is given, and exits with 0 or STATUS.
# example_run N SERVER SCRIPT OUTPUT [ERROR [STATUS]]
example_run() {
	example "$1" >this
	[ -s this ]
	# A line of the previous example must not be taken for one of this server.
	rm -f bound
	cat >script <<-END
		portscan-bind -a 127.0.0.1 -a ::1 $2 >/dev/null 2>bound & server=\$!
		await bound ^Bound
		$3
		status=\$?
		kill \$server 2>/dev/null
		exit \$status
	END
	netns_run $'127.0.0.1 localhost\n::1 localhost' '. ./script'
	[ "$status $output" = "${6-0} $4" ]
	[ "$stderr" = "${5-$stderr}" ]
}

@test "the examples of the manual" {
	head -c 1M /dev/urandom >file
	printf 'HTTP/1.0 200 OK\r\n\r\nhello' >page
	example_run 1 '-p 9000 tcpecho' '. ./this' hello "Bound to 9000"
	example_run 2 '-p 9001 tcpecho' '. ./this' $'Received one from server\nReceived two from server'
	example_run 3 '-p 9000 tcpecho' '. ./this' '' ''
	example_run 4 '-p 443,80 tcpecho' '. ./this' 443 '' 1
	example_run 5 "-p 8080 tcpaccept sh -c 'head -c 18 >/dev/null; cat page'" '. ./this' $'HTTP/1.0 200 OK\r\n\r\nhello'
	example_run 6 '-p 9000 tcpecho' '. ./this' ping
	example_run 7 '-p 9002 tcpecho' '. ./this' '' ''
	example_run 8 '-p 9000 tcpecho' 'bash -c "exec $(cat this)" 2>forward & await forward ^Bound
		portscan-connect -q -p 8000 <file | cmp - file && kill $!' ''
	example_run 9 '-p 9000 tcpaccept wsupgrade wsframe cat' 'printf "one\ntwo\n" | bash ./this' $'one\ntwo'
}
