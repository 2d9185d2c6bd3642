# Every program under short_io.so (short reads and writes, EINTR, EAGAIN): the output must not differ by a byte from the
# output without it. SEEDS=n tries n seeds in each test.
# shellcheck disable=SC2002,SC2059,SC2094
load helper

setup() {
	local i
	cd "$BATS_TEST_TMPDIR" || exit
	not_sanitized # a sanitizer must be loaded first
	PATH=$BUILD/dynamic:$PATH
	random_bytes 30000 >blob
	for i in $(seq 300); do
		printf 'name %d,"a ""quoted"" one, with\nlines",%s,,last\r\n' "$i" "é$i"
	done >csv
	printf 'x,"unclosed\n' >>csv
	for i in $(seq 200); do
		printf 'line %d %s\n' "$i" "$(random_bytes $((i * i % 90)))"
	done >lines
	{ printf 'long '; random_bytes 20000; echo; } >>lines
	wsframe -e <lines >frames
	{ wsframe -e -c <lines; printf '\x88\x82\x00\x00\x00\x00\x03\xe8'; } >session
	{ printf "${ws_request/ \/ / /a%%20b?c }" | sed '$d'; printf 'X-Long: '; random_bytes 3000; printf '\r\n\r\n'; cat session; } >request
}

random_bytes() {
	awk -v n="$1" 'BEGIN { srand(7); for (i = 0; i < n; i++) printf "%c", 33 + int(rand() * 90) }'
}

# unchanged SEEDS CASE...: with each seed, the output and the status are those without faults.
unchanged() {
	local case seed most=(1 3 7 64 1000 65536)
	for case in "${@:2}"; do
		faults=()
		outcome >want
		[ "$(wc -c <want)" -gt 1000 ]
		for seed in $(seq "${SEEDS:-$1}"); do
			faults=(env "SHORT_IO=$seed ${most[seed % 6]} $((seed % 4 * 10)) $((seed / 4 % 3 * 15))" "LD_PRELOAD=$BUILD/stress/short_io.so")
			outcome >got
			cmp got want || { echo "$case, seed $seed" && diff -a got want | cut -c1-200 && return 1; }
		done
	done
}

outcome() {
	local status=0
	"$case" 2>&1 || status=$?
	echo "status $status"
}

# serve CMD...: like that of the helper, with faults.
serve() {
	start server "${faults[@]}" portscan-bind -p 0 "$@"
	bound
}

# The server must exit with 0.
stop() {
	stopped
	sed 's/^Bound to.*/Bound/; /the next one waits/d' server.err # which depends on the machine's load
}

client() {
	"${faults[@]}" portscan-connect -q -p "$port" "$@"
}

csv_lines() { "${faults[@]}" csvsplit <csv; }
csv_nul() { "${faults[@]}" csvsplit -O nul csv; }
csv_tsv() { "${faults[@]}" csvsplit -O tsv -f 3-1,~1 <csv; }
csv_csv() { "${faults[@]}" csvsplit -O csv -x -f 2 <csv; }
csv_json() { cat csv | "${faults[@]}" csvsplit -O json -H; }
echo_pipe() { cat blob | "${faults[@]}" tcpecho; }
echo_socket() {
	serve tcpecho
	client <blob
	stop
}
accept_echo() {
	local i clients=()
	serve tcpaccept -c 2 tcpecho
	for i in 1 2 3 4 5; do
		client <blob >"back$i" &
		clients+=($!)
	done
	wait "${clients[@]}"
	cat back?
	stop
}
frame_encode() { "${faults[@]}" wsframe -e <lines | wsframe -d; }
frame_decode() { cat frames | "${faults[@]}" wsframe -d; }
frame_decode_netstrings() { "${faults[@]}" wsframe -d -n -T <frames; }
frame_session() { peer limit:100 file:session run "${faults[@]}" wsframe cat | wsframe -d; }
frame_bytes() { peer limit:100 file:session run "${faults[@]}" wsframe -b cat | wsframe -d -b; }
upgrade_session() {
	peer limit:100 file:request fin run "${faults[@]}" wsupgrade sh -c 'echo "$PATH_INFO $HTTP_X_LONG" >&2; exec cat' 2>said
	cat said
}
# lines_through CMD...: a server that sends back the lines of a WebSocket client.
lines_through() {
	serve "$@"
	client wsupgrade -c ws://localhost/ wsframe -c -q never -m 201 <lines
	echo "client: $?"
	stop
}
chain() { lines_through tcpaccept wsupgrade wsframe cat; }
each() { lines_through wsserve env -u LD_PRELOAD cat; }
hub() { lines_through wshub env -u LD_PRELOAD sed -nu '/^[0-9]* text /p'; }

@test "short_io: reads are shortened and interrupted" {
	run -0 --separate-stderr env SHORT_IO='1 100 0 0' LD_PRELOAD="$BUILD/stress/short_io.so" dd if=/dev/zero of=/dev/null bs=4096 count=3
	[[ $stderr == *"0+3 records in"* ]]
}

@test "short_io: the output of csvsplit is the same" {
	unchanged 4 csv_lines csv_tsv csv_json ${SEEDS:+csv_nul csv_csv}
}

@test "short_io: the data of tcpecho, portscan-connect and tcpaccept is the same" {
	unchanged 3 echo_pipe echo_socket accept_echo
}

@test "short_io: the frames and handshakes of wsframe and wsupgrade are the same" {
	unchanged 3 frame_encode frame_decode frame_session frame_bytes upgrade_session ${SEEDS:+frame_decode_netstrings}
}

@test "short_io: the data of the whole chain, of wsserve and of wshub is the same" {
	unchanged 2 chain each hub
}
