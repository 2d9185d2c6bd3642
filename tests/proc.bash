# Shared by the bats files and the scripts.

# The request of RFC 6455, section 1.3.
ws_request='GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
ws_request+='Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

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
