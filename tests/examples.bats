# Every example of the manual is a test: those of tcpecho(1), wshub(1), fittings(7) and README's first
# session here, the recipes in peers/recipes.bats, all others in the tests of their programs.
load wshub

man=$BATS_TEST_DIRNAME/../man

# The lines of a page's examples, as formatted.
lines_of() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh \(SEE\|DIAG\)/p' "$man/$1" |
		awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on { print }
			/^\.Dl / { print substr($0, 5) } /^\.Li (portscan|csvsplit|ws )/ { print substr($0, 5) }' |
		sed 's/\\(dq/"/g; s/\\(aq/'\''/g; s/\\e/\\/g; s/\\&//g'
}

# The part of a line that a test contains: without the prefix that `serve' adds, and without its end.
bare() {
	sed -E 's/^[[:blank:]]+//; s/^portscan-bind( -1)?( -p 8080)? (tcp|ws|sh )/\3/; s/^[^|]*[|] portscan-connect( -q)? //; s/^portscan-connect( -q)?( -p 8080)? wsupgrade/wsupgrade/
		s/^(tail|printf|echo) .*[|] //; s/ (>|[|]|&).*$//; s/ [.]\/app( &)?$//; s/ \\$//' | sed '/^$/d'
}

@test "each line of each example is run by a test" {
	local missing=0 page line
	for page in "$man"/*.[17]; do
		page=${page##*/}
		# These tests read the lines from the page.
		case $page in csvsplit.1|portscan-connect.1|proxyhead.1) continue ;; esac
		while IFS= read -r line; do
			line=$(bare <<<"$line")
			# So does peers/tcp.bats; the first line is for Kubernetes.
			[[ -n $line && $line != lifecycle:* && $line != *start-stop-daemon* && $line != --startas* ]] || continue
			sed "s/'\\\\''/'/g" "$BATS_TEST_DIRNAME"/*.bats "$BATS_TEST_DIRNAME"/peers/*.bats | grep -qF -- "$line" && continue
			echo "$page: not in any test: $line"
			missing=$((missing + 1))
		# peers/recipes.bats reads the recipes from the page.
		done < <(if [ "$page" = fittings.7 ]; then lines_of "$page" | sed '1,/^ws ws:/d'; else lines_of "$page"; fi)
	done
	[ "$missing" = 0 ]
	grep -q 'bash example' "$BATS_TEST_DIRNAME/csvsplit.bats"
	for n in $(seq "$(sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$man/portscan-connect.1" | grep -c '^\.Bd')"); do
		grep -qE "example(_run)? $n( |\$)" "$BATS_TEST_DIRNAME/portscan-connect.bats"
	done
}

# run_line PAGE LINE: the page contains the line, which is started on a free port instead of 8080 or 9000.
run_line() {
	grep -qxF -- "$2" <(lines_of "$1"; lines_of "$1" | joined)
	start server sh -c "exec ${2/-p [89]0[80]0/-p 9000-9998}"
	bound
}

# ask WORDS [PATH]: sends a message to that service and prints the answer.
ask() {
	printf '%s\n' "$1" | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port${2-/}" wsframe -c -m 1
}

# app SCRIPT: writes the program ./app.
app() {
	shell_script app '%s' "$1"
}

@test "tcpecho(1): its examples, and the first one of fittings(7)" {
	run_line tcpecho.1 "portscan-bind tcpecho"
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	run_line tcpecho.1 "portscan-bind tcpecho -v -F , -r 'Echo from server'"
	run portscan-connect -l -q -p "$port" <<<'a,b'
	[[ $output == *'Received Echo from server'* ]]
	await server.err '^Received b from 127'
	run_line tcpecho.1 "portscan-bind tcpecho -r ''"
	[ -z "$(echo hello | portscan-connect -q -p "$port")" ]
	run_line tcpecho.1 'portscan-bind -a 0.0.0.0 -a :: -p 9000 tcpecho -j 0 -i 5m'
	[ "$(echo hello | portscan-connect -q -a ::1 -p "$port")" = hello ]
	run_line tcpecho.1 'portscan-bind tcpaccept tcpecho'
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	run_line fittings.7 'portscan-bind tcpecho'
	grep -qxF 'echo hello | portscan-connect' <(lines_of fittings.7)
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
}

@test "wsserve(1): its example" {
	run_line wsserve.1 'portscan-bind wsserve --console --host localhost grep --line-buffered -i b'
	[ "$(printf 'a\nB\n' | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 1)" = B ]
}

@test "wshub(1): its examples" {
	run_line wshub.1 'portscan-bind wshub --console --host localhost --fan-out'
	client a /x
	reaches_a() { echo hello | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/x" wsframe -c -q 0 && grep -qs hello a.out; }
	await_that reaches_a
	shell_script vmstat 'while sleep 0.1; do printf "%%s\\n" "C:\\new \\q"; done'
	line=$(lines_of wshub.1 | joined | grep vmstat)
	[[ $line == *" sh -c 'vmstat -n 1 | sed -u \"s/[\]/&&/g; s/^/* text /\"'" ]]
	start server env PATH="$PWD:$PATH" sh -c "exec $line"
	bound
	[ "$(portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port" wsframe -c -m 1 </dev/null)" = 'C:\new \q' ]
	run_line wshub.1 "portscan-bind wshub grep --line-buffered '^[0-9]* text '"
	[ "$(ask 'hello é \n')" = 'hello é \n' ]
	cp "$BATS_TEST_DIRNAME"/../man/examples/chat* .
	run_line wshub.1 'portscan-bind wshub --page chat.html --host localhost -P / -P /kitchen ./chat'
	[[ $(ask hello /kitchen) == 'Welcome. What is your name?'* ]]
	hostile='$(touch owned)' said=(-n '*' '\c%s' ';"`touch owned`' '" touch owned "')
	printf '%s\n' "$hostile" "${said[@]}" | portscan-connect -q -p "$port" wsupgrade -c "ws://localhost:$port/" wsframe -c -m 7 | head -n 7 >got
	same got 'Welcome. What is your name?' "$hostile is here" "${said[@]/#/$hostile: }"
	[ ! -e owned ]
}

@test "fittings(7): the replacements for websocketd and websocat" {
	app 'while read -r line; do echo "<$line>"; done'
	run_line fittings.7 'portscan-bind -p 8080 wsserve ./app'
	[ "$(ask hello)" = '<hello>' ]
	# websocat ws://127.0.0.1:8080/
	for line in 'portscan-connect -p 8080 wsupgrade -c ws://127.0.0.1:8080/ wsframe -c' 'ws ws://127.0.0.1:8080/'; do
		grep -qxF "$line" <(lines_of fittings.7 | joined)
		[ "$(echo hello | PATH=$man/examples:$PATH sh -c "exec ${line//8080/$port}")" = '<hello>' ]
	done
	run_line fittings.7 'portscan-bind -p 8080 wsserve --console ./app'
	printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | portscan-connect -q -p "$port" | grep -q '<title>'
	app 'exec head -c 3'
	run_line fittings.7 'portscan-bind -p 8080 wsserve -b ./app'
	[ "$(echo hello | portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c -b -m 1)" = hel ]
	run_line fittings.7 'portscan-bind -p 8080 wsserve cat'
	[ "$(ask hello)" = hello ]
}

@test "fittings(7): the replacements for xsv, cut and csvquote, for tcpserver, tcpclient, socat and systemd-socket-activate" {
	printf 'name,age,city\n"Doe, Ann",7,Rome\n' >people.csv
	for line in 'csvsplit -O csv -f 1,3 people.csv' 'csvsplit -f 2 people.csv' \
		'csvsplit -O tsv people.csv | sort | csvsplit -I tsv -O csv'; do
		grep -qxF "$line" <(lines_of fittings.7)
		LC_ALL=C sh -c "$line"
	done >got
	same got name,city '"Doe, Ann",Rome' age 7 '"Doe, Ann",7,Rome' name,age,city
	app 'exec cat'
	for line in 'portscan-bind -p 8080 tcpaccept ./app' 'portscan-bind -a 0.0.0.0 -p 8080 tcpaccept -v -c 100 -C 4 ./app'; do
		run_line fittings.7 "$line"
		[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	done
	mkdir client
	(cd client && app 'echo hello >&7; read -r answer <&6; echo "$answer"')
	for line in 'portscan-connect -p 8080' 'portscan-connect -p 8080 ./app'; do
		grep -qxF "$line" <(lines_of fittings.7)
		[ "$(cd client && echo hello | sh -c "exec ${line/8080/"$port"}")" = hello ]
	done
	app 'echo "$LISTEN_FDS" >given; exec tcpecho'
	run_line fittings.7 'portscan-bind -p 8080 ./app'
	await given '^1$'
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
}

@test "fittings(7): the lines of inetd.conf, run as by inetd" {
	grep -qxF '9001 stream tcp nowait nobody /usr/local/bin/wsupgrade wsupgrade /usr/local/bin/wsframe /usr/local/bin/app' <(lines_of fittings.7)
	peer on:tcp send:"$ws_request" send:'\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0' run wsupgrade wsframe cat >out
	grep -aq '^HTTP/1.1 101' out
	grep -aq "$(printf '\x81\x02hi')" out
	grep -qxF '9002 stream tcp wait   nobody /usr/local/bin/tcpecho tcpecho' <(lines_of fittings.7)
	start server handover -0 tcp -- tcpecho
	await server.out '^port '
	port=$(sed -n 's/^port //p' server.out)
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
}

@test "fittings(7): the run file for s6 and similar supervisors" {
	need setpriv
	app 'while read -r line; do echo "<$line>"; done'
	lines_of fittings.7 | sed -n '/^exec 2>&1$/,/app$/p' | sed '1i #!/bin/sh' >run
	grep -qxF 'exec portscan-bind -p 8080 setpriv --reuid nobody --regid nogroup --clear-groups tcpaccept -v wsupgrade --host www.example.org wsframe /usr/local/bin/app' <(joined <run)
	sed -i "s|-p 8080|-p 9000-9998|; s|/usr/local/bin/app|$PWD/app|" run
	# Without the privilege to change the user, it keeps the user.
	[ "$(id -u)" = 0 ] && setpriv --reuid nobody --regid nogroup --clear-groups "$PWD/app" </dev/null ||
		sed -i 's/setpriv .*groups /env /' run
	chmod 755 run
	start server ./run
	await server.out '^Bound to '
	port=$(sed -n 's/^Bound to //p' server.out | head -n 1)
	[ "$(printf 'hello\n' | portscan-connect -q -p "$port" wsupgrade -c ws://www.example.org/ wsframe -c -m 1)" = '<hello>' ]
	run -1 portscan-connect -q -p "$port" wsupgrade -c ws://evil.example/ wsframe -c
}

@test "fittings(7): start-stop-daemon finds the program at the end of the chain" {
	need start-stop-daemon
	lines_of fittings.7 | sed -n '/^start-stop-daemon/,/--stop/p' >run
	diff <(joined <run) - <<-'END'
		start-stop-daemon --start --background --exec /usr/local/bin/tcpaccept --startas /usr/local/bin/portscan-bind -- -p 8080 /usr/local/bin/tcpaccept /usr/local/bin/app
		start-stop-daemon --stop --exec /usr/local/bin/tcpaccept
	END
	# A copy, so that the programs of other tests are not counted.
	cp "$(command -v portscan-bind)" "$(command -v tcpaccept)" .
	app 'exec echo hello'
	port=$(free_port)
	sed -i "s|/usr/local/bin|$PWD|g; s|-p 8080|-p $port|" run
	sh -c "$(sed '$d' run)"
	await_that portscan-connect -q -p "$port" true
	run -0 sh -c "$(tail -n 1 run)"
	await_that sh -c "! portscan-connect -q -p $port true"
}

@test "wsupgrade(1): a client through a program for TLS" {
	grep -qxF 'export CAFILE=/etc/ssl/certs/ca-certificates.crt' <(lines_of wsupgrade.1)
	line='s6-tlsclient www.example.org 443 wsupgrade -c ws://www.example.org/ wsframe -c'
	grep -qxF "$line" <(lines_of wsupgrade.1 | joined)
	serve tcpaccept wsupgrade --host www.example.org wsframe cat
	shell_script s6-tlsclient 'shift 2\nexec portscan-connect -q -p %s "$@"' "$port"
	[ "$(echo hello | PATH=$PWD:$PATH sh -c "exec $line -m 1")" = hello ]
}

# The lines of README's section $1, without the explanations.
readme() {
	sed -n "/^## $1/,/^## /s/^    //p" "$BATS_TEST_DIRNAME/../README.md" | sed 's/  *# .*//'
}

@test "fittings(7): the table of defaults agrees with --help" {
	for program in "$BIN"/*; do
		"$program" --help | sed -nE "s/^ +(-(.),)? +--([a-z-]+).* \\(([0-9][^()]*)\\)$/${program##*/} \\2--\\3 \\4/p"
	done | sed -E 's/ --/ -/; s/ (.)--[^ ]+/ \1/' | sort >wanted
	sed -n '/^[.]Ss Defaults/,/^[.]El/s/^[.]It \([a-z-]*\) Ta Fl \([^ ]*\) Ta \([^ ]*\) Ta .*/\1 \2 \3/p' "$man/fittings.7" | sort | diff wanted -
}

@test "README: the first session prints the output shown" {
	local typed n i
	n=$(portscan-bind -q -p 0)
	readme 'First session' | sed "s/9010/$n/" >session
	mapfile -t typed < <(sed -n 's/^[$] //p' session)
	[ "${#typed[@]}" = 5 ]
	[ "${typed[0]}" = 'PATH=$PWD/build/bin:$PWD/man/examples:$PATH' ]
	PATH=$man/examples:$PATH
	start server sh -c "exec ${typed[1]% &}"
	await server.err "^Bound to $n\$"
	{ cat server.err; for i in 2 3 4; do sh -c "${typed[i]}"; done; } >got
	diff <(grep -v '^[$]' session) got
}

@test "README: the recipes are those of fittings(7)" {
	local line
	[ "$(readme Recipes | grep -vc '^#')" = 6 ]
	while IFS= read -r line; do
		grep -qxF -- "$line" <(lines_of fittings.7 | joined) || { echo "$line"; return 1; }
	done < <(readme Recipes | sed '/^#/d; s| man/examples/| |; s| chat$| ./chat|')
}

@test "the command that man/examples/run prints works in the source tree if the programs are not in PATH" {
	local line
	mkdir -p build
	ln -s "$BIN" build/bin
	ln -s "$man" man
	start run man/examples/run sed -u 's/.*/<&>/'
	await run.out '^Ctrl-C'
	line=$(sed -n 's/^Or from a shell: //p' run.out)
	[[ $line == 'man/examples/ws ws://localhost:'+([0-9])/ ]]
	[ "$(echo hello | env -i PATH=/usr/bin:/bin sh -c "$line -m 1")" = '<hello>' ]
}

@test "wsframe(1): a service that answers with the length of each line, with blanks; printf writes a frame in any shell" {
	serve tcpaccept wsupgrade wsframe \
    sh -c 'while IFS= read -r line; do echo "${#line}"; done'
	[ "$(printf ' two \n\n' | portscan-connect -q -p "$port" wsupgrade -c ws://localhost/ wsframe -c)" = $'5\n0' ]
	local line="printf '\201\205\067\372\041\075\177\237\115\121\130' | wsframe -d"
	grep -qxF -- "$line" <(lines_of wsframe.1)
	[ "$(sh -c "$line")" = Hello ]
}

@test "tcpaccept(1): an access list" {
	run_line tcpaccept.1 'portscan-bind tcpaccept wsupgrade wsframe ./app'
	lines_of tcpaccept.1 | sed -n '/^#!/,/^exit/p' >allow
	diff allow - <<-'END'
		#!/bin/sh
		case $TCPREMOTEIP in
		127.*|192.0.2.*) exec "$@" ;;
		esac
		echo "refused: $TCPREMOTEIP" >&2
		exit 1
	END
	chmod +x allow
	app 'exec cat'
	[ "$(TCPREMOTEIP=192.0.2.8 ./allow echo hello)" = hello ]
	run_line tcpaccept.1 'portscan-bind -a 0.0.0.0 tcpaccept ./allow ./app'
	[ "$(echo hello | portscan-connect -q -p "$port")" = hello ]
	sed -i 's/127/126/' allow
	[ -z "$(portscan-connect -q -p "$port" </dev/null)" ]
	await server.err '^refused: 127.0.0.1$'
}

@test "ws: a client that takes host and port from the URL" {
	serve tcpaccept wsupgrade -P /chat wsframe cat
	line='echo hello | ws ws://localhost:9000/chat -m 1'
	grep -qxF "$line" <(lines_of fittings.7)
	PATH=$man/examples:$PATH
	[ "$(sh -c "${line/9000/$port}")" = hello ]
	run -2 --separate-stderr ws wss://localhost/
	[[ $stderr == 'ws: wss://localhost/: TLS needs a proxy '* ]]
	for url in '' http://localhost/ ws://; do
		run -2 --separate-stderr ws "$url"
		[[ $stderr == 'usage: ws ws://HOST'* ]]
	done
	mkdir stub
	printf '#!/bin/sh\necho "$3 $5 $8 ${11-}"\n' >stub/portscan-connect
	chmod +x stub/portscan-connect
	while read -r url where; do
		[ "$(PATH=$PWD/stub:$PATH ws "$url" -b)" = "$where $url -b" ]
	done <<-END
		ws://host host 80
		ws://host/a:3 host 80
		ws://127.0.0.1:81?a/b:3 127.0.0.1 81
		ws://[::1]/ ::1 80
		ws://[::1]:81/ ::1 81
	END
}

@test "fittings(7): a chain is tried before it listens" {
	local upgrade='wsupgrade --console wsframe ./app </dev/null' frame='wsframe ./app </dev/null >/dev/null'
	grep -qxF "$upgrade" <(lines_of fittings.7)
	grep -qxF "$frame" <(lines_of fittings.7)
	run -2 sh -c "${upgrade/console/frob}"
	run -2 sh -c "${frame/ / --frob }"
	run -127 sh -c "$frame"
	echo 'exec cat' >app
	chmod +x app
	run -126 sh -c "$frame"
	[[ $output == *'Exec format error' ]]
	app 'exec cat'
	run -1 sh -c "$upgrade"
	run -1 sh -c "$frame"
	[[ $output == *'connection closed without a Close' ]]
}
