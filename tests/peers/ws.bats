# The WebSocket programs with clients and servers of other projects.
load ../helper

here=$BATS_TEST_DIRNAME
python=/usr/bin/python3

need_python() {
	"$python" -c 'import websockets' 2>/dev/null || skip "Python websockets is missing: apt-get install python3-websockets"
}

need_node() {
	NODE_PATH=${NODE_PATH:-/usr/share/nodejs} node -e 'require("ws")' 2>/dev/null || skip "node ws is missing: apt-get install node-ws"
	export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}
}

echo_server() {
	serve tcpaccept wsupgrade "$@" wsframe -n -T cat
}

node_client() {
	node "$here/ws_client.js" "ws://127.0.0.1:$port/"
}

# their_server CMD...: starts a foreign server that prints `Bound to PORT` on stdout.
their_server() {
	start their "$@"
	await their.out '^Bound to '
	port=$(sed -n 's/^Bound to //p' their.out)
}

python_server() {
	need_python
	their_server "$python" "$here/ws_server.py"
}

node_server() {
	need_node
	their_server node "$here/ws_server.js"
}

uws_server() {
	local module=@trufflesuite/uws-js-unofficial path
	path=$(npm root -g 2>/dev/null)
	[ -e "$path/$module" ] || skip "uWebSockets is missing: npm install -g $module"
	their_server env NODE_PATH="$path" node "$here/uws_server.js"
}

# client PATH [OPTION...]: wsframe -c to the foreign server; stdout and stderr in files.
client() {
	local path=$1
	shift
	# shellcheck disable=SC2086 # options
	portscan-connect -q -p "$port" wsupgrade $upgrade_options -c "ws://127.0.0.1:$port$path" wsframe -c "$@" \
		>out 2>err
}

# cases CASE...: each case of ws_client.py passes with the server on $port.
cases() {
	local case
	for case; do "$python" "$here/ws_client.py" "ws://127.0.0.1:$port/" "$case" || { echo "$case" && return 1; }; done
}

# The options of wsupgrade without compression and for each parameter of permessage-deflate, and the negotiated result.
deflates=('' '-z' '-z --window 9' '-z --no-takeover' '-z --window 12 --no-takeover')
no_takeover='; server_no_context_takeover; client_no_context_takeover'
agreements=('' ', permessage-deflate' ', permessage-deflate; server_max_window_bits=9; client_max_window_bits=9' ", permessage-deflate$no_takeover" ", permessage-deflate$no_takeover; server_max_window_bits=12; client_max_window_bits=12")

@test "Python websockets and node ws as clients of echo services, compressed with each parameter and not" {
	local i
	for i in "${!deflates[@]}"; do
		# shellcheck disable=SC2086 # options
		echo_server -v ${deflates[i]}
		need_python
		cases echo fragments pings closing
		need_node
		node_client
		[ "$(grep -c " 101 /${agreements[i]}\$" server.err)" = "$(grep -c ' 101 ' server.err)" ]
		stop_all
		# shellcheck disable=SC2086 # options
		serve wsserve -v ${deflates[i]} -n -T cat
		cases echo fragments
		node_client
		grep -q " 101 /${agreements[i]}\$" server.err
		stop_all
	done
}

@test "compressed, with each parameter, our client talks to Python websockets and node ws" {
	local upgrade_options server
	{ seq 100000; yes 'a line' | head -n 100000 | tr '\n' ' '; } >in
	for server in python_server node_server; do
		"$server"
		for upgrade_options in "${deflates[@]:1}"; do
			client /echo -m 100001 <in
			cmp in <(head -c -1 out)
			# shellcheck disable=SC2086,SC2016
			portscan-connect -q -p "$port" wsupgrade $upgrade_options -c "ws://127.0.0.1:$port/echo" sh -c 'echo "$WEBSOCKET_EXTENSIONS" >&2' 2>agreed
			grep -q '^permessage-deflate;' agreed
		done
	done
}

@test "our client talks to uWebSockets, compressed or not" {
	local upgrade_options
	uws_server
	seq 100000 >in
	for upgrade_options in '' '-vz' '-vz --no-takeover'; do
		client / -m 100000 <in
		cmp in out
		[ -z "$upgrade_options" ] || grep -q 'connected, permessage-deflate' err
	done
}

@test "a client of Python websockets: lines, data directly after the 101, fragments, pings between, a Close, a subprotocol" {
	python_server
	printf 'one\ntwo \342\230\203\n\nlast' >in
	client /echo -m 4 <in
	cmp out <(printf 'one\ntwo \342\230\203\n\nlast\n')
	[ ! -s err ]
	client /talk -q never </dev/null
	{
		printf 'first, behind the 101\nin fragments\ntwo\nlines\n'
		"$python" -c 'import sys; sys.stdout.buffer.write(("\u2603" * 100000 + "\n").encode())'
	} >want
	cmp out want
	run -1 client /4000 -q never </dev/null
	same out x
	grep -q '4000.*no more' err
	portscan-connect -q -p "$port" wsupgrade -c "ws://127.0.0.1:$port/protocol" -s v1 -s v2 wsframe -c -q never </dev/null >out
	same out "protocol v2"
	client /ping -q never </dev/null
	same out "pong came"
}

@test "a client with a program and node ws, 16 MiB in both directions" {
	node_server
	head -c 12582912 /dev/urandom | base64 -w 1022 >in
	local count
	count=$(wc -l <in)
	client /echo -m "$count" <in
	cmp in out
	# shellcheck disable=SC2016
	portscan-connect -q -p "$port" wsupgrade -c "ws://127.0.0.1:$port/echo" \
		wsframe -c sh -c 'cat "$1" & head -n "$2" >"$3"' sh in "$count" out2
	cmp in out2
}

@test "a client of websocketd" {
	command -v websocketd >/dev/null || skip "websocketd is missing: apt-get install websocketd"
	port=$(free_port)
	start theirs websocketd --port="$port" --address=127.0.0.1 cat
	await theirs.out 'Starting WebSocket server'
	seq 1000 | client / -m 1000
	cmp out <(seq 1000)
}

# Without pings: if a send is partial, only the newest pong is kept. -k: on a busy machine it would send one.
@test "the prober's cases with short reads and writes and interrupted calls" {
	! grep -q __asan "$BIN/wsframe" || skip "a sanitizer's build preloads its own"
	local seed
	for seed in 1 ${LONG:+2}; do
		# The dynamically linked programs, because a library is preloaded, also into cat.
		serve tcpaccept env SHORT_IO="$seed $((seed * 7)) 10 0" LD_PRELOAD="$BUILD/stress/short_io.so" \
			"$BUILD/dynamic/wsupgrade" "$BUILD/dynamic/wsframe" -k 1h -n -T cat
		"$TOOLS/wsprobe" --timeout 1m --groups handshake,origin,framing,reserved,fragments,utf8,close \
			"127.0.0.1:$port" >tap || { grep -A 1 '^not ok' tap; return 1; }
		stop_all
	done
}
