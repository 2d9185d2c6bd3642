# wsupgrade as a server: the HTTP side of a WebSocket. Each refusal of a request is a case of prober.bats, its text is in
# tests/diagnostics; here are the tests of options, programs and connections.
load wsupgrade

switching='HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
switching+='Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'

accepted() {
	run -0 --separate-stderr peer send:"$1" run wsupgrade "${@:2}" echo started
	[[ $output == "HTTP/1.1 101 "*started ]]
}

# environment REQUEST-HEAD [OPTION...]: writes the program's environment to ./env, each variable with its NUL.
environment() {
	run -0 --separate-stderr peer send:"$1" run wsupgrade "${@:2}" sh -c 'cat /proc/$$/environ >env'
}

# has NAME=VALUE..., lacks NAME...: variables in ./env.
has() {
	local variable
	for variable; do grep -qzxF -- "$variable" env || { echo "not in the environment: $variable"; return 1; }; done
}

lacks() {
	local name
	for name; do ! grep -qz -- "^$name=" env || { echo "in the environment: $name"; return 1; }; done
}

@test "the handshake of RFC 6455, section 1.3, gets exactly its response" {
	peer send:'GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://server.example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n' \
		run wsupgrade -s chat true >out
	printf '%bSec-WebSocket-Protocol: chat\r\n\r\n' "$switching" | cmp - out
}

@test "data after the head is for the program: sent at once, byte by byte and divided, on each kind of connection" {
	local head over how cut
	head=$(request "$good")
	printf '%b\r\n\x81\x05hello' "$switching" >expected
	for over in unix tcp pipes; do
		for how in send bytes; do
			peer on:$over $how:"$head\x81\x05hello" fin run wsupgrade cat | cmp - expected
		done
	done
	for cut in 2 4 6 8 10; do
		peer on:pipes send:"${head::-cut}" send:"${head: -cut}\x81\x05hello" fin run wsupgrade cat | cmp - expected
	done
}

@test "the same with the smallest buffers: a long head byte by byte, and a response in several writes" {
	local long
	long=$(printf 'x%.0s' {1..3900})
	printf '%bA: %s\r\nB: %s\r\n\r\n\x81\x05hello' "$switching" "$long" "$long" >expected
	peer on:small bytes:"$(request "${good}")\x81\x05hello" fin run wsupgrade -H "A: $long" -H "B: $long" cat | cmp - expected
	printf '%b\r\n\x81\x05hello' "$switching" >expected
	peer on:small send:"$(request "${good}A: $long\r\nB: $long\r\nC: $long\r\n")\x81\x05hello" fin run wsupgrade cat | cmp - expected
	# A client that does not receive the response is not awaited.
	run -1 --separate-stderr peer on:small send:"$(request "$good")" ended run wsupgrade -t 300ms -H "A: $long" -H "B: $long" echo started
	[[ $stderr == 'wsupgrade: '*': write: '*'timed out' ]]
	[[ $output != *started* ]]
}

@test "a file can be the connection" {
	printf '%b' "$(request "$good")hello" >in
	wsupgrade cat <in >out
	printf '%b\r\nhello' "$switching" | cmp - out
}

@test "-s: the client's first choice that is offered, else none; -H adds a field to the 101 and to the page, not to a refusal" {
	accepted "$(request "${good}Sec-WebSocket-Protocol: x, b\r\nSec-WebSocket-Protocol: a\r\n")" -s a --protocol b
	[[ $output == *$'\r\nSec-WebSocket-Protocol: b\r\n'* ]]
	accepted "$(request "${good}Sec-WebSocket-Protocol: x, A\r\n")" -s a
	[[ $output != *Protocol:* ]]
	accepted "$(request "$good")" -s a
	[[ $output != *Protocol:* ]]
	refused 400 "$(request "${good}Sec-WebSocket-Protocol: a b\r\n")" -s a
	accepted "$(request "$good")" -H 'Set-Cookie: a=b' --header 'X-Y:z'
	[[ $output == *$'\r\nSet-Cookie: a=b\r\nX-Y: z\r\n'* ]]
	run peer send:"$(request "$host")" run wsupgrade -H 'X-Y: z' --console false
	[[ $output == *$'\r\nX-Y: z\r\n'* ]]
	refused 426 "$(request "$host")" -H 'X-Y: z'
	[[ $output != *X-Y* ]]
}

@test "a head that is incomplete after -t is 408, however slowly it arrives" {
	run -1 --separate-stderr peer send:'GET / HTTP/1.1\r\n' run wsupgrade -t 100ms false
	whole_answer 408
	[ "$stderr" = 'wsupgrade: client: 408 request timed out' ]
	run -1 --separate-stderr peer on:pipes send:'GET / HTTP/1.1\r\n' run wsupgrade --timeout 100ms false
	whole_answer 408
	# The limit is for the whole head: no byte extends it. The input lasts longer than the limit; its end would be a 400.
	local over
	for over in unix pipes; do
		run -1 --separate-stderr peer on:$over dribble:"$(printf %0100d 0)" fin run wsupgrade -t 300ms false
		whole_answer 408
	done
}

@test "a connection without a request ends without a message, except with -v" {
	run -1 --separate-stderr peer fin run wsupgrade false
	[ "$output$stderr" = "" ]
	run -1 --separate-stderr peer run wsupgrade -t 50ms false
	[ "$output$stderr" = "" ]
	run --separate-stderr peer fin run wsupgrade -v false
	[ "$stderr" = 'wsupgrade: client: no request: end of file' ]
	run --separate-stderr peer run wsupgrade --verbose -t 50ms false
	[ "$stderr" = 'wsupgrade: client: no request: Operation timed out' ] ||
		[ "$stderr" = 'wsupgrade: client: no request: Connection timed out' ]
}

@test "a head cut off by EOF or a reset starts no program, a request after a refused one is never read, and the response arrives" {
	run -1 --separate-stderr peer send:'GET / HTTP' fin run wsupgrade echo started
	[[ $output != *started* ]]
	[ "$stderr" = 'wsupgrade: client: 400 incomplete request' ]
	run -1 --separate-stderr peer on:tcp send:'GET / HTTP' reset run wsupgrade echo started
	[[ $stderr == 'wsupgrade: '*': Connection reset by peer' ]]
	run --separate-stderr peer on:tcp send:"$(request "$host")$(request "$good")" run wsupgrade echo started
	whole_answer 426
	[[ $output != *101* ]]
	head -c 65536 /dev/zero >noise
	run --separate-stderr peer on:tcp send:"$(request "$host")" file:noise fin run wsupgrade false
	whole_answer 426
}

@test "-a runs a program after all other checks, also for the page: exit 0 accepts, anything else is 403" {
	shell_script may 'cat; echo talk; [ "$HTTP_COOKIE" = "user=me" ]'
	accepted "$(request "${good}Cookie: user=me\r\n")" -a ./may
	[ "$stderr" = talk ] # its stdout is stderr, its stdin empty
	run -1 --separate-stderr peer send:"$(request "$good")" run wsupgrade --authorize ./may echo started
	whole_answer 403
	[ "${stderr_lines[1]}" = 'wsupgrade: client: 403 not authorized' ]
	shell_script may ': >asked\nexit 1'
	refused 403 "$(request "$host")" --console -a ./may
	[ -e asked ] && rm asked
	refused 403 "$(request "${good}Origin: http://evil\r\n")" -a ./may
	[ ! -e asked ]
}

@test "--realm: a refusal by -a is 401 and asks for a password, other refusals are unchanged" {
	shell_script may '[ "$HTTP_AUTHORIZATION" = "Basic YW5uOnNlY3JldA==" ] || [ "$HTTP_COOKIE" ]'
	refused 401 "$(request "$good")" -a ./may --realm 'a "b"'
	[ "$stderr" = 'wsupgrade: client: 401 not authorized' ]
	[[ $output == *$'\r\nWWW-Authenticate: Basic realm="a \\"b\\"", charset="UTF-8"\r\n'* ]]
	refused 401 "$(request "$host")" -a ./may --realm x --console
	refused 403 "$(request "${good}Origin: http://evil\r\n")" -a ./may --realm x
	[[ $output != *Authenticate* ]]
	AUTH_TYPE=old REMOTE_USER=old environment "$(request "${good}Authorization: Basic YW5uOnNlY3JldA==\r\n")" -a ./may --realm x
	has AUTH_TYPE=Basic REMOTE_USER=ann
	lacks HTTP_AUTHORIZATION
	# Accepted for another reason, with credentials without a user name.
	AUTH_TYPE=old REMOTE_USER=old environment "$(request "${good}Cookie: x\r\nAuthorization: Basic x\r\n")" -a ./may --realm x
	lacks AUTH_TYPE REMOTE_USER HTTP_AUTHORIZATION
	AUTH_TYPE=old REMOTE_USER=old environment "$(request "${good}Cookie: x\r\nAuthorization: Basic x\r\n")" -a ./may
	has 'HTTP_AUTHORIZATION=Basic x'
	lacks AUTH_TYPE REMOTE_USER
}

@test "-a: a program that is missing, killed or too slow refuses, and is killed, even outside its process group" {
	run -1 --separate-stderr peer send:"$(request "$good")" run wsupgrade -a ./none echo started
	whole_answer 500
	[ "${stderr_lines[0]}" = 'wsupgrade: ./none: No such file or directory' ]
	shell_script may 'kill -9 $$'
	refused 403 "$(request "$good")" -a ./may
	printf '#!/bin/sh\nsleep 300 & echo $! >sleeper\nwait\n' >may
	refused 500 "$(request "$good")" -a ./may -t 300ms
	await_that gone "$(cat sleeper)"
	deserter ./may
	run -1 --separate-stderr timeout 20 peer send:"$(request "$good")" run wsupgrade -a ./may -t 500ms echo started
	[[ $output == 'HTTP/1.1 500 '* ]]
	await_that gone "$(cat may.pid)"
}

@test "-a works if SIGCHLD is ignored and blocked, and the program inherits that" {
	run --separate-stderr peer send:"$(request "$good")" run env --ignore-signal=CHLD --block-signal=CHLD \
		--ignore-signal=PIPE wsupgrade -a true grep -E '^Sig(Blk|Ign)' /proc/self/status
	[ "$status" = 0 ]
	[[ $output == *$'SigBlk:\t0000000000000000'* ]]
	[ $((0x${output##*SigIgn:?} & (1 << 12 | 1 << 16))) = 0 ]
}

@test "--console answers a browser with a page, HEAD with its head" {
	peer send:"$(request "$host")" run wsupgrade -v --console false >out 2>err
	same err 'wsupgrade: client: 200 /'
	sed '/^\r$/,$d' out >head
	sed '1,/^\r$/d' out >page
	grep -q "^Content-Length: $(wc -c <page)"$'\r$' head
	for field in 'Content-Type: text/html; charset=utf-8' 'X-Content-Type-Options: nosniff' 'Cache-Control: no-store'; do
		grep -qxF "$field"$'\r' head
	done
	grep -q "^Content-Security-Policy: .*frame-ancestors 'none'"$'\r$' head
	grep -q '</html>' page
	run ! grep -E '(src|href)="?(https?:)?//' page
	peer send:"$(request "$host" 'HEAD / HTTP/1.1')" run wsupgrade --console false >out
	peer send:"$(request "$host")" run wsupgrade --console false | sed '/^\r$/q' | cmp - out
	run -1 --separate-stderr peer send:"$(request "$host" 'POST / HTTP/1.1')" run wsupgrade --console false
	[[ $output == *$'\r\nAllow: GET, HEAD, OPTIONS\r\n'* ]]
}

@test "--page answers with a file or the content of a pipe; a FIFO is awaited for --timeout, a device is read up to the size limit" {
	head -c 300000 /dev/urandom >mine
	peer send:"$(request "$host")" run wsupgrade --page mine false >out
	grep -aq $'^Content-Length: 300000\r$' out
	tail -c 300000 out | cmp - mine
	# shellcheck disable=SC2016 # expanded there
	peer send:"$(request "$host")" run bash -c 'exec wsupgrade --page <(cat mine) false' >out
	tail -c 300000 out | cmp - mine
	run -1 --separate-stderr peer send:"$(request "$host")" run wsupgrade --page missing false
	whole_answer 500
	[ "${stderr_lines[0]}" = 'wsupgrade: missing: No such file or directory' ]
	mkfifo page
	for page in page /dev/zero; do
		run -1 --separate-stderr timeout 20 peer send:"$(request "$host")" run wsupgrade --page $page -t 100ms false
		[[ $output == 'HTTP/1.1 500 '* ]]
	done
}

@test "the program's environment is CGI/1.1; variables for the accepting program are removed" {
	PATH_INFO=/old CONTENT_TYPE=kept HTTP_ORIGIN=old environment \
		"$(request "${host}Sec-WebSocket-Protocol: chat\r\nX-One: a\r\nx-one: b\r\nCookie: a=1\r\ncookie: b=2\r\n$upgrade$rfc_key$version" \
			'GET /a%20b/../%2e?q=%20%00 HTTP/1.1')" -s chat
	has GATEWAY_INTERFACE=CGI/1.1 "SERVER_SOFTWARE=fittings/$(wsupgrade --version | cut -d' ' -f3)" SERVER_PROTOCOL=HTTP/1.1 \
		SERVER_NAME=localhost SERVER_PORT=9000 REQUEST_METHOD=GET 'REQUEST_URI=/a%20b/../%2e?q=%20%00' SCRIPT_NAME= \
		'PATH_INFO=/a b/../.' 'QUERY_STRING=q=%20%00' WEBSOCKET_PROTOCOL=chat HTTP_HOST=localhost:9000 'HTTP_X_ONE=a, b' \
		'HTTP_COOKIE=a=1; b=2' CONTENT_TYPE=kept
	lacks HTTP_ORIGIN REMOTE_ADDR
	[ "$(grep -cz '^PATH_INFO=' env)" = 1 ]
	LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=x NOTIFY_SOCKET=/x WATCHDOG_PID=1 WATCHDOG_USEC=1 KEPT=1 \
		environment "$(request "$good")"
	has KEPT=1
	lacks LISTEN_PID LISTEN_FDS LISTEN_FDNAMES NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC
}

@test "REMOTE_* are TCPREMOTE*, else inherited, else of the socket" {
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=4711 TCPLOCALPORT=81 REMOTE_ADDR=old REMOTE_PORT=old \
		environment "$(request "$good")"
	has REMOTE_ADDR=192.0.2.1 REMOTE_PORT=4711 SERVER_PORT=81
	REMOTE_ADDR=192.0.2.2 REMOTE_PORT=4712 environment "$(request "$good")"
	has REMOTE_ADDR=192.0.2.2 REMOTE_PORT=4712
	# RFC 3875 has no scope.
	TCPREMOTEIP=fe80::1%eth0 environment "$(request "$good")"
	has REMOTE_ADDR=fe80::1
	run peer on:tcp send:"$(request "$good")" run wsupgrade sh -c 'cat /proc/$$/environ >env'
	has REMOTE_ADDR=127.0.0.1
	grep -qzE '^REMOTE_PORT=[0-9]+$' env
	WEBSOCKET_PROTOCOL=old WEBSOCKET_EXTENSIONS=old environment "$(request "$good")"
	lacks WEBSOCKET_PROTOCOL WEBSOCKET_EXTENSIONS
}

@test "credentials reach the program, but not the log" {
	local secrets='Authorization: Basic c2VzYW1l\r\nCookie: session=c2VzYW1l\r\n'
	environment "$(request "$good$secrets")" -v
	has 'HTTP_AUTHORIZATION=Basic c2VzYW1l' HTTP_COOKIE=session=c2VzYW1l
	[ -n "$stderr" ]
	[[ $stderr != *c2VzYW1l* ]]
	for head in "$(request "$host$secrets")" "$(request "$good${secrets}Origin: http://evil\r\n")" \
		"$(request "$good${secrets}A : b\r\n")" "$(request "$good$secrets" 'GET / HTTP/2.0')"; do
		run -1 --separate-stderr peer send:"$head" run wsupgrade -v true
		[ -n "$stderr" ]
		[[ $stderr$output != *c2VzYW1l* ]]
	done
	used -H 'Authorization : Basic c2VzYW1l' true
	[[ $stderr == *--header:\ Authorization\ :* ]]
	[[ $stderr != *c2VzYW1l* ]]
	used -H "Cookie: c2VzYW1l$(printf 'x%.0s' {1..9000})" true
	[[ $stderr == *--header:\ Cookie:* ]]
	[[ $stderr != *c2VzYW1l* ]]
}

@test "a stderr that is the connection is replaced, for the program too" {
	peer stderr send:"$(request "$good")" run wsupgrade -v sh -c 'echo noise >&2; echo quiet' >out
	printf '%b\r\nquiet\n' "$switching" | cmp - out
	run peer stderr send:'x\n' run wsupgrade -v false
	[[ $output == "HTTP/1.1 400 "* ]]
	[[ $output != *wsupgrade* ]]
}

@test "inherited descriptors are kept, and own ones are not inherited" {
	peer send:"$(request "$good")" run bash -c 'exec 9<. 3>&- 4>&-
		ls /proc/self/fd >before; exec wsupgrade -a true ls /proc/self/fd' >out
	sed '1,/^\r$/d' out | cmp - before
	grep -qx 9 before
}

@test "log lines contain no control bytes, and are cut" {
	local long
	long=$(printf 'x%.0s' {1..5000})
	peer send:"$(request "${good}Origin: http://\xff\xc2\x9b$long\r\n")" run wsupgrade false 2>err >out || true
	[ "$(wc -l <err)" = 1 ]
	[ "$(wc -c <err)" -lt 400 ]
	run ! env LC_ALL=C grep -q '[^ -~]' err
	grep -qF 'wsupgrade: client: 403 Origin is not allowed: http://\xff\xc2\x9bxxx' err
}

@test "-z: the first acceptable offer of permessage-deflate is accepted, and prog gets the response" {
	local d=permessage-deflate options offers answer
	while IFS='|' read -r options offers answer; do
		# shellcheck disable=SC2086 # words
		run -0 peer send:"$(request "${good}Sec-WebSocket-Extensions: $offers\r\n")" run env WEBSOCKET_EXTENSIONS=old \
			wsupgrade $options sh -c 'echo "<${WEBSOCKET_EXTENSIONS-none}>"'
		[[ $output == *"<${answer:-none}>" ]]
		[ "$(grep -aoP 'Sec-WebSocket-Extensions: \K.*(?=\r)' <<<"$output")" = "$answer" ]
	done <<-END
		|$d|
		-z|foo, x-$d|
		-z|$d; server_max_window_bits=7, $d; unknown|
		-z|$d|$d
		-z|$d; client_max_window_bits|$d
		-z|foo, $d; unknown, $d; server_max_window_bits="10"; client_no_context_takeover, $d|$d; client_no_context_takeover; server_max_window_bits=10
		-z --window 9|$d|
		--deflate --window 12|$d; client_max_window_bits|$d; server_max_window_bits=12; client_max_window_bits=12
		-z --no-takeover|$d|$d; server_no_context_takeover; client_no_context_takeover
	END
	refused 400 "$(request "${good}Sec-WebSocket-Extensions: $d;\r\n")" -z
}

@test "-v logs accepted clients" {
	TCPREMOTEIP=::1 TCPREMOTEPORT=5 run --separate-stderr \
		peer send:"$(request "${good}Sec-WebSocket-Protocol: chat\r\n" 'GET /a?b HTTP/1.1')" run wsupgrade -v -s chat true
	[ "$stderr" = 'wsupgrade: [::1]:5: 101 /a?b, protocol chat' ]
	run --separate-stderr peer send:"$(request "${good}Sec-WebSocket-Protocol: chat, x\r\n")" run wsupgrade -v -s CHAT true
	[ "$stderr" = 'wsupgrade: client: 101 /, subprotocols not offered: chat, x' ]
	run --separate-stderr peer send:"$(request "${good}Sec-WebSocket-Extensions: permessage-deflate\r\n")" run wsupgrade -vz true
	[ "$stderr" = 'wsupgrade: client: 101 /, permessage-deflate' ]
	TCPREMOTEIP=192.0.2.1 TCPREMOTEPORT=5 run --separate-stderr peer send:"$(request "$host")" run wsupgrade false
	[[ $stderr == 'wsupgrade: 192.0.2.1:5: 426 '* ]]
}

# serve_example LINE: like example, and starts it; LINE is the part after portscan-bind.
serve_example() {
	example "portscan-bind $1"
	serve sh -c "exec $1"
}

connect_example() {
	example "$1"
	sh -c "exec ${1/portscan-connect/portscan-connect -q -p $port}"
}

# ask_for HOST PATH FIELDS: sends a request to the service.
ask_for() {
	printf '%b' "GET $2 HTTP/1.1\r\nHost: $1\r\n$3$upgrade$rfc_key$version\r\n" | portscan-connect -q -p "$port"
}

@test "example: a filter as a service, and a client of it; a greeting by name" {
	local line='portscan-bind tcpaccept wsupgrade --console --host localhost wsframe cat'
	example "$line"
	# shellcheck disable=SC2086 # the example is words
	serve ${line#portscan-bind }
	connect_example 'portscan-connect wsupgrade -c ws://localhost/ wsframe -c' <<<'hello' >out
	same out hello
	ask_for evil / '' | grep -q '^HTTP/1.1 403'
	printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' | portscan-connect -q -p "$port" | grep -q '</html>'
	# shellcheck disable=SC2016 # the example's
	serve_example 'tcpaccept wsupgrade wsframe sh -c '\''printf "Hello %s\n" "$QUERY_STRING"'\'
	portscan-connect -q -p "$port" wsupgrade -c 'ws://localhost:9000/?Ada' wsframe -c </dev/null >out
	same out 'Hello Ada'
}

@test "example: only for the pages of one site, on the same host or another" {
	shell_script chat 'exec cat'
	serve_example 'tcpaccept wsupgrade --host www.example.org -P /chat wsframe ./chat'
	ask_for www.example.org /chat 'Origin: https://www.example.org\r\n' | grep -aq '^HTTP/1.1 101'
	ask_for www.example.org /chat 'Origin: https://evil.example\r\n' | grep -aq '^HTTP/1.1 403'
	ask_for www.example.org /other '' | grep -aq '^HTTP/1.1 404'
	ask_for evil.example /chat '' | grep -aq '^HTTP/1.1 403'
	stop_all
	serve_example 'tcpaccept wsupgrade --host ws.example.org -o https://www.example.org wsframe ./chat'
	ask_for ws.example.org / 'Origin: https://www.example.org\r\n' | grep -aq '^HTTP/1.1 101'
	ask_for ws.example.org / 'Origin: http://www.example.org\r\n' | grep -aq '^HTTP/1.1 403'
	stop_all
	serve_example "tcpaccept wsupgrade --host ws.example.org -o 'https://*.example.org' wsframe ./chat"
	ask_for ws.example.org / 'Origin: https://www.example.org\r\n' | grep -aq '^HTTP/1.1 101'
}

@test "examples: only for clients that know the password, or a user and a password in the dialog of a browser" {
	printf '#!/bin/sh\nexec cat\n' >chat
	# shellcheck disable=SC2016 # the example's
	{
		example 'test "$HTTP_AUTHORIZATION" = "Bearer $(cat secret)"'
		printf '%s\n' '#!/bin/sh' 'test "$HTTP_AUTHORIZATION" = "Bearer $(cat secret)"' >may-enter
		chmod +x chat may-enter
		echo sesame >secret
		serve_example 'tcpaccept wsupgrade -a ./may-enter wsframe ./chat'
		local line='wsupgrade -H "Authorization: Bearer $(cat secret)" -c ws://localhost/ wsframe -c'
	}
	example "portscan-connect $line"
	portscan-connect -q -p "$port" sh -c "exec $line" <<<'hello' >out
	same out hello
	echo wrong >known
	run -1 --separate-stderr portscan-connect -q -p "$port" sh -c "exec ${line/secret/known}"
	[[ $stderr == *'HTTP/1.1 403 Forbidden (Forbidden: not authorized)' ]]
	printf '#!/bin/sh\nexec cat\n' >chat
	# shellcheck disable=SC2016 # the example's
	local line='grep -qxF -e "${HTTP_AUTHORIZATION#Basic }" users'
	example "$line"
	printf '#!/bin/sh\n%s\n' "$line" >may-enter
	chmod +x chat may-enter
	line='printf %s ann:secret | base64 >>users'
	example "$line"
	sh -c "$line"
	serve_example 'tcpaccept wsupgrade --console --realm Chat -a ./may-enter wsframe ./chat'
	ask_for localhost / "Authorization: Basic $(printf ann:secret | base64)\r\n" | grep -aq '^HTTP/1.1 101'
	for wrong in '' "Authorization: Basic $(printf ann:wrong | base64)\r\n" 'Authorization: Basic -vex\r\n'; do
		ask_for localhost / "$wrong" | grep -aq '^HTTP/1.1 401'
	done
}
