# wsupgrade seen by curl, and its pages in a real browser.
load ../helper
load proxies

chat=$BATS_TEST_DIRNAME/../../man/examples/chat.html

# In the page: the log at the next animation frame, without the times.
rows="new Promise(requestAnimationFrame).then(() =>
	Array.from(log.children, row => row.innerText.replace(/[0-9:.]{12}/, 'TIME').trim()))"

# browse ARG...: runs page.js; its answers are in $lines.
browse() {
	need node
	need chromium
	run --separate-stderr node "$BATS_TEST_DIRNAME/../peers/page.js" "$@"
	[ "$status" = 0 ] || { echo "$stderr" && return 1; }
}

@test "curl gets the complete page" {
	need curl
	serve tcpaccept wsupgrade --console --host localhost wsframe cat
	curl -sS -D head -o page "http://localhost:$port/"
	grep -q $'^HTTP/1.1 200 OK\r$' head
	cmp page "$BATS_TEST_DIRNAME/../../lib/ws/console.html"
	curl -sS --http1.0 "http://localhost:$port/" | cmp - page
	curl -sS -i -X OPTIONS -H 'Host: evil' "http://localhost:$port/any" >options
	same <(tr -d '\r' <options) 'HTTP/1.1 204 No Content' 'Allow: GET, HEAD, OPTIONS' 'Connection: close' ''
	curl -sS -I "http://localhost:$port/" | grep -q "^Content-Length: $(wc -c <page)"
	# An HTTP/2 upgrade is offered, and not accepted.
	curl -sS --http2 "http://localhost:$port/" | cmp - page
}

@test "curl gets a refusal as a complete response, whatever follows the refused head" {
	need curl
	serve tcpaccept wsupgrade --host localhost -P /chat wsframe cat
	head -c 1000000 /dev/zero >big
	run -0 curl -sS -w '\n%{http_code}' -H 'Expect:' --data-binary @big "http://localhost:$port/chat"
	[ "${lines[-1]}" = 405 ]
	[ "${#lines[@]}" = 2 ]
	run ! curl -sS --http2-prior-knowledge "http://localhost:$port/chat"
	await server.err ': 400 HTTP/2 instead of HTTP/1.1$'
}

@test "HAProxy's health check is answered, and nginx with HTTP/1.0 gets a hint at the missing directive" {
	serve tcpaccept wsupgrade -v --host localhost -P /chat wsframe cat
	haproxy_start http 'frontend f' " bind unix@$PWD/ha" ' default_backend b' \
		'backend b' ' option httpchk' " server s 127.0.0.1:$port check inter 100ms fall 1 rise 2"
	checked_again() { [ "$(grep -c ': 204 /$' server.err)" -ge 2 ]; }
	await_that checked_again
	! grep -q 'Server b/s is DOWN' haproxy.err || false
	nginx_start "http { $http server { listen unix:$PWD/front; location / {
		proxy_pass http://127.0.0.1:$port; proxy_set_header Host localhost;
		proxy_set_header Upgrade \$http_upgrade; proxy_set_header Connection upgrade; } } }"
	await_that test -S front
	curl -sS --unix-socket front -o /dev/null http://localhost/chat -H 'Upgrade: websocket' -H 'Connection: Upgrade'
	await server.err ': 426 HTTP/1.0 cannot upgrade \(nginx: proxy_http_version 1.1\)$'
}

@test "--realm: only the right password lets curl and the WebSocket of a browser's page in" {
	need curl
	shell_script may 'grep -qxF -e "${HTTP_AUTHORIZATION#Basic }" users'
	printf 'ann:se cret' | base64 >users
	serve tcpaccept wsupgrade --console --host localhost --realm 'Ann'\''s "own"' -a ./may wsframe sh -c 'echo "$AUTH_TYPE $REMOTE_USER"; read line'
	run curl -s -o /dev/null -w '%{http_code}' -u ann:wrong "http://localhost:$port/"
	[ "$output" = 401 ]
	curl -sS --anyauth -u 'ann:se cret' "http://localhost:$port/" | cmp - "$BATS_TEST_DIRNAME/../../lib/ws/console.html"
	browse "http://ann:se%20cret@localhost:$port/" 'until(() => document.querySelector("pre")).then(e => e.innerText)'
	[ "${lines[0]}" = '"Basic ann"' ]
}

@test "the console in a browser: it sends, recalls with up and down, receives, closes with a code, and reports what fails" {
	local service
	serve tcpaccept wsupgrade --host localhost wsframe cat
	service=$port
	serve tcpaccept wsupgrade --console --host localhost wsframe -n -T cat
	browse "http://localhost:$port/" \
		'until(() => document.querySelector("#state.open"))' \
		'for (const text of ["one", "two\nlines"]) { $("text").value = text; send(); } $("text").value = "a draft"' \
		'key = name => { $("text").dispatchEvent(new KeyboardEvent("keydown", { key: name })); return $("text").value; }; 0' \
		'[key("ArrowDown"), key("ArrowUp"), key("ArrowUp")]' \
		'$("text").selectionEnd = 0; [key("ArrowUp"), key("ArrowUp"), key("ArrowDown"), key("ArrowDown"), key("ArrowDown")]' \
		'$("text").value = "Grüße"; $("send").click(); until(() => document.querySelectorAll(".message").length === 6)' \
		'$("hex").checked = true; $("text").value = "00 ff 41"; $("send").click(); until(() => document.querySelectorAll(".message").length === 8)' \
		'$("code").value = "3001"; $("reason").value = "enough"; $("hangup").click(); until(() => !socket)' \
		'$("hex").checked = false; $("text").value = "unsaid"; send(); $("text").value' \
		"\$('url').value = 'ws://localhost:$service/'; \$('dial').click(); until(() => document.querySelector('#state.lost'))" \
		"$rows"
	[ "${lines[3]}" = '["a draft","two\nlines","two\nlines"]' ]
	[ "${lines[4]}" = '["one","one","two\nlines","a draft","a draft"]' ]
	[ "${lines[8]}" = '"unsaid"' ]
	[[ ${lines[-1]} == '["TIME connected to ws://localhost:'"$port"'/",'* ]]
	[[ ${lines[-1]} == *'"Grüße\n→ sent TIME · text, 7 bytes","Grüße\n← received TIME · text, 7 bytes"'* ]]
	[[ ${lines[-1]} == *'0000  00 ff 41'*'..A\n→ sent TIME · binary, 3 bytes"'*'0000  00 ff 41'*'..A\n← received TIME · binary, 3 bytes"'* ]]
	[[ ${lines[-1]} == *'"TIME closed: code 3001","TIME not connected",'*'"TIME closed: code 1006 (refused or lost'*'"]' ]]
}

@test "the console in a browser: compressed messages, with each parameter" {
	local options agreed
	while IFS='|' read -r options agreed; do
		# shellcheck disable=SC2086 # options
		serve tcpaccept wsupgrade $options --console --host localhost wsframe cat
		browse "http://localhost:$port/" \
			'until(() => document.querySelector("#state.open"))' \
			'for (const n of [1, 500, 65536, 300000]) { socket.send("Grüße ".repeat(n)); socket.send(crypto.randomUUID().repeat(9)) } until(() => document.querySelectorAll(".message").length === 8)' \
			"$rows"
		[[ ${lines[-1]} == *"\"TIME connected to ws://localhost:$port/, permessage-deflate$agreed\","* ]]
		[[ ${lines[-1]} == *'text, 2400000 bytes"'* ]]
		stop_all
	done <<-END
		-z|
		-z --window 10|; server_max_window_bits=10; client_max_window_bits=10
		-z --no-takeover|; server_no_context_takeover; client_no_context_takeover
	END
}

@test "the console in a browser: a subprotocol, the query of the page, a message with markup as text, and a close by the service" {
	serve tcpaccept wsupgrade --console --host localhost -s chat \
		wsframe sh -c 'echo "<b>$WEBSOCKET_PROTOCOL $QUERY_STRING</b>"; read line; exit 3'
	browse "http://localhost:$port/?Ada" \
		'until(() => document.querySelector("#state.open"))' \
		'$("dial").click(); until(() => !socket)' '$("clear").click()' \
		'$("protocols").value = "other, chat"; $("dial").click(); until(() => document.querySelector(".message"))' \
		'$("text").value = "bye"; $("send").click(); until(() => !socket)' \
		"$rows"
	[[ ${lines[-1]} == *'subprotocol chat","<b>chat Ada</b>\n'* ]]
	[[ ${lines[-1]} == *'"TIME closed: code 1011 (the program failed)"]' ]]
}

@test "the console in a browser: the code and reason of a Close, and an explanation of 1003" {
	serve tcpaccept wsupgrade --console --host localhost wsframe cat
	browse "http://localhost:$port/" \
		'until(() => document.querySelector("#state.open"))' \
		'$("hex").checked = true; $("text").value = "00 ff 41"; $("send").click(); until(() => !socket)' \
		"$rows"
	[[ ${lines[-1]} =~ '"TIME closed: code 1003 (this kind of data is not accepted: this service takes text), reason “'[a-zA-Z0-9\ -]+'”"]'$ ]]
	serve wshub --console --host localhost sh -c 'read open; echo "1 close 4001 not welcome"; cat >/dev/null'
	browse "http://localhost:$port/" 'until(() => !socket)' "$rows"
	[[ ${lines[-1]} == *'"TIME closed: code 4001, reason “not welcome”"]' ]]
}

@test "the console in a browser: a burst of messages, of which 1000 rows are kept, and the newest is visible" {
	serve tcpaccept wsupgrade --console --host localhost wsframe sh -c 'read line; seq 5000; read line; seq 3; read line'
	browse "http://localhost:$port/" \
		'until(() => document.querySelector("#state.open"))' \
		'scrolls = 0; scroll = follow; follow = () => { scrolls++; scroll(); }' \
		'$("text").value = "go"; $("send").click(); until(() => log.lastElementChild?.innerText.startsWith("5000\n"))' \
		'log.scrollHeight - log.scrollTop - log.clientHeight < 2 && scrolls < 1000' \
		'log.scrollTop = 100; new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))' \
		'socket.send(""); until(() => log.lastElementChild?.innerText.startsWith("3\n"))' \
		'log.scrollHeight - log.scrollTop - log.clientHeight > 1000' \
		"$rows"
	[ "${lines[3]}" = true ]
	[ "${lines[6]}" = true ]
	[[ ${lines[-1]} == '["4005 older rows dropped","4004\n'* ]]
	[ "$(grep -o '← received' <<<"${lines[-1]}" | wc -l)" = 1000 ]
}

@test "the chat in a browser: text typed after the connection was lost is kept, and sent on the next one, with the query of the page" {
	serve tcpaccept wsupgrade --page "$chat" --host localhost wsframe sh -c 'read line; echo "$line $QUERY_STRING"'
	local rows='Array.from(document.querySelectorAll("li"), e => e.innerText)' say='document.querySelector("form button")'
	browse "http://localhost:$port/?again" \
		"until(() => socket.readyState === WebSocket.OPEN && !$say.disabled)" \
		"text.value = 'once'; $say.click(); until(() => $say.disabled)" \
		"text.value = 'twice'; $say.click(); document.querySelector('form').requestSubmit(); text.value" \
		"again.click(); until(() => !$say.disabled)" \
		"again.hidden && ($say.click(), until(() => $say.disabled))" \
		"$rows.concat(text.value)"
	[ "${lines[2]}" = '"twice"' ]
	[ "${lines[-1]}" = '["once again","The connection is closed (1000).","twice again","The connection is closed (1000).",""]' ]
}

@test "the chat in a browser: a burst of lines, of which 1000 are kept, and the newest is visible" {
	serve tcpaccept wsupgrade --page "$chat" --host localhost wsframe sh -c 'read line; seq 5000; read line'
	browse "http://localhost:$port/" \
		'until(() => !say.disabled)' \
		'text.value = "go"; say.click(); until(() => log.lastElementChild?.innerText === "5000")' \
		'new Promise(requestAnimationFrame).then(() => log.scrollHeight - log.scrollTop - log.clientHeight < 2)' \
		'log.firstChild.innerText'
	[ "${lines[2]}" = true ]
	[ "${lines[3]}" = '"4001"' ]
}

@test "a page of the user in a browser" {
	echo '<!doctype html><title>mine</title><p id=p>hello' >mine.html
	serve tcpaccept wsupgrade --host localhost --page mine.html wsframe cat
	browse "http://localhost:$port/" 'document.title + document.getElementById("p").textContent.trim()' \
		'new Promise(r => { const s = new WebSocket(`ws://${location.host}`); s.onopen = () => s.send("x"); s.onmessage = e => r(e.data); })'
	[ "${lines[0]}" = '"minehello"' ]
	[ "${lines[1]}" = '"x"' ]
}
