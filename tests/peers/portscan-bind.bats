# portscan-bind with errors injected by strace, and with sockets of other programs.
load ../helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	need_strace
	ip=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))
}

traced() {
	run --separate-stderr strace -qq -o calls "$@"
}

@test "a port on which another process begins to listen after the bind is skipped" {
	traced -e trace=listen -e inject=listen:error=EADDRINUSE:when=1 portscan-bind -a "$ip" -p 9000-9010 true
	[ "$status" = 0 ]
	[ "$stderr" = "Bound to 9001" ]
}

@test "each port is tried once" {
	start occupier occupy "$ip" 9000 9002
	await occupier.out occupied
	traced -e trace=bind portscan-bind -a "$ip" -p 9000-9002
	[ "$status" = 1 ]
	[ "$(grep -c '^bind' calls)" = 3 ]
}

@test "an error other than EADDRINUSE and EACCES ends the scan, whichever call returns it" {
	local call
	for call in socket:error=ENFILE bind:error=ENOBUFS listen:error=ENOMEM setsockopt:error=ENOPROTOOPT; do
		traced -e "trace=${call%%:*}" -e "inject=$call:when=1" portscan-bind -a "$ip" -p 9000-9998 true
		[ "$status" = 1 ]
		[[ $stderr == "portscan-bind: $ip port 9000: "* ]]
	done
}

@test "if the kernel's choice is busy at the second address, another port is chosen" {
	traced -e trace=bind -e inject=bind:error=EADDRINUSE:when=2 portscan-bind -a "$ip" -a 127.1.1.8 -p 0 sh -c 'echo $LISTEN_FDS'
	[ "$status" = 0 ]
	[ "$output" = 2 ]
}
