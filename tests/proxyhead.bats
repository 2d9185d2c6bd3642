# proxyhead: read the PROXY header of a connection, then run a program.
# shellcheck disable=SC1003,SC2059 # headers are printf's formats
load helper

line='PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'
fixed='\r\n\r\n\0\r\nQUIT\n'
v4='\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb'

# The environment of a program for a connection, without the variables of every program.
shows='env | grep -E "^(PROTO|TCP|REMOTE_|SSL_TLS_|WEBSOCKET_)" | sort'

# reads TEXT [ARG...]: runs proxyhead with this header from a pipe.
reads() {
	# shellcheck disable=SC2059
	run --separate-stderr bash -c 'printf "$1" | proxyhead "${@:3}" sh -c "$2"' _ "$1" "$shows" "${@:2}"
}

client_is() {
	[ "$status $stderr" = "0 " ]
	same <(echo "$output") PROTO=TCP "REMOTE_ADDR=$1" "REMOTE_PORT=$2" "${@:5}" \
		"TCPLOCALIP=$3" "TCPLOCALPORT=$4" "TCPREMOTEIP=$1" "TCPREMOTEPORT=$2"
}

@test "the client's address is in the environment, for versions 1 and 2, IPv4 and IPv6, and the authority" {
	reads "$line"
	client_is 192.0.2.1 56324 198.51.100.2 443
	reads 'PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n'
	client_is 2001:db8::1 56324 2001:db8::2 443
	reads "$fixed\\x21\\x11\\0\\x0c$v4"
	client_is 192.0.2.1 56324 198.51.100.2 443
	reads "$fixed\\x21\\x21\\0\\x24$(printf '\\x%02x' {1..16})$(printf '\\x%02x' {2..17})\\0\\x01\\xff\\xff"
	client_is 102:304:506:708:90a:b0c:d0e:f10 1 203:405:607:809:a0b:c0d:e0f:1011 65535
	reads 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n'
	client_is 192.0.2.1 1 198.51.100.2 2
	reads "$fixed\\x21\\x11\\0\\x17$v4\\x02\\0\\x08a.ex.org"
	client_is 192.0.2.1 56324 198.51.100.2 443 SSL_TLS_SNI_SERVERNAME=a.ex.org
}

@test "inherited variables of the proxy's connection are removed; UNKNOWN, LOCAL and AF_UNSPEC keep its addresses" {
	export PROTO=TCP TCPLOCALIP=9.9.9.9 TCPLOCALPORT=9 TCPREMOTEIP=8.8.8.8 TCPREMOTEPORT=8 REMOTE_ADDR=8.8.8.8 REMOTE_PORT=8
	export TCPCONNNUM=3 TCPREMOTEHOST=old REMOTE_HOST=old SSL_TLS_SNI_SERVERNAME=old
	local own
	for own in 'PROXY UNKNOWN\r\n' 'PROXY UNKNOWN ::1 ::1 1 2\r\n' "$fixed\\x20\\0\\0\\0" "$fixed\\x21\\0\\0\\0" "$fixed\\x20\\x11\\0\\x0c$v4"; do
		reads "$own"
		client_is 8.8.8.8 8 9.9.9.9 9
	done
	export TCPLOCALHOST=old TCPREMOTEINFO=old WEBSOCKET_PROTOCOL=old
	reads "$line"
	client_is 192.0.2.1 56324 198.51.100.2 443
	reads "$fixed\\x21\\x31\\0\\xd8$(printf '\\0%.0s' {1..216})"
	[ "$output" = PROTO=IPC ]
}

@test "a large environment is preserved" {
	run -0 bash -c 'for i in {1..500}; do export "VARIABLE_$i=$i"; done; printf "$1" | proxyhead env | grep -c ^VARIABLE_' _ "$line"
	[ "$output" = 500 ]
}

# The program gets the data after the header on any descriptor: sent at once, divided anywhere, or byte by byte.
@test "nothing after the header is read: TCP, UNIX sockets and pipes, divided at every byte, and after 64 KiB" {
	local how cut whole header
	for header in "$line" "$fixed\\x21\\x11\\0\\x17$v4\\x02\\0\\x08a.ex.org" 'PROXY UNKNOWN\r\n'; do
		whole=${header}behind
		for how in tcp unix pipes; do
			prints behind peer on:$how send:"$whole" fin run proxyhead cat
			prints behind peer on:$how bytes:"$whole" fin run proxyhead cat
		done
	done
	for ((cut = 1; cut < ${#line}; cut += 3)); do
		[ "${line:cut-1:1}" = '\' ] || run -0 peer on:pipes send:"${line:0:cut}" send:"${line:cut}behind" fin run proxyhead cat
		[ "$output" = behind ]
	done
	{ printf "$fixed\\x21\\x11\\xff\\xff$v4\\xe0\\xff\\xf0" && zeros 65520; printf behind; } >long
	for how in tcp unix pipes; do
		prints behind peer on:$how file:long fin run proxyhead cat
	done
}

zeros() {
	head -c "$1" /dev/zero
}

@test "a connection closed before its first byte is 1, reported only with -v; inside the header always" {
	serve tcpaccept proxyhead cat
	peer to:"$port" open fin rest close churn:1 open 'send:PROXY' fin rest
	await server.err 'proxyhead'
	[[ "$(grep -v ^Bound server.err)" =~ ^"proxyhead: 127.0.0.1:"[0-9]+": no PROXY header: end of file"$ ]]
	reports 1 "proxyhead: client: no PROXY header: end of file" proxyhead -v cat </dev/null
	run -1 --separate-stderr proxyhead cat </dev/null
	[ -z "$stderr" ]
}

@test "-t limits the whole header, however slowly it arrives; -v logs the client of the proxy" {
	run -1 --separate-stderr peer on:tcp dribble:'PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' run proxyhead -t 200ms cat
	[[ ${stderr_lines[0]} =~ ^"proxyhead: 127.0.0.1:"[0-9]+": no PROXY header: "(Operation|Connection)" timed out"$ ]]
	serve tcpaccept proxyhead -v cat
	peer to:"$port" open "send:$line" fin rest
	await server.err '^127.0.0.1:[0-9]+ connects for 192.0.2.1:56324$'
}

@test "wsupgrade and its program see the client's address, or none for a UNIX socket" {
	run -0 peer on:tcp send:"$line$ws_request" fin run proxyhead wsupgrade sh -c 'echo "you are $REMOTE_ADDR $REMOTE_PORT"'
	[ "${lines[-1]}" = "you are 192.0.2.1 56324" ]
	printf "$fixed\\x21\\x31\\0\\xd8" >unix
	zeros 216 >>unix
	printf "$ws_request" >>unix
	run -0 peer on:tcp file:unix fin run proxyhead wsupgrade sh -c 'echo "you are ${REMOTE_ADDR-nobody}"'
	[ "${lines[-1]}" = "you are nobody" ]
}

@test "the example of the manual" {
	sed -n "/^printf 'PROXY/,/^\.Ed/p" "$BATS_TEST_DIRNAME/../man/proxyhead.1" | sed '$d; s/\\e/\\/g' >this
	prints "you are 192.0.2.1" sh ./this
}
