#!/usr/bin/env bats
# The units as installed: what systemd thinks of them, and their command lines under systemd-socket-activate.
load ../helper

setup_file() {
	make -s -C "$BATS_TEST_DIRNAME/../.." B="$BUILD" PREFIX="$BATS_FILE_TMPDIR/usr" install >/dev/null
}

setup() {
	command -v systemd-socket-activate >/dev/null || skip "systemd-socket-activate is not installed"
	units=$BATS_FILE_TMPDIR/usr/lib/systemd/system
	ln -sf /bin/cat "$BATS_FILE_TMPDIR/usr/bin/app"
}

# The command of a unit, its specifiers filled in.
command_of() {
	sed -n 's/^ExecStart=//p' "$units/$1" | sed 's/%[ij]/app/g; s/\${HOST}/localhost/g'
}

# activate UNIT [OPTION...]: its command on a free port, $port.
activate() {
	local unit=$1
	shift
	port=$(portscan-bind -q -p 0)
	read -ra words <<<"$(command_of "$unit")"
	start activate systemd-socket-activate -l "127.0.0.1:$port" "$@" "${words[@]}"
	await "$BATS_TEST_TMPDIR/activate.err" '^Listening on'
}

@test "systemd finds no fault in the units" {
	cp "$units"/* "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR"
	ln -s websocket@.service websocket@app.service
	ln -s websocket@.socket websocket@app.socket
	run systemd-analyze verify --man=no ./tcpecho.socket ./tcpecho.service ./websocket@app.socket ./websocket@app.service \
		./websocket-app.socket ./websocket-app@.service ./wshub.socket ./wshub.service
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "tcpecho.service: one process for all connections, with readiness" {
	activate tcpecho.service
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	[ "$(echo again | portscan-connect -q -p "$port")" = again ]
}

@test "websocket@.service: tcpaccept, a program for each client" {
	activate websocket@.service
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1)" = hello ]
}

@test "websocket-app@.service: systemd accepts" {
	activate websocket-app@.service --inetd -a
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1)" = hello ]
}

@test "wshub.service: one program for all clients" {
	printf '#!/bin/sh\nexec grep --line-buffered " text "\n' >"$BATS_TEST_TMPDIR/app"
	chmod +x "$BATS_TEST_TMPDIR/app"
	ln -sf "$BATS_TEST_TMPDIR/app" "$BATS_FILE_TMPDIR/usr/bin/app"
	activate wshub.service
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1)" = hello ]
}
