# shellcheck disable=SC2016,SC2046,SC2154
# The results of `make' with different compilers, flags and libcs.
load helper

setup() {
	not_sanitized # once is enough
	own=$BATS_TEST_TMPDIR/build
}

# One program in a separate build, independent of the variables of `make check'. Not optimized: this is faster, and clang and
# gcc then both report no warning. Only the part of the library that these programs need.
make_own() {
	run env -i PATH="$PATH" make -j2 --no-print-directory -C "$BATS_TEST_DIRNAME/.." B="$own" CFLAGS=-O0 \
		LIB='$(wildcard lib/base/*.c lib/sys/*.c lib/csv/*.c)' "$@"
}

@test "build: CC and CFLAGS are used with every libc, without warnings, next to musl-tools" {
	for compiler in gcc clang; do
		command -v $compiler >/dev/null || skip "$compiler is not installed"
		for libc in $(command -v musl-gcc >/dev/null && echo musl) static shared; do
			rm -rf "$own"
			make_own V=1 CC=$compiler LIBC="$libc" CFLAGS='-O0 -DMARK' "$own/bin/csvsplit"
			[ "$status" = 0 ]
			! grep -F warning: <<<"$output" || false
			[ "$(grep -c -- ' -c -o ' <<<"$output")" -gt 9 ]
			! grep -- ' -o ' <<<"$output" | grep -v -- "^$compiler .* -DMARK" || false
			[ "$(printf 'a,b\n' | "$own/bin/csvsplit" -O tsv)" = $'a\tb' ]
			[ "$libc" = shared ] || ! readelf -lW "$own/bin/csvsplit" | grep INTERP || false
		done
	done
}

@test "build: another compiler, other flags, another libc or a newly installed musl cause a rebuild" {
	need musl-gcc
	make_own MUSL_CC=none "$own/bin/portscan-bind"
	make_own -q MUSL_CC=none "$own/bin/portscan-bind"
	[ "$status" = 0 ]
	mv "$own" "$own.first"
	for change in CFLAGS=-O1 CC=clang CPPFLAGS=-DX LDFLAGS=-Wl,-O1 LIBC=shared MUSL_CC=musl-gcc; do
		cp -a "$own.first" "$own"
		make_own -n V=1 MUSL_CC=none "$change" "$own/bin/portscan-bind"
		grep -q -- "-o $own/bin/portscan-bind" <<<"$output" || { echo "$change: nothing is linked"; return 1; }
		rm -r "$own"
	done
	cp -a "$own.first" "$own"
	make_own "$own/bin/portscan-bind"
	! nm "$own/bin/portscan-bind" | grep -q _dl_relocate_static_pie || false
}

@test "build: the user's _FORTIFY_SOURCE in CPPFLAGS is kept" {
	make_own V=1 LIBC=shared CFLAGS=-O2 CPPFLAGS=-D_FORTIFY_SOURCE=2 "$own/shared/lib/base/number.o"
	[ "$status" = 0 ]
	[[ $output == *' -D_FORTIFY_SOURCE=2 '* && $output != *_FORTIFY_SOURCE=3* && $output != *-U_FORTIFY* ]]
}

# finds WORDS...: the hardening check reports these for the separate build.
finds() {
	local words
	BUILD=$own run "$BATS_TEST_DIRNAME/lint" hardening
	for words; do
		[[ $output == *"$words"* ]] || { echo "not '$words': $output"; return 1; }
	done
}

@test "build: the hardening check accepts the built-in flags with others added, and reports each missing protection" {
	local words flags
	while IFS='|' read -r words flags; do
		eval "make_own LIBC=shared CFLAGS=-O1 LDFLAGS=-Wl,-O1 $flags \"\$own/bin/csvsplit\""
		mkdir -p "$own/dynamic"
		cp "$own/bin/csvsplit" "$own/dynamic"
		finds "$words"
		rm "$own/bin/csvsplit"
	done <<-'END'
		no findings|
		is not a PIE|LDFLAGS_shared=-no-pie
		has no RELRO|LDFLAGS_shared='-pie -Wl,-z,norelro'
		not bound at its start|LDFLAGS_shared='-pie -Wl,-z,lazy'
		executable stack|LDFLAGS_shared='-pie -Wl,-z,execstack'
		library search path|LDFLAGS_shared='-pie -Wl,-rpath,/tmp'
		more than a libc|LDFLAGS_shared='-pie -Wl,--no-as-needed -lm'
	END
	echo 'static shared' >"$own/libc"
	cp "$own/dynamic/csvsplit" "$own/bin"
	finds 'linked dynamically'
	make_own LIBC=shared CFLAGS='-O0 -fno-stack-protector -fcf-protection=none -fno-stack-clash-protection' "$own/bin/csvsplit"
	cp "$own/bin/csvsplit" "$own/dynamic"
	finds 'no stack protector' 'not fortified'
	[ "$(uname -m)" != x86_64 ] || finds 'no CET note' 'jump over the guard page'
}

@test "build: an unknown libc, a missing musl and one for another architecture are reported" {
	make_own LIBC=nosuch
	[ "$status" = 2 ]
	[[ $output == *'one of musl static shared, not nosuch'* ]]
	make_own LIBC=musl MUSL_CC=none
	[ "$status" = 2 ]
	[[ $output == *'cannot link with musl: none (musl-tools) is not installed'* ]]
	command -v s390x-linux-gnu-gcc musl-gcc >/dev/null || skip "no s390x-linux-gnu-gcc, or no musl-gcc"
	make_own LIBC=musl CC=s390x-linux-gnu-gcc
	[ "$status" = 2 ]
	[[ $output == *'s390x-linux-gnu-gcc cannot link with musl'* ]]
}

@test "build: check requires bats before it builds" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s $(type -P make sh bash sed find cc gcc as ld mkdir rm cat head dirname env grep basename ls) "$BATS_TEST_TMPDIR/bin"
	shell_script "$BATS_TEST_TMPDIR/bin/id" 'echo 1000'
	PATH=$BATS_TEST_TMPDIR/bin make_own -j1 check
	[ "$status" = 2 ]
	[[ $output == *'bats (bats-core 1.5 or later) is needed'* ]]
	[ ! -e "$own/static" ] && [ ! -e "$own/musl" ]
}
