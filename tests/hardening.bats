# The hardening of the built programs, and that its check reports programs without it.
load helper

setup_file() {
	export own=$BATS_FILE_TMPDIR/build
}

setup() {
	not_sanitized # once is enough
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

# without WORDS FLAG...: the check reports WORDS for a program that is linked with these flags, of the objects of the first test.
without() {
	make_own LDFLAGS=-Wl,-O1 LDFLAGS_shared="${*:2}"
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	cp "$own/bin/tcpecho" "$BATS_TEST_TMPDIR/bin"
	cp "$own"/{libc,toolchain.mk} "$BATS_TEST_TMPDIR"
	own=$BATS_TEST_TMPDIR own_check
	told "$1"
}

@test "hardening: a program linked without it is reported" {
	without 'is not a PIE' -no-pie
	without 'has no RELRO' -pie -Wl,-z,norelro
	without 'not bound at its start' -pie -Wl,-z,lazy
	without 'executable stack' -pie -Wl,-z,execstack
	without 'library search path' -pie -Wl,-rpath,/tmp
	without 'more than a libc' -pie -Wl,--no-as-needed -lm
	echo 'static shared' >"$BATS_TEST_TMPDIR/libc"
	own=$BATS_TEST_TMPDIR own_check
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
