# The frame of the benchmarks: a script for one claim begins with
# `source "$(dirname "$0")/frame.bash"`, and continues with, for example:
#
#     claim echo 'tcpecho is as fast as a server that only uses libev'
#     entries 'load tcp rr' tcpecho libev@0.95
#     contest 'messages/s, 64 connections' more - "${list[@]}"
#     also 'us, p99 latency' less 1 p99
#
# contest WHAT more|less GOAL NAME[@GOAL]=COMMAND...
#     Runs the commands in turn, RUNS times; more is better, or less. Each command
#     prints one line, FIGURE [CPU P50 P99 P999 FAULTS], with CPU in microseconds of
#     processor time per unit and P50 and so on in microseconds. The first command is
#     the program of fittings. A command that fails, because a wrong answer or none
#     came back, is reported as failed: a figure that is not verified does not count.
#     Printed are the median, the smallest and the largest figure, and the ratio to
#     each other command, above 1 if fittings is better. The ratio is the median of
#     the ratios of neighboring runs, because other load changes from run to run. The
#     same is printed for the processor time.
#     GOAL is the smallest ratio that makes the claim true, - for none; a command may
#     have its own. The goal of the first command is a figure.
# also WHAT more|less GOAL FIELD [GOAL-OF-FIRST]
#     The same runs, compared by another field: cpu, p50, p99, p999, faults. GOAL is
#     for the commands that had their own goal.
# point
#     A contest of fewer and shorter runs, for a curve.
#
# The figures also go to $BENCH_TSV, as TSV with a header.
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
declare -A at pid_of command_of # of the servers: port, process and command

# Ends the server that was started last, and the processes that it started.
background_end() {
	local last=${bench_pids[-1]}
	unset 'bench_pids[-1]'
	bench_family "$last" | xargs kill 2>/dev/null
	wait "$last" 2>/dev/null
}

bench_family() {
	local child
	for child in $(children "$1"); do
		bench_family "$child"
	done
	echo "$1"
}
trap 'bench_status=$((bench_status | $?)); while ((${#bench_pids[@]} > 0)); do background_end; done; rm -rf "$bench_tmp" "${bench_dirs[@]}"; exit $bench_status' EXIT
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

# background CMD...: a process that ends with the script; its pid is in $pid. Its environment
# is as small as that of a service manager, because each variable costs time at each start.
background() {
	env -i PATH="$PATH" LC_ALL=C "$@" >/dev/null 2>"$bench_tmp/err" </dev/null &
	pid=$!
	bench_pids+=("$pid")
}

# listening PORT: waits until a server listens there, at most 10 s.
listening() {
	local end=$((SECONDS + 10))
	until (exec 8<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
		if ((SECONDS > end)); then
			echo "no server listens at port $1: $(cat "$bench_tmp/err")" >&2
			return 1
		fi
		sleep 0.02
	done
}

# server NAME CMD...: runs a server at a free port, which replaces PORT in its command, and reports the
# command. Without CMD on this machine it does nothing.
server() {
	have "$2" || return 0
	command_of[$1]=$(printf '%q ' "${@:2}")
	serve "$1" note
}

# serve NAME [note]: runs the command of this server.
serve() {
	local port command
	port=$(portscan-bind -q -p 9000-9998)
	command=${command_of[$1]//PORT/$port}
	${2:+"$2" "\$ ${command//\\/}"}
	eval "background $command"
	at[$1]=$port pid_of[$1]=$pid
	listening "$port" || unset "at[$1]" "pid_of[$1]"
}

# load tcp|ws MODE NAME [OPTION...]: loads a server with $clients that send messages of $size bytes, $depth at once.
load() {
	"$1" "$2" -p "${at[$3]}" -P "${pid_of[$3]}" -n "${clients:-1}" -s "${size:-64}" -d "${depth:-1}" -t "$SECONDS_EACH" "${@:4}"
}

# idle tcp|ws NAME: the memory of each client of a new server, because memory once used stays allocated.
idle() {
	local -A at pid_of
	local status
	serve "$2"
	load "$1" idle "$2"
	status=$?
	background_end
	return $status
}

# entries COMMAND NAME...: appends `NAME=COMMAND NAME` to the list for each server that runs;
# NAME@GOAL gives it a goal.
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

# bench_report WHAT more|less GOAL FIELD NAMES: reports the results of a contest.
bench_report() {
	local failed
	for failed in "$bench_tmp"/run*.failed; do
		[ -e "$failed" ] && sed "s/^/$(basename "${failed##*/run}" .failed) failed /" "$failed"
	done | cat "$bench_tmp/runs" - 2>/dev/null |
		awk -v claim="$bench_claim" -v what="$1" -v better="$2" -v goal="$3" -v field="$4" \
			-v header="$bench_header" -v names="$5" -v tsv="$BENCH_TSV" \
			-f "$BENCH_DIR/report.awk" || bench_status=1
	bench_header=0
}

# machine: prints the hardware and software on which all figures depend.
machine() {
	printf 'machine   %s, %s cores, %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(nproc)" "$(awk '/^MemTotal/ {printf "%.1f GiB", $2 / 1048576}' /proc/meminfo)"
	printf 'kernel    %s\n' "$(uname -srm)"
	printf 'system    %s\n' "$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release)"
	printf 'compiler  %s%s\n' "$("${CC:-cc}" --version | head -n 1)" "${BENCH_LIBC:+, programs linked with $BENCH_LIBC}"
	printf 'runs      %s of each in turn, %s s each; load average %s\n' "$RUNS" "$SECONDS_EACH" \
		"$(cut -d' ' -f1-3 /proc/loadavg)"
}
