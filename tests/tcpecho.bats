# tcpecho: the echo service: answers, limits, shutdown.
load helper

# echoes TEXT: a new connection to $port gets TEXT back.
echoes() {
	[ "$(printf %s "$1" | timeout 20 portscan-connect -q -p "$port")" = "$1" ]
}

# client NAME STEP...: a scripted client in the background.
client() {
	start "$1" peer -v to:"$port" open "${@:2}"
}

@test "every byte is echoed, then EOF, also if the client has sent EOF before it reads" {
	head -c 20000003 /dev/urandom >in
	serve tcpecho
	portscan-connect -q -p "$port" <in >out
	cmp in out
	serve tcpecho
	run -0 --separate-stderr peer -v to:"$port" open push fin rest
	pushed=$(sed -n 's/^pushed //p' <<<"$output")
	[ "$pushed" -gt 100000 ]
	grep -qx "rest $pushed" <<<"$output"
}

@test "a client that does not read is not read, uses one buffer, and delays no other client" {
	serve tcpecho
	echoes warm
	before=$(memory)
	client stuck push await:go fin rest
	await stuck.out '^pushed '
	echoes 'meanwhile'
	rests
	(($(memory) - before <= 128))
	touch go
	await stuck.out '^rest '
	[ "$(sed -n 's/^pushed //p' stuck.out)" = "$(sed -n 's/^rest //p' stuck.out)" ]
}

@test "a client that continues to read is read again, and both become idle" {
	serve tcpecho
	client stuck push back send:more take:4 await:go fin rest
	await stuck.out '^took 4'
	rests
	touch go
	await stuck.out '^rest 0$'
}

@test "a reset while an answer waits ends the connection without spinning; so does EOF of a client that does not read" {
	serve tcpecho -v
	client gone push reset hold
	await gone.out '^holding'
	await server.err ' disconnected$'
	rests
	serve tcpecho
	client half push fin hold
	await half.out '^holding'
	rests
}

@test "a thousand idle connections use at most 256 bytes each" {
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt 2200 ] || skip "this needs 2200 descriptors"
	ulimit -Sn 64
	serve tcpecho
	client first open:1000 send:x take:1 send:x take:1 hold
	await first.out '^holding'
	before=$(memory)
	client second open:1000 send:x take:1 send:x take:1 hold
	await second.out '^holding'
	after=$(memory)
	(((after - before) * 1024 <= 1000 * 256))
}

@test "a client that floods does not delay other clients" {
	serve tcpecho
	start flood sh -c "yes | portscan-connect -q -p $port >/dev/null"
	await_that busy
	client other send:x take:1 send:x take:1 send:x take:1 send:x take:1 send:x take:1 close hold
	await other.out '^holding'
	[ "$(grep -c '^took 1$' other.out)" = 5 ]
	run ! gone "$flood"
}

@test "a turn takes four messages of a client that floods, then serves the next client" {
	head -c 19980 /dev/zero | tr '\0' a >twenty
	serve tcpecho -v -r ok
	client one await:first file:twenty hold
	await server.err '^Connected by'
	client two await:second send:b hold
	await_that eval '[ "$(grep -c "^Connected by" server.err)" = 2 ]'
	# Sent data may still be on its way: the server's sockets must have it.
	queued() { grep -qi "0100007F:$(printf %04X "$port") [0-9A-F:]* 01 [0-9A-F]*:$(printf %08X "$1") " /proc/net/tcp; }
	paused "$server" 0 eval 'touch first; await_that queued 19980; touch second; await_that queued 1'
	await_that eval '[ "$(grep -c "^Received " server.err)" = 21 ]'
	[ "$(grep '^Received ' server.err | grep -n '^Received b' | cut -d: -f1)" = 5 ]
}

# It has used some hundredths of a second of CPU time.
busy() {
	(($(ticks) >= 5))
}

@test "-c: one connection over the limit waits, and is served when another ends" {
	serve tcpecho -c 2
	client one send:1 recv await:leave close hold
	client two send:2 recv hold
	await one.out '^recv 1$'
	await two.out '^recv 2$'
	client three send:3 recv hold
	await three.out '^sent 1$'
	rests
	run ! grep recv three.out
	touch leave
	await three.out '^recv 3$'
}

@test "-i: a connection without traffic is closed, also one that does not read and fd 0; data that arrived in a pause is read first" {
	serve tcpecho -i 300ms -v
	client silent rest
	await silent.out '^rest 0$'
	client stuck push hold
	await_that eval '[ "$(grep -c " disconnected$" server.err)" = 2 ]'
	[ "$(peer to:"$port" open send:'who sends is served' fin rest)" = $'open 1\nwho sends is served' ]
	# The deadlines of closed connections were dropped.
	client last rest
	await last.out '^rest 0$'
	[ "$(peer to:"$port" open send:'and the next one' fin rest)" = $'open 1\nand the next one' ]
	serve tcpecho -i 2s
	client one send:1 recv await:go send:2 recv hold
	await one.out '^recv 1$'
	paused "$server" 2.3 eval 'touch go && await one.out "^sent 1$"'
	await one.out '^recv 2$'
	mkfifo in
	exec 8<>in
	run -0 --separate-stderr tcpecho -i 50ms <in
	exec 8>&-
}

@test "-v logs connections and their ends, without control bytes of clients" {
	serve tcpecho -v
	echoes hello
	await server.err ' disconnected$'
	grep -qE '^Connected by 127\.0\.0\.1:[0-9]+$' server.err
	grep -qE '^127\.0\.0\.1:[0-9]+ disconnected$' server.err
	[ "$(grep -vc sandbox server.err)" = 3 ]
	[ "$(grep -o '127.0.0.1:[0-9]*' server.err | uniq | wc -l)" = 1 ]
	serve tcpecho -v -F ,
	client evil send:'\x1b]0;x\x07\r\nFAKE,\xc2\x9b' fin rest
	await server.err ' disconnected$'
	LC_ALL=C run ! grep '[^ -~]' server.err
	grep -qE '^Received \\x1b\]0;x\\x07\\x0d\\x0aFAKE from 127' server.err
	grep -qE '^Received \\xc2\\x9b from 127' server.err
}

@test "-F and -r answer each field of a message, and log it" {
	serve tcpecho -v -F , -r 'Echo from server'
	printf 'a,b,c\na,\n,\nhello\n\n' >lines
	run --separate-stderr portscan-connect -lq -p "$port" <lines
	same <(printf '%s\n' "$output") \
		'Received Echo from serverEcho from serverEcho from server from server' \
		'Received Echo from serverEcho from server from server' \
		'Received Echo from serverEcho from server from server' \
		'Received Echo from server from server'
	await server.err ' disconnected$'
	same <(sed -n 's/^\(Received .* from\) 127.*/\1/p' server.err) \
		'Received a from' 'Received b from' 'Received c from' \
		'Received a from' 'Received  from' 'Received  from' 'Received  from' 'Received hello from'
}

@test "-F alone echoes the fields, -r alone treats a message of at most 999 bytes as one field" {
	serve tcpecho -F ';'
	[ "$(printf 'a;bc;;d' | portscan-connect -q -p "$port")" = abcd ]
	stop_all
	serve tcpecho -v -r no
	[ "$(printf 'a;b,c' | portscan-connect -q -p "$port")" = no ]
	await server.err '^Received a;b,c from'
	stop_all
	serve tcpecho -r ''
	[ -z "$(echo discarded | portscan-connect -q -p "$port")" ]
	# -F accepts \t, \0, \\ and \xHH for a byte.
	[ "$(printf 'a\tb' | tcpecho -F '\t' -r 1)" = 11 ]
	[ "$(printf 'a\0b\0' | tcpecho -F '\0' -r 1)" = 111 ]
	[ "$(printf 'a\\b' | tcpecho -F '\\' -r 1)" = 11 ]
	[ "$(printf 'a\x1fb' | tcpecho -F '\x1f' -r 1)" = 11 ]
	head -c 2000 /dev/zero | tr '\0' a >long
	[ "$(tcpecho -r x <long)" = xxx ]
}

@test "answers larger than their message are generated as the client reads" {
	text=$(head -c 100000 /dev/zero | tr '\0' t)
	serve tcpecho -F , -r "$text"
	echoes '' # warm
	before=$(memory)
	commas=$(head -c 998 /dev/zero | tr '\0' ,)
	client slow "send:$commas" await:go fin rest
	await slow.out '^sent 998$'
	# Meanwhile the shared buffer contains another message of the same length.
	[ "$(tr , x <<<"$commas" | portscan-connect -q -p "$port")" = "$text" ]
	rests
	(($(memory) - before <= 128))
	touch go
	await slow.out '^rest '
	grep -qx "rest $((999 * 100000))" slow.out
}

@test "SIGTERM: no new connections, current ones are served to the end, exit 0" {
	serve tcpecho
	client busy push await:go fin rest
	await busy.out '^pushed '
	kill "$server"
	await_that no_listener
	# A connection with pending data is not idle: another one, whose time began later, is closed before it.
	start other portscan-bind -1 -p 0 tcpecho
	await_that test -s other.out
	start silent peer -v to:"$(cat other.out)" open send:x recv rest
	await silent.out '^recv x$'
	kill "$other"
	ended "$other"
	run ! gone "$server"
	touch go
	await busy.out '^rest '
	[ "$(sed -n 's/^pushed //p' busy.out)" = "$(sed -n 's/^rest //p' busy.out)" ]
	ended "$server" 0
}

@test "SIGTERM: clients in the backlog are served, except those over -c, which are logged" {
	local most
	for most in 9 2; do
		serve tcpecho -c "$most"
		kill -STOP "$server"
		start crowd peer to:"$port" open:3 'send:hello\n' fin rest
		await crowd.out 'open 3'
		kill "$server"
		kill -CONT "$server"
		ended "$crowd"
		ended "$server" 0
		[ "$(grep -c hello crowd.out)" = $((most < 3 ? most : 3)) ]
	done
	same server.err "Bound to $port" "tcpecho: backlog: 1 connections not served"
}

@test "SIGTERM: a silent client does not delay the end, SIGINT is the same, and a second signal ends it at once" {
	local signal
	for signal in TERM INT; do
		serve tcpecho
		client silent send:x recv rest
		await silent.out '^recv x$'
		kill -s "$signal" "$server"
		ended "$server" 0
		await silent.out '^rest 0$'
	done
	serve tcpecho -v
	client stuck push hold
	await stuck.out '^pushed '
	kill "$server"
	await_that no_listener
	run ! gone "$server"
	stopped
	# During a flood, which may end by itself.
	serve tcpecho
	start flood sh -c "yes | portscan-connect -q -p $port >/dev/null"
	echoes during
	kill "$server"
	await_that no_listener
	kill "$server" 2>/dev/null || gone "$server"
	ended "$server" 0
	ended "$flood"
}

# workers N: the server has that many children.
workers() {
	[ "$(children "$server" | wc -l)" = "$1" ]
}

@test "-j: an inherited child is not a worker" {
	serve sh -c ': & exec tcpecho -j 2'
	await_that eval 'workers 2 || workers 3'
	kill -KILL "$(children "$server" | tail -n 1)"
	await server.err 'ended \(signal 9\), restarting$'
	! grep -q 'ended (exit 0)' server.err || false
}

@test "-j: several workers serve, one that ends is replaced, all end together, also if the parent is killed" {
	serve tcpecho -j 3 -v
	await_that workers 3
	echoes one
	victim=$(children "$server" | head -n 1)
	kill -KILL "$victim"
	await server.err "^tcpecho: process $victim ended \(signal 9\), restarting$"
	await_that workers 3
	for i in 1 2 3 4 5 6; do echoes "$i"; done
	all=$(children "$server")
	stopped
	for one in $all; do gone "$one"; done
	serve tcpecho -j 2
	echoes x
	all=$(children "$server")
	kill -KILL "$server"
	for one in $all; do await_that gone "$one"; done
}

@test "-j: SIGTERM drains, a second one ends all at once" {
	serve tcpecho -j 2
	client stuck push hold
	await stuck.out '^pushed '
	all=$(children "$server")
	kill "$server"
	await_that no_listener
	run ! gone "$server"
	stopped
	for one in $all; do gone "$one"; done
}

@test "one of two processes that share a listening socket can end, the other serves on and can be ended" {
	serving() {
		readlink "/proc/$1/fd/"* | grep -q eventpoll
	}
	serve sh -c 'tcpecho <&3 & echo $! >first; exec tcpecho'
	await_that test -s first
	first=$(cat first)
	await_that serving "$first"
	await_that serving "$server"
	kill "$first"
	await_that gone "$first"
	for i in 1 2 3; do
		[ "$(echo "hello $i" | timeout 5 portscan-connect -q -p "$port")" = "hello $i" ]
	done
	stopped
}

@test "a UNIX socket is served" {
	start server handover unix:"$PWD/socket" -- tcpecho -v
	await server.out '^path '
	[ "$(peer to:"$PWD/socket" open send:'over unix' fin rest)" = $'open 1\nover unix' ]
	await server.err '^unix disconnected$'
	grep -qx 'Connected by unix' server.err
}

@test "without a listening socket fd 0 is echoed to fd 1" {
	head -c 3000001 /dev/urandom >in
	tcpecho <in >out
	cmp in out
	cat in | tcpecho | cat >out
	cmp in out
	[ "$(peer send:'one ' bytes:two fin run tcpecho)" = 'one two' ]
	[ "$(peer on:tcp send:'a,b' fin run tcpecho -F , -r text)" = texttext ]
	run --separate-stderr peer on:tcp send:'a,b' fin run tcpecho -v -F ,
	[ "$output" = ab ]
	same <(sed 's/:[0-9]*/:PORT/' <<<"$stderr") 'Connected by 127.0.0.1:PORT' 'Received a from 127.0.0.1:PORT' \
		'Received b from 127.0.0.1:PORT' '127.0.0.1:PORT disconnected'
}

@test "it writes the data that has arrived before it waits for more" {
	mkfifo in out
	start pipe sh -c 'tcpecho <in >out'
	exec 8>in 9<out
	printf first >&8
	read -r -N 5 -t 20 answer <&9
	[ "$answer" = first ]
	exec 8>&- 9<&-
}

@test "if stderr is the connection no log line is written" {
	[ "$(peer stderr send:abc fin run tcpecho -v)" = abc ]
}

@test "a reset connection is not an error, a failed output is" {
	run -0 --separate-stderr peer on:tcp send:abc reset run tcpecho
	[ -z "$stderr" ]
	# Here it is writing when the reset arrives.
	commas=$(head -c 998 /dev/zero | tr '\0' ,) text=$(head -c 100000 /dev/zero | tr '\0' t)
	for over in tcp unix; do
		run -0 --separate-stderr peer on:$over send:"$commas" reset run tcpecho -F , -r "$text"
		[ -z "$stderr" ]
	done
	run ! --separate-stderr sh -c 'echo x | tcpecho >/dev/full'
	[ "$stderr" = 'tcpecho: stdout: No space left on device' ]
	reports 1 'tcpecho: stdin: Bad file descriptor' sh -c 'tcpecho <&-'
	reports 1 'tcpecho: stdout: Bad file descriptor' sh -c 'echo x | tcpecho >&-'
}

