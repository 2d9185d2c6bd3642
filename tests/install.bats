#!/usr/bin/env bats
# What `make install' and its like leave, seen as a packager.
load helper

make_here() {
	make -s -C "$BATS_TEST_DIRNAME/.." B="$BUILD" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/opt/it "$@"
}

@test "install puts programs, pages, units, completions and examples in their places, uninstall takes all away" {
	make_here install >/dev/null
	cd "$BATS_TEST_TMPDIR/root/opt/it"
	for name in "$BATS_TEST_DIRNAME"/../cmd/*.c; do
		name=$(basename "$name" .c)
		[ -x "bin/$name" ]
		[ -f "share/man/man1/$name.1" ]
		[ -f "share/bash-completion/completions/$name" ]
	done
	[ -f share/man/man7/fittings.7 ]
	[ -f share/zsh/site-functions/_fittings ]
	[ -x share/doc/fittings/examples/chat ]
	grep -q '^ExecStart=/opt/it/bin/tcpecho$' lib/systemd/system/tcpecho.service
	! grep -rq /usr/local/bin lib/systemd/system || false
	cd "$BATS_TEST_TMPDIR"
	make_here uninstall >/dev/null
	[ -z "$(find root -type f)" ]
}

@test "an installed program runs, and says the one version there is" {
	make_here install >/dev/null
	version=$(sed -n 's/^VERSION := //p' "$BATS_TEST_DIRNAME/../Makefile")
	for program in "$BATS_TEST_TMPDIR"/root/opt/it/bin/*; do
		run "$program" --version
		[ "$output" = "${program##*/} (fittings) $version" ]
	done
}

@test "dist: a tarball of what is committed" {
	git -C "$BATS_TEST_DIRNAME/.." rev-parse HEAD >/dev/null 2>&1 || skip "not a git checkout"
	tarball=$(make -s -C "$BATS_TEST_DIRNAME/.." dist | tail -n 1)
	tar -tzf "$BATS_TEST_DIRNAME/../$tarball" >"$BATS_TEST_TMPDIR/list"
	for file in Makefile README.md cmd/wsframe.c tests/run man/fittings.7; do
		grep -q "^fittings-[0-9.]*/$file\$" "$BATS_TEST_TMPDIR/list"
	done
}
