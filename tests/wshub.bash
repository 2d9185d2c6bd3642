# What the test files of wshub share.
# shellcheck disable=SC1003,SC2016,SC2059,SC2030,SC2031,SC2034,SC2154,SC2314 # helper.bash sets them; inner shells expand them
source "${BASH_SOURCE[0]%/*}/helper.bash"

# The first message of a client.
request=$ws_request
# Much more than the kernel buffers, and more than half of --queue.
much='read -r open; printf "1 text "; head -c 7000000 /dev/zero | tr "\0" x; echo; cat >&2'

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	printf '%b' "$request" >request
}

# A client in the background: client NAME PATH [wsframe's option...]. It sends the lines written to
# its fifo $BATS_TEST_TMPDIR/NAME.in; NAME.out contains what it receives.
client() {
	local name=$1 path=$2
	shift 2
	mkfifo "$name.in"
	start "$name" sh -c 'exec "$@" <"$0"' "$name.in" \
		portscan-connect -q -p "$port" wsupgrade ${deflate-} -c "ws://localhost:$port$path" wsframe -c -q never "$@"
	exec {fd}>"$name.in"
	eval "$name=$fd"
}

# enters NAME ID [wsframe's option...]: a client in the background whose arrival the program has read.
enters() {
	client "$1" / "${@:3}"
	server_says "^got $2 open "
}

# tell NAME LINE: the client sends the line.
tell() {
	printf '%s\n' "$2" >&"${!1}"
}

# meets NAME OTHER: a message of NAME has reached OTHER, so both are connected (for await_that).
meets() {
	tell "$1" in
	grep -qs in "$2.out"
}

hears() {
	await "$BATS_TEST_TMPDIR/$1.out" "$2"
}

server_says() {
	await server.err "$1"
}

# visit [ARG of wsframe...]: runs a client with the caller's stdin and stdout.
visit() {
	portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c "$@"
}

# hub [OPTION...]: starts a wshub whose program writes its input to stderr, and the commands in the file `orders'.
hub() {
	recorder
	serve wshub "$@" ./recorder orders
}

recorder() {
	: >orders
	cat >recorder <<-'END'
		#!/bin/sh
		tail -n +1 -f "$1" & trap 'kill $!' EXIT
		while IFS= read -r line; do printf 'got %s\n' "$line" >&2; done
	END
	chmod +x recorder
}

order() {
	printf '%s\n' "$@" >>orders
}

# Connects a client, so that wshub has processed everything before.
turn() {
	start turn peer -v to:"$port" open file:request recv
	ended "$pid"
	grep -q '^recv HTTP/1.1 101' turn.out
}

# within NAME KIB: checks the memory of the server from /proc, without its files, for example the libc.
within() {
	local kib
	kib=$(awk -v name="$1:" '$1 == name { n += $2 } $1 == "RssFile:" { n -= $2 } END { print n }' "/proc/$server/status")
	((kib <= $2)) || { echo "$1: $kib KiB"; return 1; }
}

# page NAME: stores the response for a browser in NAME.
page() {
	start get peer -v to:"$port" open "into:$BATS_TEST_TMPDIR/$1" 'send:GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' rest
	ended "$pid"
	grep -q '^HTTP/1.1 200 ' "$BATS_TEST_TMPDIR/$1"
}
