# portscan-bind: bind the first free port and pass the listening socket on.
load helper

# An address of the loopback that no other test uses, so that its ports are free.
ip=127.$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2)).$((RANDOM % 250 + 2))

# occupied [-b] ADDR FIRST LAST: occupies these ports until the end of the test.
occupied() {
	start occupier occupy "$@"
	await_that grep -q . occupier.out occupier.err
	cat occupier.err
	[ -s occupier.out ]
}

scan() {
	run --separate-stderr portscan-bind -a "$ip" "$@"
}

@test "the first free port of the list is bound, reported and passed on; the default is ports 9000-9998 of 127.0.0.1" {
	scan -p 22000-22998 env
	[ "$status" = 0 ]
	[ "$stderr" = "Bound to 22000" ]
	occupied "$ip" 22000 22002
	scan -p 22000-22998 env
	[ "$stderr" = "Bound to 22003" ]
	[[ $'\n'$output$'\n' == *$'\n'TCPLOCALPORT=22003$'\n'* ]]
	run -0 --separate-stderr portscan-bind sh -c 'echo "$TCPLOCALIP $TCPLOCALPORT"'
	[[ $output =~ ^127.0.0.1\ 9[0-9]{3}$ ]]
	run --separate-stderr portscan-bind --help
	[[ $output == *"(9000-9998)"* ]]
	occupied "$ip" 20001 20002
	scan -p 20002,20005,20000 true
	[ "$stderr" = "Bound to 20005" ]
	scan -p 20002,20001-20003,20000 true
	[ "$stderr" = "Bound to 20003" ]
}

@test "the scan ends at port 65535" {
	occupied "$ip" 65534 65535
	reports 1 "portscan-bind: $ip: no free port in 65534-65535" timeout 10 portscan-bind -a "$ip" -p 65534-65535
	reports 1 "portscan-bind: $ip: no free port in 65535" timeout 10 portscan-bind -a "$ip" -p 65535
}

@test "tens of thousands of busy ports are all scanned with one descriptor" {
	(($(ulimit -Hn) > 15000)) || skip "needs more descriptors than this user may have"
	occupied "$ip" 10000 24999
	run -1 --separate-stderr bash -c 'exec 3>&-; ulimit -n 4; exec portscan-bind -a "$1" -p 10000-24999' _ "$ip"
	[ "$stderr" = "portscan-bind: $ip: no free port in 10000-24999" ]
}

@test "a port that another process has bound without listening is free: only one can listen" {
	occupied -b "$ip" 20000 20000
	scan -p 20000-20001 sockstate 3
	[ "$stderr" = "Bound to 20000" ]
	[[ $output == *backlog* ]]
}

@test "two concurrent scanners never get the same port" {
	mkfifo hold
	for i in 1 2 3 4 5 6 7 8; do
		portscan-bind -a "$ip" -p 20000-20099 sh -c 'echo "$PORT"; exec cat <hold' >port.$i 2>/dev/null 3>&- &
		pids+=("$!")
	done
	for i in 1 2 3 4 5 6 7 8; do
		await port.$i .
	done
	[ "$(cat port.* | sort -u | wc -l)" = 8 ]
}

@test "port 0 is a port of the kernel's choice, and its number is reported" {
	scan -1 -p 0 sh -c 'echo "$PORT $TCPLOCALPORT"'
	[ "$status" = 0 ]
	port=${stderr#Bound to }
	((port > 0))
	[ "$output" = "$port"$'\n'"$port $port" ]
}

@test "the scan skips privileged ports" {
	[ "$(id -u)" = 0 ] || skip "needs root to become another user"
	(($(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) > 90)) || skip "no port is privileged here"
	cp "$BIN/portscan-bind" bind
	chmod 711 .
	run -0 --separate-stderr setpriv --reuid=64999 --regid=64999 --clear-groups ./bind -a "$ip" -p 80-90,20000
	[ "$output" = 20000 ]
	run -1 --separate-stderr setpriv --reuid=64999 --regid=64999 --clear-groups ./bind -a "$ip" -p 80-90
	[ "$stderr" = "portscan-bind: $ip: no free port in 80-90: Permission denied" ]
}

@test "an error other than a busy port is reported: a port that may not be bound, an unsupported address family beside others" {
	need_strace
	occupied "$ip" 20001 20001
	run -1 --separate-stderr strace -o /dev/null -e inject=bind:error=EACCES:when=1 portscan-bind -a "$ip" -p 20000-20001
	[ "$stderr" = "portscan-bind: $ip: no free port in 20000-20001: Permission denied" ]
	need_strace
	run -0 --separate-stderr strace -o /dev/null -e inject=socket:error=EAFNOSUPPORT:when=2 \
		portscan-bind -a "$ip" -a ::1 -a 127.1.1.9 -p 20000-20009 sh -c 'echo $LISTEN_FDS; sockstate 3; sockstate 4'
	[[ ${stderr_lines[0]} =~ ^"portscan-bind: ::1: Address family not supported by protocol (continuing with the other addresses)"$ ]]
	[[ ${stderr_lines[1]} == "Bound to 2000"* ]]
	[[ ${lines[0]} == 2 && ${lines[1]} == *backlog* && ${lines[2]} == *backlog* ]]
	run -1 --separate-stderr strace -o /dev/null -e inject=socket:error=EAFNOSUPPORT portscan-bind -a ::1 -p 20000
	[ "$stderr" = "portscan-bind: [::1]:20000: Address family not supported by protocol" ]
}

# traced CALL[:WHAT] ARG...: portscan-bind at $ip, with an error injected into the first such call.
traced() {
	local inject=()
	[[ $1 != *:* ]] || inject=(-e "inject=$1")
	run --separate-stderr strace -qq -o calls -e trace="${1%%:*}" "${inject[@]}" portscan-bind -a "$ip" "${@:2}"
}

@test "injected errors: a port that another process listens on after the bind is skipped, an error of another kind ends the scan" {
	need_strace
	local call
	traced listen:error=EADDRINUSE:when=1 -p 9000-9010 true
	[ "$status $stderr" = "0 Bound to 9001" ]
	for call in socket:error=ENFILE bind:error=ENOBUFS listen:error=ENOMEM setsockopt:error=ENOPROTOOPT; do
		traced "$call:when=1" -p 9000-9998 true
		[[ $status = 1 && $stderr == "portscan-bind: $ip:9000: "* ]] || { echo "$call: $status $stderr"; return 1; }
	done
	# The kernel's choice is busy at the second address.
	traced bind:error=EADDRINUSE:when=2 -a 127.1.1.8 -p 0 sh -c 'echo $LISTEN_FDS'
	[ "$status $output" = "0 2" ]
	# Each port is tried once.
	occupied "$ip" 9000 9002
	traced bind -p 9000-9002
	[ "$status $(grep -c '^bind' calls)" = "1 3" ]
}

@test "an address with a scope is bound, and the peers' addresses have the scope" {
	command -v ip >/dev/null || skip "no iproute2"
	cat >script <<-'END'
		ip addr add fe80::1/64 dev lo scope link nodad || exit 77
		portscan-bind -a fe80::2%lo -p 9000 true 2>&1
		portscan-bind -a fe80::1%lo -p 9000 sh -c 'echo $TCPLOCALIP >&2; exec tcpaccept sh -c '\''
			echo $TCPREMOTEIP $REMOTE_ADDR $TCPLOCALIP'\' 2>bound &
		await bound ^fe80
		portscan-connect -q -a fe80::1%lo -p 9000 </dev/null
		portscan-connect -q -a fe80::1%1 -p 9000 sh -c 'echo $TCPREMOTEIP $TCPLOCALIP'
		cat bound
		kill $!
		portscan-bind -a fe80::1%lo -p 9001 wsserve sh -c 'echo $TCPREMOTEIP $REMOTE_ADDR $TCPLOCALIP' 2>served &
		await served Bound
		portscan-connect -q -a fe80::1%lo -p 9001 wsupgrade -c ws://localhost:9001 wsframe -c </dev/null
		kill $!
	END
	run --separate-stderr netns 40000-40001 - bash script
	[ "$status" != 77 ] || skip "a network namespace is not to be had here: $stderr"
	[[ "${lines[0]}" == 'portscan-bind: [fe80::2%lo]:9000: '* ]]
	[ "${lines[*]:1}" = "fe80::1%lo fe80::1 fe80::1%lo fe80::1%lo fe80::1%lo Bound to 9000 fe80::1%lo fe80::1%lo fe80::1 fe80::1%lo" ]
}

@test "a port used only by old connections is free" {
	start server portscan-bind -a "$ip" -p 20000 tcpaccept true
	await server.err Bound
	peer to:20000 to:"$ip" open:3 rest
	kill "$pid"
	ended "$pid"
	scan -p 20000 true
	[ "$stderr" = "Bound to 20000" ]
}

@test "a port of 0.0.0.0 is busy at each address, and in reverse; :: is IPv6 only" {
	occupied 0.0.0.0 21987 21987
	scan -p 21987,21988 true
	[ "$stderr" = "Bound to 21988" ]
	occupied "$ip" 21989 21989
	reports 0 "Bound to 21990" portscan-bind -a 0.0.0.0 -p 21989,21990 true
	prints "2 ::" portscan-bind -a :: -a 0.0.0.0 -p 21970-21980 sh -c 'echo "$LISTEN_FDS $TCPLOCALIP"'
}

@test "several addresses get the same port, free at all of them" {
	occupied "$ip" 20001 20001
	run -0 --separate-stderr portscan-bind -a ::1 -a 127.1.1.1 -a "$ip" -p 20001-20010 \
		sh -c 'echo "$LISTEN_FDS $TCPLOCALIP"; sockstate 3; sockstate 4; sockstate 5; sockstate 6'
	[[ $stderr == "Bound to "2000[2-9] ]]
	[ "${lines[0]}" = "3 ::1" ]
	[[ ${lines[1]} == *backlog* && ${lines[2]} == *backlog* && ${lines[3]} == *backlog* ]]
	[[ ${lines[4]} != *backlog* ]]
}

@test "each portscan-bind of a chain passes the inherited sockets on, then its own" {
	start server portscan-bind -p 0 portscan-bind -p 0 -a 127.0.0.1 -a ::1 sh -c 'echo $LISTEN_FDS ${LISTEN_FDNAMES-no} $PORT
		exec tcpaccept sh -c "echo \$TCPLOCALIP \$TCPLOCALPORT"' 4>&- 5>&-
	await server.out .
	mapfile -t ports < <(sed -n 's/^Bound to //p' server.err)
	same server.out "3 no ${ports[1]}"
	for at in "127.0.0.1 ${ports[0]}" "127.0.0.1 ${ports[1]}" "::1 ${ports[1]}"; do
		run -0 peer to:"${at#* }" to:"${at% *}" open rest
		[ "${lines[1]}" = "$at" ]
	done
}

@test "LISTEN_FDNAMES is extended in a chain, and removed if the sockets belong to another process" {
	run -0 handover tcp -- sh -c 'LISTEN_FDNAMES=web exec portscan-bind -q -p 0 -a 127.1.1.1 -a 127.1.1.2 sh -c "
		echo \$LISTEN_FDS \$LISTEN_FDNAMES \$PORT \${LISTEN_PIDFDID-none}"' 4>&- 5>&-
	[[ ${lines[1]} =~ ^3\ web:port-([0-9]+):port-([0-9]+)\ ([0-9]+)\ none$ ]]
	[ "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}" = "${BASH_REMATCH[3]} ${BASH_REMATCH[3]}" ]
	LISTEN_FDNAMES=web LISTEN_PIDFDID=7 scan -p 0 sh -c 'echo ${LISTEN_FDNAMES-none} ${LISTEN_PIDFDID-none}'
	[ "$output" = "none none" ]
}

@test "a descriptor that is open where the next socket of a chain belongs is reported with status 1" {
	run -1 --separate-stderr bash -c 'exec 4>&- 5</etc/passwd
		exec portscan-bind -q -p 0 portscan-bind -p 0 -a 127.1.1.1 -a 127.1.1.2 echo no'
	[ "$stderr$output" = "portscan-bind: fd 5: already open, but needed for the listening socket" ]
}

@test "if one of several addresses is busy at all ports, it is named, and no socket is left at the others" {
	occupied "$ip" 20001 20003
	reports 1 "portscan-bind: $ip: no free port in 20001-20003" portscan-bind -a 127.1.1.2 -a "$ip" -p 20001-20003
	occupied "$ip" 20101 20200
	run -1 --separate-stderr bash -c 'exec 3>&-; ulimit -n 20; exec portscan-bind -a 127.1.1.3 -a "$1" -p 20101-20200' _ "$ip"
	[ "$stderr" = "portscan-bind: $ip: no free port in 20101-20200" ]
}

@test "descriptor 3 is the socket, whether or not it was open before; it is blocking, and its backlog is that of -b" {
	run -0 bash -c 'exec 3</etc/passwd 4>&- 9</etc/group; portscan-bind -a "$1" -p 20000-20009 sh -c "sockstate 3; sockstate 4; readlink /proc/\$\$/fd/9"' _ "$ip"
	[[ $output == *"backlog"*$'\n'*"-1"*$'\n'"/etc/group" ]]
	run -0 --separate-stderr bash -c 'exec 3>&-; portscan-bind -a "$1" -p 20000-20009 sockstate 3' _ "$ip"
	[[ $output == *"backlog"* ]]
	scan -p 20000 -b 7 sockstate 3
	[ "$output" = "nodelay 0 keepalive 0 nonblock 0 backlog 7" ]
	scan -p 20000 sockstate 3
	[ "$output" = "nodelay 0 keepalive 0 nonblock 0 backlog $(cat /proc/sys/net/core/somaxconn)" ]
}

@test "the environment contains each variable once, whatever was inherited, and NOTIFY_SOCKET; prog keeps its options and the process" {
	export LISTEN_PID=1 LISTEN_FDS=9 LISTEN_FDNAMES=old PROTO=old TCPLOCALIP=old TCPLOCALPORT=old PORT=old
	scan -p 20000 sh -c 'echo $$; env'
	[ "$(grep -cE '^LISTEN_' <<<"$output")" = 2 ]
	[[ $output == *LISTEN_PID=${lines[0]}$'\n'* || $output == *LISTEN_PID=${lines[0]} ]]
	[ "$(grep -E '^(LISTEN_FDS|PROTO|TCP.*|PORT)=' <<<"$output" | sort)" = \
		"$(printf '%s\n' LISTEN_FDS=1 PORT=20000 PROTO=TCP TCPLOCALIP="$ip" TCPLOCALPORT=20000)" ]
	NOTIFY_SOCKET=/nowhere scan -p 20000 sh -c 'echo "$NOTIFY_SOCKET"'
	[ "$output" = /nowhere ]
	start server portscan-bind -a "$ip" -p 20000 sh -c 'echo "$$ $0 $*"' -q -p 1
	mine=$pid
	ended "$pid"
	[ "$(cat server.out)" = "$mine -q -p 1" ]
}

@test "-q prints no message, -1 prints only the port on stdout before prog runs" {
	scan -q -p 20000 true
	[ -z "$stderr$output" ]
	scan -1 -p 20000 echo next
	[ "$stderr" = "Bound to 20000" ]
	[ "${lines[*]}" = "20000 next" ]
	scan --quiet --print-port --ports 20000 true
	[ -z "$stderr" ]
	[ "$output" = 20000 ]
}

@test "-r shares a port with other processes that use -r" {
	start one portscan-bind -r -a "$ip" -p 20000 tcpecho
	await one.err "Bound to 20000"
	scan -r -p 20000 true
	[ "$stderr" = "Bound to 20000" ]
	scan -p 20000-20001 true
	[ "$stderr" = "Bound to 20001" ]
}

@test "the examples of the manual work" {
	start one portscan-bind -1 tcpecho
	await one.out '^[0-9]+$'
	prints hello portscan-connect -p "$(cat one.out)" <<<hello
	start two portscan-bind -a 0.0.0.0 -a :: -p 8080-8180 tcpaccept echo hello
	await two.err Bound
	prints hello portscan-connect -a ::1 -p "$(sed 's/Bound to //' two.err)"
	shell_script app 'echo hello'
	line='portscan-bind -a 0.0.0.0 -p 8080 portscan-bind -p 9000 tcpaccept ./app'
	grep -qxF "$line" <(sed 's/\\e/\\/g' "$BATS_TEST_DIRNAME/../man/portscan-bind.1" | joined)
	start both sh -c "exec $(sed 's/8080/8080-8180/; s/9000/9000-9998/' <<<"$line")" 4>&-
	await_that eval '(($(grep -c Bound both.err) == 2))'
	mapfile -t ports < <(sed -n 's/^Bound to //p' both.err)
	for at in "${ports[@]}"; do
		prints hello portscan-connect -p "$at"
	done
	shell_script server 'exec portscan-bind -p "$2" tcpecho'
	start three portscan-bind -q sh -c 'exec 3>&-; exec ./server --port "$PORT"'
	await three.err '^Bound to 9'
}
