# tcpecho beside programs that are not ours: clients, and those that start it.
load ../helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
}

needs() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# Where injection of errors is possible.
needs_strace() {
	needs strace
	strace -o /dev/null true 2>/dev/null || skip "strace is not allowed here"
}

# serve_injected CALL=WHAT: tcpecho with errors injected into a call.
serve_injected() {
	start server strace -f -qq -o /dev/null -e "trace=${1%%:*}" -e "inject=$1" portscan-bind -p 9000-9998 tcpecho
	await server.err '^Bound to '
	port=$(sed -n 's/^Bound to //p' server.err | head -n 1)
}

# strace passes no signal on: what it traces is ended, then it ends.
stop_injected() {
	kill "$(children "$pid")"
	wait "$pid"
	pids=()
}

# free_port: one that nobody has now, in $port; for hosts that bind by themselves.
free_port() {
	port=$(portscan-bind -q -p 9400-9998)
}

listens() {
	(exec 8<>"/dev/tcp/127.0.0.1/$port")
}

# echoes TEXT: a new connection to $port gets it back.
echoes() {
	[ "$(printf %s "$1" | timeout 20 portscan-connect -q -p "$port")" = "$1" ]
}

# A server that takes 999 bytes at a time, splits at commas, and answers each field.
tutorial_server() {
	cat >server.py <<-'PY'
		import socket, threading

		def talk(connection):
		    while True:
		        message = connection.recv(999).decode()
		        if not message:
		            return
		        for field in message.split(","):
		            print("Received", field, flush=True)
		            connection.sendall(b"Echo from server")

		listener = socket.socket()
		listener.bind(("127.0.0.1", 0))
		listener.listen()
		print("Bound to", listener.getsockname()[1], flush=True)
		while True:
		    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
	PY
}

# A client that tries the ports up from its first argument, sends the others, and prints each answer.
tutorial_client() {
	cat >client.py <<-'PY'
		import socket, sys

		for port in range(int(sys.argv[1]), 9999):
		    peer = socket.socket()
		    try:
		        peer.connect(("127.0.0.1", port))
		        break
		    except ConnectionRefusedError:
		        peer.close()
		for message in sys.argv[2:]:
		    peer.sendall(message.encode())
		    print("Received", peer.recv(999).decode(), "from server")
	PY
}

@test "a client as the tutorial has it is answered as by the tutorial's server" {
	needs /usr/bin/python3
	tutorial_client
	start server portscan-bind tcpecho -v -F , -r 'Echo from server'
	await server.err '^Bound to '
	port=$(sed -n 's/^Bound to //p' server.err)
	run -0 --separate-stderr /usr/bin/python3 client.py "$port" a,b,c a, , hello
	one='Echo from server'
	same <(printf '%s\n' "$output") "Received $one$one$one from server" "Received $one$one from server" \
		"Received $one$one from server" "Received $one from server"
	await server.err ' disconnected$'
	same <(sed -n 's/^\(Received .*\) from.*/\1/p' server.err) 'Received a' 'Received b' 'Received c' \
		'Received a' 'Received ' 'Received ' 'Received ' 'Received hello'
}

@test "portscan-connect -l talks to a server as the tutorial has it" {
	needs /usr/bin/python3
	tutorial_server
	start tutorial /usr/bin/python3 server.py
	await tutorial.out '^Bound to'
	port=$(sed -n 's/^Bound to //p' tutorial.out)
	printf 'hello\nx\n\n' >lines
	run -0 --separate-stderr portscan-connect -l -p "$port" <lines
	[ "$stderr" = "Bound to $port" ]
	same <(printf '%s\n' "$output") 'Received Echo from server from server' 'Received Echo from server from server'
	same tutorial.out "Bound to $port" 'Received hello' 'Received x'
}

@test "Python: many connections at once, every byte of each" {
	needs /usr/bin/python3
	serve tcpecho -j 2
	run -0 /usr/bin/python3 - "$port" <<-'PY'
		import os, socket, sys, threading

		failed = []

		def talk():
		    data = os.urandom(300000)
		    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as peer:
		        def send():
		            peer.sendall(data)
		            peer.shutdown(socket.SHUT_WR)
		        threading.Thread(target=send).start()
		        back = b"".join(iter(lambda: peer.recv(65536), b""))
		    if back != data:
		        failed.append(len(back))

		threads = [threading.Thread(target=talk) for _ in range(40)]
		for thread in threads:
		    thread.start()
		for thread in threads:
		    thread.join()
		sys.exit(len(failed))
	PY
}

@test "a UNIX socket is served" {
	needs /usr/bin/python3
	cat >unix.py <<-'PY'
		import os, socket, sys

		listener = socket.socket(socket.AF_UNIX)
		listener.bind("socket")
		listener.listen()
		os.dup2(listener.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
		os.execvp(sys.argv[1], sys.argv[1:])
	PY
	start server /usr/bin/python3 unix.py tcpecho -v
	await_that test -S socket
	run -0 /usr/bin/python3 - <<-'PY'
		import socket, time

		peer = socket.socket(socket.AF_UNIX)
		for _ in range(100):
		    try:
		        peer.connect("socket")
		        break
		    except ConnectionRefusedError:
		        time.sleep(0.05)
		peer.sendall(b"over unix")
		peer.shutdown(socket.SHUT_WR)
		assert b"".join(iter(lambda: peer.recv(99), b"")) == b"over unix"
	PY
	await server.err '^unix disconnected$'
	same <(grep unix server.err) 'Connected by unix' 'unix disconnected'
}

@test "urgent data makes no spin" {
	needs /usr/bin/python3
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

@test "bash's /dev/tcp" {
	serve tcpecho
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	for word in one two three; do
		echo "$word" >&8
		read -r -t 20 answer <&8
		[ "$answer" = "$word" ]
	done
	exec 8>&-
}

@test "nc: a file there and back" {
	needs nc
	nc -h 2>&1 | grep -q -- '-N' || skip "this nc has no -N (openbsd-netcat has)"
	serve tcpecho
	head -c 3000000 /dev/urandom >in
	timeout 60 nc -N 127.0.0.1 "$port" <in >out
	cmp in out
}

@test "systemd-socket-activate: the listening socket, to one tcpecho" {
	needs systemd-socket-activate
	free_port
	start server systemd-socket-activate -l "127.0.0.1:$port" "$BIN/tcpecho" -v
	await server.err 'Listening on'
	echoes activated
	await server.err '^Connected by 127\.0\.0\.1:'
	await server.err ' disconnected$'
}

@test "systemd-socket-activate --inetd -a: a connection each" {
	needs systemd-socket-activate
	free_port
	start server systemd-socket-activate --inetd -a -l "127.0.0.1:$port" "$BIN/tcpecho" -v
	await server.err 'Listening on'
	echoes one
	echoes two
	await_that eval '[ "$(grep -c " disconnected$" server.err)" = 2 ]'
}

@test "inetd: nowait and wait, and no log line reaches the client" {
	needs inetd
	for wait in nowait wait; do
		free_port
		echo "127.0.0.1:$port stream tcp $wait $(id -un) $BIN/tcpecho tcpecho -v" >inetd.conf
		start server inetd -i "$PWD/inetd.conf"
		await_that listens
		echoes one
		echoes two
		# What inetd started for `wait' outlives it.
		echo_pid=$(children "$pid" tcpecho) || true
		stop_all
		if [ -n "$echo_pid" ]; then
			kill "$echo_pid"
			await_that gone "$echo_pid"
		fi
	done
}

@test "tcpserver of ucspi-tcp starts it for each connection" {
	needs tcpserver
	free_port
	start server tcpserver -RHl0 127.0.0.1 "$port" tcpecho -v
	await_that listens
	echoes ucspi
	await server.err '^Connected by 127\.0\.0\.1:'
}

@test "tcpclient of ucspi-tcp reaches it" {
	needs tcpclient
	serve tcpecho
	run -0 timeout 20 tcpclient -RHl0 127.0.0.1 "$port" sh -c 'echo there and back >&7; read -r line <&6; echo "$line"'
	[ "$output" = 'there and back' ]
}

@test "errors of accept: the next one is taken, a shortage is waited out" {
	needs_strace
	for error in ECONNABORTED EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH \
		EPERM EMFILE ENFILE ENOBUFS ENOMEM EINTR; do
		serve_injected "accept4:error=$error:when=1+2"
		for word in one two three; do
			echoes "$word"
		done
		stop_injected
		case $error in
		EPERM | EMFILE | ENFILE | ENOBUFS | ENOMEM) [ "$(grep -c '^tcpecho: accept: ' server.err)" = 1 ] ;;
		*) [ "$(wc -l <server.err)" = 1 ] ;;
		esac
	done
}

@test "interrupted and refused calls lose nothing" {
	needs_strace
	head -c 500000 /dev/urandom >in
	for what in epoll_pwait:error=EINTR recvfrom:error=EINTR recvfrom:error=EAGAIN sendto:error=EINTR \
		sendto:error=EAGAIN sendto:error=ENOBUFS; do
		serve_injected "$what:when=2+3"
		portscan-connect -q -p "$port" -T 20 <in >out
		cmp in out
		stop_injected
	done
}
