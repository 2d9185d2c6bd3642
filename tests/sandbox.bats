# The system calls that the sandbox forbids and allows (lib/sys/sandbox.h), and the programs that use it.
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	run "$TOOLS/sandbox_probe" nothing
	if [ "$status" = 99 ]; then skip "built with -DSANDBOX=0, or for an architecture without it"; fi
	[ -e /proc/sys/kernel/seccomp ] || skip "this kernel has no seccomp filters"
}

# acts STATUS FORM ACTION...: each action of the probe ends with this status.
acts() {
	local deed status
	for deed in "${@:3}"; do
		status=0
		("$TOOLS/sandbox_probe" "$deed" $2) 2>/dev/null || status=$?
		[ "$status" = "$1" ] || { echo "$deed $2: $status"; return 1; }
	done
}

@test "sandbox: opening, executing and the like is SIGSYS, what a server needs is allowed, if it is asked for" {
	local form forbidden='open terminal unlink socket connect fork exec ptrace code make-code reopen-to-write'
	[ "$(uname -m)" != x86_64 ] || forbidden+=' x32' # x32 numbers of allowed calls
	# Both forms of the filter: cached by the kernel, and fast to enter.
	for form in '' often; do
		acts 159 "$form" $forbidden
		acts 0 "$form" nothing serve memory child ioctl alarm reopen reopen-file
	done
	acts 159 unasked serve child ioctl alarm reopen
	acts 134 '' abort
}

# in_it PID: the process is in a sandbox, according to /proc.
in_it() {
	grep -q '^Seccomp:.2$' "/proc/$1/status" && grep -q '^NoNewPrivs:.1$' "/proc/$1/status"
}

@test "sandbox: tcpecho, its workers and wshub are in it, wshub not if it runs programs later" {
	local one
	serve tcpecho -v
	await_that in_it "$server"
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	! grep sandbox server.err || false
	serve tcpecho -j 2
	await_that eval '[ "$(children "$server" | wc -l)" = 2 ]'
	for one in $(children "$server"); do await_that in_it "$one"; done
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	serve wshub --fan-out
	await_that in_it "$server"
	serve wshub -a true --fan-out
	! in_it "$server" || false
}

# child_of PID: waits for a child of the process and sets $child.
child_of() {
	await_that children "$1"
	child=$(children "$1")
}

@test "sandbox: wsframe is in it, its program is not" {
	# On a port that no concurrent test scans, so that the child belongs to this test's client.
	start server portscan-bind -1 -p 0 tcpaccept wsframe -w 100ms sh -c ': </etc/passwd && exec sleep 100'
	await_that test -s "$BATS_TEST_TMPDIR/server.out"
	port=$(cat "$BATS_TEST_TMPDIR/server.out")
	start client peer -v to:"$port" open hold
	child_of "$server"
	frame=$child
	await_that in_it "$frame"
	child_of "$frame"
	await_that grep -q sleep "/proc/$child/comm"
	! in_it "$child" || false
	grep -q '^NoNewPrivs:.0$' "/proc/$child/status"
}

@test "sandbox: wsframe queries the pipe to its program after the Close" {
	# 20 KB that the program has not read when the Close arrives: it still gets all of it.
	printf '\x81\xfe\x4e\x20\0\0\0\0' >in
	head -c 20000 /dev/zero | tr '\0' x >>in
	printf '\x88\x80\0\0\0\0' >>in
	peer file:in run wsframe -w 400ms sh -c 'sleep 1.2; cat >got'>answer
	[ "$(wc -c <got)" = 20001 ]
	# The same if the pipe cannot be opened again to watch its fill level.
	peer file:in run filtered wsframe -w 400ms sh -c 'sleep 1.2; cat >again'>answer
	cmp got again
}

# under_filter CMD...: starts it under the filter of a service manager; its system calls are in calls.PID.
under_filter() {
	start filtered strace -D -f -qq -o "calls.$BASHPID.$RANDOM" filtered "$@"
	await filtered.err '^Bound to '
	port=$(sed -n 's/^Bound to //p' filtered.err)
}

@test "sandbox: under the filter of a service manager all programs work, and use only calls of @system-service" {
	need strace
	need systemd-analyze
	# A group contains other groups.
	systemd-analyze syscall-filter 2>/dev/null | awk '
		function list(group, n, at, i) {
			n = split(members[group], at)
			for (i = 1; i <= n; i++)
				if (at[i] ~ /^@/)
					list(at[i])
				else
					print at[i]
		}
		/^@/ { group = $1 }
		/^ +[^ #]/ { members[group] = members[group] " " $1 }
		END { list("@system-service") }' | sort -u >allowed
	[ "$(wc -l <allowed)" -gt 200 ]
	under_filter portscan-bind -p 0 tcpaccept wsupgrade --page /etc/passwd wsframe cat
	[ "$(echo hello | strace -f -qq -o calls.client filtered portscan-connect -p "$port" wsupgrade -c ws://localhost/ wsframe -c -m 1)" = hello ]
	stopped "$filtered"
	under_filter portscan-bind -p 0 tcpaccept proxyhead wsupgrade --console -a true wsframe cat
	printf 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n' |
		portscan-connect -q -p "$port" | grep -q ' 200 OK'
	stopped "$filtered"
	under_filter portscan-bind -p 0 wshub sh -c 'read -r line; printf "1 text %s\n" "$line"; cat'
	echo hello | portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -m 1 >/dev/null
	stopped "$filtered"
	under_filter portscan-bind -p 0 wsserve -z -a true --page /etc/passwd cat
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -z -c ws://localhost/ wsframe -c -m 1)" = hello ]
	stopped "$filtered"
	under_filter portscan-bind -p 0 tcpecho -j 2
	[ "$(echo hello | strace -f -qq -o calls.relay filtered portscan-connect -q -p "$port")" = hello ]
	stopped "$filtered"
	[ "$(echo a,b | strace -f -qq -o calls.csv filtered csvsplit -f 2)" = b ]
	echo hello | strace -f -qq -o calls.encode filtered wsframe -e | strace -f -qq -o calls.decode filtered wsframe -d
	cat calls.* | sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' | sort -u >made
	grep -qx sendto made
	diff <(comm -23 made allowed) /dev/null
}

@test "sandbox: under another filter Landlock is not used, and -v reports that" {
	run --separate-stderr filtered wsframe -v true </dev/null
	[ "${stderr_lines[0]}" = "wsframe: sandbox: another seccomp filter is active (Landlock is not used)" ]
	run --separate-stderr filtered wsframe true </dev/null
	[[ $stderr != *sandbox* ]]
}
