#!/usr/bin/env bats
# The recipes of the README, with the programs that they name.
load ../helper

need() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

free_port() {
	portscan-bind -q -p 0
}

# What a program on a port needs to be up: it accepts.
await_port() {
	await_that portscan-connect -q -p "$1" true
}

# One line said to a service, its first answer: ask PORT LINE [PATH]
ask() {
	printf '%s\n' "$2" | portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1${3-/}" wsframe -c -m 1
}

# A client in the background, its words from NAME.in (its fd in $NAME), what it hears in NAME.out: client NAME PORT
client() {
	mkfifo "$BATS_TEST_TMPDIR/$1.in"
	start "$1" sh -c 'exec "$@" <"$0"' "$BATS_TEST_TMPDIR/$1.in" \
		portscan-connect -q -p "$2" wsupgrade -c "ws://localhost:$2/" wsframe -c -q never
	exec {fd}>"$BATS_TEST_TMPDIR/$1.in"
	eval "$1=$fd"
}

tell() {
	printf '%s\n' "$2" >&"${!1}"
}

# Until the client NAME hears its own words: then it is in.
await_in() {
	await_that is_in "$1"
}

is_in() {
	tell "$1" "$1 is in"
	grep -qs "$1 is in" "$BATS_TEST_TMPDIR/$1.out"
}

certificate() {
	need openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/crt" 2>/dev/null
	cat "$BATS_TEST_TMPDIR/key" "$BATS_TEST_TMPDIR/crt" >"$BATS_TEST_TMPDIR/pem"
}

# stunnel's client side, for a client of ours that is to speak TLS to $1 (with the option $2): its port in $plain.
tls_client() {
	plain=$(free_port)
	printf 'foreground = yes\npid =\n[c]\nclient = yes\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n%s\n' \
		"$plain" "$1" "${2-}" >"$BATS_TEST_TMPDIR/client.conf"
	start tls-client stunnel "$BATS_TEST_TMPDIR/client.conf"
	await_port "$plain"
}

@test "wss by stunnel in front, and stunnel for a client" {
	need stunnel
	certificate
	serve tcpaccept wsupgrade wsframe cat
	tls=$(free_port)
	printf 'foreground = yes\npid =\ncert = %s\n[wss]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n' \
		"$BATS_TEST_TMPDIR/pem" "$tls" "$port" >"$BATS_TEST_TMPDIR/server.conf"
	start stunnel stunnel "$BATS_TEST_TMPDIR/server.conf"
	await_port "$tls"
	tls_client "$tls"
	[ "$(ask "$plain" 'through two tunnels')" = 'through two tunnels' ]
}

@test "wss by stunnel that starts the chain itself, as an inetd" {
	need stunnel
	certificate
	tls=$(free_port)
	printf 'foreground = yes\npid =\ncert = %s\n[wss]\naccept = 127.0.0.1:%s\nexec = %s\nexecArgs = wsupgrade wsframe cat\n' \
		"$BATS_TEST_TMPDIR/pem" "$tls" "$BIN/wsupgrade" >"$BATS_TEST_TMPDIR/server.conf"
	start stunnel stunnel "$BATS_TEST_TMPDIR/server.conf"
	await_port "$tls"
	tls_client "$tls"
	[ "$(ask "$plain" hello)" = hello ]
}

@test "stunnel starts a script that tells the program the client's address" {
	need stunnel
	certificate
	tls=$(free_port)
	printf '#!/bin/sh\n%s\n' 'PATH=/usr/local/bin:$PATH REMOTE_ADDR=$REMOTE_HOST exec wsupgrade wsframe app' >"$BATS_TEST_TMPDIR/wss"
	grep -qxF "    $(tail -n 1 "$BATS_TEST_TMPDIR/wss")" "$BATS_TEST_DIRNAME/../../README.md"
	printf '#!/bin/sh\necho "you are $REMOTE_ADDR"\n' >"$BATS_TEST_TMPDIR/app"
	sed -i "s|/usr/local/bin|$BATS_TEST_TMPDIR|" "$BATS_TEST_TMPDIR/wss"
	chmod +x "$BATS_TEST_TMPDIR/wss" "$BATS_TEST_TMPDIR/app"
	printf 'foreground = yes\npid =\ncert = %s\n[wss]\naccept = 127.0.0.1:%s\nexec = %s\n' \
		"$BATS_TEST_TMPDIR/pem" "$tls" "$BATS_TEST_TMPDIR/wss" >"$BATS_TEST_TMPDIR/server.conf"
	start stunnel stunnel "$BATS_TEST_TMPDIR/server.conf"
	await_port "$tls"
	tls_client "$tls" 'local = 127.0.0.2'
	[ "$(ask "$plain" hello)" = 'you are 127.0.0.2' ]
}

@test "on a UNIX socket, by systemd-socket-activate and by socat" {
	need socat
	cd "$BATS_TEST_TMPDIR"
	printf '#!/bin/sh\nexec cat\n' >app
	chmod +x app
	n=0
	for line in 'systemd-socket-activate -l $PWD/socket tcpaccept wsupgrade wsframe ./app' \
		"socat UNIX-LISTEN:socket,fork,mode=600 EXEC:'wsupgrade wsframe ./app'"; do
		command -v "${line%% *}" >/dev/null || continue
		grep -qxF -- "$line" "$BATS_TEST_DIRNAME/../../man/fittings.7"
		rm -f socket
		start unix sh -c "exec $line"
		await_that test -S socket
		plain=$(free_port)
		start tcp socat "TCP-LISTEN:$plain,bind=127.0.0.1,fork,reuseaddr" UNIX-CONNECT:socket
		await_port "$plain"
		[ "$(ask "$plain" hello)" = hello ]
		n=$((n + 1))
		stop_all
	done
	[ "$n" != 0 ]
}

# An HAProxy in front of these ports, its own in $front; TLS where a certificate is there.
haproxy_for() {
	local n=0 tls='' one
	need haproxy
	front=$(free_port)
	[ ! -e "$BATS_TEST_TMPDIR/pem" ] || tls=" ssl crt $BATS_TEST_TMPDIR/pem"
	{
		printf 'defaults\n mode http\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n timeout tunnel 1h\n'
		printf 'frontend f\n bind 127.0.0.1:%s%s\n option forwardfor\n default_backend b\nbackend b\n balance roundrobin\n' "$front" "$tls"
		for one in "$@"; do printf ' server s%s 127.0.0.1:%s\n' "$((n += 1))" "$one"; done
	} >"$BATS_TEST_TMPDIR/haproxy.cfg"
	start haproxy haproxy -db -f "$BATS_TEST_TMPDIR/haproxy.cfg"
	await_port "$front"
}

@test "wss by HAProxy in front, which tells the program the client's address" {
	need stunnel
	certificate
	serve tcpaccept wsupgrade wsframe sh -c 'while read -r line; do echo "$HTTP_X_FORWARDED_FOR says $line"; done'
	haproxy_for "$port"
	tls_client "$front"
	[ "$(ask "$plain" hello)" = '127.0.0.1 says hello' ]
}

@test "nginx in front" {
	need nginx
	serve tcpaccept wsupgrade wsframe sh -c 'while read -r line; do echo "$HTTP_X_FORWARDED_FOR says $line"; done'
	front=$(free_port)
	cat >"$BATS_TEST_TMPDIR/nginx.conf" <<-END
		daemon off; pid $BATS_TEST_TMPDIR/nginx.pid; error_log stderr; worker_processes 1;
		events { }
		http {
			access_log off;
			client_body_temp_path $BATS_TEST_TMPDIR/b; proxy_temp_path $BATS_TEST_TMPDIR/p; fastcgi_temp_path $BATS_TEST_TMPDIR/f;
			uwsgi_temp_path $BATS_TEST_TMPDIR/u; scgi_temp_path $BATS_TEST_TMPDIR/s;
			server {
				listen 127.0.0.1:$front;
				location / {
					proxy_pass http://127.0.0.1:$port;
					proxy_http_version 1.1;
					proxy_set_header Host \$http_host;
					proxy_set_header Upgrade \$http_upgrade;
					proxy_set_header Connection upgrade;
					proxy_set_header X-Forwarded-For \$remote_addr;
					proxy_read_timeout 1h;
				}
			}
		}
	END
	start nginx nginx -p "$BATS_TEST_TMPDIR" -c "$BATS_TEST_TMPDIR/nginx.conf"
	await_port "$front"
	[ "$(ask "$front" hello)" = '127.0.0.1 says hello' ]
	# A page of the site itself is no foreign one, port and all.
	mkfifo "$BATS_TEST_TMPDIR/page"
	while read -r origin answer; do
		exec {page}<>"$BATS_TEST_TMPDIR/page"
		start page sh -c 'exec "$@" <"$0"' "$BATS_TEST_TMPDIR/page" portscan-connect -q -p "$front"
		printf '%s\r\n' 'GET / HTTP/1.1' "Host: localhost:$front" "Origin: http://localhost:$origin" 'Upgrade: websocket' \
			'Connection: Upgrade' 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' 'Sec-WebSocket-Version: 13' '' >&"$page"
		await "$BATS_TEST_TMPDIR/page.out" "^HTTP/1.1 $answer"
		kill "$pid"
		exec {page}>&-
	done <<-END
		$front 101
		$port 403
	END
}

# A Redis of our own, its port in $redis.
redis_start() {
	need redis-server
	need redis-cli
	redis=$(free_port)
	start redis redis-server --port "$redis" --bind 127.0.0.1 --save '' --dir "$BATS_TEST_TMPDIR"
	await_that redis-cli -p "$redis" ping
}

# Three servers of the given chain, their ports in $ports.
three() {
	local n
	ports=()
	for n in 1 2 3; do
		start "server$n" portscan-bind "$@"
		await "$BATS_TEST_TMPDIR/server$n.err" '^Bound to '
		ports+=("$(sed -n 's/^Bound to //p' "$BATS_TEST_TMPDIR/server$n.err")")
	done
}

# Three clients behind the HAProxy hear each other.
three_meet() {
	local name other
	for name in a b c; do
		client $name "$front"
		await_in $name
	done
	for name in a b c; do tell $name "last of $name"; done
	for name in a b c; do
		for other in a b c; do await "$BATS_TEST_TMPDIR/$name.out" "^last of $other\$"; done
	done
}

@test "a chat over three servers behind HAProxy, in which all clients meet in Redis" {
	redis_start
	three tcpaccept wsupgrade wsframe sh -c "redis-cli -p $redis subscribe chat | sed -u -n '3~3p' & while IFS= read -r l; do printf %s \"\$l\" | redis-cli -p $redis -x publish chat >/dev/null; done"
	haproxy_for "${ports[@]}"
	three_meet
}

@test "three wshubs behind HAProxy whose programs meet in Redis" {
	redis_start
	export REDIS="-p $redis"
	three wshub "$BATS_TEST_DIRNAME/../../lib/examples/redischat"
	haproxy_for "${ports[@]}"
	three_meet
}

@test "a log in a browser" {
	: >"$BATS_TEST_TMPDIR/log"
	serve tcpaccept wsupgrade wsframe tail -n 0 -F "$BATS_TEST_TMPDIR/log"
	client a "$port"
	until grep -qs 'a line' "$BATS_TEST_TMPDIR/a.out"; do echo 'a line' >>"$BATS_TEST_TMPDIR/log"; sleep 0.02; done
}

@test "a calculator in a browser" {
	need bc
	serve tcpaccept wsupgrade wsframe bc
	[ "$(ask "$port" '6*7')" = 42 ]
}

@test "a chat in one line, with a file as the bus" {
	: >"$BATS_TEST_TMPDIR/bus"
	serve tcpaccept wsupgrade wsframe sh -c "tail -n 0 -f '$BATS_TEST_TMPDIR/bus' & cat >>'$BATS_TEST_TMPDIR/bus'"
	client a "$port"
	await_in a
	client b "$port"
	await_in b
	tell a 'hello b'
	await "$BATS_TEST_TMPDIR/b.out" '^hello b$'
}

@test "CSV from sockets into SQLite, each with its header, one after the other and at once" {
	local i one
	need sqlite3
	cd "$BATS_TEST_TMPDIR"
	sqlite3 db 'create table people(name text, age integer)'
	serve tcpaccept sh -c "csvsplit -O csv -f name,age |
		sqlite3 -cmd '.timeout 60000' db '.import --csv --skip 1 /dev/stdin people'; echo stored"
	for i in 1 2; do
		[ "$(printf 'age,city,name\n7,"Rome, Italy","Ann ""A"" B"\n9,Oslo,Bob\n' | portscan-connect -q -p "$port")" = stored ]
	done
	[ "$(sqlite3 db 'select name from people where age = 7 limit 1')" = 'Ann "A" B' ]
	[ "$(sqlite3 db 'select count(*) from people')" = 4 ]
	{ echo age,name; seq 50000 | sed 's/$/,x/'; } >big.csv
	one=()
	for i in 1 2 3; do
		start "big$i" sh -c 'exec "$@" <big.csv' sh portscan-connect -q -p "$port"
		one+=("$pid")
	done
	for i in "${one[@]}"; do ended "$i"; done
	[ "$(sqlite3 db 'select count(*) from people')" = 150004 ]
}

@test "only those who know a word, by -a" {
	printf 'sesame\nmellon\n' >"$BATS_TEST_TMPDIR/words"
	printf '#!/bin/sh\nprintf %%s "$QUERY_STRING" | grep -qxFf "%s"\n' "$BATS_TEST_TMPDIR/words" >"$BATS_TEST_TMPDIR/may"
	chmod +x "$BATS_TEST_TMPDIR/may"
	serve tcpaccept wsupgrade -a "$BATS_TEST_TMPDIR/may" wsframe cat
	[ "$(ask "$port" hello '/?mellon')" = hello ]
	run ask "$port" hello '/?guess'
	[ "$status" = 1 ]
}

@test "one vmstat for all who look" {
	need vmstat
	serve wshub sh -c 'vmstat -n 1 | sed -u "s/^/* text /"'
	server=$pid
	client a "$port"
	client b "$port"
	await "$BATS_TEST_TMPDIR/a.out" '[0-9] +[0-9]+$'
	await "$BATS_TEST_TMPDIR/b.out" '[0-9] +[0-9]+$'
	[ "$(children "$(children "$server" sh)" vmstat | wc -l)" = 1 ]
}

@test "two tabs of a browser meet in the chat, on its page" {
	need chromium
	need node
	examples=$BATS_TEST_DIRNAME/../../lib/examples
	page=$BATS_TEST_DIRNAME/../browser/page.js
	serve wshub -v --page "$examples/chat.html" -P / -P /kitchen "$examples/chat"
	said='document.body.innerText.includes'
	start ann node "$page" "http://localhost:$port/kitchen" "until(() => $said('Welcome'))" \
		"text.value = 'Ann', document.querySelector('form').requestSubmit()" "until(() => $said('Bob: hello Ann'))"
	ann=$pid
	await "$BATS_TEST_TMPDIR/server.err" '^Connected by '
	start bob node "$page" "http://localhost:$port/kitchen" "until(() => $said('Welcome'))" \
		"text.value = 'Bob', document.querySelector('form').requestSubmit()" "until(() => $said('Bob is here'))" \
		"text.value = 'hello Ann', document.querySelector('form').requestSubmit()" "until(() => $said('Bob: hello Ann'))"
	bob=$pid
	ended "$bob"
	[ "$status" = 0 ]
	ended "$ann"
	[ "$status" = 0 ]
}
