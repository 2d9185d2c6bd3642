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
