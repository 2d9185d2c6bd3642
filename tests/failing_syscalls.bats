# Every system call of every program fails: the first one of its name, the second, and so on, once and from then on, until
# a run is clean. Each outcome must be the normal one, or a message and an exit status other than 0, and the output of a
# filter must be a beginning of the normal one. A server must report the error or serve the next client. Never allowed are
# truncated output without a message, a hang, spinning or a crash. Allocations count as one more system call (nomem.so).
# MOST=n stops after the n-th call of each name (1; `make faults` tries all); CALLS='NAME...' selects calls.
# Functions are called by the names of the scenarios.
# shellcheck disable=SC2209,SC2086,SC2002,SC1010,SC1007,SC2059
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	need strace
	not_sanitized # a sanitizer must be loaded first, and its allocator aborts without memory
	for i in 1 2 3; do printf 'name %d,"a ""b"" c",é\n' "$i"; done >csv
	printf 'line one\nline two\nand three\n' >lines
	head -c 3000 /dev/zero | tr '\0' x >blob
	wsframe -e <lines >frames
	wsframe -e -c <lines >frames.masked
	printf "${ws_request}and what follows" >request
	start echo portscan-bind -p 0 tcpecho
	bound echo
	echo_port=$port
	start chain portscan-bind -p 0 tcpaccept wsupgrade wsframe cat
	bound chain
	chain_port=$port
	export BUILD fault= program=
}

# The injected error of each call, which must be possible for it. Excluded are close(2), which
# releases the descriptor in any case; shutdown(2), after whose error the next call fails; brk(2),
# whose result contains no error; and calls that fail only because of a programming error (fcntl(2),
# signals).
error_of() {
	case $scenario-$1 in
	*_server-write | *_server-poll) ;; # diagnostics alone, and we wait for one
	echo_socket-recvfrom | echo_socket-sendto | upgrade-*msg | upgrade-sendto) echo EIO ;; # a reset is not logged
	*-recv* | *-send*) echo ECONNRESET ;;
	*-read* | *-preadv2 | *-write* | *-pwritev2 | *-fstat | *-newfstatat | *-stat) echo EIO ;;
	*-socket | *-pipe2 | *-open | *-openat | *-epoll_create1 | *-dup | *-dup2 | *-accept4) echo EMFILE ;;
	*-connect) echo ENETUNREACH ;;
	*-bind) echo EADDRNOTAVAIL ;;
	*-listen) echo EADDRINUSE ;;
	*-fork | *-vfork | *-clone | *-clone3) echo EAGAIN ;;
	*-poll | *-ppoll | *-epoll_* | *-mmap | *-mremap | *-munmap | *-madvise | *-malloc) echo ENOMEM ;;
	*-execve | *-access) echo EACCES ;;
	*-setsockopt | *-getsockopt | *-getsockname | *-getpeername) echo ENOBUFS ;;
	*-wait4 | *-waitid) echo ECHILD ;;
	*-kill | *-setitimer | *-getitimer) echo EPERM ;;
	*-getrandom | *-landlock_* | *-close_range | *-clock_gettime) echo ENOSYS ;;
	*-ioctl | *-prctl | *-seccomp | *-prlimit64 | *-mprotect | *-setpgid) echo EINVAL ;;
	esac
}

# traced CMD...: runs it with the current fault, or without one to list its system calls.
traced() {
	case $fault in
	'') ${run:-} strace -qq -o calls "$@" ;;
	malloc:*) PATH=$BUILD/dynamic:$PATH ${run:-} strace -qq -o /dev/null -e trace=none \
		-E LD_PRELOAD="$BUILD/stress/nomem.so" -E NOMEM="$program ${fault##*=}" "$@" ;;
	*) ${run:-} strace -qq -o log -e trace="${fault%%:*}" -e inject="$fault" "$@" ;;
	esac
}
export -f traced

# Scenarios: out is the output, $status the exit status of the program, err its stderr.
run_traced() {
	timeout -k 1 20 bash -c 'traced "$@"' _ "$@" >out 2>err
	status=$?
}
csv_json() { run_traced csvsplit -O json -H <csv; }
csv_file() { run_traced csvsplit -f 2,1 csv; }
bind_port() { run_traced portscan-bind -q -p 0 && echo done >out; }
bind_chain() { run_traced portscan-bind -q -p 0 csvsplit --version; }
connect_relay() { run_traced portscan-connect -q -p "$echo_port" <blob; }
connect_chain() { run_traced portscan-connect -q -p "$echo_port" csvsplit --version; }
echo_pipe() { run_traced tcpecho <blob; }
on_socket() {
	timeout -k 1 20 peer limit:15 "file:$1" ${half:-} run bash -c 'traced "$@" 2>err' _ "${@:2}" >out 2>peer.err
	status=$?
}
echo_socket() { half=fin on_socket blob tcpecho; }
upgrade() { half=fin on_socket request wsupgrade -v tcpecho; }
frame() { half=fin on_socket frames.masked wsframe tcpecho; }
frame_decode() { run_traced wsframe -d -n -T <frames; }
frame_encode() { run_traced wsframe -e <lines; }
frame_client() {
	fault=$fault timeout -k 1 20 portscan-connect -q -p "$chain_port" wsupgrade -c ws://localhost/ \
		bash -c 'traced wsframe -c -m 3 -w 500ms 2>err' <lines >out 2>connect.err
	status=$?
}
upgrade_client() {
	timeout -k 1 20 portscan-connect -q -p "$chain_port" bash -c 'traced wsupgrade -c ws://localhost/ wsframe -c -m 3 2>err' \
		<lines >out 2>connect.err
	status=$?
}

# A client, which prints what it receives. Its time is short ($limit) only if it need not be served.
client() { timeout $((3 * limit)) portscan-connect -q -p "$1" -t "$limit" <blob; }
client_ws() { timeout $((3 * limit)) portscan-connect -q -p "$1" -t "$limit" wsupgrade -t "$limit" -c ws://localhost/ wsframe -c -m 3 <lines; }
# Prints the only child of a process, if it has one.
child() { [ -n "$1" ] && children "$1" | head -n 1; }
serve_and_call() {
	local call=$1 tracer server port limit=8
	[ -z "$fault" ] || limit=1
	shift
	run='exec timeout -k 1 30' traced portscan-bind -p 9000-9998 "$@" 2>err 3>&- &
	tracer=$!
	until grep -q '^Bound to ' err || ! kill -0 "$tracer" 2>/dev/null; do sleep 0.005; done
	port=$(sed -n 's/^Bound to //p' err)
	server=$(child "$(child "$tracer")")
	if [ -n "$port" ]; then
		$call "$port" >out 2>client.err
		if [ -n "$fault" ] && ! cmp -s out want; then
			# The first client was affected. Try a second, and after a pause a third
			# one.
			$call "$port" >out 2>>client.err
			cmp -s out want || { sleep 0.3; limit=8 $call "$port" >out 2>>client.err; }
			[ -z "$server" ] || rests "$server" || touch spin
		fi
		[ -z "$server" ] || kill "$server" 2>/dev/null
	fi
	wait "$tracer"
	status=$?
	sed -i '/^Bound to/d' err
}
echo_server() { serve_and_call client tcpecho; }
accept_server() { serve_and_call client tcpaccept tcpecho; }
each_server() { serve_and_call client_ws wsserve cat; }
hub_server() { serve_and_call client_ws wshub sh -c 'trap "exit 0" PIPE; while read -r id word rest; do [ $word != text ] || echo "$id text $rest"; done'; }

# The program whose memory is limited, by the first word of a scenario.
declare -gA program_of=([csv]=csvsplit [bind]=portscan-bind [connect]=portscan-connect [accept]=tcpaccept [each]=wsserve
	[hub]=wshub [echo]=tcpecho [upgrade]=wsupgrade [frame]=wsframe)

# loads NAME: how often the loader of portscan-connect makes this call.
loads() { strace -qq -e trace="$1" portscan-connect --version 2>&1 >/dev/null | grep -c "^$1("; }

# Whether the outcome is allowed; prints why not.
judge() {
	local why
	if [ -e spin ]; then
		why="spins"
	elif [ "$status" = 124 ] || [ "$status" = 137 ]; then
		why="hangs"
	elif [ "$status" -gt 128 ]; then
		why="dies of signal $((status - 128))"
	elif cmp -s out want && [ "$status" = "$want_status" ]; then
		return 0
	elif [[ $scenario == @(csv_*|connect_relay|echo_pipe|frame_??code) ]] && ! cmp -s -n "$(stat -c %s out)" out want; then
		why="other output"
	elif { [ "$status" != 0 ] || [[ $scenario == *_server ]]; } && { [ -s err ] || [[ $fault == @(write|poll):*+ ]]; }; then
		return 0 # without write or wait no message can be written
	else
		why="other output, or none, without a message, exit $status"
	fi
	echo "$scenario, $fault: $why: $(head -c 200 err)"
	return 1
}

# fails_calls NAME: each call of this name in the scenario fails once, and it and all later ones.
fails_calls() {
	local error how first=1 n
	error=$(error_of "$1")
	[ -n "$error" ] || return 0
	# Without memory, the dynamic loader fails in its own way.
	case $scenario-$1 in
	connect_*-mmap) first=$(($(loads mmap) + 1)) ;;
	*-mmap) ! readelf -lW "$BUILD/bin/$program" | grep -q INTERP || return 0 ;;
	esac
	for how in '' +; do
		# If every connection fails, no client can be served.
		case $scenario-$1$how in *_server-recv*+ | *_server-send*+ | *_server-get*name+ | hub_server-writev+ | each_server-epoll_ctl+) continue ;; esac
		for ((n = first; n < first + ${MOST:-1}; n++)); do
			fault=$1:error=$error:when=$n$how
			rm -f out log spin
			: >err
			$scenario
			grep -qs INJECTED log || break
			runs=$((runs + 1))
			judge || bad=$((bad + 1))
		done
	done
}

# survives SCENARIO...: with each failing call the outcome is allowed.
survives() {
	local scenario name want_status runs=0 bad=0
	set +T # without bats's trap at each command
	for scenario; do
		: >want
		fault= program=${program_of[${scenario%%_*}]}
		$scenario || :
		cp out want
		want_status=$status
		for name in ${CALLS:-$(sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' calls | sort -u) malloc}; do
			fails_calls "$name" || return
		done
		echo "$scenario: $bad of $runs outcomes are not allowed"
	done
	[ "$bad" = 0 ] && [ "$runs" -gt 1 ]
}

@test "syscalls: each first failing allocation is reported or has no effect" {
	CALLS=malloc MOST=${MOST:-2} survives csv_json bind_chain connect_chain echo_server accept_server each_server hub_server
}

@test "syscalls: the first failing call of each system call is reported or has no effect" {
	survives csv_json bind_chain connect_relay echo_pipe upgrade frame ${MOST:+csv_file bind_port connect_chain echo_socket
		frame_decode frame_encode frame_client upgrade_client echo_server accept_server each_server hub_server}
}
