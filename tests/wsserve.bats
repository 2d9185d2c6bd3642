# wsserve without its sessions, which are tested by the cases of wsframe (tests/run served:tests/wsframe.bats).
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154
load wshub

# stay NAME [PATH]: starts a client that does not close; its messages are in NAME.out.
stay() {
	start "$1" portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port${2-/}" wsframe -c -v -q never
}

# The process that starts the programs.
helper() {
	await_that grep -q . "/proc/$server/task/$server/children"
	xargs <"/proc/$server/task/$server/children"
}

@test "each client has a program of its own" {
	serve wsserve sh -c 'echo $$; cat'
	for client in a b; do visit -m 2 <<<hello >$client & done
	wait $!
	await_that cmp <(sed -n 2p a) <(echo hello)
	await_that cmp <(sed -n 2p b) <(echo hello)
	! cmp -s a b || false
}

@test "the environment is that of tcpaccept and wsupgrade, fds are 0, 1 and 2, each program has its group" {
	local script='env; set -- $(cat /proc/$$/stat); [ "$5" != $$ ] || echo OWN_GROUP=yes; exec ls -l /proc/self/fd'
	local inherited=(env NOTIFY_SOCKET=/nowhere HTTP_COOKIE=a REMOTE_USER=root TCPREMOTEHOST=x WEBSOCKET_PROTOCOL=x KEPT=yes)
	for by in 'tcpaccept wsupgrade -s chat wsframe' 'wsserve -s chat'; do
		serve "${inherited[@]}" $by sh -c "$script" 9<.
		portscan-connect -q -p "$port" wsupgrade -s chat -c "ws://localhost:$port/a%20b?c=d" wsframe -c </dev/null |
			grep -E '^[A-Z_]+=' | grep -vE '^(PWD|OLDPWD|_|SHLVL|[A-Z_]*KEY)=' |
			sed -E 's/^([A-Z_]*(PORT|HOST)=)[^ ]*[0-9]+$/\1N/' | sort >"${by%% *}"
		visit </dev/null | sed -n 's/.* \([0-9]*\) -> /\1 /p' | grep -v /proc/ >"${by%% *}.fds"
		stop_all
	done
	diff tcpaccept wsserve
	grep -qx 'PATH_INFO=/a b' wsserve
	grep -qx 'TCPCONNNUM=1' wsserve
	grep -qx 'OWN_GROUP=yes' wsserve
	[ "$(cut -d' ' -f1 wsserve.fds | xargs)" = '0 1 2' ]
	[ "$(grep -c '^[01] pipe:' wsserve.fds)" = 2 ]
}

@test "-v logs the request, the program and the end of the session, with the client's name" {
	serve wsserve -v sh -c 'read -r x; exit 3'
	visit <<<bye || :
	server_says ' disconnected '
	sed -E '1d; /: sandbox: /d; s/:[0-9]{4,5}/:PORT/; s/pid [0-9]+/pid PID/; s/[0-9.]+ s\)/TIME)/' server.err >log
	same log 'wsserve: 127.0.0.1:PORT: 101 /' 'Connected by 127.0.0.1:PORT (pid PID, 1 of 1000)' \
		'wsserve: 127.0.0.1:PORT: sh: exit 3' 'wsserve: 127.0.0.1:PORT: peer: closed with 1011' \
		'127.0.0.1:PORT disconnected (exit 3, TIME)'
}

@test "data directly after the request reaches the program, also 100 KiB of it" {
	serve wsserve -b sh -c 'head -c 100005 | wc -c'
	{ cat request; printf '\x82\x85\0\0\0\0hello'; printf '\x82\xff\0\0\0\0\0\x01\x86\xa0\0\0\0\0'; head -c 100000 /dev/zero; } >all
	run -0 peer to:"$port" open file:all rest
	[[ $output == *100005* ]]
}

@test "SIGTERM: no new connections, Close 1001, EOF and SIGTERM to the groups; it exits with 0, and its helper ends" {
	serve wsserve sh -c 'trap "" TERM; echo up; while read -r x; do :; done; echo eof >&2; exec sleep 1000'
	helper=$(helper)
	stay a
	await a.out '^up$'
	kill "$server"
	await a.err 'closed with 1001'
	server_says '^eof$'
	run -1 --separate-stderr visit </dev/null
	ended "$server" 0
	await_that gone "$helper"
	pids=("${pids[@]:1}")
}

@test "SIGTERM in the same turn as the end of a program has priority: Close 1001" {
	serve wsserve sh -c 'echo up; until [ -e go ]; do sleep 0.02; done; exit 3'
	stay a
	await a.out '^up$'
	kill -STOP "$server"
	touch go
	await_that eval '[ -z "$(cat /proc/$(helper)/task/*/children)" ]'
	kill "$server"
	kill -CONT "$server"
	await a.err 'closed with 1001'
	ended "$server" 0
}

@test "--drain: sessions continue for that time after SIGTERM; a second signal ends it, a third one kills" {
	serve wsserve --drain 60s -w 60s sh -c 'trap "" TERM; echo up; cat; exec sleep 1000'
	stay a
	await a.out '^up$'
	kill -HUP "$server"
	await_that no_listener
	kill -0 "$server"
	! grep -q 1001 a.err || false
	kill "$server"
	await a.err 'closed with 1001'
	stopped
}

@test "programs get SIGTERM if it is killed; if the helper is killed, sessions end with 1011 and status 1" {
	serve wsserve sh -c 'trap "echo termed >&2; exit" TERM; echo up; while :; do sleep 0.05; done'
	stay a
	await a.out '^up$'
	kill -KILL "$server"
	server_says '^termed$'
	wait "$server" || :
	serve wsserve sh -c 'trap "echo termed >&2; exit" TERM; echo up; while :; do sleep 0.05; done'
	stay b
	await b.out '^up$'
	kill -KILL "$(helper)"
	await b.err 'closed with 1011'
	server_says '^termed$'
	server_says '^wsserve: the process that starts programs has ended$'
	ended "$server" 1
}

@test "if the helper is killed after a program has ended, its exit status remains" {
	serve wsserve -v -w 60s sh -c 'echo up; until [ -e go ]; do sleep 0.02; done; exit 3'
	stay a
	await a.out '^up$'
	kill -STOP "$pid"
	touch go
	server_says 'sh: exit 3$'
	kill -KILL "$(helper)"
	server_says 'has ended$'
	kill -CONT "$pid"
	ended "$server" 1
	[ "$(grep -c 'sh: exit' server.err)" = 1 ]
}

@test "a helper that does not run, with a full socket, delays no client" {
	serve wsserve -v -w 100ms cat
	helper=$(helper)
	kill -STOP "$helper"
	printf '%b' "${request%\\r\\n}X: $(printf %014000d 0)\r\n\r\n" >request
	peer to:"$port" open:200 file:request recv >/dev/null
	server_says ' disconnected'
	peer to:"$port" open 'send:GET / HTTP/1.0\r\n\r\n' rest
	kill -CONT "$helper"
	kill "$server"
	ended "$server" 0
}

@test "a removed program is 1011 for the client and logged, and works again when it is back" {
	shell_script app 'echo hello'
	serve wsserve ./app
	[ "$(visit </dev/null)" = hello ]
	mv app gone
	run -1 --separate-stderr visit </dev/null
	[[ $stderr == *1011* ]]
	server_says '^wsserve: 127\.0\.0\.1:[0-9]+: \./app: No such file or directory$'
	mv gone app
	[ "$(visit </dev/null)" = hello ]
}

@test "1000 sessions leave no zombie, no descriptor and no memory; other children that end, as those of process 1, no zombie" {
	not_sanitized
	serve sh -c 'sleep 1000 & exec wsserve -v cat'
	await_that eval 'kill $(children "$server" sleep)'
	await_that eval '! children "$server" sleep >/dev/null'
	visit -m 1 <<<x
	server_says ' disconnected '
	fds=$(ls "/proc/$server/fd" | wc -l)
	for n in 1 2; do
		for ((i = 0; i < 4; i++)); do
			for ((j = 0; j < 50; j++)); do visit -m 1 <<<x >/dev/null; done &
			clients[i]=$!
		done
		wait "${clients[@]}"
		kib[n]=$(memory)
	done
	await_that eval '[ "$(ls /proc/$server/fd | wc -l)" = "$fds" ]'
	await_that eval '[ -z "$(cat /proc/$(helper)/task/*/children)" ]'
	((kib[2] - kib[1] <= 16)) || { echo "${kib[@]}"; return 1; }
}

@test "it runs in the sandbox, its helper, which starts programs, does not" {
	not_sanitized
	serve wsserve -a true cat
	visit -m 1 <<<x
	grep -q '^Seccomp:.2' "/proc/$server/status"
	grep -q '^Seccomp:.0' "/proc/$(helper)/status"
}

@test "it ends after its helper, which a service manager would otherwise kill" {
	serve wsserve cat
	visit -m 1 <<<x
	helper=$(helper)
	kill -STOP "$helper"
	kill "$server"
	await_that no_listener
	! gone "$server" || false
	kill -CONT "$helper"
	ended "$server" 0
	await_that gone "$helper"
}
