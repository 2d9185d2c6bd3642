#!/usr/bin/env bats
# What the programs say when something is wrong: tests/diagnostics has each situation with the very lines on
# stderr and the exit status.
load helper

table=$BATS_TEST_DIRNAME/diagnostics

setup() {
	cd "$BATS_TEST_TMPDIR" || exit 1
}

# What differs from run to run and from libc to libc.
plain() {
	sed -E -e '/^Bound to /d' -e 's/(127\.0\.0\.1:|port |in |at |of )[0-9]{4,5}\b/\1PORT/g' \
		-e 's/LISTEN_PID is [0-9]+/LISTEN_PID is PID/; s/process [0-9]+/process PID/; s/pid [0-9]+/pid PID/; s/, [0-9]+\.[0-9]{3} s\)/, TIME)/' \
		-e 's/Cannot assign requested address/Address not available/; s/Too many open files$/No file descriptors available/' \
		-e 's/Too many open files/No file descriptors available/; s/Cannot allocate memory/Out of memory/' \
		-e 's/Name or service not known/Name does not resolve/; s/Temporary failure in name resolution/Name does not resolve/'
}

# What the commands of the table find.
scene() {
	printf 'name,city\n"Doe, Ann",Rome\n' >people.csv
	mkdir d
	: >notexec
	shell_script slow 'exec sleep 20'
	head -c 17M /dev/zero >big.html
	printf 'x\xff\n' >latin1
	get='GET / HTTP/1.1\r\nHost: x\r\n'
	upgrade='Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
	key='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
	switching='HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
	export get upgrade key switching
}

# The table's situations, one after the other: the command, what it said, how it ended.
play() {
	local line command='' status
	while IFS= read -r line; do
		case $line in
		'$ '*)
			command=${line#\$ }
			status=0
			bash -c "$command" >/dev/null 2>err </dev/null 3>&- || status=$?
			printf '%s\n' "$line"
			plain <err
			printf '= %s\n' "$status" ;;
		esac
	done <"$table"
}

@test "each situation of the table is told in just these words" {
	not_sanitized
	scene
	play >got
	diff <(grep -vE '^(#|$)' "$table") got
}

@test "each line names the program and is one line of at most 400 bytes" {
	grep -vE '^([$=#]|$)' "$table" >lines
	! grep -vE '^(csvsplit|portscan-bind|portscan-connect|proxyhead|tcpaccept|tcpecho|wsframe|wshub|wsupgrade): ' lines || false
	! grep -E '.{400}' lines || false
}
