# The WebSocket server and client, tested by a peer that shares neither frames nor the rules of
# the handshake with them: tests/tools/wsprobe contains the cases and the expected results.
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

# Each line of stdin is a server and the arguments of wsprobe.
probes() {
	local server arguments
	while IFS='|' read -r server arguments; do
		echo "$server|$arguments"
		serve $server
		eval "probe $arguments 127.0.0.1:$port" </dev/null
		stop_all
	done
}

# All cases except those with much data.
small=handshake,origin,framing,pings,reserved,fragments,utf8,close
pmd=permessage-deflate
no_takeover='server_no_context_takeover; client_no_context_takeover'

@test "wsupgrade and wsframe handle every case as the RFCs require, also byte by byte" {
	probes <<-END
		tcpaccept wsupgrade wsframe -n -T cat|
		tcpaccept wsupgrade wsframe -n -T cat|--chunk 1 --groups $small
		tcpaccept wsupgrade wsframe -n cat|--groups text-only
		tcpaccept wsupgrade --host localhost wsframe -n -T cat|--groups hosts
		tcpaccept wsupgrade -t 1 wsframe -n -T cat|--groups slow
		tcpaccept wsupgrade -z wsframe -n -T cat|--groups offers
	END
}

@test "wsserve handles every case as the RFCs require, also byte by byte" {
	probes <<-END
		wsserve -n -T cat|
		wsserve -n -T cat|--chunk 1 --groups $small
		wsserve -t 1 --host localhost -n -T cat|--groups slow,hosts
	END
}

# All data messages are compressed, in both directions.
@test "wsframe and wsserve handle every case of compressed messages" {
	local chain
	for chain in "tcpaccept wsupgrade -z % wsframe" "wsserve -z %"; do
		probes <<-END
			${chain/'%'/} -n -T cat|--offer $pmd --agreed $pmd --groups deflate,takeover,framing,pings,fragments,utf8,close
			${chain/'%'/} -n -T cat|--offer $pmd --agreed $pmd --chunk 1 --groups takeover,fragments,utf8
			${chain/'%'/--window 9} -n -T cat|--offer "$pmd; client_max_window_bits" --agreed "$pmd; server_max_window_bits=9; client_max_window_bits=9" --groups takeover,bulk
			${chain/'%'/--no-takeover} -n -T cat|--offer "$pmd; server_max_window_bits=8" --agreed "$pmd; $no_takeover; server_max_window_bits=8" --groups deflate,no-takeover,bulk
		END
	done
}

# All clients of wshub share one program, so a client's end does not wait
# for its further output.
@test "wshub handles every case as the RFCs require, also byte by byte and of compressed messages" {
	local hub='-n -M 16M -q 64M cat|--early-close'
	probes <<-END
		wshub $hub
		wshub $hub --chunk 1 --groups $small
		wshub -z $hub --offer $pmd --agreed "$pmd; $no_takeover" --groups deflate,no-takeover,framing,pings,fragments,utf8,close
		wshub -z --window 9 $hub --offer "$pmd; client_max_window_bits" --agreed "$pmd; $no_takeover; server_max_window_bits=9; client_max_window_bits=9" --groups no-takeover,bulk
	END
}

client='exec portscan-connect -q -p "$PORT" wsupgrade -c ws://localhost/ wsframe -c -n -T cat'

@test "the client handles every case as the RFCs require, also after EOF of stdin, and its exit status tells the result" {
	probe --fake sh -c "$client"
	probe --mute --fake sh -c "${client/%cat/-q never </dev/null >/dev/null}"
}

@test "the client accepts or refuses each answer to its offer of compression, and handles compressed messages" {
	probe --groups deflate-answers --fake sh -c "${client/wsupgrade/wsupgrade -z}"
	probe --agreed $pmd --groups deflate,takeover,fragments --fake sh -c "${client/wsupgrade/wsupgrade -z}"
}

@test "the client handles every case byte by byte, the server in pieces of 1000 bytes" {
	not_sanitized
	probe --chunk 1 --groups "answers,${small#handshake,origin,}" --fake sh -c "$client"
	probes <<<"tcpaccept wsupgrade wsframe -n -T cat|--chunk 1000 --groups $small,limits"
}
