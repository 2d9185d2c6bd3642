# The units as installed: checked by systemd-analyze, and run by a systemd that is PID 1 (systemd-boot), as shipped but for
# PrivateDevices=, which is off.
load ../helper

setup_file() {
	local tree=$BATS_FILE_TMPDIR/tree unit name
	make -s -C "$BATS_TEST_DIRNAME/../.." B="$BUILD" PREFIX="$BATS_FILE_TMPDIR/usr" install >/dev/null
	make -s -C "$BATS_TEST_DIRNAME/../.." B="$BUILD" PREFIX=/usr/local DESTDIR="$tree" install >/dev/null
	for unit in tcpecho websocket@ websocket-app@ wshub wsserve; do
		drop_in "$unit.service" Service PrivateDevices=no
	done
	printf '#!/bin/sh\n%s\n' 'while read -r line; do
		case $line in
		user) [ "$(id -u)" -ge 61184 ] && echo "$USER" ;; # the range of dynamic users
		wait) echo begun; until [ -e /srv/go ]; do sleep 0.02; done; echo answered ;;
		*) echo "$line" ;;
		esac
	done' >"$tree/usr/local/bin/app"
	chmod +x "$tree/usr/local/bin/app"
	for name in backup chat.py; do cp "$tree/usr/local/bin/app" "$tree/usr/local/bin/$name"; done
	shell_script "$tree/usr/local/bin/hub" 'exec grep --line-buffered " text "'
	drop_in wshub.service Service ExecStart= 'ExecStart=/usr/local/bin/wshub --host ${HOST} /usr/local/bin/hub'
	port=9010
	for name in other backup chat.py nosuch quick idle; do
		drop_in "websocket@$name.socket" Socket ListenStream= "ListenStream=127.0.0.1:$((port++))"
	done
	drop_in websocket@chat.py.service Service User=ws-chat
	drop_in websocket@quick.service Service ExecStart= "$(sed -n 's|tcpaccept|& -t 0|; s|%i|app|; /^ExecStart=/p' "$tree/usr/local/lib/systemd/system/websocket@.service")"
	drop_in websocket@idle.service Service ExecStart= "$(sed -n 's|tcpaccept|& --exit-idle-time 100ms|; s|%i|app|; /^ExecStart=/p' "$tree/usr/local/lib/systemd/system/websocket@.service")"
	ln -s app "$tree/usr/local/bin/other"
	cp "$TOOLS/peer" "$tree/usr/local/bin"
	"$BATS_TEST_DIRNAME/systemd-boot" "$tree" >"$BATS_FILE_TMPDIR/pid1" 2>"$BATS_FILE_TMPDIR/boot.err" 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/boot"
	await_that eval '[ -s "$BATS_FILE_TMPDIR/pid1" ] || gone "$(cat "$BATS_FILE_TMPDIR/boot")"'
}

teardown_file() {
	kill "$(cat "$BATS_FILE_TMPDIR/boot")" 2>/dev/null || return 0
	await_that gone "$(cat "$BATS_FILE_TMPDIR/boot")"
}

# drop_in UNIT SECTION LINE...: adds a drop-in file to the unit.
drop_in() {
	local at=$BATS_FILE_TMPDIR/tree/etc/systemd/system/$1.d
	mkdir -p "$at"
	printf '%s\n' "[$2]" "${@:3}" >>"$at/$1.conf"
}

@test "systemd finds no error in the units" {
	need systemd-analyze
	ln -sf /bin/cat "$BATS_FILE_TMPDIR/usr/bin/app"
	cp "$BATS_FILE_TMPDIR"/usr/lib/systemd/system/* .
	ln -s websocket@.service websocket@app.service
	ln -s websocket@.socket websocket@app.socket
	run systemd-analyze verify --man=no ./tcpecho.socket ./tcpecho.service ./websocket@app.socket ./websocket@app.service \
		./websocket-app.socket ./websocket-app@.service ./wshub.socket ./wshub.service \
		./wsserve.socket ./wsserve.service
	[ "$status" = 0 ]
	[ -z "$output" ]
}

booted() {
	need ss
	pid1=$(cat "$BATS_FILE_TMPDIR/pid1")
	[ -n "$pid1" ] || skip "$(tail -n 1 "$BATS_FILE_TMPDIR/boot.err")"
	inside rm -f /srv/go
}

# inside CMD...: runs it in the namespaces of that systemd.
inside() {
	nsenter -t "$pid1" -a -r -w -- env PATH=/usr/local/bin:/usr/bin:/bin "$@"
}

# client PORT [OPTION...]: a WebSocket client.
client() {
	inside portscan-connect -q -p "$1" wsupgrade -c ws://localhost/ wsframe -c "${@:2}"
}

# saying RECORD PORT [OPTION...]: starts a client that sends RECORD.
saying() {
	echo "$1" | client "${@:2}"
}

# is UNIT PROPERTY VALUE
is() {
	[ "$(inside systemctl show -p "$2" --value "$1")" = "$3" ]
}

# Connections to this port, the first one too, have SO_KEEPALIVE.
kept_alive() {
	await_that eval '[[ "$(inside ss -Htno state established "( sport = :'"$1"' )")" == *keepalive* ]]'
}

@test "booted: tcpecho.service" {
	booted
	inside systemctl start tcpecho.socket
	[ "$(echo hello | inside portscan-connect -q -p 7)" = hello ]
	inside systemctl stop tcpecho.socket tcpecho.service
	is tcpecho.service Result success
}

@test "booted: websocket@.service serves, and a stop lets answers in progress finish" {
	booted
	inside systemctl start websocket@app.socket
	[ "$(echo hello | client 9000 -m 1)" = hello ]
	start client saying wait 9000 -v -m 2
	await client.out begun
	inside systemctl stop --no-block websocket@app.service
	await_that is websocket@app.service SubState stop-sigterm
	inside touch /srv/go
	ended "$pid" 0
	same client.out begun answered
	await_that is websocket@app.service ActiveState inactive
	is websocket@app.service Result success
}

@test "booted: a restart of websocket@.service refuses no client: the next instance serves the waiting ones" {
	booted
	inside systemctl start websocket@app.socket
	start before saying wait 9000 -m 2
	await before.out begun
	was=$(inside systemctl show -p MainPID websocket@app.service)
	inside systemctl restart --no-block websocket@app.service
	await_that is websocket@app.service SubState stop-sigterm
	for n in 1 2 3; do
		start "during$n" saying hello 9000 -m 1
		during[n]=$pid
	done
	inside touch /srv/go
	ended "$before" 0
	for n in 1 2 3; do
		ended "${during[n]}"
		[ "$(cat "during$n.out")" = hello ]
	done
	[ "$(inside systemctl show -p MainPID websocket@app.service)" != "$was" ]
}

@test "booted: tcpaccept -t 0 in a drop-in: a stop sends 1001 at once" {
	booted
	inside systemctl start websocket@quick.socket
	start client saying wait 9014 -v -q never
	await client.out begun
	kept_alive 9014
	inside systemctl stop websocket@quick.service
	ended "$pid"
	grep -qx 'wsframe: peer: closed with 1001' client.err
	is websocket@quick.service Result success
}

@test "booted: tcpaccept --exit-idle-time in a drop-in: systemd starts it again on demand" {
	booted
	inside systemctl start websocket@idle.socket
	for n in 1 2; do
		[ "$(echo hello | client 9015 -m 1)" = hello ]
		await_that is websocket@idle.service ActiveState inactive
		is websocket@idle.service Result success
	done
}

@test "booted: each instance of websocket@.service has its own user, whatever its name" {
	booted
	inside systemctl start websocket@{app,other,backup,chat.py}.socket
	[ "$(echo user | client 9000 -m 1)" = ws-app ]
	[ "$(echo user | client 9010 -m 1)" = ws-other ]
	[ "$(echo user | client 9011 -m 1)" = ws-backup ]
	[ "$(echo user | client 9012 -m 1)" = ws-chat ]
}

@test "booted: a missing program is 1011 for the client and a line in the journal" {
	booted
	inside systemctl start websocket@nosuch.socket
	run client 9013 -v </dev/null
	[[ $output == *'wsframe: peer: closed with 1011'* ]]
	await_that eval 'inside journalctl -u websocket@nosuch.service | grep -q "nosuch: No such file or directory"'
	is websocket@nosuch.service ActiveState active
}

@test "booted: websocket-app@.service serves, survives a burst, and a stop sends 1001" {
	booted
	inside systemctl start websocket-app.socket
	[ "$(echo user | client 9001 -m 1)" = ws-app ]
	inside peer to:9001 open:300 fin rest
	[ "$(echo hello | client 9001 -m 1)" = hello ]
	is websocket-app.socket ActiveState active
	start client saying wait 9001 -v -q never
	await client.out begun
	inside systemctl stop 'websocket-app@*.service'
	ended "$pid"
	grep -qx 'wsframe: peer: closed with 1001' client.err
}

@test "booted: wshub.service and wsserve.service serve, and each restart closes their clients with 1001" {
	booted
	for service in wshub:9002 wsserve:9003; do
		unit=${service%:*}
		inside systemctl start "$unit.socket"
		for _ in {1..5}; do
			start client saying hello "${service#*:}" -v -q never
			await client.out hello
			kept_alive "${service#*:}"
			inside systemctl reset-failed "$unit.service"
			inside systemctl restart "$unit.service"
			ended "$pid"
			grep -qx 'wsframe: peer: closed with 1001' client.err
		done
		is "$unit.service" Result success
	done
}
