# Loaded by every bats file. Where a new test goes:
#   a rule of a codec: a seed of its fuzz target (tests/fuzz/seeds), an example in tests/unit
#   a message, an exit status, wrong usage: a row of tests/diagnostics; of every program: common.bats
#   bytes on the wire between WebSocket peers: a case of tests/tools/wsprobe
#   options, programs, signals and time limits: the bats file of the program; of wshub and wsserve up to the 101: upgrade.bats
#   the same with programs of other projects: tests/peers
#   failing and short system calls, reached limits: failing_syscalls.bats, short_io.bats, limits.bats
bats_require_minimum_version 1.5.0
source "${BASH_SOURCE[0]%/*}/proc.bash"

: "${BUILD:?is not set: use make check TESTS=FILE}"
PATH=$BIN:$TOOLS:$PATH
pids=()

# Each test runs in its own directory. A file with a setup() of its own begins it with this line.
setup() {
	cd "$BATS_TEST_TMPDIR" || exit
}

# need PROGRAM...: skips the test if one of them is not installed.
need() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# Skips the test if system calls cannot be traced.
need_strace() {
	need strace
	not_sanitized
	strace -o /dev/null true 2>/dev/null || skip "strace is not allowed here"
}

# Prints a port that was free a moment ago, for a program that does not bind port 0 itself. Not one that the kernel chooses
# for others meanwhile.
free_port() {
	portscan-bind -q -p $((10000 + RANDOM % 9000))-19999
}

# start NAME CMD...: starts a program in the background, which ends with the test. Sets $pid and $NAME to its pid; the
# output is in $BATS_TEST_TMPDIR/NAME.out and NAME.err.
start() {
	local name=$1
	shift
	# Emptied here as well as by the child: if a name is used twice, old lines must not be
	# visible.
	: >"$BATS_TEST_TMPDIR/$name.out"
	: >"$BATS_TEST_TMPDIR/$name.err"
	"$@" >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" 3>&- &
	pid=$!
	printf -v "${name//-/_}" %s "$pid"
	pids+=("$pid")
}

# bound [NAME]: waits until the program NAME (server) listens, and sets $port.
bound() {
	await "$BATS_TEST_TMPDIR/${1-server}.err" '^Bound to '
	port=$(sed -n 's/^Bound to //p' "$BATS_TEST_TMPDIR/${1-server}.err" | head -n 1)
}

# serve CMD...: starts a chain after portscan-bind and waits until it listens. Sets $port and
# $server, its pid.
serve() {
	start server portscan-bind -p 0 "$@"
	bound
	ready "$@"
}

# ticks [PID]: the hundredths of a second that the process (the server) has run.
ticks() {
	awk '{print $14 + $15}' "/proc/${1:-$server}/stat"
}

# rests [PID]: the process (the server) waits and does not spin: at most 3 hundredths of a second of work in 40. Five
# attempts, because the work before may not have ended.
rests() {
	local before
	for _ in 1 2 3 4 5; do
		before=$(ticks "$@")
		sleep 0.4
		(($(ticks "$@") - before > 3)) || return 0
	done
	return 1
}

# memory [PID]: the memory of the process (the server) in KiB that no file contains, counted exactly. VmRSS and VmHWM
# count pages of the libc, too, and some kernels only estimate them.
memory() {
	awk '/^Anonymous:/ { print $2 }' "/proc/${1:-$server}/smaps_rollup"
}

# await FILE REGEX: waits until a line of the file matches, at most 60 s.
await() {
	local end=$((SECONDS + 60))
	until grep -qsE -- "$2" "$1"; do
		if ((SECONDS > end)); then
			echo "no line '$2' in $1:" && cat "$1"
			return 1
		fi
		sleep 0.02
	done
}

export -f await

# await_that CMD...: waits until the command succeeds, at most 60 s.
await_that() {
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS > end)); then
			echo "never: $*"
			return 1
		fi
		sleep 0.02
	done
}

# ended PID [STATUS]: waits for the end of a background program and sets $status, which must be
# STATUS.
ended() {
	status=0
	wait "$1" || status=$?
	[ "$status" = "${2:-$status}" ] || { echo "exit status $status, not $2"; return 1; }
}

# catches PID SIGNAL: the process has a handler for the signal.
catches() {
	local mask
	mask=$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status")
	((0x$mask >> ($2 - 1) & 1))
}

# ready CMD...: waits until the server of this chain handles SIGTERM or has ended, because it starts after the message of
# portscan-bind.
ready() {
	local word
	for word; do
		case $word in
		tcpaccept | tcpecho | wshub | wsserve) await_that eval 'gone "$server" || catches "$server" 15'; return ;;
		esac
	done
}

# stopped [PID]: the process (the server) gets SIGTERM and ends with status 0.
stopped() {
	kill "${1:-$server}"
	ended "${1:-$server}" 0
}

# no_listener [PORT]: nothing listens at the port ($port).
no_listener() {
	! peer to:"${1:-$port}" open
}

# shell_script FILE FORMAT [ARG...]: writes an executable shell script of one line with printf.
shell_script() {
	# shellcheck disable=SC2059
	printf "#!/bin/sh\n$2\n" "${@:3}" >"$1"
	chmod +x "$1"
}

# Ends the programs of start in reverse order, because a server waits for its clients. Sends TERM,
# then KILL if that is not enough within 20 s.
stop_all() {
	local i p end
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		p=${pids[i]}
		kill "$p" 2>/dev/null || continue
		end=$((SECONDS + 20))
		until gone "$p" || ((SECONDS > end)); do sleep 0.02; done
		kill -KILL "$p" 2>/dev/null || :
		wait "$p" 2>/dev/null || :
	done
	pids=()
	return 0
}

# gone PID: the process has ended; a zombie counts.
gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# deserter PATH: writes a program that leaves its process group, writes its pid to PATH.pid, and
# sleeps.
deserter() {
	command -v perl >/dev/null || skip 'needs perl to leave its process group'
	printf '#!%s\n$SIG{TERM} = "IGNORE"; setpgrp(0, getpgrp(getppid));
		open F, ">", "%s.new"; print F "$$\n"; close F; rename "%s.new", "%s.pid"; sleep 300\n' \
		"$(command -v perl)" "$1" "$1" "$1" >"$1"
	chmod +x "$1"
}

# same FILE LINE...: the file consists of exactly these lines.
same() {
	if ! diff <(printf '%s\n' "${@:2}") "$1"; then
		echo "in $1"
		return 1
	fi
}

# netns FIRST-LAST HOSTS PROG [ARG...]: runs it in a network namespace with only a loopback interface. FIRST-LAST is the
# range of ephemeral ports; the file HOSTS is its /etc/hosts (-: the present one). 77 if this is not possible here.
netns() {
	local enter=(unshare --net --mount)
	"${enter[@]}" true 2>/dev/null || enter+=(--map-root-user)
	"${enter[@]}" true || return 77
	"${enter[@]}" bash -c 'ip link set lo up && echo "${1/-/ }" >/proc/sys/net/ipv4/ip_local_port_range &&
		{ [ "$2" = - ] || mount --bind "$2" /etc/hosts; } || exit 77
		exec "${@:3}"' _ "$@"
}

# prints TEXT CMD...: the command succeeds and prints this on stdout.
prints() {
	run -0 --separate-stderr "${@:2}"
	[ "$output" = "$1" ] || { printf 'instead of: %s\nit prints: %s\n' "$1" "$output"; return 1; }
}

# reports STATUS TEXT CMD...: the command ends with this status and prints this on stderr.
reports() {
	run "-$1" --separate-stderr "${@:3}"
	[ "$stderr" = "$2" ] || { printf 'instead of: %s\nit reports: %s\n' "$2" "$stderr"; return 1; }
}

# Joins commands that are continued on the next line.
joined() {
	sed ':a; /\\$/ { N; s/ *\\\n[[:blank:]]*/ /; ba; }'
}

# Skips a test that a sanitizer would break: its memory cannot be limited, and it cannot be traced.
not_sanitized() {
	! grep -q __asan "$BIN/portscan-bind" || skip "sanitizer build"
}

teardown() {
	stop_all
}
