# The WebSocket server and client, tested by a peer that shares no code with
# them: tests/tools/wsprobe contains the cases and the expected results.
load helper

# Thousands of processes: leaks are checked by the sanitizer in the other tests.
export ASAN_OPTIONS=detect_leaks=0

# probe ARG...: every case must pass; failed ones are printed.
probe() {
	"$TOOLS/wsprobe" "$@" >"$BATS_TEST_TMPDIR/tap" || {
		grep -A 1 '^not ok' "$BATS_TEST_TMPDIR/tap" || cat "$BATS_TEST_TMPDIR/tap"
		return 1
	}
}

# All cases except those with much data.
small=handshake,origin,framing,pings,reserved,fragments,utf8,close

@test "the server handles every case as the RFCs require" {
	serve tcpaccept wsupgrade wsframe -n -T cat
	probe "127.0.0.1:$port"
}

@test "the server handles every case byte by byte" {
	serve tcpaccept wsupgrade wsframe -n -T cat
	probe --chunk 1 --groups "$small" "127.0.0.1:$port"
}

@test "the server handles every case in pieces of 1000 bytes" {
	not_sanitized
	serve tcpaccept wsupgrade wsframe -n -T cat
	probe --chunk 1000 --groups "$small,limits" "127.0.0.1:$port"
}

@test "if records have no type, binary messages that are UTF-8 are text" {
	serve tcpaccept wsupgrade wsframe -n cat
	probe --groups text-only "127.0.0.1:$port"
}

@test "only the listed hosts are served, whatever the origin" {
	serve tcpaccept wsupgrade --host localhost wsframe -n -T cat
	probe --groups hosts "127.0.0.1:$port"
}

@test "a client that sends its head slowly is refused in time" {
	serve tcpaccept wsupgrade -t 1 wsframe -n -T cat
	probe --groups slow "127.0.0.1:$port"
}

@test "the server answers each offer of compression as RFC 7692 requires" {
	serve tcpaccept wsupgrade -z wsframe -n -T cat
	probe --groups offers "127.0.0.1:$port"
}

# All data messages are compressed, in both directions.
@test "the server handles every case of compressed messages" {
	pmd=permessage-deflate
	for chain in "tcpaccept wsupgrade -z % wsframe" "wsserve -z %"; do
		serve ${chain/'%'/} -n -T cat
		probe --offer "$pmd" --agreed "$pmd" --groups deflate,takeover,framing,pings,fragments,utf8,close "127.0.0.1:$port"
		probe --offer "$pmd" --agreed "$pmd" --chunk 1 --groups takeover,fragments,utf8 "127.0.0.1:$port"
		serve ${chain/'%'/--window 9} -n -T cat
		probe --offer "$pmd; client_max_window_bits" --agreed "$pmd; server_max_window_bits=9; client_max_window_bits=9" \
			--groups takeover,bulk "127.0.0.1:$port"
		serve ${chain/'%'/--no-takeover} -n -T cat
		probe --offer "$pmd; server_max_window_bits=8" --agreed "$pmd; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8" \
			--groups deflate,no-takeover,bulk "127.0.0.1:$port"
	done
}

client='exec portscan-connect -q -p "$PORT" wsupgrade -c ws://localhost/ wsframe -c -n -T cat'

@test "the client handles every case as the RFCs require, and its exit status tells the result" {
	probe --fake sh -c "$client"
}

@test "the client accepts or refuses each answer to its offer of compression, and handles compressed messages" {
	probe --groups deflate-answers --fake sh -c "${client/wsupgrade/wsupgrade -z}"
	probe --agreed permessage-deflate --groups deflate,takeover,fragments --fake sh -c "${client/wsupgrade/wsupgrade -z}"
}

@test "the client handles every case byte by byte" {
	not_sanitized
	probe --chunk 1 --groups "answers,${small#handshake,origin,}" --fake sh -c "$client"
}

@test "a client after EOF of stdin handles every case as the RFCs require" {
	probe --mute --fake sh -c 'exec portscan-connect -q -p "$PORT" wsupgrade -c ws://localhost/ \
		wsframe -c -n -T -q never </dev/null >/dev/null'
}

@test "wsserve handles every case as the RFCs require" {
	serve wsserve -n -T cat
	probe "127.0.0.1:$port"
	probe --chunk 1 --groups "$small" "127.0.0.1:$port"
	serve wsserve -t 1 --host localhost -n -T cat
	probe --groups slow,hosts "127.0.0.1:$port"
}

# All clients of wshub share one program, so a client's end does not wait
# for its further output.
@test "wshub handles every case as the RFCs require" {
	serve wshub -n -M 16M -q 64M cat
	probe --early-close "127.0.0.1:$port"
	probe --early-close --chunk 1 --groups "$small" "127.0.0.1:$port"
	local no='permessage-deflate; server_no_context_takeover; client_no_context_takeover' bits='server_max_window_bits=9; client_max_window_bits=9'
	serve wshub -z -n -M 16M -q 64M cat
	probe --early-close --offer permessage-deflate --agreed "$no" --groups deflate,no-takeover,framing,pings,fragments,utf8,close "127.0.0.1:$port"
	serve wshub -z --window 9 -n -M 16M -q 64M cat
	probe --early-close --offer "permessage-deflate; client_max_window_bits" --agreed "$no; $bits" --groups no-takeover,bulk "127.0.0.1:$port"
}
