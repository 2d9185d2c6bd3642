# The statements of fittings(7) about other tools, tested with these tools.
# shellcheck disable=SC1003 # a line that ends in a backslash
load ../helper
load proxies

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	sed -n '/^\.Ss Tasks for other tools/,/^\.Sh/p' "$BATS_TEST_DIRNAME/../../man/fittings.7" | sed 's/\\e/\\/g' >section
}

# other LINE [SED]: a line of the section, changed only by SED.
other() {
	grep -qxF -- "$1" section
	sed "${2-}" <<<"$1"
}

# The server on $port has a page that contains hello.
page() {
	[[ $(printf 'GET / HTTP/1.0\r\n\r\n' | portscan-connect -q -p "$port") == *hello ]]
}

@test "a client of a UNIX socket, by socat" {
	need socat
	start unix socat UNIX-LISTEN:socket,fork EXEC:'wsupgrade wsframe cat'
	await_that test -S socket
	{
		other 'socat UNIX-CONNECT:socket \'
		other '    EXEC:'\''wsupgrade -c ws\://localhost/ wsframe -c'\'',fdin=6,fdout=7'
	} >line
	[ "$(echo hello | sh ./line)" = hello ]
}

@test "several protocols on one port, with HAProxy" {
	serve tcpaccept wsupgrade wsframe cat
	web=$port
	start echo portscan-bind -1 -p 0 tcpecho
	await echo.out .
	port=$(free_port)
	haproxy_start tcp 'frontend f' " bind 127.0.0.1:$port" ' default_backend echo' "$(other 'tcp-request inspect-delay 2s')" \
		"$(other 'tcp-request content accept if HTTP')" "$(other 'use_backend web if HTTP')" \
		'backend web' " server s 127.0.0.1:$web" 'backend echo' " server s 127.0.0.1:$(cat echo.out)"
	await_that portscan-connect -q -p "$port" true
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -m 1)" = hello ]
	[ "$(echo 'no request' | portscan-connect -q -p "$port")" = 'no request' ]
}

@test "a listening socket for nginx" {
	port=$(free_port)
	nginx_config "http { $http server { $(other '.Li listen 127.0.0.1:8080 ,' "s/.Li //; s/ ,//; s/8080/$port/"); return 200 hello; } }"
	line=$(other 'portscan-bind -p 8080 sh -c '\''NGINX="3;" exec nginx -g "daemon off;"'\''' "s/8080/$port/; s|exec nginx|& -p . -c nginx.conf|")
	start nginx sh -c "exec $line"
	await_that page
	grep -q 'using inherited sockets from "3;"' nginx.err
}

@test "a listening socket for HAProxy" {
	haproxy_config http 'frontend f' "$(other '.Li bind fd@3 :' 's/.Li //; s/ :$//')" \
		' http-request return status 200 content-type text/plain string hello'
	line=$(other 'portscan-bind -p 8080 haproxy -db -f haproxy.cfg' 's/8080/0/')
	start haproxy sh -c "exec $line"
	await haproxy.err '^Bound to '
	port=$(sed -n 's/^Bound to //p' haproxy.err)
	await_that page
}

# In a network namespace, because the setting belongs to the network.
@test "tcp_migrate_req: connections queued at a closed socket move to another one" {
	cat >script <<-'END'
		sh -c "$1" >/dev/null || exit 77
		portscan-bind -r -p 9000 tail -f /dev/null 2>old.err & old=$!
		portscan-bind -r -p 9000 tcpecho 2>new.err & new=$!
		until grep -qs Bound old.err && grep -qs Bound new.err; do sleep 0.01; done
		peer to:9000 open:20 'send:hello\n' say:sent await:go fin rest >calls & calls=$!
		until grep -qs sent calls || ! kill -0 $calls; do sleep 0.01; done
		kill $old
		wait $old
		: >go
		wait $calls
		grep -c hello calls
		kill $new
	END
	run netns 40000-40999 - bash script "$(other 'sysctl -w net.ipv4.tcp_migrate_req=1')"
	[ "$status" != 77 ] || skip "this kernel or user has no such network"
	[ "${lines[-1]}" = 20 ]
}
