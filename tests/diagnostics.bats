# Error messages and exit statuses: tests/diagnostics is the table.
load helper

# Writes the table to the file `cases', each row as a command and its line.
setup() {
	cd "$BATS_TEST_TMPDIR" || exit 1
	awk 'function filled(text, part,   at) {
			at = index(text, "{}")
			return substr(text, 1, at - 1) part substr(text, at + 2)
		}
		/^#/ { rows = 0; next }
		/^== / { rows = split(substr($0, 4), form, " => "); next }
		rows == 0 { print; next }
		{ split($0, part, " => "); print filled(form[1], part[1]); print filled(form[2], part[2]) }' \
		"$BATS_TEST_DIRNAME/diagnostics" >cases
}

# Replaces what differs between runs and libcs.
plain() {
	sed -E -e '/^Bound to /d' -e 's/(127\.0\.0\.1:|192\.0\.2\.1:|\[::1\]:|port |in |at |of )[0-9]{4,5}\b/\1PORT/g' \
		-e 's/LISTEN_PID is [0-9]+/LISTEN_PID is PID/; s/process [0-9]+/process PID/; s/pid [0-9]+/pid PID/; s/, [0-9]+\.[0-9]{3} s\)/, TIME)/' \
		-e 's/Cannot assign requested address/Address not available/; s/Too many open files$/No file descriptors available/' \
		-e 's/Too many open files/No file descriptors available/; s/Cannot allocate memory/Out of memory/' \
		-e 's/Name or service not known/Name does not resolve/; s/Temporary failure in name resolution/Name does not resolve/'
}

# The files and variables that the commands use.
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

# Runs every command of the table and prints the resulting table.
play() {
	local line status
	while IFS= read -r line; do
		[[ $line =~ ^[0-9]+\$\ (.*) ]] || continue
		status=0
		bash -c "${BASH_REMATCH[1]}" >/dev/null 2>err </dev/null 3>&- || status=$?
		printf '%s$ %s\n' "$status" "${BASH_REMATCH[1]}"
		plain <err
	done <cases
}

@test "each command of the table prints exactly its lines and exits with its status" {
	not_sanitized
	scene
	play >got
	diff cases got
}

@test "each line names the program and is one line of at most 400 bytes" {
	grep -vE '^[0-9]+\$ ' cases >lines
	! grep -vE '^(csvsplit|portscan-bind|portscan-connect|proxyhead|tcpaccept|tcpecho|wsframe|wshub|wsserve|wsupgrade): ' lines || false
	! grep -E '.{400}' lines || false
}
