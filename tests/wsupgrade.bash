# Shared by the test files of wsupgrade.
load helper

# The handshake of RFC 6455, section 1.3, and its parts.
rfc_key='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
version='Sec-WebSocket-Version: 13\r\n'
upgrade='Upgrade: websocket\r\nConnection: Upgrade\r\n'
host='Host: localhost:9000\r\n'
good="$host$upgrade$rfc_key$version"
answer='HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \A\r\n'

unset TCPREMOTEIP TCPREMOTEPORT TCPLOCALPORT REMOTE_ADDR REMOTE_PORT

# request FIELDS [LINE]: prints the head of a request for peer.
request() {
	printf '%s' "${2-GET / HTTP/1.1}" '\r\n' "$1" '\r\n'
}

# refused STATUS REQUEST-HEAD [OPTION...]: wsupgrade sends a complete response with that status, and
# exits with 1.
refused() {
	local expected=$1 head=$2
	shift 2
	run --separate-stderr peer send:"$head" run wsupgrade "$@" echo started
	whole_answer "$expected"
	[ "$status" = 1 ]
	[[ $output != *started* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "wsupgrade: client: $expected "* ]]
}

# whole_answer STATUS: $output is a complete HTTP response that closes the connection and has the
# right length.
whole_answer() {
	local head=${output%%$'\r\n\r\n'*} body=${output#*$'\r\n\r\n'}
	[[ $output == "HTTP/1.1 $1 "* ]]
	[[ $head =~ Content-Length:\ ([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" = $((${#body} + 1)) ] # `run` takes the last newline
	[[ $head == *$'\r\nConnection: close'* ]]
}

# used ARG...: wsupgrade with these arguments is a usage error.
used() {
	run -2 --separate-stderr wsupgrade "$@"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == wsupgrade:* ]]
	[ "$output" = "" ]
}

# example LINE: it is an example of the manual, where it may be continued on the next line.
example() {
	grep -qxF -- "$1" <(sed 's/\\e/\\/g' "$BATS_TEST_DIRNAME/../man/wsupgrade.1" | joined)
}
