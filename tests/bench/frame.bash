# The frame of the benchmarks: `source "$(dirname "$0")/frame.bash"` in a script
# that is one claim.
#
#     claim echo 'tcpecho is as fast as what libev gives'
#     contest 'messages/s, 64 connections' more 0.95 tcpecho=rr_ours libev=rr_libev
#     also 'us, 99 of 100 messages are faster' less 1 p99
#
# contest WHAT more|less GOAL NAME[@GOAL]=COMMAND...: the commands run in turn, RUNS
# times; more is better, or less. Each prints one line,
#
#     FIGURE [CPU P50 P99 P999 FAULTS]
#
# where CPU is microseconds of processor for one, P50 and so on microseconds. The
# first is ours. One that fails (what came back was wrong, or nothing did) is
# reported as failed: a figure that is not verified does not count. Printed:
# median, smallest, largest, and the ratio of ours to each, above 1 where ours is
# better: the median of the ratios of neighbouring runs, for what else the machine
# does changes from run to run; the same for the processor's time.
#
# GOAL is the smallest ratio that makes the claim true, - for none; a contestant may
# have one of its own. That of ours is a figure, to be reached without any peer.
#
# also WHAT more|less GOAL FIELD [GOAL-OF-OURS]: the same runs once more, by another
# of the fields: cpu, p50, p99, p999, faults. GOAL is for who had one of its own.
# point: a contest of fewer and shorter runs, for a curve. What is measured with
# curve=NAME and x=NUMBER set is a point of that curve.
#
# All of it as TSV, the names at its top, goes to $BENCH_TSV.
set -u
source "${BASH_SOURCE[0]%/*}/../proc.bash"

BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_BUILD=$(realpath -- "${BENCH_BUILD:-$BENCH_DIR/../../build}")
RUNS=${RUNS:-3}
SECONDS_EACH=${SECONDS_EACH:-0.2}
point_runs=$((RUNS < 7 ? 1 : 3)) point_seconds=$(awk "BEGIN {print $SECONDS_EACH / 2}")
BENCH_TSV=${BENCH_TSV:-/dev/null}
PATH=$BENCH_BUILD/bin:$BENCH_BUILD/bench:$BENCH_BUILD/tools:$PATH
export LC_ALL=C
ulimit -Sn "$(ulimit -Hn)"

bench_tmp=$(mktemp -d)
bench_pids=() bench_dirs=()
bench_claim='' bench_header=1
bench_status=0
declare -A at pid_of # of the servers: port and process

# Ends the one that was started last.
background_end() {
	local last=${bench_pids[-1]}
	unset 'bench_pids[-1]'
	bench_family "$last" | xargs kill 2>/dev/null
	wait "$last" 2>/dev/null
}

# Ends all, and what they started.
bench_end() {
	local pid
	for pid in "${bench_pids[@]}"; do
		bench_family "$pid" | xargs kill 2>/dev/null
	done
	for pid in "${bench_pids[@]}"; do
		wait "$pid" 2>/dev/null
	done
	bench_pids=()
}

bench_family() {
	local child
	for child in $(children "$1"); do
		bench_family "$child"
	done
	echo "$1"
}
trap 'bench_status=$((bench_status | $?)); bench_end; rm -rf "$bench_tmp" "${bench_dirs[@]}"; exit $bench_status' EXIT
trap 'exit 130' INT TERM

have() {
	command -v "$1" >/dev/null
}

# Full runs have more points than quick ones: `if full; then`.
full() {
	[ -n "${FULL:-}" ]
}

claim() {
	bench_claim=$1 bench_header=1
	printf '\n== %s: %s\n' "$1" "$2"
}

note() {
	printf '   %s\n' "$*"
}

# background CMD...: it ends with the script; its pid is in $pid. Its environment is
# as small as a service manager's: who starts programs pays for each variable.
background() {
	env -i PATH="$PATH" LC_ALL=C "$@" >/dev/null 2>"$bench_tmp/err" </dev/null &
	pid=$!
	bench_pids+=("$pid")
}

# free_port: one that nobody has now, in $port.
free_port() {
	port=$(portscan-bind -q -p 9000-9998)
}

# listening PORT: waits until somebody does, at most 10 s.
listening() {
	local end=$((SECONDS + 10))
	until (exec 8<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
		if ((SECONDS > end)); then
			echo "nobody listens at $1: $(cat "$bench_tmp/err")" >&2
			return 1
		fi
		sleep 0.02
	done
}

# server NAME CMD...: runs it, at the $port of free_port; the report tells how. It
# is passed over where CMD is not there.
server() {
	local name=$1
	shift
	have "$1" || return 0
	note "\$ $*"
	background "$@"
	at[$name]=$port pid_of[$name]=$pid
	listening "$port" || unset "at[$name]" "pid_of[$name]"
}

# entries COMMAND NAME...: in the list, `NAME=COMMAND NAME` for each server that is
# there; NAME@GOAL where it has a goal of its own.
entries() {
	local command=$1 name
	shift
	list=()
	for name; do
		[ -n "${at[${name%@*}]:-}" ] && list+=("$name=$command ${name%@*}")
	done
}

contest() {
	local run i entry
	rm -f "$bench_tmp"/run* "$bench_tmp"/names
	for entry in "${@:4}"; do
		printf '%s\n' "${entry%%=*}" >>"$bench_tmp/names"
	done
	for ((run = 0; run < RUNS; run++)); do
		i=0
		for entry in "${@:4}"; do
			i=$((i + 1))
			[ -e "$bench_tmp/run$i.failed" ] && continue
			if ! ${entry#*=} >"$bench_tmp/line" 2>"$bench_tmp/err" || [ ! -s "$bench_tmp/line" ]; then
				{ cat "$bench_tmp/err" && echo; } | grep -m 1 . >"$bench_tmp/run$i.failed" ||
					echo 'no figure' >"$bench_tmp/run$i.failed"
				continue
			fi
			sed "s/^/$i $run /" "$bench_tmp/line" >>"$bench_tmp/runs"
		done
	done
	bench_report "$1" "$2" "$3" 1 "$bench_tmp/names"
}

also() {
	local -A fields=([cpu]=2 [p50]=3 [p99]=4 [p999]=5 [faults]=6)
	sed "1s/@[^@]*\$//; 1s/\$/@${5:--}/; 2,\$s/@[^@]*\$/@$3/" "$bench_tmp/names" >"$bench_tmp/names.also"
	bench_report "$1" "$2" - "${fields[$4]}" "$bench_tmp/names.also"
}

point() {
	local RUNS=$point_runs SECONDS_EACH=$point_seconds
	contest "$@"
}

# bench_report WHAT more|less GOAL FIELD NAMES: of what contest left.
bench_report() {
	local failed
	for failed in "$bench_tmp"/run*.failed; do
		[ -e "$failed" ] && sed "s/^/$(basename "${failed##*/run}" .failed) failed /" "$failed"
	done | cat "$bench_tmp/runs" - 2>/dev/null |
		awk -v claim="$bench_claim" -v what="$1" -v better="$2" -v goal="$3" -v field="$4" \
			-v header="$bench_header" -v curve="${curve:-}" -v x="${x:-}" -v names="$5" -v tsv="$BENCH_TSV" \
			-f "$BENCH_DIR/report.awk" || bench_status=1
	bench_header=0
}

# machine: what all figures hang on.
machine() {
	printf 'machine   %s, %s cores, %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(nproc)" "$(awk '/^MemTotal/ {printf "%.1f GiB", $2 / 1048576}' /proc/meminfo)"
	printf 'kernel    %s\n' "$(uname -srm)"
	printf 'system    %s\n' "$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release)"
	printf 'compiler  %s%s\n' "$("${CC:-cc}" --version | head -n 1)" "${BENCH_LIBC:+, programs linked with $BENCH_LIBC}"
	printf 'runs      %s of each in turn, %s s each; load average %s\n' "$RUNS" "$SECONDS_EACH" \
		"$(cut -d' ' -f1-3 /proc/loadavg)"
}
