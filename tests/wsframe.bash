# Shared by the test files of wsframe.
# shellcheck disable=SC2016,SC2034,SC2154
load helper

# A compressed "Hello" of RFC 7692.
hello='\xf2\x48\xcd\xc9\xc9\x07\x00'

# Each test runs in its own directory with an empty file for the stdin of a client.
setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	: >in
}

# peer STEP... -- CMD...: runs both; the output of the peer is in $output.
peer() {
	if [ -n "${SERVED-}" ]; then
		served_peer "$@"
	else
		run -0 --separate-stderr timeout 30 wspeer "$@"
	fi
}

# The same cases with wsserve, except those tagged as specific to wsframe. Its messages are
# converted to wsframe's.
served_peer() {
	local steps=(-l) drop=': sandbox: |^Connected by| disconnected \(|: 101 /'
	while [ "$1" != -- ]; do
		steps+=("$1")
		shift
	done
	[[ " $* " == *" -v "* ]] || drop+='|: peer: closed with|: [^ ]+: exit [0-9]+$'
	run -0 --separate-stderr timeout 30 wspeer "${steps[@]}" -- wsserve ${WEBSOCKET_EXTENSIONS:+-z} -v "${@:3}"
	stderr=$(sed -E "\\#$drop#d; s/^wsserve: [0-9.]+:[0-9]+: /wsframe: /" <<<"$stderr")
	mapfile -t stderr_lines <<<"$stderr"
}

# told LINE...: the output of the peer is exactly this.
told() {
	diff <(printf '%s\n' "$@") <(printf '%s\n' "$output")
}

said() {
	diff <(printf '%s\n' "$1") <(printf '%s\n' "$stderr")
}

# bytes FORMAT: the last output file contains exactly this.
holds() {
	cmp <(printf "$2") "$1"
}

# client STEP... -- ARG...: a client without program, its stdin in `in`, its stdout in `out`.
client() {
	local steps=()
	while [ "$1" != -- ]; do
		steps+=("$1")
		shift
	done
	peer -c "${steps[@]}" -- sh -c 'exec wsframe -c "$@" <in >out' - "${@:2}"
}
