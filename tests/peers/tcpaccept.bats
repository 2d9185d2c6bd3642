# tcpaccept with other programs: those that start it, clients, and errors injected by strace.
load ../helper

err=$BATS_TEST_TMPDIR/server.err

# greeted: a new connection to $port receives hello.
greeted() {
	[ "$(timeout 20 portscan-connect -q -p "$port" </dev/null)" = hello ]
}

# serve_injected CALL:WHAT CMD...: tcpaccept with errors injected into one of its system calls.
serve_injected() {
	local what=$1
	shift
	start server strace -qq -o calls -e "trace=${what%%:*}" -e "inject=$what" portscan-bind -p 9000-9998 tcpaccept "$@"
	bound
}

# strace does not forward signals: end the traced process, then strace ends.
stop_injected() {
	children "$pid" | xargs -r kill || true
	ended "$pid"
	pids=()
}

@test "systemd-socket-activate passes TCP and UNIX sockets" {
	need systemd-socket-activate
	port=$(free_port)
	start server systemd-socket-activate -l "127.0.0.1:$port" -l "$PWD/sock" tcpaccept sh -c 'echo "$PROTO $TCPREMOTEIP"'
	await "$err" '^Listening on'
	await "$err" '/sock'
	[ "$(portscan-connect -q -p "$port" </dev/null)" = "TCP 127.0.0.1" ]
	run -0 peer to:"$PWD/sock" open rest
	[ "${lines[1]}" = "IPC " ]
}

@test "systemd-socket-activate --inetd passes the listening socket on fd 0" {
	need systemd-socket-activate
	port=$(free_port)
	start server systemd-socket-activate --inetd -l "127.0.0.1:$port" tcpaccept echo hello
	await "$err" '^Listening on'
	greeted
	greeted
}

@test "inetd wait passes the listening socket on fd 0, and takes it back" {
	need inetd
	port=$(free_port)
	echo "127.0.0.1:$port stream tcp wait root $BIN/tcpaccept tcpaccept -t 1s /bin/echo hello" >inetd.conf
	start inetd inetd -i "$PWD/inetd.conf"
	await_that greeted
	greeted
	acceptor=$(children "$pid" tcpaccept)
	kill "$acceptor"
	await_that gone "$acceptor"
	await_that greeted
	# Programs that inetd has started continue after its end.
	successor=$(children "$pid" tcpaccept)
	pids+=("$successor")
	[ "$successor" != "$acceptor" ]
}

@test "tcpclient, nc, ncat, socat, curl and bash connect to it" {
	serve tcpaccept sh -c 'read -r line; echo "hello $line"'
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	echo bash >&8
	[ "$(cat <&8)" = "hello bash" ]
	exec 8>&-
	need tcpclient nc ncat socat curl
	[ "$(tcpclient -RHl0 127.0.0.1 "$port" sh -c 'echo tcpclient >&7; cat <&6')" = "hello tcpclient" ]
	[ "$(echo nc | nc -N 127.0.0.1 "$port")" = "hello nc" ]
	[ "$(echo ncat | ncat 127.0.0.1 "$port")" = "hello ncat" ]
	[ "$(echo socat | socat - "TCP:127.0.0.1:$port")" = "hello socat" ]
	[ "$(echo curl | curl -s "telnet://127.0.0.1:$port")" = "hello curl" ]
}

@test "a program of tcpserver finds the same variables" {
	need tcpserver
	program='env | sort | grep -E "^(PROTO|TCP(LOCAL|REMOTE)IP)=" >$0; cat'
	serve tcpaccept sh -c "$program" "$PWD/ours"
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	start theirs tcpserver -RHl0 127.0.0.1 0 sh -c "$program" "$PWD/theirs"
	await_that listening "$pid"
	[ "$(echo hello | portscan-connect -q -p "$(listening "$pid")")" = hello ]
	diff ours theirs
}

# listening PID: the port on which it listens.
listening() {
	ss -Hltnp | grep "pid=$1," | sed 's/.*127.0.0.1:\([0-9]*\) .*/\1/' | grep .
}

@test "errors of the connection that accept returns cost at most that connection" {
	need_strace
	local error
	for error in ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH \
		EAGAIN EINTR; do
		serve_injected "accept4:error=$error:when=1" echo hello
		greeted
		greeted
		grep -q INJECTED calls
		! grep -q tcpaccept "$err" || false
		stop_injected
	done
}

@test "a shortage in accept is logged, and the connection is served later" {
	need_strace
	local error
	for error in EMFILE ENFILE ENOBUFS ENOMEM EPERM; do
		serve_injected "accept4:error=$error:when=1..3" echo hello
		greeted
		greeted
		[ "$(grep -c INJECTED calls)" = 3 ]
		[ "$(grep -c '^tcpaccept: accept: .* (connection waits)$' "$err")" = 1 ]
		stop_injected
	done
}

@test "--exit-idle-time under inetd wait: it is started again on demand" {
	need inetd
	port=$(free_port)
	echo "127.0.0.1:$port stream tcp wait root $BIN/tcpaccept tcpaccept --exit-idle-time 1ms /bin/sh -c echo\${IFS}\$PPID" >inetd.conf
	start inetd inetd -i "$PWD/inetd.conf"
	await_that peer to:"$port" open rest
	first=$(peer to:"$port" open rest | tail -n 1)
	await_that gone "$first"
	second=$(peer to:"$port" open rest | tail -n 1)
	((first > 0 && second > 0 && first != second))
	await_that gone "$second"
}

@test "a connection makes no unnecessary system calls" {
	need_strace
	start server strace -f -qq -o calls portscan-bind -p 9000-9998 tcpaccept "$BIN/tcpecho"
	bound
	for _ in 1 2 3; do
		[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	done
	stop_injected
	# The calls for the third connection: from accept to exec.
	awk '/accept4\(.*\) = [0-9]+$/ { n++ } n == 3 { print } n == 3 && /execve\(/ { exit }' calls |
		sed 's/^[0-9]* *//; s/(.*//' | grep -v '^<' >names
	same names accept4 getsockname vfork dup2 dup2 \
		rt_sigaction rt_sigaction rt_sigaction rt_sigaction rt_sigprocmask execve
}
