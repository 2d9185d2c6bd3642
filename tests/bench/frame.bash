# The frame of the benchmarks: `source "$(dirname "$0")/frame.bash"` in a script
# that is one claim.
#
#     claim echo 'tcpecho is as fast as what libuv and libev give'
#     contest 'messages/s, 64 connections' more 0.95 tcpecho=rr_ours libuv=rr_libuv
#
# contest WHAT more|less GOAL NAME=FUNCTION...: the functions run in turn, RUNS
# times. Each prints one line: the figure, then if it likes the microseconds of
# processor for one. The first is ours. A function that fails (what came back
# was wrong, or nothing did) is reported as failed: a figure that is not
# verified does not count. Printed: median, smallest, largest, and the ratio of
# ours to each, above 1 where ours is better, whether more or less is good: the
# median of the ratios of neighbouring runs, for what else the machine does
# changes from run to run; the same for the processor's time. GOAL is the smallest ratio that makes the claim true, - for none.
#
# The same as TSV, claim what ours peer unit ratio, goes to $BENCH_TSV.
set -u

BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_BUILD=$(realpath -- "${BENCH_BUILD:-$BENCH_DIR/../../build}")
RUNS=${RUNS:-3}
SECONDS_EACH=${SECONDS_EACH:-0.5}
BENCH_TSV=${BENCH_TSV:-/dev/null}
PATH=$BENCH_BUILD/bin:$BENCH_BUILD/bench:$PATH
ulimit -Sn "$(ulimit -Hn)"

bench_tmp=$(mktemp -d)
bench_pids=()
bench_claim=

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
	for child in $(pgrep -P "$1"); do
		bench_family "$child"
	done
	echo "$1"
}
trap 'bench_end; rm -rf "$bench_tmp"' EXIT
trap 'exit 130' INT TERM

have() {
	command -v "$1" >/dev/null
}

# Full runs have more points than quick ones: `if full; then`.
full() {
	[ -n "${FULL:-}" ]
}

claim() {
	bench_claim=$1
	printf '\n== %s: %s\n' "$1" "$2"
}

note() {
	printf '   %s\n' "$*"
}

# background CMD...: it ends with the script; its pid is in $pid. The first of
# its name is noted, so that the report tells how each peer was run.
background() {
	note "\$ $*"
	"$@" >/dev/null 2>"$bench_tmp/err" </dev/null &
	pid=$!
	bench_pids+=("$pid")
}

# shellcheck disable=SC2034 # the caller's
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

# ratio_of PEER COLUMN more|less: the median of the runs' ratios, nothing where there are none.
ratio_of() {
	paste -d' ' <(cut -d' ' -f"$2" -s "$bench_tmp/run.ours") <(cut -d' ' -f"$2" -s "$bench_tmp/run.$1") |
		awk -v better="$3" '$1 > 0 && $2 > 0 {print better == "more" ? $1 / $2 : $2 / $1}' | sort -g |
		awk '{v[NR] = $1} END {if (NR) printf "%.2f", v[int((NR + 1) / 2)]}'
}

# Of the numbers on stdin: median smallest largest.
spread() {
	sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)], v[1], v[NR]}'
}

# A number as a person reads it.
figure() {
	awk -v n="$1" 'BEGIN {
		if (n >= 100) printf "%.0f", n; else if (n >= 10) printf "%.1f", n; else printf "%.2f", n
	}'
}

# row CLAIM WHAT OURS PEER UNIT RATIO
row() {
	local IFS=$'\t'
	printf '%s\n' "$*" >>"$BENCH_TSV"
}

contest() {
	local what=$1 better=$2 goal=$3 unit=${1%%,*} entry run name median low high cpu ours='' ratio mark
	local lean
	shift 3
	rm -f "$bench_tmp"/run.*
	for ((run = 0; run < RUNS; run++)); do
		for entry; do
			name=${entry%%=*}
			[ -e "$bench_tmp/run.$name.failed" ] && continue
			${entry#*=} >"$bench_tmp/line" 2>"$bench_tmp/err" || {
				cp "$bench_tmp/err" "$bench_tmp/run.$name.failed"
				continue
			}
			cat "$bench_tmp/line" >>"$bench_tmp/run.$name"
		done
	done
	printf '%s\n' "$what"
	for entry; do
		name=${entry%%=*}
		if [ -e "$bench_tmp/run.$name.failed" ]; then
			printf '   %-26s failed: %s\n' "$name" "$(tail -n 1 "$bench_tmp/run.$name.failed")"
			row "$bench_claim" "$what, beside $name" "$ours" failed "$unit" ''
			continue
		fi
		read -r median low high < <(cut -d' ' -f1 "$bench_tmp/run.$name" | spread)
		cpu=$(awk 'NF > 1 && $2 > 0 {print $2}' "$bench_tmp/run.$name" | spread)
		cpu=${cpu%% *}
		ratio='' mark='' lean=''
		if [ -z "$ours" ]; then
			ours=$median
			# Each line gets a second field, so that there is always something to cut.
			sed 's/^[^ ]*$/& 0/' "$bench_tmp/run.$name" >"$bench_tmp/run.ours"
			row "$bench_claim" "$what" "$ours" '' "$unit" ''
		else
			sed -i 's/^[^ ]*$/& 0/' "$bench_tmp/run.$name"
			ratio=$(ratio_of "$name" 1 "$better")
			lean=$(ratio_of "$name" 2 less)
			mark=$(awk -v r="$ratio" -v g="$goal" 'BEGIN {if (g != "-" && r < g) print "  short of " g}')
			row "$bench_claim" "$what, beside $name" "$ours" "$median" "$unit" "$ratio"
		fi
		printf '   %-26s %10s   (%s to %s)%s%s%s\n' "$name" "$(figure "$median")" "$(figure "$low")" \
			"$(figure "$high")" "${cpu:+   $(figure "$cpu") us of CPU each}" "${ratio:+   ours is ${ratio}x}${lean:+, ${lean}x in CPU}" "$mark"
	done
}

# machine: what all figures hang on.
machine() {
	printf 'machine   %s, %s cores, %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(nproc)" "$(awk '/^MemTotal/ {printf "%.1f GiB", $2 / 1048576}' /proc/meminfo)"
	printf 'kernel    %s\n' "$(uname -srm)"
	printf 'compiler  %s%s\n' "$("${CC:-cc}" --version | head -n 1)" "${BENCH_LIBC:+, programs linked with $BENCH_LIBC}"
	printf 'runs      %s of each in turn, %s s each; load average %s\n' "$RUNS" "$SECONDS_EACH" \
		"$(cut -d' ' -f1-3 /proc/loadavg)"
}
