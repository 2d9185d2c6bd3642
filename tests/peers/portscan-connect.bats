# portscan-connect against servers of other projects, and with short reads and writes.
# shellcheck disable=SC2030,SC2031,SC2154
load ../helper

@test "nc: both directions end separately" {
	need nc
	head -c 4M /dev/urandom >up
	head -c 4M /dev/urandom >down
	# nc does not print the port that the kernel chose, so use one that was free a moment ago.
	port=$(free_port)
	nc -N -l 127.0.0.1 "$port" <down >got 3>&- &
	pids+=($!)
	server=$!
	await_that listening "$port"
	# nc exits at EOF, even with data to send: portscan-connect ends last.
	{ cat up; await_that cmp -s down out; } | portscan-connect -q -p "$port" >out
	ended "$server"
	cmp down out
	cmp up got
}

listening() {
	grep -qi "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

@test "an interrupted connect is not called again" {
	need_strace
	serve peer -v accept send:hello
	# The call is performed and then returns EINTR, as after a signal.
	strace -qq -o trace -e trace=connect -e inject=connect:signal=CONT:when=1 \
		portscan-connect -q -p "$port" </dev/null >out
	[ "$(cat out)" = hello ]
	[ "$(grep -c '^connect(' trace)" = 1 ]
}

@test "an idle relay makes no system call" {
	need_strace
	serve peer -v accept send:hello rest
	mkfifo in
	exec 8<>in
	start relay strace -f -o trace portscan-connect -q -p "$port" <&8 8>&-
	await relay.out hello
	await_that grep -q ppoll trace
	exec 8>&-
	ended "$pid" 0
	# After it has begun to wait, the next event is EOF.
	after=$(sed '1,/hello/d' trace | grep -c ppoll)
	[ "$after" -le 4 ]
}

@test "it starts without unnecessary system calls" {
	need_strace
	serve peer -v accept echo
	echo hi | strace -o trace portscan-connect -q -p "$port" | cat >out
	grep -q hi out
	# The calls from the first check of the standard descriptors on (after those of the loader), without those of the sandbox.
	sed -n "/^fcntl(0, F_GETFD/,\$s/(.*//p" trace | sed "s/^newfstatat/fstat/" | grep -vE '^(brk|getrandom|mmap|munmap|prctl|seccomp|landlock_.*|close)$' >calls
	# After the first bytes, the kernel determines how the rest is divided.
	same <(head -n 19 calls) fcntl fcntl fcntl socket connect poll getsockopt getsockname getpeername fcntl setsockopt \
		setsockopt rt_sigaction rt_sigaction fstat fstat ppoll preadv2 sendto
	[ "$(wc -l <calls)" -le 32 ]
}
