#!/usr/bin/env bats
# What the programs say when something is wrong, all of it: tests/diagnostics has each situation with
# the very lines on stderr and the exit status, and what cannot be provoked cheaply with the reason.
load helper

table=$BATS_TEST_DIRNAME/diagnostics
root=$BATS_TEST_DIRNAME/..

setup() {
	cd "$BATS_TEST_TMPDIR" || exit 1
}

# What differs from run to run and from libc to libc.
plain() {
	sed -E -e '/^Bound to /d' -e 's/(127\.0\.0\.1:|port |in |at |of )[0-9]{4,5}\b/\1PORT/g' \
		-e 's/LISTEN_PID is [0-9]+/LISTEN_PID is PID/; s/process [0-9]+/process PID/; s/pid [0-9]+/pid PID/; s/, [0-9]+\.[0-9]{3} s\)/, TIME)/' \
		-e 's/Cannot assign requested address/Address not available/; s/Too many open files$/No file descriptors available/' \
		-e 's/Too many open files/No file descriptors available/; s/Cannot allocate memory/Out of memory/' \
		-e 's/Name or service not known/Name does not resolve/; s/Temporary failure in name resolution/Name does not resolve/'
}

# What the commands of the table find.
scene() {
	printf 'name,city\n"Doe, Ann",Rome\n' >people.csv
	mkdir d
	: >notexec
	printf '#!/bin/sh\nexec sleep 20\n' >slow
	chmod +x slow
	head -c 17M /dev/zero >big.html
	printf 'x\xff\n' >latin1
	get='GET / HTTP/1.1\r\nHost: x\r\n'
	upgrade='Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
	key='Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
	switching='HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
	export get upgrade key switching
}

# The table's situations, one after the other: the command, what it said, how it ended.
play() {
	local line command='' status
	while IFS= read -r line; do
		case $line in
		'$ '*)
			command=${line#\$ }
			status=0
			bash -c "$command" >/dev/null 2>err </dev/null 3>&- || status=$?
			printf '%s\n' "$line"
			plain <err
			printf '= %s\n\n' "$status" ;;
		esac
	done <"$table"
}

@test "each situation of the table is told in just these words" {
	not_sanitized
	scene
	play >got
	grep -vE '^(#|never: |bare: )' "$table" | cat -s | sed '1{/^$/d}' >expected
	diff <(cat -s expected | sed '${/^$/d}') <(sed '${/^$/d}' got)
}

@test "each line names the program and is one line of at most 400 bytes" {
	grep -vE '^([$=#]|never: |bare: |$)' "$table" >lines
	! grep -vE '^(csvsplit|portscan-bind|portscan-connect|proxyhead|tcpaccept|tcpecho|wsframe|wshub|wsupgrade): ' lines || false
	! grep -E '.{400}' lines || false
}

# The formats of the source, a line each: FILE FORMAT.
formats() (
	local file
	cd "$root" || return
	for file in cmd/*.c cmd/*/*.c lib/*/*.c; do
		tr '\n\t' '  ' <"$file" | sed -E 's/" PRIu(64|32) "/u/g; s/" PRIu(64|32)/u"/g' |
			grep -oE '[ (](warn|die|usage_refuse|option_refuse|refuse|handshake_refuse|scan_refuse|bad|fail)\([^";{]*"([^"\\]|\\.)*"' |
			sed -E 's/^[^"]*"(.*)"$/\1/' | sed "s|^|$file |"
		case $file in
		lib/codec/*|lib/sys/listen.c|lib/sys/connection.c)
			grep -v 'case HTTP_' "$file" | grep -oE 'return .*"[^"]* [^"]*";' | grep -oE '"[^"]+"' | tr -d '"' | grep ' ' | sed "s|^|$file |" ;;
		esac
	done | sort
)

# A format as a pattern: its words as they are, what is filled in as anything.
pattern_of() {
	sed -E -e 's/[][\.*^$+?(){}|]/\\&/g' -e 's/%(\\\.|[0-9l-])*[a-z]/.*/g' <<<"$1"
}

@test "each message of the source is in the table, or the reason why not" {
	local missing=0 file format
	formats >all
	[ "$(wc -l <all)" -gt 150 ]
	grep -v '^#' "$table" >rows
	while read -r file format; do
		format=${format//\\\"/\"}
		format=${format//\\\\/\\}
		# Without a word of its own: listed with its file, to be seen when one comes or goes.
		if ! grep -qE '[a-zA-Z]{3}' <<<"$(sed -E 's/%[a-z0-9.]*//g' <<<"$format")"; then
			grep -qxF "bare: $file $format" rows && continue
		else
			grep -qE -- "$(pattern_of "$format")" rows && continue
		fi
		echo "$file: \"$format\""
		missing=$((missing + 1))
	done <all
	[ "$missing" = 0 ]
}
