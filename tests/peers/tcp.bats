# tcpaccept and tcpecho with other programs: those that start them, clients, and errors injected by strace.
load ../helper

err=server.err

# greeted: a new connection to $port receives hello.
greeted() {
	[ "$(timeout 20 portscan-connect -q -p "$port" </dev/null)" = hello ]
}

# serve_injected CALL:WHAT CMD...: a server with errors injected into one of its system calls.
serve_injected() {
	start server strace -f -qq -o calls -e "trace=${1%%:*}" -e "inject=$1" portscan-bind -p 9000-9998 "${@:2}"
	bound
}

# strace does not forward signals: end the traced process, then strace ends.
stop_injected() {
	children "$pid" | xargs -r kill || true
	wait "$pid" || :
	pids=()
}

listens() {
	(exec 8<>"/dev/tcp/127.0.0.1/$port")
}

# echoes TEXT: a new connection to $port gets TEXT back.
echoes() {
	[ "$(printf %s "$1" | timeout 20 portscan-connect -q -p "$port")" = "$1" ]
}

@test "systemd-socket-activate passes TCP and UNIX sockets, with --inetd the listening socket or each connection on fd 0" {
	need systemd-socket-activate
	port=$(free_port)
	start server systemd-socket-activate -l "127.0.0.1:$port" -l "$PWD/sock" tcpaccept sh -c 'echo "$PROTO $TCPREMOTEIP"'
	await "$err" '^Listening on'
	await "$err" '/sock'
	[ "$(portscan-connect -q -p "$port" </dev/null)" = "TCP 127.0.0.1" ]
	run -0 peer to:"$PWD/sock" open rest
	[ "${lines[1]}" = "IPC " ]
	port=$(free_port)
	start server systemd-socket-activate --inetd -l "127.0.0.1:$port" tcpaccept echo hello
	await "$err" '^Listening on'
	greeted
	greeted
	for how in '' '--inetd -a'; do
		port=$(free_port)
		start server systemd-socket-activate $how -l "127.0.0.1:$port" "$BIN/tcpecho" -v
		await server.err 'Listening on'
		echoes one
		echoes two
		await_that eval '[ "$(grep -c " disconnected$" server.err)" = 2 ]'
		grep -q '^Connected by 127\.0\.0\.1:' server.err
	done
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

@test "tcpclient, nc, ncat, socat, curl and bash connect, nc with a file in both directions" {
	serve tcpecho
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	for word in one two three; do
		echo "$word" >&8
		read -r -t 20 answer <&8
		[ "$answer" = "$word" ]
	done
	exec 8>&-
	need nc
	head -c 3000000 /dev/urandom >in
	timeout 60 nc -N 127.0.0.1 "$port" <in >out
	cmp in out
	need tcpclient ncat socat curl
	serve tcpaccept sh -c 'read -r line; echo "hello $line"'
	[ "$(tcpclient -RHl0 127.0.0.1 "$port" sh -c 'echo tcpclient >&7; cat <&6')" = "hello tcpclient" ]
	[ "$(echo nc | nc -N 127.0.0.1 "$port")" = "hello nc" ]
	[ "$(echo ncat | ncat 127.0.0.1 "$port")" = "hello ncat" ]
	[ "$(echo socat | socat - "TCP:127.0.0.1:$port")" = "hello socat" ]
	[ "$(echo curl | curl -s "telnet://127.0.0.1:$port")" = "hello curl" ]
}

@test "a program of tcpserver finds the same variables, and tcpecho is one" {
	need tcpserver
	program='env | sort | grep -E "^(PROTO|TCP(LOCAL|REMOTE)IP)=" >$0; cat'
	serve tcpaccept sh -c "$program" "$PWD/ours"
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	start theirs tcpserver -RHl0 127.0.0.1 0 sh -c "$program" "$PWD/theirs"
	await_that listening "$pid"
	[ "$(echo hello | portscan-connect -q -p "$(listening "$pid")")" = hello ]
	diff ours theirs
	start theirs tcpserver -RHl0 127.0.0.1 0 tcpecho -v
	await_that listening "$pid"
	port=$(listening "$pid")
	echoes ucspi
	await theirs.err '^Connected by 127\.0\.0\.1:'
}

# listening PID: the port on which it listens.
listening() {
	ss -Hltnp | grep "pid=$1," | sed 's/.*127.0.0.1:\([0-9]*\) .*/\1/' | grep .
}

@test "errors in accept: those of a connection cost at most that one, a shortage is logged and waited out" {
	need_strace
	local error command word said
	for error in ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH EINTR EAGAIN \
		EPERM EMFILE ENFILE ENOBUFS ENOMEM; do
		case $error in EPERM | EMFILE | ENFILE | ENOBUFS | ENOMEM) said=1 ;; *) said=0 ;; esac
		# Both use accept_next().
		[[ $error == E[CM]* ]] && command='tcpaccept cat' || command=tcpecho
		# shellcheck disable=SC2086
		serve_injected "accept4:error=$error:when=1+2" $command
		for word in one two three; do echoes "$word"; done
		stop_injected
		grep -q INJECTED calls
		[ "$(grep -c '^[a-z]*: accept: ' server.err)" = $said ]
		[ "$(grep -vc ': sandbox: ' server.err)" = $((1 + said)) ]
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
	# The calls for the third connection, from accept to exec, without the waits of the other threads.
	awk '/accept4\(.*\) = [0-9]+$/ { n++ } n == 3 { print } n == 3 && /execve\(/ { exit }' calls |
		sed 's/^[0-9]* *//; s/(.*//' | grep -vE '^<|futex|ppoll' >names
	same names accept4 getsockname vfork dup2 dup2 \
		rt_sigaction rt_sigaction rt_sigaction rt_sigaction rt_sigaction rt_sigprocmask execve
}

@test "urgent data causes no spinning" {
	need /usr/bin/python3
	serve tcpecho
	run -0 /usr/bin/python3 - "$port" "$pid" <<-'PY'
		import socket, sys, time

		def ticks():
		    return sum(map(int, open(f"/proc/{sys.argv[2]}/stat").read().rsplit(")")[1].split()[11:13]))

		peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		peer.send(b"!", socket.MSG_OOB)
		before = ticks()
		time.sleep(1)
		assert ticks() - before <= 5
		peer.sendall(b"abc")
		peer.shutdown(socket.SHUT_WR)
		assert b"".join(iter(lambda: peer.recv(99), b"")) == b"abc"
	PY
}

@test "inetd, nowait and wait: servers work, and no log line or line of a program on stderr reaches the client" {
	need inetd
	local wait name words left
	shell_script app 'while read -r line; do echo "heard $line" >&2; echo "* text $line"; done'
	while read -r wait name words; do
		port=$(free_port)
		echo "127.0.0.1:$port stream tcp $wait $(id -un) $BIN/$name $name $words" >inetd.conf
		start inetd inetd -i "$PWD/inetd.conf"
		await_that listens
		if [ "$name" = tcpecho ]; then
			echoes one
			echoes two
		else
			run -0 portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -m 1 <<<hello
			[[ $output == *" open 127.0.0.1 "* || $output == '* text hello' ]]
		fi
		# A server that inetd has started for `wait' continues after its end.
		left=$(children "$pid" "$name") || :
		stop_all
		[ -z "$left" ] || { kill "$left"; await_that gone "$left"; }
	done <<-END
		nowait tcpecho -v
		wait tcpecho -v
		wait wshub -v $PWD/app
		wait wsserve -v $PWD/app
	END
}
