# proxyhead and wshub --proxy behind proxies that send the header, configured as in the manual.
load ../helper
load proxies

man=$BATS_TEST_DIRNAME/../../man/proxyhead.1

# A free port for a proxy.
front_begin() {
	front=$(free_port)
}

front_await() {
	await_that peer to:"$front" open
}

# in_manual LINE: the manual contains the line; prints it with the server's port.
in_manual() {
	grep -qxF -- "$1" "$man"
	sed "s/9000/$port/; s/ ssl//; s/listen 443/listen 127.0.0.1:$front/" <<<"$1"
}

# proxy_through LINE: starts HAProxy with this line for the server.
proxy_through() {
	haproxy_start tcp 'listen l' " bind 127.0.0.1:$front" " $1"
	front_await
}

# The program sends each client its address; it is started by the line of the manual.
service() {
	serve tcpaccept proxyhead "$@"
	front_begin
}

sees_client() {
	run -0 peer to:"$front" from:127.0.0.7 open rest
	[[ ${lines[1]} =~ ^"127.0.0.7 "[0-9]+" 127.0.0.1 $front"$ ]] || { tail -n 5 server.err && return 1; }
}

tells='echo "$TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT"'

@test "HAProxy with send-proxy and send-proxy-v2" {
	local line
	line='server one 127.0.0.1:9000 send-proxy-v2'
	service sh -c "$tells"
	proxy_through "$(in_manual "$line")"
	sees_client
	stop_all
	service sh -c "$tells"
	proxy_through "$(in_manual "$line" | sed 's/-v2//')"
	sees_client
}

# The service gets each health check as a connection of HAProxy itself.
@test "HAProxy's health checks are connections with their own addresses" {
	service sh -c 'exec 2>/dev/null; echo "$TCPREMOTEIP $TCPLOCALPORT" | tee -a seen'
	proxy_through "server one 127.0.0.1:$port send-proxy-v2 check inter 50ms source 127.0.0.8"
	await seen "^127.0.0.8 $port\$"
	same server.err "Bound to $port"
}

@test "HAProxy passes the host name that a TLS client requested" {
	certificate
	service sh -c 'echo "$SSL_TLS_SNI_SERVERNAME"'
	haproxy_start tcp 'listen l' " bind 127.0.0.1:$front ssl crt $PWD/pem" \
		" server one 127.0.0.1:$port send-proxy-v2 proxy-v2-options authority,crc32c,ssl"
	front_await
	run -0 timeout 20 openssl s_client -quiet -connect "127.0.0.1:$front" -servername www.example.org <<<''
	[[ $output == *www.example.org ]]
}

@test "stunnel with protocol = proxy" {
	need stunnel
	certificate
	service sh -c "$tells"
	{
		printf 'foreground = yes\npid =\ncert = %s\n[s]\naccept = 127.0.0.1:%s\n' "$PWD/pem" "$front"
		in_manual 'connect = 127.0.0.1:9000'
		in_manual 'protocol = proxy'
	} >stunnel.conf
	start stunnel stunnel stunnel.conf
	front_await
	plain=$(free_port)
	printf 'foreground = yes\npid =\n[c]\nclient = yes\nlocal = 127.0.0.7\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n' \
		"$plain" "$front" >client.conf
	start client stunnel client.conf
	await_that peer to:"$plain" open
	run -0 peer to:"$plain" open rest
	[[ ${lines[1]} =~ ^"127.0.0.7 "[0-9]+" 127.0.0.1 $front"$ ]]
}

@test "nginx as a stream proxy with proxy_protocol on" {
	local module=/usr/lib/nginx/modules/ngx_stream_module.so
	[ -e "$module" ] || skip "no stream module of nginx"
	service sh -c "$tells"
	nginx_start "load_module $module; stream {
		$(sed -n '/^server {$/,/^}$/p' "$man" | while IFS= read -r line; do in_manual "$line"; done) }"
	front_await
	sees_client
}

# The fewest page faults of ten runs of a program that reads the file `headers'.
faults() {
	python3 - "$@" <<-'END'
		import os, sys
		def run():
		    at = [(os.POSIX_SPAWN_OPEN, 0, "headers", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
		    return os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=at), 0)[2].ru_minflt
		print(min(run() for _ in range(10)))
	END
}

@test "in a chain it costs at most 8 page faults" {
	not_sanitized
	need python3
	! grep -q 'GNU C Library' "$BIN/proxyhead" || skip "for musl"
	! readelf -d "$BIN/proxyhead" | grep -q NEEDED || skip "for musl"
	printf 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n%.0s' 1 2 3 4 >headers
	alone=$(faults tcpecho)
	four=$(faults proxyhead proxyhead proxyhead proxyhead tcpecho)
	echo "$alone, with four more $four"
	((four - alone <= 32))
}

@test "wshub --proxy behind HAProxy" {
	serve wshub -v --proxy --console --fan-out
	front_begin
	proxy_through "server one 127.0.0.1:$port send-proxy-v2"
	run -0 peer to:"$front" from:127.0.0.7 open 'send:GET / HTTP/1.1\r\nHost: h\r\n\r\n' rest
	[[ ${lines[1]} == 'HTTP/1.1 200 OK'* ]]
	await server.err '127\.0\.0\.7:[0-9]+'
}

@test "a WebSocket service behind a proxy" {
	grep -qxF '.Dl portscan-bind -p 9000 tcpaccept proxyhead wsupgrade wsframe ./app' "$man"
	serve tcpaccept proxyhead wsupgrade wsframe sh -c 'read -r line; echo "$REMOTE_ADDR says $line"'
	front_begin
	proxy_through "server one 127.0.0.1:$port send-proxy-v2"
	run -0 bash -c 'echo hello | portscan-connect -q -p "$1" wsupgrade -c "ws://localhost:$1/" wsframe -c -m 1' _ "$front"
	[ "$output" = '127.0.0.1 says hello' ]
}
