# The recipes of fittings(7), with the programs that they name.
load ../wshub
load proxies

examples=$BATS_TEST_DIRNAME/../../man/examples

# block REGEX: the example of fittings(7) with a line that matches; continued commands are one line.
block() {
	awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0; print "" } on' "$examples/../fittings.7" |
		sed 's/\\e/\\/g' | joined |
		awk -v regex="$1" '/./ { block = block $0 "\n"; if ($0 ~ regex) hit = 1; next } hit { exit } { block = "" }
			END { printf "%s", block; exit !hit }'
}

# recipe REGEX [SED]: serves by the line of fittings(7) that matches, changed by sed, on a free port.
recipe() {
	local line
	line=$(block "$1" | grep -E -- "$1" | sed -E -e 's/^(REDIS=.* )?portscan-bind /&-p 0 /' -e "${2-}")
	start server sh -c "exec $line"
	bound
}

# Waits until the program on a port accepts connections.
await_port() {
	await_that portscan-connect -q -p "$1" true
}

# ask PORT LINE [PATH]: sends a line to a service and prints its first answer.
ask() {
	printf '%s\n' "$2" | portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1${3-/}" wsframe -c -m 1
}

# stunnel with the lines of fittings(7) around REGEX, changed by sed: stunnel_with NAME REGEX SED [OPTION]
stunnel_with() {
	need stunnel
	{ printf 'foreground = yes\npid =\n'; block "$2" | sed -E "$3"; echo "${4-}"; } >"$BATS_TEST_TMPDIR/$1.conf"
	start "$1" stunnel "$BATS_TEST_TMPDIR/$1.conf"
}

# stunnel for a client of the TLS server on $1 (by the certificate of $2, with the option $3): its port in $plain.
tls_client() {
	plain=$(free_port)
	stunnel_with tls-client '^ *checkHost = ' "s|127.0.0.1:9000|127.0.0.1:$plain|; s|^connect = .*|connect = 127.0.0.1:$1|
		s|/etc/ssl/certs/ca-certificates.crt|$BATS_TEST_TMPDIR/crt|; s|^(checkHost = ).*|\1${2-www.example.org}|" "${3-}"
	await_port "$plain"
}

# A stunnel in front, by the section with a line that matches: tls_server REGEX SED; its port in $tls.
tls_server() {
	tls=$(free_port)
	stunnel_with tls-server "$1" "s|^accept = 443|accept = 127.0.0.1:$tls|
		s|/etc/ssl/site.pem|$BATS_TEST_TMPDIR/pem|; $2"
	await_port "$tls"
}

@test "wss with stunnel in front, and stunnel for a client, which refuses another server's certificate" {
	certificate
	serve tcpaccept wsupgrade wsframe cat
	tls_server "^connect = 127" "s|127.0.0.1:9000|127.0.0.1:$port|"
	tls_client "$tls"
	[ "$(ask "$plain" 'through two tunnels')" = 'through two tunnels' ]
	tls_client "$tls" www.example.com
	run -1 --separate-stderr ask "$plain" 'to somebody else'
	mv crt first
	certificate
	tls_client "$tls"
	run -1 --separate-stderr ask "$plain" 'to somebody who is not certified'
}

@test "stunnel starts the chain, like inetd, or a script that passes the address of the client" {
	certificate
	shell_script app 'exec cat'
	tls_server ^execArgs "s|/usr/local/bin/app|$BATS_TEST_TMPDIR/app|; s|/usr/local/bin|$BIN|g"
	tls_client "$tls"
	[ "$(ask "$plain" hello)" = hello ]
	stop_all
	block 'REMOTE_ADDR=.*REMOTE_HOST' >wss
	printf '#!/bin/sh\necho "you are $REMOTE_ADDR"\n' >app
	sed -i "s|/usr/local/bin|$BATS_TEST_TMPDIR|" wss
	chmod +x wss app
	tls_server ^execArgs "s|^exec = .*|exec = $BATS_TEST_TMPDIR/wss|; /^execArgs/d"
	tls_client "$tls" www.example.org 'local = 127.0.0.2'
	[ "$(ask "$plain" hello)" = 'you are 127.0.0.2' ]
}

@test "on a UNIX socket, with systemd-socket-activate and socat" {
	need socat
	shell_script app 'exec cat'
	n=0
	for line in 'systemd-socket-activate -l $PWD/socket tcpaccept wsupgrade wsframe ./app' \
		"socat UNIX-LISTEN:socket,fork,mode=600 EXEC:'wsupgrade wsframe ./app'"; do
		command -v "${line%% *}" >/dev/null || continue
		block "${line%% *}" | grep -qxF -- "$line"
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

# An HAProxy with the lines of fittings(7) in front of these ports, its own in $front; TLS where a certificate is there.
haproxy_for() {
	local n=0 tls='' one
	front=$(free_port)
	[ ! -e pem ] || tls=" ssl crt $BATS_TEST_TMPDIR/pem"
	need haproxy
	{
		block '^ *bind :443' | sed -E "s|bind :443.*|bind 127.0.0.1:$front$tls|; /^ *server /d"
		for one in "$@"; do echo " server s$((n += 1)) 127.0.0.1:$one check inter 100ms"; done
	} >haproxy.cfg
	run -0 haproxy -dW -c -f haproxy.cfg # any warning is an error
	start haproxy haproxy -db -f haproxy.cfg
	await_port "$front"
}

# A program that prints the client's address from the proxy in front of it.
who_says='while IFS= read -r line; do printf "%s says %s\\n" "$HTTP_X_FORWARDED_FOR" "$line"; done'

# pose PORT [PATH]: a client that claims another address.
pose() {
	echo hello | portscan-connect -q -p "$1" wsupgrade -H 'X-Forwarded-For: 6.6.6.6' -c "ws://localhost:$1${2-/}" wsframe -c -m 1
}

@test "wss by HAProxy in front, which passes the address of the client, whatever the client sends" {
	certificate
	serve tcpaccept wsupgrade --host localhost wsframe sh -c "$who_says"
	haproxy_for "$port"
	tls_client "$front"
	[ "$(ask "$plain" hello)" = '127.0.0.1 says hello' ]
	[ "$(pose "$plain")" = '127.0.0.1 says hello' ]
}

@test "the health check of HAProxy skips a server that cannot perform the handshake" {
	serve tcpaccept wsupgrade --host localhost wsframe cat
	web=$port
	start other portscan-bind -p 0 tcpecho
	bound other
	haproxy_for "$web" "$port"
	await haproxy.err 'Server app/s2 is DOWN'
	for n in 1 2 3; do [ "$(ask "$front" hello)" = hello ]; done
	! grep -q 's1 is DOWN' haproxy.err || false
	same server.err "Bound to $web"
}

@test "nginx in front, which passes the address of the client, whatever the client sends" {
	need curl
	serve tcpaccept wsupgrade --console -P /app wsframe sh -c "$who_says"
	front=$(free_port)
	nginx_start "http { $http server { listen 127.0.0.1:$front;
		$(block '^ *location /app' | sed "s|127.0.0.1:9000|127.0.0.1:$port|") } }"
	await_port "$front"
	[ "$(ask "$front" hello /app)" = '127.0.0.1 says hello' ]
	[ "$(pose "$front" /app)" = '127.0.0.1 says hello' ]
	curl -s "http://localhost:$front/app" | grep -q '<title>'
	# A page of the site itself has an accepted origin, including the port.
	origin() { portscan-connect -q -p "$front" wsupgrade -o "http://localhost:$1" -c "ws://localhost:$front/app" true; }
	origin "$front"
	run -1 --separate-stderr origin "$port"
	[[ $stderr == *403* ]]
}

# Starts a Redis; its port is in $redis.
redis_start() {
	need redis-server
	need redis-cli
	redis=$(free_port)
	start redis-server redis-server --port "$redis" --bind 127.0.0.1 --save '' --dir "$BATS_TEST_TMPDIR"
	await_that redis-cli -p "$redis" ping
}

# Three servers of the given chain, their ports in $ports.
three() {
	local n
	ports=()
	for n in 1 2 3; do
		start "server$n" portscan-bind "$@"
		bound "server$n"
		ports+=("$port")
	done
}

# Input with which a client may try to make a program do something else.
hostile='-x -e $(touch owned) `touch owned` \\n\\c%s "; touch owned; * #'

# Three clients behind HAProxy receive the messages of each other.
three_meet() {
	local name other
	for name in a b c; do
		port=$front client $name /
		await_that meets $name $name
	done
	for name in a b c; do tell $name "last of $name"; done
	tell a "$hostile"
	for name in a b c; do
		for other in a b c; do await "$BATS_TEST_TMPDIR/$name.out" "^last of $other\$"; done
		await_that grep -qxF -- "$hostile" "$BATS_TEST_TMPDIR/$name.out"
	done
	[ ! -e owned ]
}

@test "a chat on three servers behind HAProxy, connected by Redis" {
	redis_start
	three tcpaccept wsupgrade wsframe sh -c "redis-cli -p $redis subscribe chat | sed -u -n '3~3p' & while IFS= read -r l; do printf %s \"\$l\" | redis-cli -p $redis -x publish chat >/dev/null; done"
	haproxy_for "${ports[@]}"
	three_meet
}

@test "three wshubs behind HAProxy, whose programs are connected by Redis" {
	redis_start
	export REDIS="-p $redis"
	three wshub "$examples/redischat"
	haproxy_for "${ports[@]}"
	three_meet
}

@test "a log in a browser, with any bytes in its lines" {
	: >log
	recipe 'tail -n 0 -F' "s|/var/log/syslog|$BATS_TEST_TMPDIR/log|"
	client a /
	until grep -qs 'a line' a.out; do echo 'a line' >>log; sleep 0.02; done
	printf 'not \377 UTF-8\n\033[31mred\n' >>log
	await a.out '^not .+ UTF-8$'
	await_that grep -qx $'\033\\[31mred' a.out
}

@test "a calculator in a browser on this host" {
	need bc
	recipe 'wsserve .* bc$'
	[ "$(ask "$port" '6*7')" = 42 ]
	[ "$(printf '%s\n' '!touch owned' '$(touch owned) `touch owned`' '6*7' | portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -m 1)" = 42 ]
	[ ! -e owned ]
	run -1 --separate-stderr portscan-connect -q -p "$port" wsupgrade -c ws://evil.example/ wsframe -c
	[[ $stderr == *403* ]]
}

@test "a chat in one line, with a file as the bus" {
	recipe 'cat >>bus'
	client a /
	await_that meets a a
	client b /
	await_that meets b b
	tell a "$hostile"
	await_that grep -qxF -- "$hostile" b.out
	[ ! -e owned ]
}

@test "CSV from sockets into SQLite, each with its header, sequentially and in parallel" {
	local i one
	need sqlite3
	sqlite3 db 'create table people(name text, age integer)'
	block 'csvsplit -O csv -f name,age' | sed -n '2,$s/people'"'"'"$/people'"'"'; echo stored"/; 2,$p' | sed 's/bind/bind -p 0/' >recipe
	start server sh recipe
	bound
	for i in 1 2; do
		[ "$(printf 'age,city,name\n7,"Rome, Italy","Ann ""A"" B"\n9,Oslo,Bob\n' | portscan-connect -q -p "$port")" = stored ]
	done
	[ "$(sqlite3 db 'select name from people where age = 7 limit 1')" = 'Ann "A" B' ]
	[ "$(sqlite3 db 'select count(*) from people')" = 4 ]
	printf 'name,age\n.shell touch owned,1\n"\n.shell touch owned\n",2\n"\x27); drop table people; --",3\n' | portscan-connect -q -p "$port"
	[ "$(sqlite3 db "select name from people where age = 3")" = "'); drop table people; --" ]
	[ "$(sqlite3 db 'delete from people where age < 4 returning age' | wc -l)" = 3 ]
	[ ! -e owned ]
	{ echo age,name; seq 50000 | sed 's/$/,x/'; } >big.csv
	one=()
	for i in 1 2 3; do
		start "big$i" sh -c 'exec "$@" <big.csv' sh portscan-connect -q -p "$port"
		one+=("$pid")
	done
	for i in "${one[@]}"; do ended "$i"; done
	[ "$(sqlite3 db 'select count(*) from people')" = 150004 ]
}

@test "only clients that know a word, by -a" {
	printf 'sesame\n\nmellon\n' >words
	block 'grep -qxF' >may
	printf '#!/bin/sh\nexec cat\n' >app
	chmod +x may app
	recipe 'wsserve -a ./may'
	[ "$(ask "$port" hello '/?mellon')" = hello ]
	for guess in '' '?' '?guess' '?-vex' '?-v' '?-f/dev/null' '?.*' '?mell' '?--help'; do
		run -1 --separate-stderr ask "$port" hello "/$guess"
		[[ $stderr == *403* ]]
	done
}

@test "one vmstat for all clients, with backslashes in its lines" {
	need vmstat
	recipe vmstat
	server=$pid
	client a /
	client b /
	await a.out '[0-9] +[0-9]+$'
	await b.out '[0-9] +[0-9]+$'
	[ "$(children "$(children "$server" sh)" vmstat | wc -l)" = 1 ]
	recipe vmstat 's/vmstat -n 1/while sleep 0.1; do cat words; done/'
	printf '%s\n' "$hostile" >words
	client c /
	await_that grep -qxF -- "$hostile" c.out
	! grep record server.err || false
}

@test "two tabs of a browser in the chat, on its page" {
	need chromium
	need node
	page=$BATS_TEST_DIRNAME/../peers/page.js
	recipe 'chat[.]html .*-P /kitchen' "s|wshub|wshub -v|; s|chat.html|$examples/&|; s|./chat$|$examples/chat|"
	said='document.body.innerText.includes'
	start ann node "$page" "http://localhost:$port/kitchen" "until(() => $said('Welcome'))" \
		"text.value = 'Ann', document.querySelector('form').requestSubmit()" "until(() => $said('Bob: hello Ann'))"
	await server.err '^Connected by '
	start bob node "$page" "http://localhost:$port/kitchen" "until(() => $said('Welcome'))" \
		"text.value = 'Bob', document.querySelector('form').requestSubmit()" "until(() => $said('Bob is here'))" \
		"text.value = 'hello Ann', document.querySelector('form').requestSubmit()" "until(() => $said('Bob: hello Ann'))"
	ended "$bob" 0
	ended "$ann" 0
}
