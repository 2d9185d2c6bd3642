# Process information from /proc. (pgrep belongs to procps, which a minimal system lacks.)

# children PID [NAME]: prints the pids of its children (that run NAME), one per line; fails without
# any.
children() {
	local stat rest some=1
	for stat in /proc/[0-9]*/stat; do
		{ read -r rest <"$stat"; } 2>/dev/null || continue
		[[ ${rest##*) } == ?" $1 "* ]] || continue
		[[ $rest == *"("${2-*}")"* ]] || continue
		some=0
		rest=${rest%% *}
		echo "$rest"
	done
	return $some
}

# paused PID SECONDS CMD...: stops a process, runs CMD, and continues the process after SECONDS.
paused() {
	kill -STOP "$1"
	until grep -q '^State:.T' "/proc/$1/status"; do sleep 0.02; done
	"${@:3}"
	sleep "$2"
	kill -CONT "$1"
}
