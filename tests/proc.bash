# What scripts ask /proc about processes. (pgrep is of procps, which a minimal system lacks.)

# children PID [NAME]: the pids of its children (that run NAME), a line each; 1 where it has none.
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

# paused PID SECONDS CMD...: stops a process, runs CMD, and lets the process go on after SECONDS.
paused() {
	kill -STOP "$1"
	until grep -q '^State:.T' "/proc/$1/status"; do sleep 0.02; done
	"${@:3}"
	sleep "$2"
	kill -CONT "$1"
}
