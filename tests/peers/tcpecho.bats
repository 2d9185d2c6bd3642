# tcpecho with other programs: clients, and programs that start it.
load ../helper

listens() {
	(exec 8<>"/dev/tcp/127.0.0.1/$port")
}

# echoes TEXT: a new connection to $port gets TEXT back.
echoes() {
	[ "$(printf %s "$1" | timeout 20 portscan-connect -q -p "$port")" = "$1" ]
}

# A client that tries the ports from its first argument up, sends the other arguments, and prints each answer.
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

@test "a client from the tutorial gets the answers of the tutorial's server" {
	need /usr/bin/python3
	tutorial_client
	start server portscan-bind tcpecho -v -F , -r 'Echo from server'
	bound
	run -0 --separate-stderr /usr/bin/python3 client.py "$port" a,b,c a, , hello
	one='Echo from server'
	same <(printf '%s\n' "$output") "Received $one$one$one from server" "Received $one$one from server" \
		"Received $one$one from server" "Received $one from server"
	await server.err ' disconnected$'
	same <(sed -n 's/^\(Received .*\) from.*/\1/p' server.err) 'Received a' 'Received b' 'Received c' \
		'Received a' 'Received ' 'Received ' 'Received ' 'Received hello'
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

@test "nc: a file in both directions" {
	need nc
	nc -h 2>&1 | grep -q -- '-N' || skip "this nc has no -N (openbsd-netcat has)"
	serve tcpecho
	head -c 3000000 /dev/urandom >in
	timeout 60 nc -N 127.0.0.1 "$port" <in >out
	cmp in out
}

@test "systemd-socket-activate: the listening socket for one tcpecho" {
	need systemd-socket-activate
	port=$(free_port)
	start server systemd-socket-activate -l "127.0.0.1:$port" "$BIN/tcpecho" -v
	await server.err 'Listening on'
	echoes activated
	await server.err '^Connected by 127\.0\.0\.1:'
	await server.err ' disconnected$'
}

@test "systemd-socket-activate --inetd -a: one connection each" {
	need systemd-socket-activate
	port=$(free_port)
	start server systemd-socket-activate --inetd -a -l "127.0.0.1:$port" "$BIN/tcpecho" -v
	await server.err 'Listening on'
	echoes one
	echoes two
	await_that eval '[ "$(grep -c " disconnected$" server.err)" = 2 ]'
}

@test "inetd: nowait and wait, and no log line reaches the client" {
	need inetd
	for wait in nowait wait; do
		port=$(free_port)
		echo "127.0.0.1:$port stream tcp $wait $(id -un) $BIN/tcpecho tcpecho -v" >inetd.conf
		start server inetd -i "$PWD/inetd.conf"
		await_that listens
		echoes one
		echoes two
		# The server that inetd started for `wait' continues after its end.
		echo_pid=$(children "$pid" tcpecho) || true
		stop_all
		if [ -n "$echo_pid" ]; then
			kill "$echo_pid"
			await_that gone "$echo_pid"
		fi
	done
}

@test "tcpserver of ucspi-tcp starts it for each connection" {
	need tcpserver
	port=$(free_port)
	start server tcpserver -RHl0 127.0.0.1 "$port" tcpecho -v
	await_that listens
	echoes ucspi
	await server.err '^Connected by 127\.0\.0\.1:'
}
