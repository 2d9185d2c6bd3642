# What the sandbox forbids and keeps (lib/system/sandbox.h), and who is in it.
load helper

setup() {
	run "$TOOLS/caged" nothing
	if [ "$status" = 99 ]; then skip "built with -DSANDBOX=0, or for an architecture without it"; fi
	[ -e /proc/sys/kernel/seccomp ] || skip "this kernel has no seccomp filters"
}

# dies_of_it DEED...
dies_of_it() {
	local deed
	for deed; do
		status=0
		("$TOOLS/caged" "$deed") 2>/dev/null || status=$?
		[ "$status" = 159 ] || { echo "$deed: $status"; return 1; }
	done
}

# keeps DEED...
keeps() {
	local deed
	for deed; do
		"$TOOLS/caged" "$deed" || { echo "$deed: $?"; return 1; }
	done
}

@test "sandbox: a file, a socket, a process, a program, foreign memory: SIGSYS" {
	dies_of_it open unlink socket connect fork exec ptrace
}

@test "sandbox: no memory to execute, neither mapped nor made so" {
	dies_of_it code make-code
}

@test "sandbox: x32's numbers of allowed calls are refused" {
	[ "$(uname -m)" = x86_64 ] || skip "x32 is of x86_64"
	dies_of_it x32
}

@test "sandbox: serving, allocating, reaping a child that opens files, all go on" {
	keeps nothing serve memory child
}

@test "sandbox: abort() still ends with SIGABRT" {
	status=0
	("$TOOLS/caged" abort) 2>/dev/null || status=$?
	[ "$status" = 134 ]
}

# in_it PID: the kernel says that the process is in a sandbox.
in_it() {
	grep -q '^Seccomp:.2$' "/proc/$1/status" && grep -q '^NoNewPrivs:.1$' "/proc/$1/status"
}

@test "sandbox: tcpecho serves in it, and still tells its service manager that it stops" {
	command -v python3 >/dev/null || skip "no python3 to be the service manager"
	/usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(99).decode(), flush=True)' "$BATS_TEST_TMPDIR/notify" >"$BATS_TEST_TMPDIR/told" 3>&- &
	pids+=($!)
	await "$BATS_TEST_TMPDIR/told" bound
	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify serve tcpecho -v
	await "$BATS_TEST_TMPDIR/told" READY=1
	await_that in_it "$pid"
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	kill "$pid"
	ended "$pid"
	[ "$status" = 0 ]
	same "$BATS_TEST_TMPDIR/told" bound READY=1 STOPPING=1
	! grep sandbox "$BATS_TEST_TMPDIR/server.err"
}

@test "sandbox: tcpecho -j: every process that serves is in it" {
	serve tcpecho -j 2
	workers=$(pgrep -P "$pid")
	[ "$(wc -w <<<"$workers")" = 2 ]
	for w in $workers; do await_that in_it "$w"; done
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	kill "$pid"
	ended "$pid"
	[ "$status" = 0 ]
}
