# What wshub and wsserve do alike until a connection is open (lib/serve/upgrade.h): limits, PROXY headers, answers to
# requests, authorization, pages. Each test runs with both.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2059,SC2154
load wshub

# both FUNCTION: calls it with each of the programs in $service.
both() {
	local service
	for service in wshub wsserve; do
		"$1"
		stop_all
		find . -maxdepth 1 ! -name request ! -name . -delete
	done
}

# Starts the service with these options and a program that prints its addresses and its input on stderr. Its shell keeps
# stdout open, because otherwise the service would end.
service() {
	serve $service "$@" sh -c 'echo "$TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALPORT $SERVER_PORT $PROTO" >&2; cat >&2; :'
}

# The command of a client that sends $header first; for `start', which needs the pid of the connection.
client=(bash -c 'exec portscan-connect -q -p "$0" bash -c '\''printf "$0" >&7; exec "$@"'\'' "$1" wsupgrade -c "ws://localhost:$0/" wsframe -c -q "$2" </dev/null')

# stay [HEADER]: starts a client that does not close; it sends this PROXY header first.
stay() {
	start "${2-stay}" "${client[@]}" "$port" "${1-}" never
}

# accepts [HEADER]: a client is served, and closes.
accepts() {
	"${client[@]}" "$port" "${1-}" 0
}

# ask BYTES...: sends them and prints the first line of the response, which is in `answer'.
ask() {
	printf '%b' "$@" | portscan-connect -q -p "$port" >answer
	head -n 1 answer
}

signature='\r\n\r\n\0\r\nQUIT\n'
plain=${request/Upgrade: websocket/X: y}

limits() {
	service -v -c 1
	stay
	server_says '^Connected by '
	stay '' second
	server_says "^$service: 1 of 1 connections: the next one waits \(--max\)\$"
	[ "$(grep -c '^Connected' server.err)" = 1 ]
	kill "$stay"
	await_that eval '[ "$(grep -c "^Connected" server.err)" = 2 ]'
	peer to:"$port" open
	kill "$server"
	server_says "^$service: backlog: 1 connections not served\$"
	stop_all
	service -v -C 1
	stay
	server_says '^Connected by '
	run -1 accepts
	server_says "^$service: 127\.0\.0\.1:[0-9]+: connection closed: its address has 1 connections \(--max-per-address\)\$"
	kill "$stay"
	await_that accepts
}

@test "one client over --max waits and is served in its turn, one over --max-per-address is closed and logged" {
	both limits
}

addresses() {
	shell_script may 'echo "$REMOTE_ADDR $REMOTE_PORT $SERVER_PORT" >&2'
	service -v --proxy -a ./may -C 1
	accepts 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'
	server_says '^192\.0\.2\.1 56324 443$'
	server_says '^Connected by 192\.0\.2\.1:56324 '
	server_says '^1 open 192\.0\.2\.1 56324 /$|^192\.0\.2\.1 56324 443 443 TCP$'
	accepts "$signature\\x21\\x21\\0\\x24$(printf '\\xfd%.0s' {1..32})\\0\\x01\\0\\x02"
	server_says '^Connected by \[fdfd:.*:fdfd\]:1 '
	accepts "$signature\\x21\\x31\\0\\xd8$(printf '\\0%.0s' {1..216})"
	server_says '^Connected by unix '
	for header in 'PROXY UNKNOWN\r\n' "$signature\\x20\\0\\0\\0"; do
		await_that accepts "$header"
	done
	server_says "^127\.0\.0\.1 [0-9]+ $port\$"
	stay 'PROXY TCP4 192.0.2.1 198.51.100.2 1 443\r\n'
	server_says '^Connected by 192\.0\.2\.1:1 '
	accepts 'PROXY TCP4 192.0.2.2 198.51.100.2 2 443\r\n'
	run -1 accepts 'PROXY TCP4 192.0.2.1 198.51.100.2 3 443\r\n'
	server_says "^$service: 192\.0\.2\.1:3: connection closed: its address has 1 connections \(--max-per-address\)\$"
	kill "$stay"
	await_that accepts 'PROXY TCP4 192.0.2.1 198.51.100.2 4 443\r\n'
}

@test "--proxy: a client has the address of its PROXY header, in the log, for the program, for -a and for -C" {
	both addresses
}

headers() {
	local line='PROXY TCP4 192.0.2.1 198.51.100.2 56324 443' pieces=() i
	service --proxy --console
	for ((i = 0; i < ${#line}; i++)); do pieces+=("send:${line:i:1}"); done
	run -0 peer to:"$port" open "${pieces[@]}" "send:\r\n$plain" rest close say: open "send:$line\r\n$plain" rest
	[ "$(grep -c 'HTTP/1.1 200 OK' <<<"$output")" = 2 ]
	head -c 65520 /dev/zero | cat <(printf "$signature\\x21\\x11\\xff\\xff123456789012\\xe0\\xff\\xf0") - <(printf "$plain") |
		portscan-connect -q -p "$port" >answer
	grep -q 'HTTP/1.1 200 OK' answer
	serve $service --proxy -t 1s cat
	run -0 peer to:"$port" open "send:$request" rest close open send:PROXY fin rest close open fin rest close churn:1 open send:PROXY rest
	! grep HTTP <<<"$output" || false
	server_says 'timed out$'
	[ "$(sed -E '1d; s/:[0-9]+:/:PORT:/; s/Connection timed/Operation timed/' server.err)" = \
"$service: 127.0.0.1:PORT: PROXY header: not a PROXY header
$service: 127.0.0.1:PORT: no PROXY header: end of file
$service: 127.0.0.1:PORT: no PROXY header: Operation timed out" ]
}

@test "--proxy: a header in pieces of any size is read; without a valid one in time a connection is closed and logged without an answer" {
	both headers
}

answers() {
	service -v --host localhost -o 'https://*.example.org' --console -s chat
	[[ $(ask 'OPTIONS * HTTP/1.0\r\n\r\n') == 'HTTP/1.1 204 '* ]]
	grep -q $'^Allow: GET, HEAD, OPTIONS\r$' answer
	server_says "^$service: .*: 204 \*\$"
	[[ $(ask 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n') == 'HTTP/1.1 200 '* ]]
	[[ $(ask "${request/GET \/ HTTP\/1.1/GET \/x HTTP\/1.0}") == 'HTTP/1.1 426 '* ]]
	server_says "^$service: .*: 426 HTTP/1.0 cannot upgrade \(nginx: proxy_http_version 1.1\)\$"
	[[ $(ask "${request/Host/Origin: https://a.example.org\\r\\nHost}" '\x88\x80\0\0\0\0') == 'HTTP/1.1 101 '* ]]
	server_says "^$service: .*: 101 /\$"
	[[ $(ask "${request/Host/Origin: http://evil\\r\\nHost}") == 'HTTP/1.1 403 '* ]]
	server_says "^$service: .*: 403 Origin is not allowed: http://evil \(Host: localhost\)\$"
	[[ $(ask "${request/Host/Sec-WebSocket-Protocol: x, y\\r\\nHost}" '\x88\x80\0\0\0\0') == 'HTTP/1.1 101 '* ]]
	server_says "^$service: .*: 101 /, subprotocols not offered: x, y\$"
	service -v -t 1s
	run -0 peer to:"$port" open "send:${request%\\r\\n}" rest close open "send:GET /" fin rest close \
		open fin rest close open send:GET reset open rest
	[[ $output == *'HTTP/1.1 408 '* && $output == *'HTTP/1.1 400 '* ]]
	server_says '408 request timed out$'
	server_says '400 incomplete request$'
	server_says 'no request: end of file$'
	server_says 'no request: Connection reset by peer$'
	server_says 'no request: (Operation|Connection) timed out$'
}

@test "requests that are refused, incomplete or not for a WebSocket are answered and logged as by wsupgrade" {
	both answers
}

realm() {
	shell_script may '[ "$HTTP_AUTHORIZATION" = "Basic YVxuOnNlY3JldA==" ] && [ "$REMOTE_ADDR" = 127.0.0.1 ] && [ "$QUERY_STRING" = q ]'
	serve $service $([ $service = wsserve ] || echo --headers) --console --realm Chat -a ./may \
		sh -c 'printf "user %s\n" "$REMOTE_USER $AUTH_TYPE $HTTP_AUTHORIZATION" >&2; cat >&2; :'
	[[ $(ask "${plain/GET/HEAD}") == 'HTTP/1.1 401 '* ]]
	[ "$(tail -n 1 answer)" = $'\r' ] # a HEAD request has no body in its answer
	grep -q $'^WWW-Authenticate: Basic realm="Chat", charset="UTF-8"\r$' answer
	[[ $(ask "$plain") == 'HTTP/1.1 401 '* ]]
	portscan-connect -q -p "$port" wsupgrade -H 'Authorization: Basic YVxuOnNlY3JldA==' -c "ws://localhost:$port/?q" wsframe -c -q 0 </dev/null
	server_says '^user a\\n Basic $|^1 user a\\\\n$'
	[ $service = wsserve ] || server_says '^1 header Host: localhost:'
	run ! grep -qE 'YVxuO|header Auth' server.err
}

@test "-a: only clients that the program accepts are served; with --realm a refusal is 401, and prog gets the name, not the password" {
	both realm
}

slow() {
	shell_script may 'echo $$ >may.pid\nexec tail -f /dev/null'
	service -t 500ms -a ./may
	[[ $(ask "$request") == 'HTTP/1.1 500 '* ]]
	await_that gone "$(cat may.pid)"
	deserter ./may
	[[ $(ask "$request") == 'HTTP/1.1 500 '* ]]
	await_that gone "$(cat may.pid)"
	rm may.pid
	service -t 60s -w 500ms -a ./may
	start a peer to:"$port" open "send:$request" rest
	await_that test -e may.pid
	stopped
	await a.out 'HTTP/1.1 503 '
	await_that gone "$(cat may.pid)"
}

@test "-a: a program that times out, and one that runs at a stop, is killed, even outside its process group" {
	both slow
}

order() {
	ask_in() { start "$1" peer to:"$port" open "send:${request/'/ HTTP'/"/$1 HTTP"}\r\n" recv recv; }
	mkfifo gate
	exec 9<>gate
	shell_script may 'echo "$REQUEST_URI" >>order; [ "$REQUEST_URI" != /block ] || read -r x <gate'
	service -v -a ./may
	stay
	await order '^/$'
	start block peer to:"$port" open:64 "send:${request/'/ HTTP'/'/block HTTP'}" recv
	await_that eval '[ "$(grep -c block order)" = 64 ]'
	ask_in second
	ask 'GET / HTTP/1.0\r\n\r\n'
	kill "$stay"
	server_says ' disconnected'
	ask_in third
	ask 'GET / HTTP/1.0\r\n\r\n'
	echo >&9
	await order third
	same <(tail -2 order) /second /third
	exec 9>&-
}

@test "-a: clients that wait for a free authorization program are checked in the order of their connections" {
	both order
}

pages() {
	echo first >mine
	service --page mine
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
	serve bash -c "exec $service --page <(seq 30000) cat"
	server_says "^$service: /dev/fd/[0-9]+: not a regular file: read once, 168894 bytes\$"
	for n in 1 2; do
		page got
		tail -n 30000 got | cmp - <(seq 30000)
	done
}

@test "--page: a file is read again, a pipe once; if a FIFO replaces the file, the old content is kept without waiting" {
	both pages
}
