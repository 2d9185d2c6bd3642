# What every bats file loads: `load helper`.
bats_require_minimum_version 1.5.0
source "${BASH_SOURCE[0]%/*}/proc.bash"

PATH=$BIN:$TOOLS:$PATH
pids=()

# Starts a program in the background and ends it with the test: start NAME CMD...
# Its pid is in $pid, its output in $BATS_TEST_TMPDIR/NAME.out and NAME.err.
start() {
	local name=$1
	shift
	# Emptied here and not only by the child: a name used twice must not show its old lines.
	: >"$BATS_TEST_TMPDIR/$name.out"
	: >"$BATS_TEST_TMPDIR/$name.err"
	"$@" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- &
	pid=$!
	pids+=("$pid")
}

# Starts a chain behind portscan-bind and waits until it listens; $port is where, $server its pid.
# serve CMD...
serve() {
	start server portscan-bind -p 0 "$@"
	server=$pid
	await "$BATS_TEST_TMPDIR/server.err" '^Bound to '
	port=$(sed -n 's/^Bound to //p' "$BATS_TEST_TMPDIR/server.err" | head -n 1)
}

# Steps of the processor clock that $server has run.
ticks() {
	awk '{print $14 + $15}' "/proc/$server/stat"
}

# It waits, and does not turn in circles: at most 5 hundredths of a second of work in one.
rests() {
	local before
	before=$(ticks)
	sleep 1
	(($(ticks) - before <= 5))
}

# await FILE REGEX: until a line of it matches, at most 20 s.
await() {
	local end=$((SECONDS + 20))
	until grep -qsE -- "$2" "$1"; do
		if ((SECONDS > end)); then
			echo "no line '$2' in $1:" && cat "$1"
			return 1
		fi
		sleep 0.02
	done
}

# await_that CMD...: until it succeeds, at most 20 s.
await_that() {
	local end=$((SECONDS + 20))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS > end)); then
			echo "never: $*"
			return 1
		fi
		sleep 0.02
	done
}

# ended PID [STATUS]: waits for a background program's end, its status in $status, which must be STATUS.
ended() {
	status=0
	wait "$1" || status=$?
	[ "$status" = "${2:-$status}" ] || { echo "exit status $status, not $2"; return 1; }
}

# shell_script FILE FORMAT [ARG...]: an executable shell script of one line, as printf writes it.
shell_script() {
	# shellcheck disable=SC2059
	printf "#!/bin/sh\n$2\n" "${@:3}" >"$1"
	chmod +x "$1"
}

# Ends what start began, the last one first, for a server waits for its clients:
# TERM, and KILL where that is not enough.
stop_all() {
	local i p
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		p=${pids[i]}
		kill "$p" 2>/dev/null || continue
		await_that gone "$p" || kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null || :
	done
	pids=()
	return 0
}

# gone PID: it has ended (a zombie has).
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# A program PATH that leaves the process group that it was started in, writes its pid to PATH.pid, and stays.
deserter() {
	command -v perl >/dev/null || skip 'perl is what leaves its process group here'
	printf '#!%s\n$SIG{TERM} = "IGNORE"; setpgrp(0, getpgrp(getppid));
		open F, ">", "%s.new"; print F "$$\n"; close F; rename "%s.new", "%s.pid"; sleep 300\n' \
		"$(command -v perl)" "$1" "$1" "$1" >"$1"
	chmod +x "$1"
}

# same FILE LINE...: the file has just these lines.
same() {
	if ! diff <(printf '%s\n' "${@:2}") "$1"; then
		echo "in $1"
		return 1
	fi
}

# Commands that are continued on the next line, as one line.
joined() {
	sed ':a; /\\$/ { N; s/ *\\\n[[:blank:]]*/ /; ba; }'
}

# For what a sanitizer spoils: its memory is not ours to bound, and it cannot be traced.
not_sanitized() {
	! grep -q __asan "$BIN/portscan-bind" || skip "a sanitizer's build"
}

teardown() {
	stop_all
}
