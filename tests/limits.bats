# A server reaches a limit of descriptors, processes, memory or space for its log. It must log that, but not for each
# attempt, and must not spin. Clients meanwhile wait or get an error, and all are served when resources are available
# again. The servers run as an unprivileged user, because root may always start processes.
load helper

setup() {
	not_sanitized
	cd "$BATS_TEST_TMPDIR" || exit
	other=()
	[ "$(id -u)" != 0 ] || { need setpriv && other=(setpriv --reuid 65534 --regid 65534 --clear-groups); }
	# Accessible to the other user.
	chmod go+x "$BATS_RUN_TMPDIR"
	mkdir -m 755 bin
	cp "$BIN"/* "$TOOLS/peer" "$TOOLS/hubecho" bin
	PATH=$PWD/bin:$PATH
	ulimit -Sn "$(ulimit -Hn)"
}

# The names of glibc and musl.
no_files='(Too many open files|No file descriptors available)'
no_memory='(Cannot allocate memory|Out of memory)'

# serve CMD...: like that of the helper, as the other user.
serve() {
	start server "${other[@]}" portscan-bind -p 0 "$@"
	bound
	ready "$@"
	case "$*" in
	*ws*) call=ws_call answers=$'hello\nhello\nhello' ;;
	*) call=tcp_call answers="open 10$(printf '\nhello%.0s' {1..10})" ;;
	esac
}

# limit PID RESOURCE=N: sets the soft limit, which can be raised again, as the server's user,
# because root in a container may not.
limit() {
	"${other[@]}" prlimit --pid "$1" "--$2:"
}

unlimit() {
	limit "$1" "$2=$("${other[@]}" prlimit --pid "$1" "--$2" --raw --noheadings --output HARD)"
}

# Concurrent clients, each of which must get its line back.
tcp_call() {
	peer to:"$port" open:10 send:'hello\n' line
}

ws_call() {
	local callers=()
	for _ in 1 2 3; do
		echo hello | portscan-connect -q -p "$port" wsupgrade -t 20 -c ws://localhost/ wsframe -c -m 1 -q never 2>&1 &
		callers+=($!)
	done
	wait "${callers[@]}"
}

serves() {
	[ "$("$call" 2>&1)" = "$answers" ]
}

# endures REGEX: during the shortage it is logged a few times, and the server rests.
endures() {
	local from=$SECONDS
	await server.err "$1"
	rests
	[ "$(grep -cE "$1" server.err)" -le $((SECONDS - from + 3)) ]
}

# The clients that waited are served, and so are later ones.
recovers() {
	ended "$waiting"
	same waiting.out "$answers"
	serves
	stopped
}

# short RESOURCE=N REGEX CMD...: a server without the resource lets clients wait.
short() {
	serve "${@:3}"
	serves
	limit "$server" "$1"
	start waiting "$call"
	endures "$2"
	unlimit "$server" "${1%=*}"
	recovers
}

@test "limits: without descriptors clients wait" {
	# The first three descriptors and the listener are open.
	short nofile=4 "^tcpecho: accept: $no_files" tcpecho
	short nofile=4 "^tcpaccept: accept: $no_files" tcpaccept tcpecho
	short nofile=4 "^wshub: accept: $no_files" wshub -n hubecho -n
	short nofile=4 "^wsserve: accept: $no_files" wsserve cat
}

@test "limits: tcpaccept that may not start programs lets clients wait" {
	short nproc=0 '^tcpaccept: tcpecho: Resource temporarily unavailable' tcpaccept tcpecho
}

@test "limits: a lost worker of tcpecho cannot be replaced, and the other one serves" {
	local lost
	two() { [ "$(children "$server" | wc -l)" = 2 ]; }
	serve tcpecho -j 2
	await_that two
	limit "$server" nproc=0
	lost=$(children "$server" | head -n 1)
	kill -KILL "$lost"
	endures '^tcpecho: fork: Resource temporarily unavailable'
	serves
	unlimit "$server" nproc
	await_that two
	start waiting "$call"
	recovers
}

@test "limits: a client whose authorization program cannot be started is refused with an error" {
	serve wshub -n -a true hubecho -n
	serves
	limit "$server" nproc=0
	[[ $(ws_call) == *" 50"[03]" "* ]]
	endures '^wshub: true: Resource temporarily unavailable'
	unlimit "$server" nproc
	start waiting "$call"
	recovers
}

@test "limits: the helper process of wsserve may not start programs, and each client waits for its own" {
	local helper
	serve wsserve cat
	serves
	helper=$(children "$server")
	limit "$helper" nproc=0
	start waiting "$call"
	endures '^wsserve: cat: Resource temporarily unavailable'
	unlimit "$helper" nproc
	recovers
}

# session RESOURCE=N REGEX: wsframe in one session lacks a resource; the others do not.
session() {
	local one
	in_upgrade() { one=$(children "$server" wsupgrade); }
	rm -f go
	serve tcpaccept wsupgrade -t 60 wsframe cat # the client waits for the limit to be set
	start waiting peer to:"$port" open await:go send:"$ws_request" rest
	await_that in_upgrade
	limit "$one" "$1"
	touch go
	await server.err "$2"
	ended "$waiting"
	grep -aq $'\x88.\x03\xf3' waiting.out # a Close with code 1011
	[ "$(wc -l <server.err)" = 2 ]
	serves
	stopped
}

@test "limits: a session of wsframe without descriptors or processes ends with 1011, and the others do not" {
	session nofile=4 "^wsframe: .*: $no_files"
	session nproc=0 '^wsframe: [0-9.:]*: cat: Resource temporarily unavailable'
}

# starved CMD...: a server without free memory refuses clients until there is memory. (The first block that glibc's malloc
# requests suffices for a thousand clients, unless its size is configured.)
starved() {
	GLIBC_TUNABLES=glibc.malloc.top_pad=0 serve "$@"
	serves
	limit "$server" as="$(awk '/^VmSize:/ { print $2 * 1024 }' "/proc/$server/status")"
	start crowd peer to:"$port" open:1000 hold
	endures "^$1: connection dropped: $no_memory"
	unlimit "$server" as
	kill "$crowd"
	ended "$crowd"
	start waiting "$call"
	recovers
}

@test "limits: without memory clients are refused" {
	starved tcpecho
	starved wshub -n hubecho -n
	starved wsserve -c 10000 cat
}

@test "limits: a server whose log goes to a full disk serves" {
	local chain
	for chain in 'tcpecho -v' 'tcpaccept -v tcpecho -v' 'tcpaccept -v wsupgrade -v wsframe -v cat' 'wsserve -v cat' 'wshub -v -n hubecho -n'; do
		serve sh -c "exec $chain 2>/dev/full"
		serves
		serves
		serves
		stopped
	done
}
