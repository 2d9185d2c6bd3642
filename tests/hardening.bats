#!/usr/bin/env bats
# The hardening of the built programs, and that its check reports programs without it.
load helper

setup_file() {
	export own=$BATS_FILE_TMPDIR/build
}

# One program in a separate build, independent of the variables of `make check'.
make_own() {
	rm -f "$own/bin/tcpecho"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$BATS_TEST_DIRNAME/.." B="$own" LIBC=shared CFLAGS=-O0 "$@" \
		"$own/bin/tcpecho" >/dev/null
}

own_check() {
	BUILD=$own run "$BATS_TEST_DIRNAME/lint" hardening
	echo "$output"
}

# told WORDS: the check reports this.
told() {
	[[ $status == 1 && $output == *"$1"* ]] || { echo "not told: $1"; return 1; }
}

@test "hardening: CFLAGS and LDFLAGS are added to the built-in flags, and -O0 causes no warning" {
	run make_own LDFLAGS=-Wl,-O1
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$output" ]
	own_check
	[ "$status" = 0 ]
}

# without WORDS MAKE-ARGUMENT: the check reports WORDS for a build with this argument.
without() {
	make_own "$2"
	own_check
	told "$1"
}

@test "hardening: a program linked without it is reported" {
	without 'is not a PIE' LDFLAGS_shared=-no-pie
	without 'has no RELRO' LDFLAGS=-Wl,-z,norelro
	without 'not bound at its start' LDFLAGS=-Wl,-z,lazy
	without 'executable stack' LDFLAGS=-Wl,-z,execstack
	without 'library search path' LDFLAGS=-Wl,-rpath,/tmp
	without 'more than a libc' 'LDFLAGS_shared=-pie -Wl,--no-as-needed -lm'
	echo 'static shared' >"$own/libc"
	own_check
	told 'linked dynamically'
}

@test "hardening: objects compiled without it are reported" {
	own=$BATS_TEST_TMPDIR/build
	make_own CFLAGS='-O0 -fno-stack-protector -fcf-protection=none -fno-stack-clash-protection'
	mkdir "$own/dynamic"
	mv "$own/bin/tcpecho" "$own/dynamic"
	own_check
	told 'no stack protector'
	told 'not fortified'
	[ "$(uname -m)" = x86_64 ] || return 0
	told 'no CET note'
	told 'jump over the guard page'
}
