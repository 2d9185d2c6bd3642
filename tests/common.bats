# Tests of every program: options, numbers, diagnostics, closed and
# inherited descriptors, limits, and the programs that it runs.
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	mapfile -t programs < <(ls "$BIN")
	[ "${#programs[@]}" -ge 8 ]
}

# The options of a program whose value has this name in --help, for example: options_of csvsplit SIZE
options_of() {
	"$1" --help | sed -n "s/^ .* --\([a-z0-9-]*\) $2 .*/\1/p"
}

@test "--help prints the usage with every option on stdout, in 80 columns, --version the program and the version" {
	local p
	for p in "${programs[@]}"; do
		run -0 --separate-stderr "$p" --help
		[ -z "$stderr" ]
		[[ ${lines[0]} == "usage: $p "* ]]
		[[ ! $output =~ [^$'\n']{81} ]]
		[[ $output == *$'\n'"      --help "* && $output == *$'\n'"      --version "* ]]
		[ "$(grep -c '^ .* --[a-z]' <<<"$output")" -ge 4 ]
		run -0 --separate-stderr "$p" --version
		[ -z "$stderr" ]
		[[ $output =~ ^"$p (fittings) "[0-9]+\.[0-9]+\.[0-9]+$ ]]
	done
}

@test "an unknown option, and one without its value, long or short, is a usage error that names it" {
	local p row
	for p in "${programs[@]}"; do
		reports 2 "$p: --no-such-option: no such option (see $p --help)" "$p" --no-such-option
		reports 2 "$p: -Z: no such option (see $p --help)" "$p" -Z
		run -2 --separate-stderr "$p" -v9 -Z
		[ -n "$stderr" ]
		reports 2 "$p: --help=yes: takes no value (see $p --help)" "$p" --help=yes
		while read -r row; do
			reports 2 "$p: --$row: requires a value (see $p --help)" "$p" "--$row"
		done < <("$p" --help | sed -n 's/^ .* --\([a-z0-9-]*\) [A-Z]\{1,\}  .*/\1/p')
		while read -r letter row; do
			reports 2 "$p: --$row: requires a value (see $p --help)" "$p" "$letter"
		done < <("$p" --help | sed -n 's/^  \(-.\), --\([a-z0-9-]*\) [A-Z]\{1,\}  .*/\1 \2/p')
	done
}

@test "an odd argument is printed as one line of printable ASCII, cut after 256 bytes" {
	local p odd
	for p in "${programs[@]}"; do
		for odd in $'--\e]0;x\a\r\nFAKE' $'--\xff\xfe\x9b' $'--a\xe2\x80\xaeb'; do
			run -2 --separate-stderr "$p" "$odd"
			[ "${#stderr_lines[@]}" = 1 ]
			! grep -qaP '[^\x20-\x7e]' <<<"$stderr" || false
			[[ $stderr == *\\x* ]]
		done
		run -2 --separate-stderr "$p" "--$(head -c 100000 /dev/zero | tr '\0' x)"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == "$p: --xxx"*"xxx...: no such option (see $p --help)" ]]
		((${#stderr} < 400))
	done
}

# ends CMD...: it exits by itself, not killed by a signal.
ends() {
	status=0
	timeout 10 "$@" </dev/null >out 2>err || status=$?
	[[ $status == [0-9] || $status == 12[67] ]]
}

@test "an empty argument, - and -- are not options" {
	local p
	for p in "${programs[@]}"; do
		ends "$p" ''
		ends "$p" --
		[[ $status == [012] ]]
		ends "$p" -- --help
		! grep -q ^usage out || false
	done
}

@test "numbers, sizes and durations are strict: others are refused with the option and its range" {
	local p kind option value count=0
	for p in "${programs[@]}"; do
		for kind in N COUNT SIZE TIME; do
			for option in $(options_of "$p" "$kind"); do
				count=$((count + 1))
				for value in '' ' 1' '1 ' +1 -1 0x10 1e3 1.5 1_000 ١ 18446744073709551615 18446744073709551616 99999999999999999999 1kk x; do
					run -2 --separate-stderr "$p" "--$option" "$value" cat
					[[ $stderr == "$p: --$option: "*": not a "*" from "*" to "* ]] || {
						echo "$p --$option '$value': $stderr"
						return 1
					}
					[ "${#stderr_lines[@]}" = 1 ]
				done
			done
		done
	done
	((count >= 15))
}

@test "a number with leading zeros is decimal" {
	run -0 --separate-stderr portscan-bind -b 08 -q -p 0 true
	[ -z "$stderr" ]
}

# job_of PROGRAM: sets $job to a command that needs only stdin and stdout, and no peer.
job_of() {
	case $1 in
	portscan-bind) job=(timeout 10 portscan-bind -q -p 0) ;;
	csvsplit | tcpecho) job=(timeout 10 "$1") ;;
	wsframe) job=(timeout 10 wsframe -e) ;;
	*) job=(timeout 10 "$1" --version) ;;
	esac
}

@test "a full disk as stdout is reported and the exit status is 1" {
	local p
	for p in "${programs[@]}"; do
		job_of "$p"
		run -1 --separate-stderr full "${job[@]}"
		[[ $stderr =~ ^"$p: "(write|stdout)": No space left on device"$ ]]
		reports 1 "$p: stdout: No space left on device" full "$p" --help
	done
}

full() {
	echo a,b | "$@" >/dev/full
}

@test "a closed pipe on stdout ends every program" {
	local p
	mkfifo gone
	for p in "${programs[@]}"; do
		for how in --help --version; do
			run --separate-stderr readerless "$p" "$how"
			[ "$status" = 141 ] || [ "$status" = 1 ]
		done
		job_of "$p"
		run --separate-stderr readerless "${job[@]}"
		[ "$status" = 141 ] || [ "$status" = 1 ]
	done
}

# A pipe whose read end has been closed.
readerless() {
	exec 8<>gone
	exec 9>gone
	exec 8<&-
	yes a,b | head -n 100000 | "$@" >&9
	local status=${PIPESTATUS[2]}
	exec 9>&-
	return "$status"
}

@test "every combination of closed stdin, stdout and stderr works" {
	local p closed n
	for p in "${programs[@]}"; do
		for n in {1..7}; do
			closed=
			((n & 1)) && closed+=' <&-'
			((n & 2)) && closed+=' >&-'
			((n & 4)) && closed+=' 2>&-'
			status=0
			eval "timeout 10 $p </dev/null >out 2>err $closed" || status=$?
			[[ $status == [012] ]] || {
				echo "$p $closed: $status"
				return 1
			}
			# A failure is reported if stderr is open.
			((status == 0 || n >= 4)) || [ -s err ] || {
				echo "$p $closed: $status"
				cat err
				return 1
			}
			status=0
			job_of "$p"
			eval "\"\${job[@]}\" </dev/null >out 2>err $closed" || status=$?
			[[ $status == [01] ]]
			# A program that needs the closed stdin or stdout fails.
			case $p in
			csvsplit | tcpecho | wsframe) ((!(n & 1))) || [ "$status" = 1 ] ;;
			*) ((!(n & 2))) || [ "$status" = 1 ] ;;
			esac
		done
	done
}

@test "a socket never lands on a closed 0, 1 or 2" {
	run -0 --separate-stderr sh -c 'exec portscan-bind -p 0 sh -c "
		readlink /proc/\$\$/fd/0 /proc/\$\$/fd/1 /proc/\$\$/fd/2 /proc/\$\$/fd/3 >seen" <&- >&- 2>&-'
	mapfile -t seen <seen
	[ "${seen[0]} ${seen[1]} ${seen[2]}" = "/dev/null $PWD/seen /dev/null" ]
	[[ ${seen[3]} == socket:* ]]
	local server
	for server in 'tcpaccept cat' tcpecho 'wshub cat' 'wsserve cat'; do
		rm -f announced
		start server sh -c "exec handover tcp -- $server 2>&- <&-"
		# SIGTERM is caught only after the start of the service.
		await_that catches "$pid" 15
		for fd in 0 1 2; do
			[[ $(readlink "/proc/$pid/fd/$fd") != socket:* ]]
		done
		stop_all
	done
}

@test "inherited descriptors are kept, and own descriptors are not inherited" {
	exec 50</etc/passwd
	run -0 --separate-stderr portscan-bind -p 0 ls -l /proc/self/fd 3>&- 4>&-
	open=$(grep -oE ' [0-9]+ -> [^ ]*' <<<"$output")
	[[ $open == *" 50 -> /etc/passwd"* && $open == *" 3 -> socket:"* ]]
	[ "$(grep -c socket: <<<"$open")" = 1 ]
	serve tcpecho
	run -0 --separate-stderr portscan-connect -p "$port" ls -l /proc/self/fd 3>&- 4>&-
	open=$(grep -oE ' [0-9]+ -> [^ ]*' <<<"$output")
	[[ $open == *" 50 -> /etc/passwd"* && $open == *" 6 -> socket:"* && $open == *" 7 -> socket:"* ]]
	[ "$(grep -c socket: <<<"$open")" = 2 ]
	exec 50<&-
}

servers=(tcpecho 'tcpecho -j 2' 'tcpaccept cat' 'wshub cat' 'wsserve cat')

@test "a server does not block the shell that reads its stdout: port=\$(... &)" {
	local server
	for server in "${servers[@]}"; do
		run -0 --separate-stderr timeout 20 bash -c "port=\$(portscan-bind -1 -q -p 0 $server & echo \$! >pid); echo \$port"
		pids+=("$(cat pid)")
		peer to:"$output" open
		prints /dev/null readlink "/proc/$(cat pid)/fd/1"
	done
}

@test "inetd wait: the listening socket on fd 0 is served, as stderr it becomes /dev/null, also for the next program" {
	local server words
	for server in "${servers[@]}"; do
		read -ra words <<<"$server"
		LISTEN_PID=1 LISTEN_FDS=1 start server handover -012 tcp closed closed -- "${words[@]}"
		await_that eval '[ "$(readlink "/proc/$pid/fd/2")" = /dev/null ]'
		await_that catches "$pid" 15
		for child in $(children "$pid"); do [ "$(readlink "/proc/$child/fd/2")" = /dev/null ]; done
		LISTEN_PID=1 LISTEN_FDS=1 start server handover -0 tcp -- "${words[@]}"
		await server.out '^port '
		await_that catches "$pid" 15
		peer to:"$(sed -n 's/^port //p' server.out)" open 'send:x\r\n\r\n' head
		[ ! -s server.err ] || grep -q ': 400 ' server.err
	done
}

@test "a server sends READY=1 when it serves, STOPPING=1 when it stops, and restores the flags of the listening socket" {
	local words path
	for words in "${servers[@]}"; do
		for path in "$PWD/manager" "@fittings-test-$$"; do
			start manager notified "$path"
			await manager.out '^listening'
			start server portscan-bind -p 0 sh -c 'grep flags /proc/self/fdinfo/3
				NOTIFY_SOCKET=$1 '"$words"' <&3 & echo $! >pid; wait $!
				grep flags /proc/self/fdinfo/3' 4>&- _ "$path"
			await manager.out '^READY=1$'
			kill "$(cat pid)"
			await manager.out '^STOPPING=1$'
			same manager.out listening READY=1 STOPPING=1
			ended "$pid" 0
			[ "$(grep -c flags server.out) $(sort -u server.out | wc -l)" = "2 1" ]
			stop_all
			rm -f manager
		done
	done
}

@test "signals that were ignored or blocked at the start still work, and ends of programs are noticed" {
	local words
	for words in "${servers[@]}"; do
		serve env --ignore-signal=PIPE,CHLD --block-signal=TERM,CHLD $words
		peer to:"$port" open:3 close
		[[ $words != tcpaccept* ]] || await_that eval '! children "$server"'
		stopped
	done
}

# Starts a program through each program that runs one; the program prints its own state.
chains() {
	serve tcpecho
	cat <<-END
		portscan-bind -q -p 0
		portscan-connect -q -p $port
	END
}

@test "--exit-idle-time: a server exits with 0 after that time without connections, never during one" {
	for p in tcpaccept wsserve wshub; do
		mkfifo "start.$p"
		start server portscan-bind -p 0 sh -c 'read -r _ <"start.$1"; exec "$1" --exit-idle-time 100ms cat' _ "$p"
		bound
		start client peer to:"$port" open:1 "await:end.$p" fin rest
		await client.out 'open 1'
		echo >"start.$p"
		# Longer than that.
		rests "$server"
		peer to:"$port" open:1
		touch "end.$p"
		ended "$server" 0
		start server portscan-bind -p 0 "$p" --exit-idle-time 1ms cat
		ended "$server" 0
	done
}

@test "a program starts with no signal blocked, SIGPIPE, SIGCHLD and SIGXFSZ at default, others as inherited" {
	local shows=(grep -E '^Sig(Blk|Ign)' /proc/self/status) name mask
	local odd=(env --block-signal=HUP,USR1 --ignore-signal=PIPE,CHLD,USR2)
	chains >list
	while read -r -a chain; do "${odd[@]}" "${chain[@]}" "${shows[@]}" >>seen; done <list
	serve "${odd[@]}" tcpaccept "${shows[@]}"
	peer to:"$port" open rest >>seen
	serve "${odd[@]}" wsserve "${shows[@]}"
	portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -q never </dev/null >>seen
	[ "$(grep -c ^Sig seen)" = 8 ]
	while read -r name mask; do
		case $name in
		SigBlk:) [ "$mask" = 0000000000000000 ] ;;
		SigIgn:) (((0x$mask & 0x1011800) == 0x800)) ;;
		esac
	done <seen
}

@test "a missing program is 127, one that cannot be executed 126, and both are named" {
	chains >list
	echo "handover tcp -- tcpaccept" >>list
	while read -r -a chain; do
		p=${chain[0]/handover/tcpaccept}
		reports 127 "$p: no-such-program: not found in PATH" "${chain[@]}" no-such-program </dev/null
		reports 127 "$p: ./none/prog: No such file or directory" "${chain[@]}" ./none/prog </dev/null
		reports 126 "$p: /etc: Permission denied" "${chain[@]}" /etc </dev/null
		reports 126 "$p: /etc/passwd: Permission denied" "${chain[@]}" /etc/passwd </dev/null
		reports 127 "$p: no\\x0asuch: not found in PATH" "${chain[@]}" $'no\nsuch' </dev/null
		reports 127 "$p: : No such file or directory" "${chain[@]}" '' </dev/null
	done <list
}

# If SIGCHLD is ignored, the kernel reaps children and discards their exit status.
@test "SIGCHLD ignored and signals blocked at the start do not hide the exit status of a program" {
	local hidden=(env --ignore-signal=CHLD "--block-signal=CHLD,TERM,INT")
	prints $'close 1011\nend\nexit 7' timeout 20 wspeer get close:1011 rest wait -- "${hidden[@]}" wsframe sh -c 'exit 7'
	reports 3 "" timeout 20 handover tcp -- "${hidden[@]}" wshub sh -c 'exit 3'
	start server handover tcp -- "${hidden[@]}" wshub cat
	await_that catches "$pid" 15
	stopped "$pid"
}

# Injects the error only into the exec of the program, not into that of strace.
too_large() {
	run --separate-stderr "${before[@]}" strace -f -qq -o calls -e trace=execve -e inject=execve:error=E2BIG "$@"
	grep -q 'execve(.*INJECTED' calls
}

@test "a program that cannot be executed because of a large environment is named" {
	need_strace
	local p before=()
	chains >list
	while read -r -a chain; do
		too_large "${chain[@]}" true
		[ "$status" = 1 ]
		[ "$stderr" = "${chain[0]}: true: Argument list too long" ]
	done <list
	before=(wspeer get close:1011 rest wait --)
	too_large wsframe true
	[ "$output" = $'close 1011\nend\nexit 1' ]
	[ "$stderr" = "wsframe: true: Argument list too long" ]
	before=(peer send:"$ws_request" fin run)
	too_large wsupgrade true
	[ "$status" = 1 ]
	[ "$stderr" = "wsupgrade: true: Argument list too long" ]
	[[ $output == "HTTP/1.1 101 "*$'\x88\x02\x03\xf3' ]]
}

@test "a stderr that is not read does not block a program" {
	local p
	mkfifo full
	exec 8<>full
	# A pipe takes whole pages: fill it, the last page too.
	timeout 1 dd if=/dev/zero of=full bs=4096 oflag=nonblock status=none || true
	for p in "${programs[@]}"; do
		status=0
		timeout 10 "$p" --no-such-option 2>&8 || status=$?
		[ "$status" = 2 ]
	done
	exec 8>&-
}

@test "small limits of memory, stack and files cause a message and status 1, or no change" {
	[[ $BUILD != */asan ]] || skip "the sanitizer needs its memory"
	local p limit
	for p in "${programs[@]}"; do
		job_of "$p"
		for limit in as=4000000 as=16000000 data=2000000 stack=131072 nofile=3 nofile=4 nproc=1 fsize=0; do
			status=0
			err=$({ echo a,b | prlimit "--$limit" "${job[@]:2}" >out; } 2>&1) || status=$?
			# The loader itself may lack something.
			[[ $status == [01] || $err == *"error while loading shared libraries"* ]] || {
				echo "$p $limit: $status"
				echo "$err"
				return 1
			}
			[ "$status" != 1 ] || [[ $err == "$p: "* ]]
		done
	done
}
